/// LINK: the way to one other node. Scheduled; spawned for each peer that this node calls (`calls` in
/// handshake.hpp) by the composition root, ends with its MEMBER.
///
/// Connects to the peer's MEMBER, greets it, looks at the answer and introduces the two MEMBERs to
/// each other as (atom::peer, name, handle): one connection serves both. Then it watches it; when it
/// is lost, its own MEMBER is told (atom::peer, name, null), the other one notices by itself, and
/// LINK begins anew, for ever. CAF 0.17.6 never revives a lost handle, so each connection has its
/// own. One reason why it does not come to that is logged once, not with each try.
#pragma once

#include "runtime/peer.hpp"
#include "runtime/protocol.hpp"

#include <caf/fwd.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace rtdp::cluster {

/// Whom to connect to.
struct link_plan {
  /// The peer's name in the cluster file.
  std::string name;
  /// Its "host:port".
  std::string address;
  /// `spawn_connector` (remote.hpp); called again when it died.
  std::function<runtime::connector_actor(caf::local_actor&, caf::actor_addr)> connector;
};

struct link_state {
  runtime::hello me;
  runtime::member_actor member;
  link_plan plan;
  runtime::connector_actor connector;
  /// The peer's MEMBER; null while there is none, or none that lives.
  caf::strong_actor_ptr peer;
  /// MEMBER has the handle.
  bool open = false;
  /// Connecting or greeting.
  bool busy = false;
  /// Since the last success: for how long to wait until the next try.
  uint32_t failures = 0, refusals = 0;
  /// When to try next; an earlier call is an old one.
  std::chrono::steady_clock::time_point next;
  /// The reason that was logged last.
  std::string told;
  static inline constexpr const char* name = "link";
};

/// `me` is this node, `member` its own MEMBER.
runtime::link_actor::behavior_type
link_actor(runtime::link_actor::stateful_pointer<link_state> self, runtime::hello me,
           runtime::member_actor member, link_plan plan);

} // namespace rtdp::cluster
