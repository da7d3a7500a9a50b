#include "runtime/cluster/node_actor.hpp"

#include "runtime/caf_error.hpp"

#include <caf/actor_registry.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;
using self_pointer = runtime::node_actor::stateful_pointer<node_state>;
using kind = node_state::kind;
using child = node_state::child;

constexpr auto tick_interval = 100ms;
constexpr auto ask_timeout = 10s;

const char* to_string(kind k) {
  switch (k) {
  case kind::source:
    return "source";
  case kind::stream:
    return "stream";
  case kind::heartbeat:
    return "heartbeat";
  case kind::alarm:
    return "alarm";
  case kind::flow:
    break;
  }
  return "flow";
}

/// It has a stage of the stop of its own, and an opinion on whether it is idle.
bool carries_data(kind k) { return k <= kind::flow; }

moment now(self_pointer self) { return self->clock().now(); }

void tell(self_pointer self, const child& c, std::string state, std::string reason) {
  // Nobody waits for the marks of a flow that a person stopped.
  if (c.kind == kind::flow && state == "stopped")
    for (const auto& [source, heartbeat] : self->state.heartbeats)
      self->send(heartbeat, runtime::atom::seen_v, c.name, "", int64_t{0});
  runtime::report r;
  r.component = to_string(c.kind);
  r.name = c.name;
  r.state = std::move(state);
  r.reason = std::move(reason);
  self->send(self->state.env.feedback, runtime::atom::status_v, std::move(r));
}

child* find(self_pointer self, kind k, const std::string& name) {
  for (auto& c : self->state.children)
    if (c.kind == k && c.name == name)
      return &c;
  return nullptr;
}

void start(self_pointer self, child& c);

void start_heartbeat(self_pointer self, child& c) {
  auto& s = self->state;
  auto* source = find(self, kind::source, c.name);
  if (!source || !source->actor) {
    // Its source is being restarted; the heartbeat follows it.
    c.restart_at = now(self) + tick_interval;
    return;
  }
  auto heartbeat = s.plan.sources[c.index].spawn_heartbeat(
      *self, caf::actor_cast<runtime::source_actor>(source->actor));
  s.heartbeats[c.name] = heartbeat;
  c.actor = caf::actor_cast<caf::strong_actor_ptr>(heartbeat);
  for (const auto& other : s.children)
    if (other.kind == kind::flow && other.actor)
      self->send(caf::actor_cast<runtime::flow_actor>(other.actor), runtime::atom::join_v, c.name,
                 c.actor);
}

void start_source(self_pointer self, child& c) {
  c.actor =
      caf::actor_cast<caf::strong_actor_ptr>(self->state.plan.sources[c.index].spawn(*self));
  auto* heartbeat = find(self, kind::heartbeat, c.name);
  if (heartbeat->actor)
    self->send(caf::actor_cast<runtime::heartbeat_actor>(heartbeat->actor), runtime::atom::join_v,
               c.actor);
  else if (!heartbeat->restart_at)
    start(self, *heartbeat);
}

void start(self_pointer self, child& c) {
  auto& s = self->state;
  bool again = c.restart_at.has_value();
  c.restart_at.reset();
  c.stopped = false;
  c.failure.clear();
  if (c.kind == kind::source) {
    start_source(self, c);
  } else if (c.kind == kind::heartbeat) {
    start_heartbeat(self, c);
    if (!c.actor)
      return;
  } else if (c.kind == kind::alarm) {
    c.actor = caf::actor_cast<caf::strong_actor_ptr>(s.plan.spawn_alarm(*self));
    // `put` leaves what is there already.
    self->system().registry().erase(caf::atom("alarm"));
    self->system().registry().put(caf::atom("alarm"), c.actor);
  } else if (c.kind == kind::stream) {
    c.actor = caf::actor_cast<caf::strong_actor_ptr>(s.plan.streams[c.index].spawn(*self));
  } else {
    const auto& p = s.plan.flows[c.index];
    auto* stream = find(self, kind::stream, p.stream);
    if (!stream || !stream->actor) {
      // Its stream is being restarted; the flow follows it.
      c.restart_at = now(self) + tick_interval;
      return tell(self, c, "starting", "waits for stream " + p.stream);
    }
    c.actor = caf::actor_cast<caf::strong_actor_ptr>(
        p.spawn(*self, caf::actor_cast<runtime::stream_actor>(stream->actor), s.heartbeats));
  }
  self->monitor(c.actor);
  // They have no report of their own.
  if (again && !carries_data(c.kind))
    tell(self, c, "running", "");
}

