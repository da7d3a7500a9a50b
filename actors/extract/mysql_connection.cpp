#include "actors/extract/mysql_connection.hpp"

#include <fmt/format.h>
#include <mysql.h>
#include <mysqld_error.h>

#include <algorithm>
#include <charconv>

namespace rtdp::extract::my {

namespace {

/// Numbers of the client library lie here, those of servers outside.
constexpr unsigned client_error_first = 2000, client_error_last = 2999;
/// A plugin for the account's way to log in is missing: only an administrator can help.
constexpr unsigned cannot_load_plugin = 2059;

bool is_passing(unsigned code) {
  switch (code) {
  case ER_CON_COUNT_ERROR:
  case ER_OUT_OF_RESOURCES:
  case ER_SERVER_SHUTDOWN:
  case ER_NEW_ABORTING_CONNECTION:
  case ER_LOCK_WAIT_TIMEOUT:
  case ER_LOCK_DEADLOCK:
  case ER_QUERY_INTERRUPTED:
  case ER_CONNECTION_KILLED:
  case ER_STATEMENT_TIMEOUT:
  case ER_TABLE_DEF_CHANGED:
  case ER_DISK_FULL:
    return true;
  default:
    return code >= client_error_first && code <= client_error_last && code != cannot_load_plugin;
  }
}

std::optional<std::string> decode_percent(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned code = 0;
    auto digits = text.substr(i + 1, 2);
    auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 2 || failed != std::errc{} || end != digits.data() + 2)
      return {};
    out += char(code);
    i += 2;
  }
  return out;
}

bool read_option(address& out, std::string_view item) {
  auto key = item.substr(0, item.find('='));
  auto value = decode_percent(item.substr(std::min(key.size() + 1, item.size())));
  if (!value)
    return false;
  if (key == "socket") {
    out.socket = *value;
    return true;
  }
  if (key == "ca") {
    out.ca = *value;
    return true;
  }
  if (key != "tls" || (*value != "off" && *value != "on" && *value != "verify"))
    return false;
  using use = address::tls_use;
  out.tls = *value == "off" ? use::off : *value == "on" ? use::on : use::verify;
  return true;
}

bool read_host(address& out, std::string_view text) {
  auto colon = text.rfind(':');
  // An IPv6 address stands in brackets.
  if (text.ends_with(']'))
    colon = text.npos;
  if (colon != text.npos) {
    auto port = text.substr(colon + 1);
    auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (failed != std::errc{} || end != port.data() + port.size() || out.port == 0)
      return false;
    text = text.substr(0, colon);
  }
  if (text.starts_with('[') && text.ends_with(']'))
    text = text.substr(1, text.size() - 2);
  out.host = text;
  return !text.empty();
}

unsigned seconds(std::chrono::milliseconds time) {
  return std::max(1U, unsigned(std::chrono::ceil<std::chrono::seconds>(time).count()));
}

