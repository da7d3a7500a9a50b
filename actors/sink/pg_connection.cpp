#include "actors/sink/pg_connection.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <poll.h>

namespace rtdp::sink {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Without the line breaks and the trailing one of libpq.
std::string one_line(std::string_view text) {
  std::string out;
  for (char c : text)
    out += c == '\n' ? ' ' : c;
  while (!out.empty() && out.back() == ' ')
    out.pop_back();
  return out;
}

/// Takes the SQLSTATE out of "FATAL:  28P01: password …\nLOCATION:  …" (verbose form), the only
/// place where a failed connect tells it.
std::string take_state(std::string& message) {
  if (auto location = message.find("\nLOCATION:"); location != message.npos)
    message.resize(location);
  for (size_t at = message.find(":  "); at != message.npos; at = message.find(":  ", at + 1)) {
    auto state = message.substr(at + 3, 5);
    if (state.size() == 5 && message.compare(at + 8, 2, ": ") == 0 &&
        state.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == state.npos) {
      message.erase(at + 3, 7);
      return state;
    }
  }
  return {};
}

} // namespace

ec pg_code(std::string_view state) {
  auto starts = [&](std::string_view prefix) { return state.substr(0, prefix.size()) == prefix; };
  // Connection, resources, operator intervention, system; then serialization, deadlock, lock and
  // idle time-outs, and a standby that is not yet, or no longer, the primary.
  for (auto prefix : {"08", "53", "57", "58", "40", "55P03", "55006", "25P03", "25006"})
    if (starts(prefix))
      return ec::unavailable;
  return ec::rejected;
}

result<pg_connection> pg_connection::open(const pg_options& options) {
  pg_connection c;
  c.call_limit_ = options.statement_timeout + 5s;
  if (auto e = c.establish(options))
    return e;
  if (auto e = c.configure(options))
    return e;
  return c;
}

bool pg_connection::alive() const { return conn_ && PQstatus(conn_.get()) == CONNECTION_OK; }

error pg_connection::establish(const pg_options& options) {
  // libpq would quote a malformed url, and with it the password.
  std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(
      PQconninfoParse(options.url.c_str(), nullptr), PQconninfoFree);
  if (!parsed)
    return rejected("the url is malformed; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE "
                    "with odd characters as %XX");
  // Unanswered bytes end the connection after 10 s, an idle one is probed after 10 s.
  const char* keys[] = {"dbname",
                        "fallback_application_name",
                        "tcp_user_timeout",
                        "keepalives_idle",
                        "keepalives_interval",
                        "keepalives_count",
                        "client_encoding",
                        nullptr};
  const char* values[] = {options.url.c_str(),
                          options.application_name.c_str(),
                          "10000",
                          "10",
                          "3",
                          "3",
                          "UTF8",
                          nullptr};
  conn_.reset(PQconnectStartParams(keys, values, 1));
  if (!conn_)
    return unavailable("no memory for a connection");
  PQsetErrorVerbosity(conn_.get(), PQERRORS_VERBOSE);
  auto until = clock::now() + options.connect_timeout;
  auto step = PGRES_POLLING_WRITING;
  while (PQstatus(conn_.get()) != CONNECTION_BAD && step != PGRES_POLLING_OK &&
         step != PGRES_POLLING_FAILED) {
    if (auto e = wait(step == PGRES_POLLING_READING, step == PGRES_POLLING_WRITING, until))
      return unavailable(
          fmt::format("no answer from the server within {} ms", options.connect_timeout.count()));
    step = PQconnectPoll(conn_.get());
  }
  if (alive()) {
    PQsetErrorVerbosity(conn_.get(), PQERRORS_DEFAULT);
    PQsetnonblocking(conn_.get(), 1);
    // Notices would go to stderr.
    PQsetNoticeProcessor(
        conn_.get(), [](void*, const char*) {}, nullptr);
    return {};
  }
  std::string message = PQerrorMessage(conn_.get());
  sqlstate_ = take_state(message);
  // Without an SQLSTATE the server did not speak: a malformed url never reaches a host.
  bool is_malformed = sqlstate_.empty() && PQhost(conn_.get()) == nullptr;
  auto code =
      sqlstate_.empty() ? (is_malformed ? ec::rejected : ec::unavailable) : pg_code(sqlstate_);
  conn_.reset();
  return {code, one_line(message)};
}

error pg_connection::configure(const pg_options& options) {
  // UTC: datetime cells are UTC for types with a zone. A session that stopped inside a transaction
  // is ended by the server after 5 s.
  auto r = run(fmt::format("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; "
                           "SET standard_conforming_strings = on; SET jit = off; "
                           "SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; "
                           "SET statement_timeout = {}; SET lock_timeout = {}; "
                           "SET idle_in_transaction_session_timeout = 5000; "
                           "SET synchronous_commit = {}",
                           options.statement_timeout.count(), pg_lock_timeout.count(),
                           literal(options.synchronous_commit)));
  return r ? error{} : r.error();
}

error pg_connection::wait(bool to_read, bool to_write, clock::time_point until) {
  pollfd p{PQsocket(conn_.get()), short((to_read ? POLLIN : 0) | (to_write ? POLLOUT : 0)), 0};
  for (;;) {
    auto left = std::chrono::ceil<milliseconds>(until - clock::now()).count();
    auto ready = left > 0 ? ::poll(&p, 1, int(left)) : 0;
    if (ready > 0)
      return {};
    if (ready == 0)
      return lost("no answer from the server in time");
    if (errno != EINTR)
      return lost(std::strerror(errno));
  }
}

