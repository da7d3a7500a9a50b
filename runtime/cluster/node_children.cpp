#include "runtime/cluster/node_children.hpp"

#include <caf/actor_registry.hpp>

#include <utility>

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;

/// Until a child looks again for the one that it follows.
constexpr auto follow_interval = 100ms;

void start_heartbeat(self_pointer self, child& c) {
  auto& s = self->state;
  auto* source = find(self, kind::source, c.name);
  if (!source || !source->actor) {
    // Its source is being restarted; the heartbeat follows it.
    c.restart_at = now(self) + follow_interval;
    return;
  }
  auto heartbeat = spec_of(s.plan.sources, c.name)
                       ->spawn_heartbeat(*self, caf::actor_cast<runtime::source_actor>(
                                                    source->actor));
  s.heartbeats[c.name] = heartbeat;
  c.actor = caf::actor_cast<caf::strong_actor_ptr>(heartbeat);
  for (const auto& other : s.children)
    if (other.kind == kind::flow && other.actor)
      self->send(caf::actor_cast<runtime::flow_actor>(other.actor), runtime::atom::join_v, c.name,
                 c.actor);
}

void start_source(self_pointer self, child& c) {
  const auto* spec = spec_of(self->state.plan.sources, c.name);
  c.actor = caf::actor_cast<caf::strong_actor_ptr>(spec->spawn(*self, c.epoch));
  auto* heartbeat = find(self, kind::heartbeat, c.name);
  if (heartbeat->actor)
    self->send(caf::actor_cast<runtime::heartbeat_actor>(heartbeat->actor), runtime::atom::join_v,
               c.actor);
  else if (!heartbeat->restart_at)
    start(self, *heartbeat);
}

/// False when its stream is not there.
bool start_flow(self_pointer self, child& c, const std::optional<std::string>& warm) {
  auto& s = self->state;
  const auto* spec = spec_of(s.plan.flows, c.name);
  auto* stream = find(self, kind::stream, spec->stream);
  if (!stream || !stream->actor)
    return false;
  c.actor = caf::actor_cast<caf::strong_actor_ptr>(
      spec->spawn(*self, caf::actor_cast<runtime::stream_actor>(stream->actor), s.heartbeats,
                  c.epoch, warm));
  return true;
}

void start_alarm(self_pointer self, child& c) {
  c.actor = caf::actor_cast<caf::strong_actor_ptr>(self->state.plan.spawn_alarm(*self));
  // `put` leaves what is there already.
  self->system().registry().erase(caf::atom("alarm"));
  self->system().registry().put(caf::atom("alarm"), c.actor);
}

} // namespace

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

child* find(self_pointer self, const std::string& component, const std::string& name) {
  return find(self, kind_of(component), name);
}

child& add(self_pointer self, kind k, const std::string& name) {
  auto& s = self->state;
  auto append = [&](kind which) -> child& {
    auto& c = s.children.emplace_back();
    c.kind = which;
    c.name = name;
    c.seed = s.born++;
    c.history = supervision{s.plan.limits};
    return c;
  };
  if (k == kind::source && !find(self, kind::heartbeat, name))
    append(kind::heartbeat);
  return append(k);
}

void start(self_pointer self, child& c) {
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
    start_alarm(self, c);
  } else if (c.kind == kind::stream) {
    const auto* spec = spec_of(self->state.plan.streams, c.name);
    c.actor = caf::actor_cast<caf::strong_actor_ptr>(spec->spawn(*self));
  } else if (!start_flow(self, c, {})) {
    // Its stream is being restarted; the flow follows it.
    c.restart_at = now(self) + follow_interval;
    return tell(self, c, "starting",
                "waits for stream " + spec_of(self->state.plan.flows, c.name)->stream);
  }
  self->monitor(c.actor);
  // They have no report of their own.
  if (again && !carries_data(c.kind))
    tell(self, c, "running", "");
}

bool start_warm(self_pointer self, child& c, const std::string& progress) {
  if (!start_flow(self, c, progress))
    return false;
  c.warm_since = now(self);
  self->monitor(c.actor);
  return true;
}

void stop(self_pointer self, const child& c) {
  if (c.kind == kind::source)
    self->send(caf::actor_cast<runtime::source_actor>(c.actor), runtime::atom::stop_v);
  else if (c.kind == kind::stream)
    self->send(caf::actor_cast<runtime::stream_actor>(c.actor), runtime::atom::stop_v);
  else
    self->send(caf::actor_cast<runtime::flow_actor>(c.actor), runtime::atom::stop_v);
}

void begin_stop(self_pointer self, child& c) {
  if (c.stopping_since)
    return;
  c.stopping_since = now(self);
  stop(self, c);
}

void tell_stopped(child& c) {
  c.stopping_since.reset();
  for (auto& reply : std::exchange(c.on_stopped, {}))
    reply.deliver(true);
}

void forget(self_pointer self, child& c) {
  auto& s = self->state;
  if (c.kind == kind::flow)
    for (const auto& [source, heartbeat] : s.heartbeats)
      self->send(heartbeat, runtime::atom::seen_v, c.name, "", int64_t{0});
  if (auto* heartbeat = find(self, kind::heartbeat, c.name); c.kind == kind::source && heartbeat) {
    if (heartbeat->actor)
      self->send_exit(caf::actor_cast<caf::actor>(heartbeat->actor), caf::exit_reason::kill);
    s.heartbeats.erase(c.name);
    forget(self, *heartbeat);
  }
  self->send(s.env.feedback, runtime::atom::drop_v, std::string(to_string(c.kind)), c.name);
  s.children.remove_if([&c](const child& each) { return &each == &c; });
}

} // namespace rtdp::cluster
