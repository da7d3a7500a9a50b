/// Picks the rows of a slice that a keyed table needs: per key the one with the highest ums_id_.
/// Pure; used by the SQL sinks before they write.
#pragma once

#include "actors/sink/table_ddl.hpp"

#include <cstdint>
#include <vector>

namespace rtdp::sink {

struct picked {
  /// Positions in the batch. Keyed: in the order of the keys, so that two writers lock rows of a
  /// table in the same order and indexes are walked from left to right. Else as they came.
  std::vector<uint32_t> rows;
  bool has_deletes = false;
};

/// Leaves out `b` rows. With mutation `insert` takes every other row; else one per key, and
/// `rejected` when a part of a key is null.
result<picked> newest_rows(const ums::slice& rows, const layout& to);

/// For messages about one row: `id = 42, ums_id_ 50000012354`, or the id alone without keys.
std::string describe_row(const ums::batch& b, size_t row, const layout& to);

} // namespace rtdp::sink
