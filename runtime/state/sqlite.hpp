/// SQLite with owners: a connection, a statement, a transaction. One thread at a time.
/// Every database here runs in WAL mode with foreign keys on and a busy time-out of 5 s.
#pragma once

#include "runtime/core/error.hpp"

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace rtdp::state {

/// SQLITE_FULL, IOERR, BUSY, LOCKED, CANTOPEN are `unavailable`; everything else `rejected`.
error sqlite_error(sqlite3* db, int code, std::string_view doing);

/// A prepared statement. Parameters and columns count as in SQLite: parameters from 1, columns from
/// 0.
class statement {
public:
  statement() = default;

  statement& bind(int index, int64_t value);
  statement& bind(int index, double value);
  /// The bytes must outlive the next `step`.
  statement& bind(int index, std::string_view value);
  statement& bind_blob(int index, std::string_view value);
  statement& bind_null(int index);

  /// True: a row is there. False: done; the statement is reset and may be bound again.
  result<bool> step();
  /// Runs to the end and resets.
  error run();
  void reset();

  bool is_null(int column) const;
  int64_t integer(int column) const;
  double real(int column) const;
  /// Text or blob; valid until the next step.
  std::string_view text(int column) const;
  sqlite3_stmt* handle() const { return stmt_.get(); }

private:
  friend class database;
  struct closer {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  /// Remembers the first binding that failed, for the next `step` to report.
  statement& noted(int code);

  std::unique_ptr<sqlite3_stmt, closer> stmt_;
  int bind_code_ = SQLITE_OK;
};

class database {
public:
  enum class durability {
    /// fsync at each commit: survives a power cut.
    full,
    /// Survives kill -9, not a power cut (PRAGMA synchronous=NORMAL).
    process,
  };

  database() = default;
  /// Creates the file and its folder when missing. ":memory:" is allowed.
  /// `page_bytes` counts only when the file is new.
  static result<database> open(const std::string& path, durability d = durability::full,
                               int page_bytes = 4096);
  static result<database> open_read_only(const std::string& path);
  /// Somebody else's file: never created, its journal mode and settings stay as they are; waits for
  /// its lock at most `busy`. Touches nothing yet: that it is a database shows at the first
  /// statement.
  static result<database> open_existing(const std::string& path, std::chrono::milliseconds busy);

  /// Runs one or several statements without results.
  error exec(const std::string& sql);
  result<statement> prepare(std::string_view sql);
  int64_t changes() const { return sqlite3_changes64(db_.get()); }
  sqlite3* handle() const { return db_.get(); }

private:
  struct closer {
    void operator()(sqlite3* d) const { sqlite3_close_v2(d); }
  };
  static result<database> connect(const std::string& path, int flags);

  std::unique_ptr<sqlite3, closer> db_;
};

/// BEGIN IMMEDIATE now, ROLLBACK in the destructor unless committed.
class transaction {
public:
  static result<transaction> begin(database& db);
  transaction(transaction&& other) noexcept;
  transaction& operator=(transaction&&) = delete;
  ~transaction();
  error commit();

private:
  explicit transaction(database& db) : db_(&db) {}
  database* db_;
};

} // namespace rtdp::state
