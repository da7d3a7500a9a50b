/// How a FLOW goes from node to node: warm there, frozen here, resumed there. Functions of the FLOW
/// actor, called on its turn.
#pragma once

#include "actors/flow/flow_actor.hpp"

#include <string>

namespace rtdp::flow {

using self_pointer = runtime::flow_actor::stateful_pointer<flow_state>;

/// SINK has the fence and told the progress stored with the data: goes on behind it.
void run_behind(self_pointer self, const std::string& stored);
/// Works on the state of the steps for a moment, and goes on when it is there.
void restore(self_pointer self);

/// The first thing that a flow spawned warm does.
void get_ready(self_pointer self);
/// Of a warm flow: brings the state of its steps up with that of the node that runs it.
void follow(self_pointer self);
caf::result<bool> await_ready(self_pointer self);
caf::result<bool> resume(self_pointer self, int64_t epoch);

caf::result<std::string> freeze(self_pointer self);
/// Freezes a flow that was asked to when next to nothing is under way, or when it took too long.
void settle(self_pointer self);
void thaw(self_pointer self);
/// Thaws what nobody thawed or stopped in time.
void thaw_overdue(self_pointer self);

caf::result<std::string> tell_progress(self_pointer self);

} // namespace rtdp::flow
