#include "actors/extract/postgres_connection.hpp"

#include "actors/extract/postgres_types.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <poll.h>

namespace rtdp::extract::pg {

namespace {

using clock = connection::clock;
using namespace std::chrono_literals;

/// True when the same statement may succeed later (classes of the SQL standard and PostgreSQL).
bool is_passing(std::string_view state) {
  auto begins = [&](std::string_view prefix) { return state.substr(0, prefix.size()) == prefix; };
  return begins("08") || begins("40") || begins("53") || begins("57") || begins("58") ||
         state == "55P03"     // lock_not_available
         || state == "55006"; // object_in_use
}

std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.pop_back();
  return text;
}

/// The five letters behind the severity of a verbose message: "FATAL:  28P01: password …".
std::string_view sqlstate_in(std::string_view message) {
  for (auto at = message.find(":  "); at != message.npos; at = message.find(":  ", at + 1)) {
    auto state = message.substr(at + 3, 5);
    auto good = state.size() == 5 && std::all_of(state.begin(), state.end(), [](char c) {
                  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                });
    if (good && message.substr(at + 8, 2) == ": ")
      return state;
  }
  return {};
}

/// What the server said, without the place in its source code.
std::string without_location(std::string text) {
  if (auto at = text.find("\nLOCATION:"); at != text.npos)
    text.resize(at);
  return trimmed(std::move(text));
}

error connect_error(PGconn* c) {
  std::string text = without_location(PQerrorMessage(c));
  auto state = sqlstate_in(text);
  if (!state.empty())
    return is_passing(state) ? unavailable(text) : rejected(text);
  // The client itself refused: there is no password to send.
  return PQconnectionNeedsPassword(c) ? rejected(text) : unavailable(text);
}

error statement_error(const PGresult* r) {
  const char* state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  auto text = trimmed(PQresultErrorMessage(r));
  // Without a state it is libpq that speaks: the connection broke.
  return state == nullptr || is_passing(state) ? unavailable(text) : rejected(text);
}

/// True when `events` came before `until`.
result<bool> wait_for(PGconn* c, short events, clock::time_point until) {
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    pollfd p{.fd = PQsocket(c), .events = events, .revents = 0};
    auto ready = ::poll(&p, 1, int(std::clamp<int64_t>(left, 0, 3'600'000)));
    if (ready > 0)
      return true;
    if (ready == 0)
      return false;
    if (errno != EINTR)
      return unavailable("waiting for PostgreSQL failed");
  }
}

std::vector<connection::row> rows_of(const PGresult* r) {
  std::vector<connection::row> rows;
  for (int i = 0; i < PQntuples(r); ++i) {
    auto& out = rows.emplace_back();
    for (int k = 0; k < PQnfields(r); ++k)
      out.push_back(PQgetisnull(r, i, k) != 0
                        ? std::optional<std::string>{}
                        : std::string(PQgetvalue(r, i, k), size_t(PQgetlength(r, i, k))));
  }
  return rows;
}

using texts = std::vector<std::string>;

/// The URL with what every connection of ours needs behind it, so that it wins.
bool expand(const connection::options& o, texts& names, texts& values) {
  char* why = nullptr;
  auto* parsed = PQconninfoParse(o.url.c_str(), &why);
  PQfreemem(why); // Quotes the URL, and with it the password.
  if (parsed == nullptr)
    return false;
  std::string session(session_options);
  for (auto* p = parsed; p->keyword != nullptr; ++p) {
    if (p->val == nullptr)
      continue;
    if (std::string_view(p->keyword) == "options") {
      session = std::string(p->val) + " " + session;
      continue;
    }
    names.emplace_back(p->keyword);
    values.emplace_back(p->val);
  }
  PQconninfoFree(parsed);
  const std::pair<const char*, std::string> ours[] = {
      {"options", session},
      {"client_encoding", "UTF8"},
      {"fallback_application_name", o.application},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      // Data that the peer does not acknowledge ends the connection, as keepalives do when idle.
      {"tcp_user_timeout", "30000"},
      {"replication", o.replication ? "database" : "false"},
  };
  for (const auto& [name, value] : ours) {
    names.emplace_back(name);
    values.push_back(value);
  }
  return true;
}

} // namespace

