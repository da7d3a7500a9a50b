/// HEARTBEAT: one per source. Once a second it has SOURCE put a mark of each table into the data
/// path, and it notices when flows stop seeing them. Outlives its SOURCE.
#pragma once

#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <map>
#include <string>

namespace rtdp::heartbeat {

struct heartbeat_state {
  runtime::environment env;
  std::string source;
  runtime::source_actor target;
  std::chrono::milliseconds interval{1000};
  /// Time of the last mark that a flow applied, by "flow namespace".
  std::map<std::string, int64_t> seen;
  int64_t sent = 0;
  static inline constexpr const char* name = "heartbeat";
};

runtime::heartbeat_actor::behavior_type
heartbeat_actor(runtime::heartbeat_actor::stateful_pointer<heartbeat_state> self,
                runtime::environment env, std::string source, runtime::source_actor target,
                std::chrono::milliseconds interval);

} // namespace rtdp::heartbeat
