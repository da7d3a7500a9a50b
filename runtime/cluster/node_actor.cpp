#include "runtime/cluster/node_actor.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/cluster/node_children.hpp"
#include "runtime/cluster/node_placement.hpp"
#include "runtime/cluster/node_questions.hpp"
#include "runtime/cluster/node_stop.hpp"

#include <utility>

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;

constexpr auto tick_interval = 100ms;

/// It ended by itself: it is started again, or it failed.
void died(self_pointer self, child& c, const caf::error& reason) {
  auto why = runtime::from_caf(reason);
  // An error value was returned on purpose; anything else is a crash (a thrown exception, a kill).
  bool crashed = reason.category() != caf::detail::error_factory<ec>::category;
  c.restart_at = c.history.died(why, crashed, now(self), self->id() + c.seed);
  if (c.restart_at) {
    tell(self, c, "starting", why.text());
  } else {
    c.failure = why.text();
    tell(self, c, "failed", why.text());
  }
}

/// A warm flow that ends is its leader's matter: nothing of it was ever in force.
void cooled(self_pointer self, child& c, const caf::error& reason) {
  if (c.on_warm.pending())
    c.on_warm.deliver(runtime::to_caf(
        reason ? runtime::from_caf(reason).in("the warm flow ended")
               : unavailable("the warm flow was dropped")));
  forget(self, c);
}

void ended(self_pointer self, child& c, const caf::error& reason) {
  auto& s = self->state;
  c.actor = nullptr;
  bool wanted = c.stopping_since.has_value();
  tell_stopped(c);
  bool leaving = c.leaving;
  if (c.warm_since)
    cooled(self, c, reason);
  else if (c.dropped)
    forget(self, c);
  else if (node_stops(s))
    c.again = false;
  else if (leaving)
    c.stopped = c.stopped || (wanted && !c.again);
  else if (std::exchange(c.again, false))
    start(self, c);
  else if (wanted || !reason || reason == caf::exit_reason::normal) {
    c.stopped = true;
    tell(self, c, "stopped", "");
  } else {
    died(self, c, reason);
  }
  if (leaving)
    go_on_if_done(self);
}

void down(self_pointer self, const caf::down_msg& message) {
  for (auto& c : self->state.children)
    if (c.actor && c.actor->address() == message.source)
      return ended(self, c, message.reason);
}

void tick(self_pointer self) {
  auto& s = self->state;
  self->delayed_send(self, tick_interval, runtime::atom::tick_v);
  if (s.stop)
    end_stage_overdue(self);
  if (node_stops(s))
    return;
  s.env.left_behind->throw_away(now(self));
  for (auto& c : s.children) {
    drop_overdue(self, c);
    if (c.restart_at && *c.restart_at <= now(self))
      start(self, c);
    else if (c.stopping_since && c.actor && now(self) - *c.stopping_since >= s.plan.stage_timeout)
      // Its store is away, or it hangs. What was not written is read again at the next start.
      self->send_exit(caf::actor_cast<caf::actor>(c.actor), caf::exit_reason::user_shutdown);
  }
}

caf::result<bool> start_child(self_pointer self, const std::string& component,
                              const std::string& name) {
  auto* c = find(self, component, name);
  if (!c)
    return runtime::to_caf(rejected("no " + component + " named " + name));
  if (c->actor || c->restart_at || c->leaving)
    return runtime::to_caf(rejected(component + " " + name + " is already started"));
  c->history.forgive();
  start(self, *c);
  return true;
}

caf::result<bool> stop_child(self_pointer self, const std::string& component,
                             const std::string& name) {
  auto* c = find(self, component, name);
  if (!c)
    return runtime::to_caf(rejected("no " + component + " named " + name));
  c->restart_at.reset();
  c->again = false;
  if (!c->actor) {
    c->stopped = true;
    c->failure.clear();
    tell(self, *c, "stopped", "");
    return true;
  }
  begin_stop(self, *c);
  return c->on_stopped.emplace_back(self->make_response_promise<bool>());
}

template<class Spec>
void start_those(self_pointer self, kind k, const std::vector<Spec>& all) {
  for (const auto& spec : all)
    add(self, k, spec.name).stopped = spec.stopped;
}

void start_all(self_pointer self) {
  auto& s = self->state;
  if (!s.plan.placed)
    start_those(self, kind::source, s.plan.sources);
  for (const auto& stream : s.plan.streams)
    add(self, kind::stream, stream.name);
  if (!s.plan.placed)
    start_those(self, kind::flow, s.plan.flows);
  if (s.plan.spawn_alarm)
    add(self, kind::alarm, s.env.node);
  for (auto& c : s.children)
    if (c.stopped)
      tell(self, c, "stopped", "");
    // Its SOURCE brings it along.
    else if (c.kind != kind::heartbeat)
      start(self, c);
}

} // namespace

runtime::node_actor::behavior_type node_actor(self_pointer self, runtime::environment env,
                                              node_plan plan) {
  self->state.env = std::move(env);
  self->state.plan = std::move(plan);
  self->set_down_handler([self](caf::down_msg& message) { down(self, message); });
  start_all(self);
  self->delayed_send(self, tick_interval, runtime::atom::tick_v);
  return {
      [self](runtime::atom::start, const std::string& component, const std::string& name) {
        return start_child(self, component, name);
      },
      [self](runtime::atom::stop, const std::string& component, const std::string& name) {
        return stop_child(self, component, name);
      },
      [self](runtime::atom::replay, const std::string& flow, const std::string& message) {
        return replay(self, flow, message);
      },
      [self](runtime::atom::snapshot, const runtime::snapshot_order& order) {
        return snapshot(self, order);
      },
      [self](runtime::atom::idle) { return idle(self); },
      [self](runtime::atom::place, const std::string& component, const std::string& name,
             int64_t epoch) { return place(self, component, name, epoch); },
      [self](runtime::atom::drop, const std::string& component, const std::string& name) {
        return drop(self, component, name);
      },
      [self](runtime::atom::warm, const std::string& flow, const std::string& progress) {
        return warm(self, flow, progress);
      },
      [self](runtime::atom::freeze, const std::string& flow) { return freeze(self, flow); },
      [self](runtime::atom::thaw, const std::string& flow) { thaw(self, flow); },
      [self](runtime::atom::progress, const std::string& flow) {
        return tell_progress(self, flow);
      },
      [self](runtime::atom::apply, const plan_ptr& next) { return apply(self, next); },
      [self](runtime::atom::stop) { stop_all(self); },
      [self](runtime::atom::tick) { tick(self); },
  };
}

} // namespace rtdp::cluster