void connection::free_connection::operator()(pg_conn* c) const { PQfinish(c); }
void connection::free_result::operator()(pg_result* r) const { PQclear(r); }
void connection::free_memory::operator()(char* m) const { PQfreemem(m); }

result<connection> connection::open(const options& o) {
  texts names, values;
  if (!expand(o, names, values))
    return rejected("url: expected postgresql://user:password@host:port/database; found something "
                    "that libpq does not read");
  std::vector<const char*> keys, texts;
  for (size_t i = 0; i < names.size(); ++i) {
    keys.push_back(names[i].c_str());
    texts.push_back(values[i].c_str());
  }
  keys.push_back(nullptr);
  texts.push_back(nullptr);
  connection c(PQconnectStartParams(keys.data(), texts.data(), 0));
  c.timeout_ = o.timeout;
  if (!c.conn_)
    return unavailable("libpq has no memory for a connection");
  if (auto failed = c.connect(o.timeout))
    return failed;
  // Such a database holds any bytes. Asked for UTF-8, the server would end the statement at the
  // first row that is none; so it sends them as they are, and we look at them.
  if (c.parameter("server_encoding") == "SQL_ASCII")
    if (auto done = c.query("set client_encoding = 'SQL_ASCII'"); !done)
      return done.error();
  return c;
}

error connection::connect(std::chrono::milliseconds timeout) {
  auto* c = conn_.get();
  if (PQstatus(c) == CONNECTION_BAD)
    return connect_error(c);
  // Verbose messages carry the SQLSTATE, which no localised text hides.
  PQsetErrorVerbosity(c, PQERRORS_VERBOSE);
  auto until = clock::now() + timeout;
  for (auto state = PGRES_POLLING_WRITING; state != PGRES_POLLING_OK; state = PQconnectPoll(c)) {
    if (state == PGRES_POLLING_FAILED)
      return connect_error(c);
    auto ready = wait_for(c, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until);
    if (!ready)
      return ready.error();
    if (!*ready)
      return unavailable(fmt::format("PostgreSQL did not let us in within {} ms", timeout.count()));
  }
  PQsetErrorVerbosity(c, PQERRORS_DEFAULT);
  if (PQsetnonblocking(c, 1) != 0)
    return lost();
  PQsetNoticeProcessor(
      c, [](void*, const char*) {}, nullptr);
  return {};
}

error connection::lost() const {
  return unavailable("connection to PostgreSQL lost: " + trimmed(PQerrorMessage(conn_.get())));
}

error connection::take_in() {
  if (PQconsumeInput(conn_.get()) == 0)
    return lost();
  return {};
}

error connection::wait(clock::time_point until) {
  // What we still have to send goes out first: the server may wait for it.
  auto flushed = PQflush(conn_.get());
  if (flushed < 0)
    return lost();
  auto ready = wait_for(conn_.get(), short(flushed > 0 ? POLLIN | POLLOUT : POLLIN), until);
  if (!ready)
    return ready.error();
  // Also when the socket is quiet: TLS may hold bytes that it has read already.
  return take_in();
}

result<connection::result_ptr> connection::next_result(clock::time_point until) {
  while (PQisBusy(conn_.get()) != 0) {
    if (clock::now() >= until)
      return unavailable("PostgreSQL did not answer in time");
    if (auto failed = wait(until))
      return failed;
  }
  return result_ptr(PQgetResult(conn_.get()));
}

result<connection::result_ptr> connection::run(const std::string& sql,
                                               const std::vector<std::string>& parameters,
                                               clock::time_point until) {
  std::vector<const char*> values;
  for (const auto& p : parameters)
    values.push_back(p.c_str());
  // A walsender knows the simple protocol only.
  auto sent = values.empty() ? PQsendQuery(conn_.get(), sql.c_str())
                             : PQsendQueryParams(conn_.get(), sql.c_str(), int(values.size()),
                                                 nullptr, values.data(), nullptr, nullptr, 0);
  if (sent == 0)
    return lost();
  return next_result(until);
}

result<std::vector<connection::row>> connection::query(const std::string& sql,
                                                       const std::vector<std::string>& parameters) {
  return query_for(timeout_, sql, parameters);
}