error pg_connection::lost(std::string_view doing) {
  sqlstate_.clear();
  std::string message = conn_ ? one_line(PQerrorMessage(conn_.get())) : "";
  // A reply that comes later would answer the wrong question.
  if (conn_ && PQstatus(conn_.get()) == CONNECTION_OK &&
      PQtransactionStatus(conn_.get()) == PQTRANS_ACTIVE)
    conn_.reset();
  return unavailable(message.empty() ? std::string(doing) : fmt::format("{}: {}", doing, message));
}

error pg_connection::flush(clock::time_point until) {
  for (;;) {
    auto state = PQflush(conn_.get());
    if (state == 0)
      return {};
    if (state < 0)
      return lost("connection lost");
    // The server may want to be heard before it reads on.
    if (auto e = wait(true, true, until))
      return e;
    if (PQconsumeInput(conn_.get()) == 0)
      return lost("connection lost");
  }
}

result<pg_connection::result_ptr> pg_connection::next(clock::time_point until) {
  while (PQisBusy(conn_.get())) {
    if (auto e = wait(true, false, until))
      return e;
    if (PQconsumeInput(conn_.get()) == 0)
      return lost("connection lost");
  }
  return result_ptr(PQgetResult(conn_.get()));
}

error pg_connection::failed(const PGresult* r) {
  auto field = [&](int code) {
    auto* text = PQresultErrorField(r, code);
    return std::string(text ? text : "");
  };
  sqlstate_ = field(PG_DIAG_SQLSTATE);
  auto message = field(PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty())
    message = PQresultErrorMessage(r);
  for (auto [code, word] : {std::pair{PG_DIAG_MESSAGE_DETAIL, "detail"}, {PG_DIAG_CONTEXT, "at"}})
    if (auto more = field(code); !more.empty())
      message += fmt::format("; {}: {}", word, more);
  if (!sqlstate_.empty())
    message += fmt::format(" (SQLSTATE {})", sqlstate_);
  return {sqlstate_.empty() ? ec::unavailable : pg_code(sqlstate_), one_line(message)};
}

result<pg_rows> pg_connection::collect(clock::time_point until, bool until_copy) {
  pg_rows last;
  error first;
  for (;;) {
    auto r = next(until);
    if (!r)
      return r.error();
    if (!*r)
      break;
    auto status = PQresultStatus(r->get());
    if (status == PGRES_COPY_IN && until_copy)
      return last;
    if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
      if (!first)
        first = failed(r->get());
      if (PQstatus(conn_.get()) != CONNECTION_OK)
        return first;
      continue;
    }
    last = {};
    last.affected = std::strtoll(PQcmdTuples(r->get()), nullptr, 10);
    for (int row = 0; row < PQntuples(r->get()); ++row) {
      auto& cells = last.rows.emplace_back();
      for (int column = 0; column < PQnfields(r->get()); ++column)
        cells.push_back(PQgetisnull(r->get(), row, column)
                            ? std::nullopt
                            : std::optional<std::string>(PQgetvalue(r->get(), row, column)));
    }
  }
  if (first)
    return first;
  return last;
}

result<pg_rows> pg_connection::run(const std::string& sql) { return ask(sql, false); }

result<pg_rows> pg_connection::begin_copy(const std::string& sql) { return ask(sql, true); }

result<pg_rows> pg_connection::ask(const std::string& sql, bool copy) {
  if (!alive())
    return unavailable("not connected");
  sqlstate_.clear();
  auto until = deadline();
  if (!PQsendQuery(conn_.get(), sql.c_str()))
    return lost("cannot send");
  if (auto e = flush(until))
    return e;
  return collect(until, copy);
}

error pg_connection::send(std::string_view data) {
  // libpq copies what it cannot send yet; pieces keep its buffer small.
  constexpr size_t piece = 256 * 1024;
  auto until = deadline();
  for (; !data.empty(); data.remove_prefix(std::min(piece, data.size()))) {
    if (PQputCopyData(conn_.get(), data.data(), int(std::min(piece, data.size()))) != 1) {
      // The server refused a row already and says why.
      auto r =
          alive() ? collect(until, false) : result<pg_rows>(lost("connection lost during COPY"));
      return r ? unavailable("the server ended the COPY without a reason") : r.error();
    }
    if (auto e = flush(until))
      return e;
  }
  return {};
}

error pg_connection::end_copy() {
  auto until = deadline();
  if (PQputCopyEnd(conn_.get(), nullptr) != 1)
    return lost("connection lost during COPY");
  if (auto e = flush(until))
    return e;
  auto r = collect(until, false);
  return r ? error{} : r.error();
}

void pg_connection::abort_copy() {
  if (alive() && PQputCopyEnd(conn_.get(), "not wanted") == 1 && !flush(deadline()))
    (void)collect(deadline(), false);
}

void pg_connection::roll_back() {
  if (alive() && PQtransactionStatus(conn_.get()) != PQTRANS_IDLE)
    (void)run("ROLLBACK");
}

std::string pg_connection::literal(std::string_view text) const {
  std::string out(text.size() * 2 + 1, '\0');
  out.resize(PQescapeStringConn(conn_.get(), out.data(), text.data(), text.size(), nullptr));
  return "'" + out + "'";
}

} // namespace rtdp::sink
