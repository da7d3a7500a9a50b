/// STREAM: the actor around a `reading`. Spawn it detached: the bus blocks. Reads while some flow
/// has room, hands a batch out for each credit, sleeps when nobody can take more.
#pragma once

#include "actors/flow/reading.hpp"
#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace rtdp::flow {

struct stream_state {
  struct member {
    runtime::flow_actor flow;
    uint32_t credit = 0;
    uint32_t full_credit = 0;
    uint32_t ticket = 0;
  };

  runtime::environment env;
  std::shared_ptr<reading> work;
  std::string stream;
  std::map<std::string, member> members;
  runtime::report known;
  /// True while an (atom::read) is on its way.
  bool read_pending = false;
  /// When it last said how it is.
  std::chrono::steady_clock::time_point told;
  static inline constexpr const char* name = "stream";
};

runtime::stream_actor::behavior_type
stream_actor(runtime::stream_actor::stateful_pointer<stream_state> self, runtime::environment env,
             std::string name, std::shared_ptr<reading> work);

} // namespace rtdp::flow