void stop(self_pointer self, const child& c) {
  if (c.kind == kind::source)
    self->send(caf::actor_cast<runtime::source_actor>(c.actor), runtime::atom::stop_v);
  else if (c.kind == kind::stream)
    self->send(caf::actor_cast<runtime::stream_actor>(c.actor), runtime::atom::stop_v);
  else
    self->send(caf::actor_cast<runtime::flow_actor>(c.actor), runtime::atom::stop_v);
}

/// Goes to the next stage that has something to stop; ends when there is none.
void next_stage(self_pointer self) {
  auto& s = self->state;
  while (++s.stage <= 3) {
    bool any = false;
    for (auto& c : s.children)
      if (int(c.kind) + 1 == s.stage && c.actor) {
        stop(self, c);
        any = true;
      }
    s.stage_since = now(self);
    if (any)
      return;
  }
  self->quit();
}

void stop_all(self_pointer self) {
  auto& s = self->state;
  if (s.stage > 0)
    return;
  for (auto& c : s.children)
    c.restart_at.reset();
  for (const auto& c : s.children)
    if (!carries_data(c.kind) && c.actor)
      self->send_exit(caf::actor_cast<caf::actor>(c.actor), caf::exit_reason::kill);
  s.heartbeats.clear();
  self->system().registry().erase(caf::atom("alarm"));
  next_stage(self);
}

bool stage_done(const node_state& s) {
  return std::none_of(s.children.begin(), s.children.end(),
                      [&](const child& c) { return int(c.kind) + 1 == s.stage && c.actor; });
}

/// Answers whoever waits for its end.
void tell_stopped(child& c) {
  c.stopping_since.reset();
  for (auto& reply : std::exchange(c.on_stopped, {}))
    reply.deliver(true);
}

void ended(self_pointer self, child& c, const caf::error& reason) {
  auto& s = self->state;
  c.actor = nullptr;
  bool wanted = c.stopping_since.has_value();
  tell_stopped(c);
  if (s.stage > 0) {
    if (carries_data(c.kind) && stage_done(s))
      next_stage(self);
    return;
  }
  if (wanted || !reason || reason == caf::exit_reason::normal) {
    c.stopped = true;
    tell(self, c, "stopped", "");
    return;
  }
  auto why = runtime::from_caf(reason);
  // An error value was returned on purpose; anything else is a crash (a thrown exception, a kill).
  bool crashed = reason.category() != caf::detail::error_factory<ec>::category;
  c.restart_at = c.history.died(why, crashed, now(self), self->id() + c.index);
  if (c.restart_at) {
    tell(self, c, "starting", why.text());
  } else {
    c.failure = why.text();
    tell(self, c, "failed", why.text());
  }
}

void down(self_pointer self, const caf::down_msg& message) {
  for (auto& c : self->state.children)
    if (c.actor && c.actor->address() == message.source)
      return ended(self, c, message.reason);
}

void tick(self_pointer self) {
  auto& s = self->state;
  self->delayed_send(self, tick_interval, runtime::atom::tick_v);
  if (s.stage == 0) {
    for (auto& c : s.children)
      if (c.restart_at && *c.restart_at <= now(self))
        start(self, c);
      else if (c.stopping_since && now(self) - *c.stopping_since >= s.plan.stage_timeout)
        // Its store is away, or it hangs. What was not written is read again at the next start.
        self->send_exit(caf::actor_cast<caf::actor>(c.actor), caf::exit_reason::user_shutdown);
    return;
  }
  if (now(self) - s.stage_since < s.plan.stage_timeout)
    return;
  for (auto& c : s.children)
    if (int(c.kind) + 1 == s.stage && c.actor) {
      tell(self, c, "failed", "did not stop in time");
      self->send_exit(caf::actor_cast<caf::actor>(c.actor), caf::exit_reason::kill);
      c.actor = nullptr;
      tell_stopped(c);
    }
  next_stage(self);
}

/// A source or a flow.
child* find(self_pointer self, const std::string& component, const std::string& name) {
  return find(self, component == to_string(kind::source) ? kind::source : kind::flow, name);
}

