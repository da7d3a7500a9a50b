#include "runtime/cluster/link_actor.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/cluster/handshake.hpp"
#include "runtime/core/backoff.hpp"
#include "runtime/ops/log.hpp"

#include <fmt/format.h>

#include <utility>

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;
using link_pointer = runtime::link_actor::stateful_pointer<link_state>;

/// A node that comes back is found soon.
constexpr backoff pause{200ms, 2s};
/// A refusal ends when a person changes something; but the refusal of a node that came back before
/// its former self counted as lost ends by itself, so the first tries are not far apart.
constexpr backoff pause_refused{1s, 30s};
/// CONNECTOR has its own limits, below this; a look-up of a name may take longer.
constexpr auto connect_max = 15s;
constexpr auto greet_max = 2s;

auto link_log() { return ops::logger("link"); }

void try_in(link_pointer self, std::chrono::milliseconds wait) {
  auto& s = self->state;
  s.next = self->clock().now() + wait;
  self->delayed_send(self, wait, runtime::atom::open_v);
}

/// No way to the peer this time.
void failed(link_pointer self, const error& why) {
  auto& s = self->state;
  s.busy = false;
  bool refused = why == ec::rejected;
  auto text = fmt::format("{} {}: {}", refused ? "does not work with" : "cannot reach",
                          s.plan.name, why.text());
  if (text != s.told)
    link_log()->warn("{}", text);
  s.told = std::move(text);
  try_in(self, refused ? pause_refused.delay(s.refusals++, self->id())
                       : pause.delay(s.failures++, self->id()));
}

void greeted(link_pointer self, const runtime::hello& theirs) {
  auto& s = self->state;
  if (!s.peer)
    return failed(self, unavailable("the connection broke off"));
  if (theirs.node != s.plan.name && theirs.node != s.me.node)
    return failed(self, rejected(fmt::format("at {} is a node that is named {}", s.plan.address,
                                             theirs.node)));
  if (auto e = accept(s.me, theirs, nullptr))
    return failed(self, e);
  s.busy = false;
  s.open = true;
  s.failures = s.refusals = 0;
  s.told.clear();
  link_log()->info("connected to {} at {}, rtdp {}, version {} of the cluster protocol", s.plan.name,
              s.plan.address, theirs.version, agreed(s.me, theirs));
  self->send(s.member, runtime::atom::peer_v, s.plan.name, s.peer);
  self->send(caf::actor_cast<runtime::member_actor>(s.peer), runtime::atom::peer_v, s.me.node,
             caf::actor_cast<caf::strong_actor_ptr>(s.member));
}

void greet(link_pointer self, const caf::strong_actor_ptr& found) {
  auto& s = self->state;
  if (s.peer != found) {
    s.peer = found;
    self->monitor(found);
  }
  self->request(caf::actor_cast<runtime::member_actor>(found), greet_max, runtime::atom::greet_v,
                s.me)
      .then([self](const runtime::hello& theirs) { greeted(self, theirs); },
            [self](const caf::error& e) {
              failed(self, e == caf::sec::request_timeout
                               ? unavailable(fmt::format("it does not answer within {} s",
                                                         std::chrono::seconds(greet_max).count()))
                               : runtime::from_caf(e));
            });
}

void open(link_pointer self) {
  auto& s = self->state;
  if (s.busy || s.open || self->clock().now() < s.next)
    return;
  s.busy = true;
  if (!s.connector) {
    s.connector = s.plan.connector(*self, self->address());
    self->monitor(s.connector);
  }
  self->request(s.connector, connect_max, runtime::atom::open_v, s.plan.address)
      .then([self](const caf::strong_actor_ptr& found) { greet(self, found); },
            [self](const caf::error& e) { failed(self, runtime::from_caf(e)); });
}

void lost(link_pointer self, const caf::error& reason) {
  auto& s = self->state;
  s.peer = nullptr;
  // Whoever waits for the answer to a greeting is told by the request.
  if (s.busy)
    return;
  if (s.open) {
    s.open = false;
    link_log()->warn("lost {}: {}", s.plan.name,
                reason == caf::exit_reason::remote_link_unreachable ? "the connection broke off"
                                                                    : "it ended");
    self->send(s.member, runtime::atom::peer_v, s.plan.name, caf::strong_actor_ptr{});
  }
  // Also after a refusal: what comes back may be another program.
  try_in(self, pause.delay(0, self->id()));
}

void down(link_pointer self, const caf::down_msg& message) {
  auto& s = self->state;
  if (message.source == s.member.address())
    self->quit();
  else if (s.connector && message.source == s.connector.address())
    s.connector = nullptr;
  else if (s.peer && message.source == s.peer->address())
    lost(self, message.reason);
}

} // namespace

runtime::link_actor::behavior_type link_actor(link_pointer self, runtime::hello me,
                                              runtime::member_actor member, link_plan plan) {
  auto& s = self->state;
  s.me = std::move(me);
  s.member = std::move(member);
  s.plan = std::move(plan);
  self->set_down_handler([self](const caf::down_msg& message) { down(self, message); });
  self->monitor(s.member);
  self->send(self, runtime::atom::open_v);
  return {
      [self](runtime::atom::open) { open(self); },
  };
}

} // namespace rtdp::cluster
