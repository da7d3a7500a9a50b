/// CHANNEL: the actor around a `channel`. Owned by ALARM, which it ends with. Spawn it detached:
/// libcurl blocks.
#pragma once

#include "actors/heartbeat/channel.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>
#include <memory>

namespace rtdp::heartbeat {

struct channel_state {
  struct waiting {
    notice what;
    caf::typed_response_promise<bool> reply;
  };
  std::shared_ptr<channel> way;
  std::deque<waiting> queue;
  uint32_t attempt = 0;
  bool pausing = false;
  static inline constexpr const char* name = "channel";
};

/// So many notices wait at most; what comes on top is `rejected`.
constexpr size_t notices_waiting_max = 1000;

runtime::channel_actor::behavior_type
channel_actor(runtime::channel_actor::stateful_pointer<channel_state> self,
              std::shared_ptr<channel> way);

} // namespace rtdp::heartbeat
