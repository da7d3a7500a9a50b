/// Alarms as REST, the status page and the command line show them: plain values, copied out of the
/// actors by the composition root.
#pragma once

#include "runtime/ops/router.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace rtdp::ops {

class control;

struct alarm {
  /// "latency", "heartbeat", "silence", "errors", "retained_log" or "failed".
  std::string condition;
  /// "flow" and its name; a table by the first four parts of its namespace.
  std::string component, name;
  std::string text;
  int64_t since_us = 0;
  /// 0 while it is open.
  int64_t ended_us = 0;
};

nlohmann::ordered_json to_json(const alarm& a);

/// The open ones of `all`.
nlohmann::ordered_json open_alarms(const std::vector<alarm>& all);

/// GET /api/v1/alarms; `node` must outlive the server.
void add_alarm_routes(std::vector<route>& to, control& node);

} // namespace rtdp::ops
