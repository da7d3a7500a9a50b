#include "runtime/cluster/node_placement.hpp"

#include "runtime/caf_error.hpp"

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;

/// A warm flow holds a connection and rows in memory. Getting ready takes seconds; a leader that
/// has not resumed or dropped it after a minute has died or forgotten it.
constexpr auto warm_limit = 60s;
/// What is under way is written, and its store answers or its requests run out of time.
constexpr auto leave_limit = 30s;
/// FLOW thaws by itself after 5 s: there is no answer to wait for behind that.
constexpr auto freeze_timeout = 6s;
constexpr auto progress_timeout = 5s;

caf::error refuse(const std::string& component, const std::string& name, const char* why) {
  return runtime::to_caf(rejected(component + " " + name + " " + why));
}

bool is_planned(self_pointer self, const std::string& component, const std::string& name) {
  const auto& plan = self->state.plan;
  return kind_of(component) == kind::source ? spec_of(plan.sources, name) != nullptr
                                            : spec_of(plan.flows, name) != nullptr;
}

void resume(self_pointer self, child& c, int64_t epoch) {
  c.warm_since.reset();
  c.epoch = epoch;
  // A flow that cannot take over ends, and is then started like any other.
  self->request(caf::actor_cast<runtime::flow_actor>(c.actor), caf::infinite,
                runtime::atom::resume_v, epoch)
      .then([](bool) {}, [](caf::error&) {});
}

/// The warm flow that this actor is, if somebody still waits for it.
child* waiting(self_pointer self, const caf::strong_actor_ptr& actor) {
  for (auto& c : self->state.children)
    if (c.actor == actor && c.on_warm.pending())
      return &c;
  return nullptr;
}

template<class Atom>
caf::result<std::string> ask_flow(self_pointer self, const std::string& name, Atom what,
                                  caf::timespan limit) {
  auto* c = find(self, kind::flow, name);
  if (!c || !c->actor)
    return refuse("flow", name, "does not run here");
  auto reply = self->make_response_promise<std::string>();
  self->request(caf::actor_cast<runtime::flow_actor>(c->actor), limit, what)
      .then([reply](const std::string& progress) mutable { reply.deliver(progress); },
            [reply](caf::error& e) mutable { reply.deliver(std::move(e)); });
  return reply;
}

} // namespace

caf::result<bool> place(self_pointer self, const std::string& component, const std::string& name,
                        int64_t epoch) {
  if (node_stops(self->state))
    return runtime::to_caf(unavailable("the node is stopping"));
  if (!is_planned(self, component, name))
    return refuse(component, name, "is not in the settings of this node");
  auto* c = find(self, component, name);
  if (c && epoch < c->epoch)
    return refuse(component, name,
                  ("runs under epoch " + std::to_string(c->epoch) + ", which is newer than " +
                   std::to_string(epoch))
                      .c_str());
  if (!c) {
    c = &add(self, kind_of(component), name);
    c->epoch = epoch;
    start(self, *c);
  } else if (c->warm_since && !c->stopping_since && !c->leaving) {
    resume(self, *c, epoch);
  } else if (epoch > c->epoch || c->stopped || c->stopping_since) {
    c->epoch = epoch;
    // A warm one that is ending already is started like any other.
    c->warm_since.reset();
    if (c->on_warm.pending())
      c->on_warm.deliver(runtime::to_caf(unavailable("the warm flow was dropped")));
    c->dropped = false;
    c->stopped = false;
    c->restart_at.reset();
    c->history.forgive();
    if (c->actor) {
      // Under its old epoch it may still write; the new one begins when it has ended.
      c->again = true;
      begin_stop(self, *c);
    } else if (!c->leaving) {
      start(self, *c);
    }
  }
  return true;
}

caf::result<bool> drop(self_pointer self, const std::string& component, const std::string& name) {
  auto* c = find(self, component, name);
  if (!c)
    return true;
  c->restart_at.reset();
  c->again = false;
  if (!c->actor && !c->leaving) {
    forget(self, *c);
    return true;
  }
  c->dropped = true;
  if (!c->actor)
    return true;
  begin_stop(self, *c);
  return c->on_stopped.emplace_back(self->make_response_promise<bool>());
}

namespace {

/// It was here before and is about to end: gets ready behind it.
caf::result<bool> warm_when_gone(self_pointer self, const std::string& name,
                                 const std::string& progress) {
  auto reply = self->make_response_promise<bool>();
  auto failed = [reply](caf::error& e) mutable { reply.deliver(std::move(e)); };
  auto me = caf::actor_cast<runtime::node_actor>(self);
  self->request(me, leave_limit, runtime::atom::drop_v, std::string("flow"), name)
      .then(
          [self, me, reply, failed, name, progress](bool) {
            self->request(me, warm_limit, runtime::atom::warm_v, name, progress)
                .then([reply](bool ready) mutable { reply.deliver(ready); }, failed);
          },
          failed);
  return reply;
}

} // namespace

caf::result<bool> warm(self_pointer self, const std::string& name, const std::string& progress) {
  auto& s = self->state;
  if (s.stop)
    return runtime::to_caf(unavailable("the node is stopping or taking up other settings"));
  if (!spec_of(s.plan.flows, name))
    return refuse("flow", name, "is not in the settings of this node");
  if (const auto* there = find(self, kind::flow, name); there && there->dropped && there->actor)
    return warm_when_gone(self, name, progress);
  else if (there)
    return refuse("flow", name, "is on this node already");
  auto& c = add(self, kind::flow, name);
  if (!start_warm(self, c, progress)) {
    forget(self, c);
    return runtime::to_caf(unavailable("the stream of flow " + name + " is not running"));
  }
  // FLOW may end instead of answering; `ended` tells then.
  c.on_warm = self->make_response_promise<bool>();
  auto reply = c.on_warm;
  self->request(caf::actor_cast<runtime::flow_actor>(c.actor), warm_limit, runtime::atom::warm_v)
      .then(
          [self, actor = c.actor](bool ready) {
            if (auto* flow = waiting(self, actor))
              flow->on_warm.deliver(bool{ready});
          },
          [self, actor = c.actor](caf::error& e) {
            if (auto* flow = waiting(self, actor))
              flow->on_warm.deliver(std::move(e));
          });
  return reply;
}

void drop_overdue(self_pointer self, child& c) {
  if (!c.warm_since || c.stopping_since || now(self) - *c.warm_since < warm_limit)
    return;
  c.dropped = true;
  begin_stop(self, c);
}

caf::result<std::string> freeze(self_pointer self, const std::string& name) {
  return ask_flow(self, name, runtime::atom::freeze_v, freeze_timeout);
}

void thaw(self_pointer self, const std::string& name) {
  if (auto* c = find(self, kind::flow, name); c && c->actor)
    self->send(caf::actor_cast<runtime::flow_actor>(c->actor), runtime::atom::thaw_v);
}

caf::result<std::string> tell_progress(self_pointer self, const std::string& name) {
  return ask_flow(self, name, runtime::atom::progress_v, progress_timeout);
}

} // namespace rtdp::cluster
