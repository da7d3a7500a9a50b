/// What the files of MEMBER call of each other. Included by them only; see member_actor.hpp.
#pragma once

#include "runtime/cluster/member_actor.hpp"

#include <string>
#include <vector>

namespace rtdp::cluster::member {

using self_pointer = runtime::member_actor::stateful_pointer<member_state>;

moment now(self_pointer self);
const std::string& own_name(self_pointer self);
const std::string& own_boot(self_pointer self);

// -- member_actor.cpp ----

/// Looks at the node's components and tells the peers how it is.
void beat(self_pointer self);

// -- member_peers.cpp ----

/// A node says who it is.
caf::result<runtime::hello> greet(self_pointer self, const runtime::hello& theirs);
/// The way to a peer is open, or lost (null).
void connected(self_pointer self, const std::string& name, const caf::strong_actor_ptr& member);
/// An actor that this one watches has ended.
void lost(self_pointer self, const caf::down_msg& message);
/// Who waits to be called hears of nobody's reasons: tells them once.
void tell_unheard(self_pointer self);
/// Why a node that was never heard of may be so.
std::string why_unheard(self_pointer self, const std::string& name);

// -- member_follow.cpp ----

/// This node owns it, and not a former process of it.
bool is_mine(self_pointer self, const placement& p);
/// Makes NODE run what the catalog places here, and nothing else.
void follow(self_pointer self);
/// The same where something is to be told again; all of it every 5 s, to be safe. `follow` comes with
/// what changes in the catalog and each answer otherwise: a thousand placements are not to be compared
/// 20 times a second.
void follow_again(self_pointer self);

// -- member_lead.cpp ----

/// Looks whether somebody leads; leads when it is this node's turn.
void watch(self_pointer self);
/// Appends to the catalog, as the leader; `then` is called with the outcome. REQUIRES: !deciding.
void append(self_pointer self, std::vector<std::string> records, std::function<void(error)> then);
/// What the leader knows of the nodes, without their components: a thousand are not copied each
/// second. Refers to `self`'s state.
situation look(self_pointer self);

// -- member_drift.cpp ----

/// Begins to move a flow; `rejected` with the reason why not.
error start_drift(self_pointer self, const std::string& flow, const std::string& to,
                  const std::string& reason);
/// `rejected` when it is past the point of no return.
error cancel_drift(self_pointer self, const std::string& flow);
/// Goes on with what could not be done at once, ends what takes too long.
void tend_drifts(self_pointer self);
/// On the node that a flow was to drift to: lets go of what was prepared.
void drop_warm(self_pointer self, const std::string& flow);
/// The leader that wanted them is gone or out of reach, and with it their drifts.
void drop_all_warm(self_pointer self);
/// On the node that a flow was to leave: it goes on.
void thaw(self_pointer self, const std::string& flow);
/// Another one leads, or the leader is out of reach: nobody goes on with the drifts that flows were
/// frozen for.
void thaw_all(self_pointer self);
/// A flow could not be moved, for this reason: it is left where it is for a while.
void put_off(self_pointer self, const std::string& flow, const std::string& why);
/// Null when the leader may move it by itself.
const stay* stays(self_pointer self, const std::string& flow);
/// This node does not lead any more.
void forget_drifts(self_pointer self, const std::string& why);

// -- member_orders.cpp ----

/// Carries out what a person asks, or has the leader do it.
caf::result<std::string> take_order(self_pointer self, const runtime::command& c);
/// A decision is written: looks at what came meanwhile.
void take_waiting_orders(self_pointer self);

/// "flow.orders" as "flow" and "orders".
std::pair<std::string, std::string> split(const std::string& component);

} // namespace rtdp::cluster::member
