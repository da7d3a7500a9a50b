/// What a FLOW tells of itself: its state, how late its data is, how long each stage took. Functions
/// of the FLOW actor, called on its turn.
#pragma once

#include "actors/flow/flow_actor.hpp"

#include <string>

namespace rtdp::flow {

using self_pointer = runtime::flow_actor::stateful_pointer<flow_state>;

void tell(self_pointer self, std::string state, std::string reason = "");
/// The state word that its phase stands for.
void tell_phase(self_pointer self);

/// A delivery was written: how long that took, from the commit in the source on.
void observe(self_pointer self, const flow_state::under_way& u, int64_t done_us);
/// A delivery came out at the end of the flow: if it was a mark, its HEARTBEAT is told.
void arrived(self_pointer self, const runtime::delivery& d);

} // namespace rtdp::flow
