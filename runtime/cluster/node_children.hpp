/// The children of a NODE: how one is found, started, told to stop, and forgotten. Functions of the
/// NODE actor, called on its turn.
#pragma once

#include "runtime/cluster/node_actor.hpp"

#include <algorithm>
#include <string>

namespace rtdp::cluster {

using self_pointer = runtime::node_actor::stateful_pointer<node_state>;
using kind = node_state::kind;
using child = node_state::child;

const char* to_string(kind k);
/// It has a stage of the stop of its own, and an opinion on whether it is idle.
inline bool carries_data(kind k) { return k <= kind::flow; }

inline moment now(self_pointer self) { return self->clock().now(); }
inline bool node_stops(const node_state& s) { return s.stop && !s.stop->next; }

/// What a plan says of the component of this name; null when it does not know it.
template<class Spec>
const Spec* spec_of(const std::vector<Spec>& all, const std::string& name) {
  auto at = std::find_if(all.begin(), all.end(), [&](const Spec& s) { return s.name == name; });
  return at == all.end() ? nullptr : &*at;
}

void tell(self_pointer self, const child& c, std::string state, std::string reason);

child* find(self_pointer self, kind k, const std::string& name);
/// A source or a flow.
child* find(self_pointer self, const std::string& component, const std::string& name);
inline kind kind_of(const std::string& component) {
  return component == to_string(kind::source) ? kind::source : kind::flow;
}

/// A source brings its heartbeat along.
child& add(self_pointer self, kind k, const std::string& name);
/// REQUIRES: the plan knows it. A flow whose stream is not there is tried again later.
void start(self_pointer self, child& c);
/// REQUIRES: it is a flow that does not run. False when its stream is not there.
bool start_warm(self_pointer self, child& c, const std::string& progress);

/// Tells its actor to stop.
void stop(self_pointer self, const child& c);
/// As a person's stop does: it has its time, then it is ended.
void begin_stop(self_pointer self, child& c);
/// Answers whoever waits for its end.
void tell_stopped(child& c);

/// Takes it from the lists, with the heartbeat of a source. REQUIRES: it has no actor. The child is
/// gone then.
void forget(self_pointer self, child& c);

} // namespace rtdp::cluster
