/// One connection to PostgreSQL: RAII over libpq in which every wait ends, and errors say whether a
/// retry helps. Owned by whoever opened it; one thread.
#pragma once

#include "runtime/core/error.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;
struct pg_result;

namespace rtdp::extract::pg {

class connection {
public:
  struct options {
    /// postgresql://user:password@host:port/database; holds a secret.
    std::string url;
    /// Shown in pg_stat_activity.
    std::string application = "rtdp";
    /// A walsender, which takes replication commands; it takes no parameters in queries.
    bool replication = false;
    std::chrono::milliseconds timeout{10'000};
  };
  using row = std::vector<std::optional<std::string>>;
  using clock = std::chrono::steady_clock;

  static result<connection> open(const options& o);

  /// Runs one statement and returns all its rows; null is an empty optional.
  result<std::vector<row>> query(const std::string& sql,
                                 const std::vector<std::string>& parameters = {});
  /// The same, with another time-out: for what has to wait for others.
  result<std::vector<row>> query_for(std::chrono::milliseconds timeout, const std::string& sql,
                                     const std::vector<std::string>& parameters = {});

  /// Starts a statement that goes on as a COPY.
  error begin_copy(const std::string& sql);
  /// COPY data that is there now. Empty: nothing yet, `wait` for more. `at_end` turns true when the
  /// COPY ended well. The bytes are valid until the next call.
  result<std::string_view> copy_data(bool& at_end);
  error send_copy_data(std::string_view bytes);

  /// Sends statements, with semicolons between them, and does not wait for what comes of them.
  error send(const std::string& statements);
  struct outcome {
    /// Nothing came yet; the rows of the next statement, none of a command; a COPY began, to be
    /// read with `copied_row`; all statements are over.
    enum step : uint8_t { waiting, rows, copying, over } what = waiting;
    std::vector<row> table = {};
  };
  /// What came of the statements sent, one by one. Never waits: `wait` takes in what comes.
  result<outcome> next_outcome();
  /// As `copy_data`, but leaves the end of the statement, and those behind it, to `next_outcome`.
  result<std::string_view> copied_row(bool& at_end);
  /// Waits until one of the sockets has something to read or `until` has come.
  static error wait_for_any(const std::vector<int>& sockets, clock::time_point until);
  int socket() const;
  /// Waits until the server sent something or `until` has come, and takes it in.
  error wait(clock::time_point until);
  /// Takes in what the server sent, without waiting.
  error take_in();

  /// "quoted", as SQL wants an identifier.
  static std::string identifier(std::string_view name);
  int server_version() const;
  /// The parameter that the server reported, "" if it did not.
  std::string parameter(const char* name) const;

private:
  struct free_connection {
    void operator()(pg_conn* c) const;
  };
  struct free_result {
    void operator()(pg_result* r) const;
  };
  struct free_memory {
    void operator()(char* m) const;
  };
  using result_ptr = std::unique_ptr<pg_result, free_result>;

  explicit connection(pg_conn* c) : conn_(c) {}
  error connect(std::chrono::milliseconds timeout);
  result<result_ptr> run(const std::string& sql, const std::vector<std::string>& parameters,
                         clock::time_point until);
  result<result_ptr> next_result(clock::time_point until);
  error lost() const;

  std::unique_ptr<pg_conn, free_connection> conn_;
  std::unique_ptr<char, free_memory> copied_;
  std::chrono::milliseconds timeout_{10'000};
};

} // namespace rtdp::extract::pg
