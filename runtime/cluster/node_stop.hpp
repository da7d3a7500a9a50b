/// How a NODE stops: in stages, downstream, the whole of it or what another plan changes. Functions
/// of the NODE actor, called on its turn.
#pragma once

#include "runtime/cluster/node_children.hpp"

namespace rtdp::cluster {

void stop_all(self_pointer self);
caf::result<bool> apply(self_pointer self, const plan_ptr& next);

/// A child that is part of the stop has ended: the last one of its stage ends that.
void go_on_if_done(self_pointer self);
/// Kills what did not stop in its stage's time. REQUIRES: a stop is under way.
void end_stage_overdue(self_pointer self);

} // namespace rtdp::cluster
