/// An embedded DuckDB: one in-memory database and one connection, closed off from files, network
/// and extensions. Owned by one query, used by one thread at a time; it starts no thread itself.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/sql/limits.hpp"

#include <duckdb.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace rtdp::sql {

/// What DuckDB refused, and where.
struct failure {
  /// DuckDB's name for the class of the error: "Parser", "Binder", "Conversion", …
  std::string kind;
  std::string text;
  /// Byte in the statement's text.
  std::optional<size_t> position;
  /// What was not found, for errors that lack a position.
  std::string name;

  /// The values of some row are to blame; the same statement may succeed without that row.
  bool is_about_a_row() const;
  /// The database must not be used any more.
  bool is_fatal() const { return kind == "INTERNAL" || kind == "FATAL"; }
};

/// Frees a handle of the C API.
template<class T, void (*destroy)(T*)>
class handle {
public:
  handle() = default;
  explicit handle(T raw) : raw_(raw) {}
  handle(handle&& other) noexcept : raw_(std::exchange(other.raw_, T{})) {}
  handle& operator=(handle&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~handle() { destroy(&raw_); }

  T get() const { return raw_; }
  T* out() { return &raw_; }

private:
  T raw_{};
};

using prepared = handle<duckdb_prepared_statement, duckdb_destroy_prepare>;
using data_chunk = handle<duckdb_data_chunk, duckdb_destroy_data_chunk>;
using logical_type = handle<duckdb_logical_type, duckdb_destroy_logical_type>;
using query_result = handle<duckdb_result, duckdb_destroy_result>;

/// `name` in double quotes, doubled inside, as SQL writes an identifier.
std::string quoted(std::string_view name);

class engine {
public:
  static result<std::unique_ptr<engine>> open(const limits& most);

  duckdb_connection connection() const { return connection_.get(); }

  /// Compiles one statement. Nothing: it went well.
  [[nodiscard]] std::optional<failure> prepare(const std::string& text, prepared& out);
  /// Executes a SELECT, all of it, within the time limit.
  [[nodiscard]] std::optional<failure> run(const prepared& statement, query_result& out);
  /// Executes a statement without a result.
  [[nodiscard]] std::optional<failure> run(const std::string& text);
  /// `select function(argument)`, both texts.
  [[nodiscard]] std::optional<failure> call(const std::string& function, std::string_view argument,
                                            std::string& out);

private:
  explicit engine(const limits& most) : limits_(most) {}
  std::optional<failure> lock_down();

  limits limits_;
  handle<duckdb_database, duckdb_close> database_;
  handle<duckdb_connection, duckdb_disconnect> connection_;
};

} // namespace rtdp::sql
