/// NODE: starts, supervises and stops everything on this machine. Scheduled. Knows no component:
/// the composition root hands it a plan of what to spawn.
///
/// A child that dies is spawned again, with back-off, and restarts from its own stored state; what
/// a retry cannot help is `failed`, with the reason, and everything else goes on. Stopping goes
/// downstream: sources, streams, flows; each stage has its time, then what is left is killed.
#pragma once

#include "runtime/cluster/supervision.hpp"
#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/local_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rtdp::cluster {

/// How to spawn each component; called again for each restart. NODE monitors what comes back.
struct node_plan {
  struct source {
    std::string name;
    /// A person stopped it before the last restart of the node.
    bool stopped = false;
    std::function<runtime::source_actor(caf::local_actor&)> spawn;
    std::function<runtime::heartbeat_actor(caf::local_actor&, runtime::source_actor)>
        spawn_heartbeat;
  };
  struct stream {
    std::string name;
    std::function<runtime::stream_actor(caf::local_actor&)> spawn;
  };
  struct flow {
    std::string name;
    std::string stream;
    /// A person stopped it before the last restart of the node.
    bool stopped = false;
    std::function<runtime::flow_actor(caf::local_actor&, runtime::stream_actor,
                                      std::map<std::string, runtime::heartbeat_actor>)>
        spawn;
  };
  std::vector<source> sources;
  std::vector<stream> streams;
  std::vector<flow> flows;
  /// May be absent. NODE registers what it spawns as `alarm`, where REST finds it.
  std::function<runtime::alarm_actor(caf::local_actor&)> spawn_alarm = {};
  restart_limits limits;
  /// For a flow that a person stops (below the 5 s that a request waits), and for each of the three
  /// stages of a stop; together below the 10 s of SIGTERM.
  std::chrono::milliseconds stage_timeout{2500};
};

struct node_state {
  /// In the order of a stop; the last two are ended at its beginning.
  enum class kind : uint8_t { source, stream, flow, heartbeat, alarm };
  struct child {
    node_state::kind kind;
    std::string name;
    /// Position in its list of the plan.
    size_t index = 0;
    caf::strong_actor_ptr actor;
    supervision history;
    std::optional<moment> restart_at;
    /// Ended on purpose, by a person or with the node.
    bool stopped = false;
    std::string failure;
    /// A person stops it, since then; these wait for its end.
    std::optional<moment> stopping_since;
    std::vector<caf::typed_response_promise<bool>> on_stopped;
  };

  runtime::environment env;
  node_plan plan;
  std::vector<child> children;
  /// Flows hold them: each outlives its SOURCE and is told of the next one; should one die, the
  /// flows are told of the one that takes its place.
  std::map<std::string, runtime::heartbeat_actor> heartbeats;
  /// 0 while running, then the stage of the stop.
  int stage = 0;
  moment stage_since;
  static inline constexpr const char* name = "node";
};

runtime::node_actor::behavior_type
node_actor(runtime::node_actor::stateful_pointer<node_state> self, runtime::environment env,
           node_plan plan);

} // namespace rtdp::cluster