void set_options(MYSQL* c, const connection::options& o, const address& to) {
  auto limit = seconds(o.timeout);
  mysql_options(c, MYSQL_OPT_CONNECT_TIMEOUT, &limit);
  mysql_options(c, MYSQL_OPT_READ_TIMEOUT, &limit);
  mysql_options(c, MYSQL_OPT_WRITE_TIMEOUT, &limit);
  my_bool no = 0, yes = 1;
  mysql_options(c, MYSQL_OPT_RECONNECT, &no);
  // The server must not ask for files of this machine.
  unsigned local_infile = 0;
  mysql_options(c, MYSQL_OPT_LOCAL_INFILE, &local_infile);
  mysql_options(c, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  // The largest packet that the protocol has: one row may be as big.
  unsigned long packet = 1UL << 30;
  mysql_options(c, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
  mysql_optionsv(c, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", o.application.c_str());
  if (to.tls != address::tls_use::off)
    mysql_options(c, MYSQL_OPT_SSL_ENFORCE, &yes);
  if (to.tls == address::tls_use::verify)
    mysql_options(c, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
  if (!to.ca.empty())
    mysql_options(c, MYSQL_OPT_SSL_CA, to.ca.c_str());
}

} // namespace

error server_error(unsigned code, const std::string& text) {
  auto full = fmt::format("{} (error {})", text, code);
  return is_passing(code) ? unavailable(full) : rejected(full);
}

result<address> parse_url(std::string_view url) {
  auto bad = rejected("url: expected mysql://user:password@host:port/database, with % for what is "
                      "not a plain character, and behind a question mark tls=on|verify, ca=FILE or "
                      "socket=FILE; found something else");
  std::string_view scheme = "mysql://";
  if (!url.starts_with(scheme))
    return bad;
  url.remove_prefix(scheme.size());
  address out;
  auto question = std::min(url.find('?'), url.size());
  auto options = url.substr(std::min(question + 1, url.size()));
  url = url.substr(0, question);
  while (!options.empty()) {
    auto end = std::min(options.find('&'), options.size());
    if (!read_option(out, options.substr(0, end)))
      return bad;
    options.remove_prefix(std::min(end + 1, options.size()));
  }
  auto at = url.rfind('@');
  if (at == url.npos)
    return bad;
  auto login = url.substr(0, at), place = url.substr(at + 1);
  auto colon = std::min(login.find(':'), login.size());
  auto slash = std::min(place.find('/'), place.size());
  auto user = decode_percent(login.substr(0, colon));
  auto password = decode_percent(login.substr(std::min(colon + 1, login.size())));
  auto database = decode_percent(place.substr(std::min(slash + 1, place.size())));
  if (!user || user->empty() || !password || !database || !read_host(out, place.substr(0, slash)))
    return bad;
  out.user = *user;
  out.password = *password;
  out.database = *database;
  return out;
}

void connection::close_connection::operator()(st_mysql* c) const { mysql_close(c); }
void connection::free_result::operator()(st_mysql_res* r) const { mysql_free_result(r); }

result<connection> connection::open(const options& o) {
  auto to = parse_url(o.url);
  if (!to)
    return to.error();
  connection c(mysql_init(nullptr));
  if (!c.conn_)
    return unavailable("libmariadb has no memory for a connection");
  set_options(c.handle(), o, *to);
  // A host name "localhost" would take the socket of the machine's own server.
  const auto* host = to->host == "localhost" ? "127.0.0.1" : to->host.c_str();
  const auto* socket = to->socket.empty() ? nullptr : to->socket.c_str();
  const auto* database = to->database.empty() ? nullptr : to->database.c_str();
  if (mysql_real_connect(c.handle(), socket != nullptr ? "localhost" : host, to->user.c_str(),
                         to->password.c_str(), database, to->port, socket, 0) == nullptr)
    return c.last_error();
  // Times as they are stored; one text for a value whoever asks.
  if (auto failed = c.run("set session time_zone = '+00:00', sql_mode = '', lock_wait_timeout = 10"))
    return failed;
  return c;
}

error connection::last_error() const {
  return server_error(mysql_errno(conn_.get()), mysql_error(conn_.get()));
}

result<std::vector<connection::row>> connection::query(const std::string& sql) {
  if (auto failed = begin_rows(sql))
    return failed;
  std::vector<row> out;
  for (;;) {
    auto next = next_row();
    if (!next)
      return next.error();
    if (next->empty())
      return out;
    auto& r = out.emplace_back();
    for (auto cell : *next)
      r.push_back(cell.data() == nullptr ? std::nullopt : std::optional(std::string(cell)));
  }
}

error connection::run(const std::string& sql) {
  auto rows = query(sql);
  return rows ? error{} : rows.error();
}

result<std::string> connection::value(const std::string& sql) {
  auto rows = query(sql);
  if (!rows)
    return rows.error();
  return rows->empty() ? std::string() : (*rows)[0][0].value_or("");
}

error connection::begin_rows(const std::string& sql) {
  rows_.reset();
  if (mysql_real_query(conn_.get(), sql.data(), sql.size()) != 0)
    return last_error();
  rows_.reset(mysql_use_result(conn_.get()));
  if (!rows_ && mysql_field_count(conn_.get()) != 0)
    return last_error();
  return {};
}

result<connection::cells> connection::next_row() {
  if (!rows_)
    return cells{};
  auto* values = mysql_fetch_row(rows_.get());
  if (values == nullptr) {
    rows_.reset();
    if (mysql_errno(conn_.get()) != 0)
      return last_error();
    return cells{};
  }
  const auto* lengths = mysql_fetch_lengths(rows_.get());
  auto count = mysql_num_fields(rows_.get());
  cells_.resize(count);
  for (unsigned i = 0; i < count; ++i)
    cells_[i] = values[i] == nullptr ? std::string_view{} : std::string_view(values[i], lengths[i]);
  return cells(cells_);
}

std::string connection::identifier(std::string_view name) {
  std::string out = "`";
  for (char c : name) {
    if (c == '`')
      out += '`';
    out += c;
  }
  return out + "`";
}

std::string connection::literal(std::string_view text) const {
  std::string out(text.size() * 2 + 1, '\0');
  out.resize(mysql_real_escape_string(conn_.get(), out.data(), text.data(), text.size()));
  return "'" + out + "'";
}

bool connection::is_mariadb() const { return mariadb_connection(conn_.get()) != 0; }

unsigned connection::version() const { return unsigned(mysql_get_server_version(conn_.get())); }

} // namespace rtdp::extract::my
