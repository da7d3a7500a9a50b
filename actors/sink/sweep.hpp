/// What every sink does about a sweep, the end of a snapshot that met all rows there are. Pure.
#pragma once

#include "actors/sink/driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

namespace rtdp::sink {

/// The id below which rows are gone; empty when the slice is no sweep, or the target appends every
/// change and takes nothing away.
inline std::optional<int64_t> swept(const ums::slice& rows, mutation m) {
  const auto* before = rows.data->find(ums::before_name);
  if (rows.data->kind != ums::protocol::increment_sweep || rows.count == 0 || !before ||
      m == mutation::insert)
    return {};
  auto ids = before->ints().subspan(rows.first, rows.count);
  return *std::max_element(ids.begin(), ids.end());
}

/// The end of an UPDATE. A tombstone has the highest id below the snapshot's first: whatever the
/// snapshot gave, or the log since, still wins when it comes later by way of another partition.
inline std::string tombstones_below(int64_t before) {
  return fmt::format("\"ums_active_\" = 0, \"ums_id_\" = {0} WHERE \"ums_active_\" = 1 AND "
                     "(\"ums_id_\" < {1} OR \"ums_id_\" IS NULL)",
                     before - 1, before);
}

} // namespace rtdp::sink
