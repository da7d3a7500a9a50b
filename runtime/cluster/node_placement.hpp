/// What MEMBER asks of a NODE: what runs here, and under which epoch. Functions of the NODE actor,
/// called on its turn.
#pragma once

#include "runtime/cluster/node_children.hpp"

#include <string>

namespace rtdp::cluster {

caf::result<bool> place(self_pointer self, const std::string& component, const std::string& name,
                        int64_t epoch);
caf::result<bool> drop(self_pointer self, const std::string& component, const std::string& name);

caf::result<bool> warm(self_pointer self, const std::string& name, const std::string& progress);
/// Drops a warm flow that nobody resumed or dropped in time.
void drop_overdue(self_pointer self, child& c);

caf::result<std::string> freeze(self_pointer self, const std::string& name);
void thaw(self_pointer self, const std::string& name);
caf::result<std::string> tell_progress(self_pointer self, const std::string& name);

} // namespace rtdp::cluster
