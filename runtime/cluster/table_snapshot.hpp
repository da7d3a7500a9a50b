/// Finds the table that a request for a snapshot means among those that the node reads. Pure.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/ops/table_snapshot.hpp"
#include "runtime/protocol.hpp"

#include <utility>
#include <vector>

namespace rtdp::cluster {

/// The order for its source, and the whole name of the table. `rejected` when no table or several
/// have the name.
result<std::pair<runtime::snapshot_order, std::string>>
find_order(const std::vector<runtime::report>& all, const ops::snapshot_order& asked);

} // namespace rtdp::cluster