caf::result<bool> start_child(self_pointer self, const std::string& component,
                              const std::string& name) {
  auto* c = find(self, component, name);
  if (!c)
    return runtime::to_caf(rejected("no " + component + " named " + name));
  if (c->actor || c->restart_at)
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
  if (!c->actor) {
    c->stopped = true;
    c->failure.clear();
    tell(self, *c, "stopped", "");
    return true;
  }
  if (!c->stopping_since) {
    c->stopping_since = now(self);
    stop(self, *c);
  }
  return c->on_stopped.emplace_back(self->make_response_promise<bool>());
}

caf::result<bool> replay(self_pointer self, const std::string& name, const std::string& message) {
  auto* c = find(self, kind::flow, name);
  if (!c || !c->actor)
    return runtime::to_caf(rejected("flow " + name + " does not run"));
  auto reply = self->make_response_promise<bool>();
  self->request(caf::actor_cast<runtime::flow_actor>(c->actor), ask_timeout,
                runtime::atom::replay_v, message)
      .then([reply](bool applied) mutable { reply.deliver(applied); },
            [reply](caf::error& e) mutable { reply.deliver(std::move(e)); });
  return reply;
}

caf::result<bool> snapshot(self_pointer self, const runtime::snapshot_order& order) {
  auto* c = find(self, kind::source, order.source);
  if (!c || !c->actor)
    return runtime::to_caf(rejected("source " + order.source + " does not run"));
  auto reply = self->make_response_promise<bool>();
  self->request(caf::actor_cast<runtime::source_actor>(c->actor), ask_timeout,
                runtime::atom::snapshot_v, order)
      .then([reply](bool stored) mutable { reply.deliver(stored); },
            [reply](caf::error& e) mutable { reply.deliver(std::move(e)); });
  return reply;
}

/// Asks all sources and streams at once; the answer is there when the last of them answered.
caf::result<bool> idle(self_pointer self) {
  auto& s = self->state;
  for (const auto& c : s.children)
    if (!c.failure.empty())
      return runtime::to_caf(
          rejected(std::string(to_string(c.kind)) + " " + c.name + " failed: " + c.failure));
  struct poll {
    size_t waiting = 0;
    bool idle = true;
    caf::typed_response_promise<bool> reply;
  };
  auto all = std::make_shared<poll>();
  all->reply = self->make_response_promise<bool>();
  auto answer = [all](bool idle) {
    all->idle = all->idle && idle;
    if (--all->waiting == 0)
      all->reply.deliver(bool{all->idle});
  };
  all->waiting = 1;
  for (const auto& c : s.children) {
    if (c.stopped || !carries_data(c.kind))
      continue;
    if (!c.actor) {
      all->idle = false;
      continue;
    }
    ++all->waiting;
    self->request(caf::actor_cast<caf::actor>(c.actor), ask_timeout, runtime::atom::idle_v)
        .then(answer, [answer](caf::error&) { answer(false); });
  }
  answer(true);
  return all->reply;
}

void start_all(self_pointer self) {
  auto& s = self->state;
  auto add = [self](kind k, const std::string& name, size_t index) -> child& {
    child c;
    c.kind = k;
    c.name = name;
    c.index = index;
    c.history = supervision{self->state.plan.limits};
    self->state.children.push_back(std::move(c));
    return self->state.children.back();
  };
  for (size_t i = 0; i < s.plan.sources.size(); ++i)
    add(kind::source, s.plan.sources[i].name, i).stopped = s.plan.sources[i].stopped;
  for (size_t i = 0; i < s.plan.streams.size(); ++i)
    add(kind::stream, s.plan.streams[i].name, i);
  for (size_t i = 0; i < s.plan.flows.size(); ++i)
    add(kind::flow, s.plan.flows[i].name, i).stopped = s.plan.flows[i].stopped;
  for (size_t i = 0; i < s.plan.sources.size(); ++i)
    add(kind::heartbeat, s.plan.sources[i].name, i);
  if (s.plan.spawn_alarm)
    add(kind::alarm, s.env.node, 0);
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
      [self](runtime::atom::stop) { stop_all(self); },
      [self](runtime::atom::tick) { tick(self); },
  };
}

} // namespace rtdp::cluster
