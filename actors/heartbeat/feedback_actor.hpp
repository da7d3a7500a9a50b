/// FEEDBACK: knows the last report of every component of the node, logs each change of state once,
/// and keeps the state metric. Scheduled; lives as long as the node.
#pragma once

#include "runtime/ops/metrics.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace rtdp::heartbeat {

struct feedback_state {
  std::map<std::pair<std::string, std::string>, runtime::report> reports;
  std::shared_ptr<ops::metrics> metrics;
  static inline constexpr const char* name = "feedback";
};

runtime::feedback_actor::behavior_type
feedback_actor(runtime::feedback_actor::stateful_pointer<feedback_state> self,
               std::shared_ptr<ops::metrics> metrics);

} // namespace rtdp::heartbeat
