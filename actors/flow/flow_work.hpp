/// The way of a delivery through a FLOW: steps, SINK, credit back to STREAM; and how it ends.
/// Functions of the FLOW actor, called on its turn.
#pragma once

#include "actors/flow/flow_actor.hpp"

namespace rtdp::flow {

using self_pointer = runtime::flow_actor::stateful_pointer<flow_state>;

/// Ends SINK, then the flow; the supervisor reads the error and decides whether it may try again.
void give_up(self_pointer self, const error& e);
/// Ends a flow that is to stop, once everything under way is written.
void end_if_stopped(self_pointer self);

/// Stores the applied progress where no row takes it along. REQUIRES: it is not `advancing`.
void advance(self_pointer self);
/// Of a frozen flow: answers who waits for it, once everything is written and stored.
void come_to_rest(self_pointer self);

/// A delivery from STREAM: processed while the flow runs, held back otherwise.
void take_or_hold(self_pointer self, const runtime::delivery& d);
/// REQUIRES: the flow runs.
void take_held(self_pointer self);
/// A dead letter (a UMS message of one row).
caf::result<bool> replay(self_pointer self, const std::string& message);

} // namespace rtdp::flow
