/// NODE: starts, supervises and stops everything on this machine. Scheduled. Knows no component:
/// the composition root hands it a plan of what to spawn.
///
/// A child that dies is spawned again, with back-off, and restarts from its own stored state; what
/// a retry cannot help is `failed`, with the reason, and everything else goes on. Stopping goes
/// downstream: sources, streams, flows; each stage has its time, then what is left is killed.
///
/// Alone, it runs everything in its plan. In a cluster it runs the sources and flows that MEMBER
/// places here, each under the epoch of its placement, and every stream.
#pragma once

#include "runtime/cluster/supervision.hpp"
#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/local_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::cluster {

/// How to spawn each component; called again for each restart. NODE monitors what comes back. A
/// `fingerprint` is the settings as text: another one means that the component changed.
struct node_plan {
  using heartbeats = std::map<std::string, runtime::heartbeat_actor>;
  struct source {
    std::string name;
    /// A person stopped it before the last restart of the node.
    bool stopped = false;
    /// The number is the epoch that it was placed with; 0 on a node that is alone.
    std::function<runtime::source_actor(caf::local_actor&, int64_t)> spawn;
    std::function<runtime::heartbeat_actor(caf::local_actor&, runtime::source_actor)>
        spawn_heartbeat;
    std::string fingerprint = {};
  };
  struct stream {
    std::string name;
    std::function<runtime::stream_actor(caf::local_actor&)> spawn;
    std::string fingerprint = {};
  };
  struct flow {
    std::string name;
    std::string stream;
    /// A person stopped it before the last restart of the node.
    bool stopped = false;
    /// The number is the epoch, as above. With a progress (its text) the flow is spawned warm.
    std::function<runtime::flow_actor(caf::local_actor&, runtime::stream_actor, heartbeats,
                                      int64_t, std::optional<std::string>)>
        spawn;
    std::string fingerprint = {};
  };
  std::vector<source> sources;
  std::vector<stream> streams;
  std::vector<flow> flows;
  /// May be absent. NODE registers what it spawns as `alarm`, where REST finds it.
  std::function<runtime::alarm_actor(caf::local_actor&)> spawn_alarm = {};
  /// Called when these settings take the place of others, before anything is started. May be absent.
  std::function<void()> taken = {};
  /// Sources and flows wait until they are placed here.
  bool placed = false;
  restart_limits limits;
  /// For a flow that a person stops (below the 5 s that a request waits), and for each of the three
  /// stages of a stop; together below the 10 s of SIGTERM.
  std::chrono::milliseconds stage_timeout{2500};
};

/// A stop under way, in stages: of the whole node, or of what another plan changes.
struct closing {
  int stage = 0;
  moment since;
  /// Null: the node ends.
  plan_ptr next;
  caf::typed_response_promise<bool> reply;
};

struct node_state {
  /// In the order of a stop; the last two are ended at its beginning.
  enum class kind : uint8_t { source, stream, flow, heartbeat, alarm };
  struct child {
    node_state::kind kind;
    std::string name;
    /// Spreads its restarts from those of others.
    uint64_t seed = 0;
    /// Of its placement; each restart has the same.
    int64_t epoch = 0;
    caf::strong_actor_ptr actor;
    supervision history;
    std::optional<moment> restart_at;
    /// Ended on purpose, by a person or with the node.
    bool stopped = false;
    std::string failure;
    /// A person or a placement stops it, since then; these wait for its end.
    std::optional<moment> stopping_since;
    std::vector<caf::typed_response_promise<bool>> on_stopped;
    /// What comes behind that end: nothing of it is left here, or it starts again.
    bool dropped = false;
    bool again = false;
    /// Part of the stop under way.
    bool leaving = false;
    /// Warm, since then; who asked waits for it to be ready.
    std::optional<moment> warm_since;
    caf::typed_response_promise<bool> on_warm;
  };

  runtime::environment env;
  node_plan plan;
  /// Of the sources and flows, those that are here.
  std::list<child> children;
  /// Flows hold them: each outlives its SOURCE and is told of the next one; should one die, the
  /// flows are told of the one that takes its place.
  node_plan::heartbeats heartbeats;
  std::optional<closing> stop;
  uint64_t born = 0;
  static inline constexpr const char* name = "node";
};

runtime::node_actor::behavior_type
node_actor(runtime::node_actor::stateful_pointer<node_state> self, runtime::environment env,
           node_plan plan);

} // namespace rtdp::cluster
