/// One connection to MariaDB or MySQL: RAII over libmariadb in which every wait ends, and errors say
/// whether a retry helps. Owned by whoever opened it; one thread.
#pragma once

#include "runtime/core/error.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct st_mysql;
struct st_mysql_res;

namespace rtdp::extract::my {

/// What a URL says: mysql://user:password@host:port/database?tls=on&ca=FILE&socket=FILE
struct address {
  std::string user, password, host, socket, database;
  uint16_t port = 3306;
  enum class tls_use : uint8_t { off, on, verify } tls = tls_use::off;
  std::string ca;
};

/// The error never quotes the URL, which holds a secret.
result<address> parse_url(std::string_view url);

class connection {
public:
  struct options {
    std::string url;
    /// Shown in performance_schema's session attributes.
    std::string application = "rtdp";
    std::chrono::milliseconds timeout{10'000};
  };
  using row = std::vector<std::optional<std::string>>;
  /// A null has no data pointer.
  using cells = std::span<const std::string_view>;

  static result<connection> open(const options& o);

  /// Runs one statement and returns all its rows; null is an empty optional.
  result<std::vector<row>> query(const std::string& sql);
  /// Runs one statement whose rows, if any, do not matter.
  error run(const std::string& sql);
  /// The one value of one row; empty when there is no row or it is null.
  result<std::string> value(const std::string& sql);

  /// Starts a statement whose rows are read one by one; nothing else runs until they are all read.
  error begin_rows(const std::string& sql);
  /// The next row, valid until the next call; empty behind the last one.
  result<cells> next_row();
  /// True while `begin_rows` was not read to its end.
  bool reading() const { return rows_ != nullptr; }

  /// `quoted`, as SQL wants an identifier.
  static std::string identifier(std::string_view name);
  /// 'quoted', as SQL wants a text.
  std::string literal(std::string_view text) const;
  bool is_mariadb() const;
  /// 101119 for 10.11.19.
  unsigned version() const;

  /// What went wrong last on this connection, as an error.
  error last_error() const;
  st_mysql* handle() const { return conn_.get(); }

private:
  struct close_connection {
    void operator()(st_mysql* c) const;
  };
  struct free_result {
    void operator()(st_mysql_res* r) const;
  };
  explicit connection(st_mysql* c) : conn_(c) {}

  std::unique_ptr<st_mysql, close_connection> conn_;
  std::unique_ptr<st_mysql_res, free_result> rows_;
  std::vector<std::string_view> cells_;
};

/// What the server or the client library said under `code`.
error server_error(unsigned code, const std::string& text);

} // namespace rtdp::extract::my
