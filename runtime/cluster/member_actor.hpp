/// MEMBER: this node among the others. Scheduled; one per node of a cluster, spawned by the
/// composition root beside NODE, which it tells what to run.
///
/// It follows: what the catalog places on this process it has NODE run, under the epoch of the
/// placement, and nothing else. It watches: beats go to every peer four times a second, and who is
/// not heard of is lost. And it leads when the leader is lost and it is its turn: then it alone
/// decides, by appending to the catalog. Kafka refuses the append of whoever does not lead any more;
/// the sinks' fences refuse the writes of whoever does not own a flow any more. So a node that is
/// wrong about either of them does no harm.
#pragma once

#include "config/cluster.hpp"
#include "runtime/cluster/balance.hpp"
#include "runtime/cluster/catalog.hpp"
#include "runtime/cluster/node_actor.hpp"
#include "runtime/cluster/peers.hpp"
#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/message.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rtdp::cluster {

/// A settings file as the cluster uses it.
struct settings_in_force {
  std::vector<placeable> components;
  config::cluster_settings nodes;
  /// What NODE is given; null in tests of MEMBER alone.
  plan_ptr plan;
};

struct member_options {
  /// Who this is: node, version, boot id.
  runtime::hello self;
  /// The settings file that this node was started with.
  std::string settings_text;
  settings_in_force settings;
  /// Another file: every problem in the error's text.
  std::function<result<settings_in_force>(const std::string& text)> read_settings;
  /// Fills in load and trouble. Must not block.
  std::function<void(runtime::beat&)> measure;
  std::function<runtime::catalog_actor(caf::local_actor&, runtime::member_actor)> spawn_catalog;
  /// Connects to one peer; called once for each that this node calls. May be absent in tests.
  std::function<void(caf::local_actor&, runtime::member_actor, const config::member_settings&)>
      spawn_link;
};

/// A move of a flow, on the leader. All of it is lost with the leader: until the commit nothing has
/// changed, and afterwards the catalog says what to do.
struct drift {
  /// Answers that belong to an earlier move of the same flow are told apart by it.
  uint64_t serial = 0;
  runtime::drift_report shown;
  /// One of the two nodes that it is between, as it was when the drift began: a process that was
  /// started anew has nothing prepared, and what was asked over a connection that broke off is lost.
  struct side {
    std::string boot;
    caf::strong_actor_ptr reached;
  };
  side from, to;
  /// When its step began, and when its flow was frozen.
  moment since;
  std::optional<moment> frozen;
};

/// A flow that could not be moved: when the leader may try again by itself.
struct stay {
  uint32_t failures = 0;
  moment until;
  std::string why;
};

struct member_state {
  runtime::environment env;
  member_options options;
  runtime::node_actor node;
  runtime::catalog_actor catalog_log;
  catalog decided;
  peers others;
  moment started;
  /// That nobody has called is told once.
  bool unheard_told = false;
  std::vector<runtime::report> reports;
  /// Rows out of each component when it was last looked at, and when that was.
  std::map<std::string, std::pair<int64_t, moment>> rows;

  /// Revision that NODE runs; 0: the file that this node was started with.
  int64_t revision_told = 0;
  /// What NODE has still to be told of it.
  plan_ptr untold;
  bool telling_plan = false;
  /// Why the settings of the catalog cannot be used here.
  std::string settings_trouble;
  /// Epoch of what NODE was told to run, by component.
  std::map<std::string, int64_t> told;
  /// Placements and drops under way, and when the last placement was carried out.
  std::set<std::string> telling;
  /// Something that NODE was told is to be told again; when the catalog was compared last.
  bool tell_again = false;
  moment followed;
  /// What a person stopped and this node owns: it is in the lists all the same.
  std::set<std::string> told_stopped;
  /// Flows that this node keeps warm for a drift, with the epoch of their owner when it began.
  std::map<std::string, int64_t> warm;
  /// Flows that it keeps frozen for one, and the term of the leader that wanted it.
  std::set<std::string> frozen;
  int64_t drift_term = 0;
  std::optional<moment> placed;

  bool leading = false;
  /// A claim or an append is under way.
  bool deciding = false;
  /// Came to the leader meanwhile, and are looked at when it is over.
  std::vector<std::pair<runtime::command, caf::typed_response_promise<std::string>>> waiting_orders;
  std::optional<moment> leaderless_since, claim_not_before;
  /// When the catalog last showed that somebody leads, and when this node last showed it as leader.
  std::optional<moment> leader_shown, appended;
  /// Since when this node and those that it hears are more than half of all.
  std::optional<moment> most_heard;
  /// As leader: since when it hears so few nodes that the others may have another leader.
  std::optional<moment> alone_since;
  moment leading_since;
  /// Under way, by flow.
  std::map<std::string, drift> drifts;
  uint64_t drift_serial = 0;
  /// The newest last.
  std::deque<runtime::drift_report> ended_drifts;
  /// By flow, on the leader, until it moves.
  std::map<std::string, stay> stays;
  /// What has no place and what cannot leave its own, as of the last look; and, of the last look at
  /// the load, the move that would help most.
  std::vector<runtime::advice> plan;
  std::optional<runtime::advice> uneven;
  std::optional<moment> planned, uneven_since, moved;
  /// What the last decision rested on, and when that was.
  std::string grounds;
  moment looked;
  moment beaten;
  /// How this node is, as lists show it, and when that was looked at.
  runtime::beat own_beat;
  moment reported;
  /// As peers are told it: what changed last, when that was told to all, and what changes always.
  caf::message full_beat, short_beat;
  std::optional<moment> told_all;
  static inline constexpr const char* name = "member";
};

runtime::member_actor::behavior_type
member_actor(runtime::member_actor::stateful_pointer<member_state> self, runtime::environment env,
             member_options options, runtime::node_actor node);

} // namespace rtdp::cluster
