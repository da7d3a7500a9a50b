/// ALARM: the actor around `alarm_rules`. Once a second it asks FEEDBACK how everything is, and
/// tells what began or ended to the log, the metrics and each CHANNEL. One a node, supervised by
/// NODE; spawn it detached, since it stores what it told before it tells it.
///
/// A notice is kept until its CHANNEL has delivered it, also over restarts: at least once, with an
/// id that tells a repetition.
#pragma once

#include "actors/heartbeat/alarm_rules.hpp"
#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"
#include "runtime/state/checkpoint.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::heartbeat {

struct alarm_state {
  struct undelivered {
    int64_t id = 0;
    size_t channel = 0;
    notice what;
  };
  runtime::environment env;
  std::optional<alarm_rules> rules;
  std::optional<state::checkpoint_store> store;
  std::vector<runtime::channel_actor> channels;
  std::deque<undelivered> outbox;
  int64_t next_id = 1;
  static inline constexpr const char* name = "alarm";
};

/// `channels` end with it.
runtime::alarm_actor::behavior_type
alarm_actor(runtime::alarm_actor::stateful_pointer<alarm_state> self, runtime::environment env,
            config::alarm_settings settings, std::vector<runtime::channel_actor> channels);

} // namespace rtdp::heartbeat
