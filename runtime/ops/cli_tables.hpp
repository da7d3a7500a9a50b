/// Lists of REST as tables for people. Pure: JSON in, text out. Text of components is cleaned of
/// control characters, since it comes from databases and must not drive a terminal.
#pragma once

#include "runtime/ops/component.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace rtdp::ops {

/// Control characters become blanks.
std::string printable(std::string text);

/// 1234567 → "1,234,567"
std::string human_count(int64_t n);
/// 0.0123 → "12 ms"; 75 → "1 min 15 s"
std::string human_seconds(double s);
/// 50331648 → "48 MB"
std::string human_bytes(int64_t n);

/// `items` as GET /api/v1/flows has them. Columns are as wide as their longest cell; the state is
/// green, yellow or red with `colour`. A line that says so when there are none.
std::string list_table(component_class c, const nlohmann::ordered_json& items, bool colour);

/// `items` of GET /api/v1/dead-letters.
std::string letters_table(const nlohmann::ordered_json& items, bool colour);

/// `items` of GET /api/v1/alarms.
std::string alarms_table(const nlohmann::ordered_json& items, bool colour);

/// GET /api/v1/status: the node, why it is not ready, and every list that is not empty.
std::string status_text(const nlohmann::ordered_json& status, bool colour);

} // namespace rtdp::ops
