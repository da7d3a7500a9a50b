#include "runtime/cluster/node_stop.hpp"

#include "runtime/caf_error.hpp"

#include <caf/actor_registry.hpp>

#include <utility>
#include <vector>

namespace rtdp::cluster {

namespace {

bool in_stage(const node_state& s, const child& c) {
  return c.leaving && int(c.kind) + 1 == s.stop->stage && c.actor;
}

// -- another plan ----

template<class Spec>
bool differs(const std::vector<Spec>& now, const std::vector<Spec>& next, const std::string& name) {
  const auto* before = spec_of(now, name);
  const auto* after = spec_of(next, name);
  return !before || !after || before->fingerprint != after->fingerprint;
}

/// Whether the other plan leaves it out or has it with other settings.
bool changes(const node_plan& now, const node_plan& next, const child& c) {
  if (c.kind == kind::source)
    return differs(now.sources, next.sources, c.name);
  if (c.kind == kind::stream)
    return differs(now.streams, next.streams, c.name);
  if (c.kind == kind::alarm || c.kind == kind::heartbeat)
    return false;
  if (differs(now.flows, next.flows, c.name))
    return true;
  // A flow goes with its stream.
  const auto& stream = spec_of(now.flows, c.name)->stream;
  return stream != spec_of(next.flows, c.name)->stream || differs(now.streams, next.streams, stream);
}

bool has(const node_plan& plan, const child& c) {
  return c.kind == kind::source   ? spec_of(plan.sources, c.name) != nullptr
         : c.kind == kind::stream ? spec_of(plan.streams, c.name) != nullptr
                                  : spec_of(plan.flows, c.name) != nullptr;
}

/// What left and is in the plan still. A warm flow is its leader's to ask for again.
void start_again(self_pointer self, kind k) {
  for (auto& c : self->state.children)
    if (c.kind == k && std::exchange(c.leaving, false) && !c.actor) {
      c.again = false;
      c.history.forgive();
      if (c.stopped)
        tell(self, c, "stopped", "");
      else
        start(self, c);
    }
}

template<class Spec>
void start_new(self_pointer self, kind k, const std::vector<Spec>& all) {
  for (const auto& spec : all) {
    if (find(self, k, spec.name))
      continue;
    auto& c = add(self, k, spec.name);
    if constexpr (requires { spec.stopped; })
      c.stopped = spec.stopped;
    if (c.stopped)
      tell(self, c, "stopped", "");
    else
      start(self, c);
  }
}

/// It keeps its open alarms in the store, so that it is simply started anew with every plan.
void replace_alarm(self_pointer self) {
  auto* c = find(self, kind::alarm, self->state.env.node);
  if (!c || !self->state.plan.spawn_alarm)
    return;
  if (auto old = std::exchange(c->actor, nullptr))
    self->send_exit(caf::actor_cast<caf::actor>(old), caf::exit_reason::kill);
  start(self, *c);
}

void take_up(self_pointer self) {
  auto& s = self->state;
  auto done = std::exchange(s.stop, {});
  const auto& next = *done->next;
  std::vector<child*> gone;
  for (auto& c : s.children)
    if (c.leaving && (c.dropped || !has(next, c)))
      gone.push_back(&c);
  for (auto* c : gone)
    forget(self, *c);
  s.plan = next;
  if (s.plan.taken)
    s.plan.taken();
  start_again(self, kind::source);
  if (!s.plan.placed)
    start_new(self, kind::source, s.plan.sources);
  start_again(self, kind::stream);
  start_new(self, kind::stream, s.plan.streams);
  start_again(self, kind::flow);
  if (!s.plan.placed)
    start_new(self, kind::flow, s.plan.flows);
  replace_alarm(self);
  done->reply.deliver(true);
}

// -- the stages ----

/// Goes to the next stage that has something to stop. Behind the last one the node ends, or takes
/// up the other plan.
void next_stage(self_pointer self) {
  auto& s = self->state;
  while (++s.stop->stage <= 3) {
    bool any = false;
    for (auto& c : s.children)
      if (in_stage(s, c)) {
        stop(self, c);
        any = true;
      }
    s.stop->since = now(self);
    if (any)
      return;
  }
  if (s.stop->next)
    take_up(self);
  else
    self->quit();
}

} // namespace

void stop_all(self_pointer self) {
  auto& s = self->state;
  if (node_stops(s))
    return;
  if (s.stop)
    s.stop->reply.deliver(runtime::to_caf(unavailable("the node is stopping")));
  s.stop.emplace();
  for (auto& c : s.children) {
    c.restart_at.reset();
    c.leaving = true;
  }
  for (const auto& c : s.children)
    if (!carries_data(c.kind) && c.actor)
      self->send_exit(caf::actor_cast<caf::actor>(c.actor), caf::exit_reason::kill);
  s.heartbeats.clear();
  self->system().registry().erase(caf::atom("alarm"));
  next_stage(self);
}

caf::result<bool> apply(self_pointer self, const plan_ptr& next) {
  auto& s = self->state;
  if (!next)
    return runtime::to_caf(rejected("apply needs a plan, found none"));
  if (s.stop)
    return runtime::to_caf(unavailable("the node is stopping or taking up other settings"));
  for (auto& c : s.children)
    if (changes(s.plan, *next, c)) {
      c.leaving = true;
      c.restart_at.reset();
      // Ended here, it is not asked for any more.
      c.dropped = c.dropped || c.warm_since;
    }
  auto reply = self->make_response_promise<bool>();
  s.stop.emplace();
  s.stop->next = next;
  s.stop->reply = reply;
  next_stage(self);
  return reply;
}

void go_on_if_done(self_pointer self) {
  const auto& s = self->state;
  if (s.stop && std::none_of(s.children.begin(), s.children.end(),
                             [&](const child& c) { return in_stage(s, c); }))
    next_stage(self);
}

void end_stage_overdue(self_pointer self) {
  auto& s = self->state;
  if (now(self) - s.stop->since < s.plan.stage_timeout)
    return;
  for (auto& c : s.children)
    if (in_stage(s, c)) {
      tell(self, c, "failed", "did not stop in time");
      self->send_exit(caf::actor_cast<caf::actor>(c.actor), caf::exit_reason::kill);
      c.actor = nullptr;
      c.stopped = c.stopped || (c.stopping_since && !c.again);
      tell_stopped(c);
    }
  next_stage(self);
}

} // namespace rtdp::cluster
