/// One connection to PostgreSQL whose every call ends in bounded time, and whose errors are sorted
/// into those where a retry helps and those where it does not. Owned by one driver; one thread.
#pragma once

#include "runtime/core/error.hpp"

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::sink {

/// Above any healthy transaction of ours, so that DDL and rows wait for each other, not for ever.
constexpr std::chrono::milliseconds pg_lock_timeout{10'000};

struct pg_options {
  std::string url;
  std::string application_name;
  std::string synchronous_commit = "on";
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds statement_timeout{30'000};
};

/// What the last statement of a call gave back.
struct pg_rows {
  std::vector<std::vector<std::optional<std::string>>> rows;
  /// Rows that the statement wrote.
  int64_t affected = 0;
};

/// What an SQLSTATE means for the caller.
ec pg_code(std::string_view sqlstate);

class pg_connection {
public:
  /// A wrong password, an unknown database or a malformed url are `rejected`.
  static result<pg_connection> open(const pg_options& options);

  /// False after any error that lost the connection; then only the destructor may be called.
  bool alive() const;

  /// Runs one or several statements; one that fails undoes all of them.
  result<pg_rows> run(const std::string& sql);

  /// Runs statements of which the last one is COPY … FROM STDIN, and stays ready for the data.
  /// Gives what the statement before the COPY gave.
  result<pg_rows> begin_copy(const std::string& sql);
  error send(std::string_view data);
  error end_copy();
  /// Ends a COPY that is not wanted any more; its error is expected.
  void abort_copy();

  /// Ends whatever transaction is open. Nothing to do on a lost connection: the server does it.
  void roll_back();

  std::string literal(std::string_view text) const;
  /// SQLSTATE of the last error, empty if it had none.
  const std::string& sqlstate() const { return sqlstate_; }

private:
  using clock = std::chrono::steady_clock;
  struct closer {
    void operator()(PGconn* c) const { PQfinish(c); }
    void operator()(PGresult* r) const { PQclear(r); }
  };
  using result_ptr = std::unique_ptr<PGresult, closer>;

  error establish(const pg_options& options);
  error configure(const pg_options& options);
  error wait(bool to_read, bool to_write, clock::time_point until);
  error flush(clock::time_point until);
  result<result_ptr> next(clock::time_point until);
  /// Sends one statement and waits for its answer; `copy`: for the server to take COPY data.
  result<pg_rows> ask(const std::string& sql, bool copy);
  result<pg_rows> collect(clock::time_point until, bool until_copy);
  error failed(const PGresult* r);
  error lost(std::string_view doing);
  clock::time_point deadline() const { return clock::now() + call_limit_; }

  std::unique_ptr<PGconn, closer> conn_;
  std::string sqlstate_;
  /// A little above the server's own statement_timeout, which gives the better message.
  std::chrono::milliseconds call_limit_{35'000};
};

} // namespace rtdp::sink
