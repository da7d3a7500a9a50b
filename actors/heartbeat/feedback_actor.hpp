/// FEEDBACK: knows the last report of every component of the node, logs each change of state once,
/// and keeps the state metric. Scheduled; lives as long as the node.
#pragma once

#include "runtime/ops/metrics.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace rtdp::heartbeat {

struct feedback_state {
  using key = std::pair<std::string, std::string>;
  std::map<key, runtime::report> reports;
  /// Who told it last. A SINK and the TABLEs end a moment after the FLOW or SOURCE that they came
  /// with: what they tell when that was dropped is not heard.
  std::map<key, caf::actor_id> tellers;
  std::set<caf::actor_id> unheard;
  std::shared_ptr<ops::metrics> metrics;
  static inline constexpr const char* name = "feedback";
};

runtime::feedback_actor::behavior_type
feedback_actor(runtime::feedback_actor::stateful_pointer<feedback_state> self,
               std::shared_ptr<ops::metrics> metrics);

} // namespace rtdp::heartbeat
