/// What people ask of the children of a NODE, passed on to them. Functions of the NODE actor, called
/// on its turn.
#pragma once

#include "runtime/cluster/node_children.hpp"

#include <string>

namespace rtdp::cluster {

caf::result<bool> replay(self_pointer self, const std::string& name, const std::string& message);
caf::result<bool> snapshot(self_pointer self, const runtime::snapshot_order& order);
/// Asks all sources and streams at once; the answer is there when the last of them answered.
caf::result<bool> idle(self_pointer self);

} // namespace rtdp::cluster