result<std::vector<connection::row>>
connection::query_for(std::chrono::milliseconds timeout, const std::string& sql,
                      const std::vector<std::string>& parameters) {
  auto until = clock::now() + timeout;
  auto answer = run(sql, parameters, until);
  std::vector<row> rows;
  error failure;
  // Everything must be read, also behind an error, before the connection takes another statement.
  for (; answer && *answer; answer = next_result(until)) {
    const auto* r = answer->get();
    auto status = PQresultStatus(r);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      failure = PQstatus(conn_.get()) == CONNECTION_BAD ? lost() : statement_error(r);
      if (failure == ec::unavailable && PQstatus(conn_.get()) == CONNECTION_BAD)
        return failure;
      continue;
    }
    for (auto& one : rows_of(r))
      rows.push_back(std::move(one));
  }
  if (!answer)
    return answer.error();
  if (failure)
    return failure;
  return rows;
}

error connection::begin_copy(const std::string& sql) {
  auto answer = run(sql, {}, clock::now() + timeout_);
  if (!answer)
    return answer.error();
  auto status = PQresultStatus(answer->get());
  if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
    return {};
  return PQstatus(conn_.get()) == CONNECTION_BAD ? lost() : statement_error(answer->get());
}

result<std::string_view> connection::copy_data(bool& at_end) {
  char* bytes = nullptr;
  auto size = PQgetCopyData(conn_.get(), &bytes, 1);
  copied_.reset(bytes);
  if (size > 0)
    return std::string_view(bytes, size_t(size));
  if (size == 0)
    return std::string_view{};
  if (size < -1)
    return lost();
  // The COPY is over; a result for the statement says how, and one more ends it.
  auto until = clock::now() + timeout_;
  error failure;
  for (auto answer = next_result(until); !answer || *answer; answer = next_result(until)) {
    if (!answer)
      return answer.error();
    auto status = PQresultStatus(answer->get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      failure = statement_error(answer->get());
      break;
    }
  }
  if (failure)
    return failure;
  at_end = true;
  return std::string_view{};
}

error connection::send(const std::string& statements) {
  if (PQsendQuery(conn_.get(), statements.c_str()) == 0 || PQflush(conn_.get()) < 0)
    return lost();
  return {};
}

result<connection::outcome> connection::next_outcome() {
  if (PQisBusy(conn_.get()) != 0)
    return outcome{};
  result_ptr r(PQgetResult(conn_.get()));
  if (!r)
    return outcome{.what = outcome::over};
  auto status = PQresultStatus(r.get());
  if (status == PGRES_COPY_OUT)
    return outcome{.what = outcome::copying};
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
    return outcome{.what = outcome::rows, .table = rows_of(r.get())};
  return PQstatus(conn_.get()) == CONNECTION_BAD ? lost() : statement_error(r.get());
}

result<std::string_view> connection::copied_row(bool& at_end) {
  char* bytes = nullptr;
  auto size = PQgetCopyData(conn_.get(), &bytes, 1);
  copied_.reset(bytes);
  if (size < -1)
    return lost();
  at_end = size == -1;
  return std::string_view(bytes, size > 0 ? size_t(size) : 0);
}

error connection::wait_for_any(const std::vector<int>& sockets, clock::time_point until) {
  std::vector<pollfd> all;
  for (auto s : sockets)
    all.push_back({.fd = s, .events = POLLIN, .revents = 0});
  auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
  if (::poll(all.data(), all.size(), int(std::clamp<int64_t>(left, 0, 3'600'000))) < 0 &&
      errno != EINTR)
    return unavailable("waiting for PostgreSQL failed");
  return {};
}

int connection::socket() const { return PQsocket(conn_.get()); }

error connection::send_copy_data(std::string_view bytes) {
  if (PQputCopyData(conn_.get(), bytes.data(), int(bytes.size())) < 0 || PQflush(conn_.get()) < 0)
    return lost();
  return {};
}

std::string connection::identifier(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"')
      out += '"';
    out += c;
  }
  return out + "\"";
}

int connection::server_version() const { return PQserverVersion(conn_.get()); }

std::string connection::parameter(const char* name) const {
  const char* text = PQparameterStatus(conn_.get(), name);
  return text == nullptr ? "" : text;
}

} // namespace rtdp::extract::pg
