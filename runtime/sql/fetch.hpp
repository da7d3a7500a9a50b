/// Rows of a DuckDB result as UMS columns.
#pragma once

#include "runtime/sql/engine.hpp"
#include "runtime/ums/batch.hpp"

#include <vector>

namespace rtdp::sql {

/// Which column of a result becomes which column of a batch, and how.
struct fetched_column {
  /// In the result.
  size_t index = 0;
  /// DuckDB's storage of the cells: for a decimal that of its integer.
  duckdb_type stored = DUCKDB_TYPE_INVALID;
  /// Digits behind the point of a decimal.
  uint8_t scale = 0;
  /// A decimal's zeros at the end are dropped: 5.500 is written 5.5.
  bool trim = false;
};

fetched_column fetched_column_of(size_t index, duckdb_logical_type type);

/// Appends the rows of `chunk` to `out`, whose columns are those of `columns`, in this order.
void append_chunk(duckdb_data_chunk chunk, const std::vector<fetched_column>& columns,
                  ums::batch& out);

} // namespace rtdp::sql
