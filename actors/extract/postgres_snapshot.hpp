/// Reads whole tables as of one moment: one read-only transaction, one binary COPY a table. Owned
/// by the driver as long as a snapshot is under way; one thread.
#pragma once

#include "actors/extract/collector.hpp"
#include "actors/extract/postgres_catalog.hpp"
#include "actors/extract/postgres_copied_rows.hpp"

namespace rtdp::extract::pg {

class snapshot {
public:
  /// Opens the transaction and locks the tables against being rewritten or dropped.
  static result<snapshot> begin(const connection::options& o,
                                const std::vector<table_name>& tables);

  /// Fixes what is seen: that of a new slot (`exported`) or, when that is empty, this moment.
  error fix(const std::string& exported);
  const seen_by& seen() const { return seen_; }
  /// Time of the server when the snapshot was fixed.
  int64_t at_us() const { return at_us_; }

  /// Begins to copy a table. REQUIRES: fixed, no other copy under way.
  error start(const table_name& name, const std::string& publication);
  /// Of the table under way.
  const shape& columns() const { return shape_; }
  bool copying() const { return rows_.has_value(); }

  /// Adds rows under `table`, a handle for `columns()`, until the collector is full, the table ends
  /// or nothing came until `until`. After the table's last row `copying` is false.
  error copy(collector& out, collector::handle table, connection::clock::time_point until);

private:
  explicit snapshot(connection c) : connection_(std::move(c)) {}
  error add_row(std::string_view row, collector& out, collector::handle table);

  connection connection_;
  seen_by seen_;
  int64_t at_us_ = 0;
  shape shape_;
  /// Of the COPY under way.
  std::optional<copied_rows> rows_;
  bool check_text_ = false;
};

} // namespace rtdp::extract::pg
