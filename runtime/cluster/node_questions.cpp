#include "runtime/cluster/node_questions.hpp"

#include "runtime/caf_error.hpp"

#include <memory>

namespace rtdp::cluster {

namespace {
using namespace std::chrono_literals;
constexpr auto question_timeout = 10s;
} // namespace

caf::result<bool> replay(self_pointer self, const std::string& name, const std::string& message) {
  auto* c = find(self, kind::flow, name);
  if (!c || !c->actor)
    return runtime::to_caf(rejected("flow " + name + " does not run"));
  auto reply = self->make_response_promise<bool>();
  self->request(caf::actor_cast<runtime::flow_actor>(c->actor), question_timeout,
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
  self->request(caf::actor_cast<runtime::source_actor>(c->actor), question_timeout,
                runtime::atom::snapshot_v, order)
      .then([reply](bool stored) mutable { reply.deliver(stored); },
            [reply](caf::error& e) mutable { reply.deliver(std::move(e)); });
  return reply;
}

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
    if (c.stopped || c.warm_since || !carries_data(c.kind))
      continue;
    if (!c.actor) {
      all->idle = false;
      continue;
    }
    ++all->waiting;
    self->request(caf::actor_cast<caf::actor>(c.actor), question_timeout, runtime::atom::idle_v)
        .then(answer, [answer](caf::error&) { answer(false); });
  }
  answer(true);
  return all->reply;
}

} // namespace rtdp::cluster
