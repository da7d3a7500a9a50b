/// A batch as a DuckDB table: the table function `rtdp_scan(n)`, where n is a schema that was
/// announced. Owned by one query beside its engine; must outlive every statement that was prepared
/// over it.
#pragma once

#include "runtime/sql/engine.hpp"
#include "runtime/ums/batch.hpp"

#include <map>
#include <string>

namespace rtdp::sql {

/// What the table function reads: `count` rows of a batch from `first` on.
class scan {
public:
  scan() = default;
  scan(const scan&) = delete;
  scan& operator=(const scan&) = delete;

  [[nodiscard]] std::optional<failure> register_in(duckdb_connection connection);

  /// From now on `rtdp_scan(n)` has these columns.
  void announce(int64_t n, ums::schema_ptr schema) { schemas_[n] = std::move(schema); }
  void forget(int64_t n) { schemas_.erase(n); }

  /// The rows that the next execution reads, under schema `n`. Strings are not copied: `rows` must
  /// stay until the result has been read.
  void point_at(int64_t n, const ums::slice& rows) {
    number_ = n;
    rows_ = rows;
  }

  /// Rows with a cell that the column's type cannot hold, and why; such a cell was read as null.
  /// Only cells of columns that the query uses. Grows until it is taken.
  std::map<size_t, std::string> take_unfit() { return std::exchange(unfit_, {}); }

  // For the table function only.
  ums::schema_ptr schema(int64_t n) const;
  bool is_current(int64_t n) const { return n == number_ && rows_.data != nullptr; }
  const ums::slice& rows() const { return rows_; }
  void note_unfit(size_t row, size_t column, std::string_view why);

private:
  std::map<int64_t, ums::schema_ptr> schemas_;
  std::map<size_t, std::string> unfit_;
  ums::slice rows_;
  int64_t number_ = -1;
};

} // namespace rtdp::sql
