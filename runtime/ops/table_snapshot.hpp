/// Snapshots of tables on request, as REST and the command line ask for them. Plain values and pure
/// functions; the route is called by several threads at a time.
#pragma once

#include "runtime/ops/router.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace rtdp::ops {

class control;

struct snapshot_order {
  /// A namespace, `schema.table` or a table's name.
  std::string table;
  /// Only of this source, when the table's name alone does not tell; may be empty.
  std::string source;
  /// "start", "pause", "resume" or "cancel".
  std::string verb = "start";
  /// A condition in the source's SQL; empty: all rows.
  std::string where;
  bool sweep = false;
};

/// POST /api/v1/tables/{name}/snapshot
void add_snapshot_route(std::vector<route>& to, control& node);

/// "1,200 of 4,000 rows, 30%, 12 s left", of a table as REST shows it.
std::string snapshot_progress(const nlohmann::ordered_json& table);

} // namespace rtdp::ops
