/// HEARTBEAT: one per source. Once a second it has SOURCE put a mark of each table into the data
/// path, and tells FEEDBACK when the slowest flow saw the last one of each table. Outlives its
/// SOURCE; started again by NODE, which tells the flows.
#pragma once

#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"
#include "runtime/ums/namespace.hpp"

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
  struct mark {
    /// The version of the table that it was last seen in, which is how lists name the table.
    std::string ns;
    int64_t marked_us = 0;
  };
  /// The last mark that each flow applied of each table, whatever its version.
  std::map<std::string, std::map<ums::ns, mark>> seen;
  /// What FEEDBACK was told of each version of a table; 0: nobody waits for its marks any more.
  std::map<std::string, int64_t> told;
  int64_t sent = 0;
  static inline constexpr const char* name = "heartbeat";
};

runtime::heartbeat_actor::behavior_type
heartbeat_actor(runtime::heartbeat_actor::stateful_pointer<heartbeat_state> self,
                runtime::environment env, std::string source, runtime::source_actor target,
                std::chrono::milliseconds interval);

} // namespace rtdp::heartbeat
