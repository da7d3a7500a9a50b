/// Lists of REST as tables for people. Pure: JSON in, text out.
#pragma once

#include "runtime/ops/component.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace rtdp::ops {

/// `items` as GET /api/v1/flows has them; the state is green, yellow or red with `colour`, the node
/// is there when they are on several. A line that says so when there are none.
std::string list_table(component_class c, const nlohmann::ordered_json& items, bool colour);

/// `items` of GET /api/v1/dead-letters.
std::string letters_table(const nlohmann::ordered_json& items, bool colour);

/// `items` of GET /api/v1/alarms.
std::string alarms_table(const nlohmann::ordered_json& items, bool colour);

/// `items` of GET /api/v1/nodes, /api/v1/drifts and /api/v1/plan.
std::string nodes_table(const nlohmann::ordered_json& items, bool colour);
std::string drifts_table(const nlohmann::ordered_json& items, bool colour);
std::string plan_table(const nlohmann::ordered_json& items, bool colour);

/// GET /api/v1/status: the node, why it is not ready, its cluster, and every list that is not empty.
std::string status_text(const nlohmann::ordered_json& status, bool colour);

} // namespace rtdp::ops
