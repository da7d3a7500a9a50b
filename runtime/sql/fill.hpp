/// Copies cells of a UMS column into a DuckDB vector.
#pragma once

#include "runtime/sql/scan.hpp"
#include "runtime/ums/batch.hpp"

#include <duckdb.h>

namespace rtdp::sql {

/// Fills `to` with `count` cells of column number `column` of the scan's batch from row `first` on.
/// Text is referenced, not copied. A cell that does not fit becomes null and is noted in `from`.
void fill(scan& from, size_t column, size_t first, size_t count, duckdb_vector to);

} // namespace rtdp::sql
