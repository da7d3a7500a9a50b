#include "runtime/cluster/member_parts.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/cluster/handshake.hpp"
#include "runtime/ops/log.hpp"

#include <caf/actor_cast.hpp>

#include <utility>

namespace rtdp::cluster::member {

namespace {

using namespace std::chrono_literals;

/// LINK tries every two seconds.
constexpr auto unheard_time = 10s;
/// Below the 2 s that a greeting may take; two beats that did not come.
constexpr auto probe_timeout = 500ms;

caf::error refuse(const std::string& node, const error& why) {
  ops::logger("member")->warn("node {} was refused: {}", node, why.text());
  return runtime::to_caf(why);
}

runtime::hello welcome(self_pointer self, const runtime::hello& theirs) {
  // Who is called is known by its address.
  if (calls(theirs.node, own_name(self)) &&
      self->state.others.replaced(theirs.node, theirs.boot))
    ops::logger("member")->info("node {} was started anew", theirs.node);
  return self->state.options.self;
}

/// Another process greets under the name of one that counts as alive. A node that was killed and
/// started within a second does that, and so does a second node of that name: whether the former
/// one still answers tells which it is.
caf::result<runtime::hello> look_at_former(self_pointer self, const runtime::hello& theirs,
                                           const caf::strong_actor_ptr& former,
                                           const error& refused) {
  auto promise = self->make_response_promise<runtime::hello>();
  self->request(caf::actor_cast<runtime::member_actor>(former), probe_timeout,
                runtime::atom::greet_v, self->state.options.self)
      .then(
          [self, promise, theirs, refused](const runtime::hello& answer) mutable {
            // Its first beat may still be on its way.
            if (answer.boot == theirs.boot)
              promise.deliver(welcome(self, theirs));
            else
              promise.deliver(refuse(theirs.node, refused));
          },
          [self, promise, theirs](caf::error&) mutable {
            promise.deliver(welcome(self, theirs));
          });
  return promise;
}

} // namespace

caf::result<runtime::hello> greet(self_pointer self, const runtime::hello& theirs) {
  auto& s = self->state;
  auto former = s.others.member(theirs.node);
  const auto* last = s.others.last(theirs.node);
  if (auto refused = accept(s.options.self, theirs, nullptr))
    return refuse(theirs.node, refused);
  known_peer known{last ? last->boot : "", former && s.others.alive(theirs.node, now(self))};
  if (auto refused = accept(s.options.self, theirs, last ? &known : nullptr))
    return look_at_former(self, theirs, former, refused);
  return welcome(self, theirs);
}

void connected(self_pointer self, const std::string& name, const caf::strong_actor_ptr& member) {
  auto& s = self->state;
  // Who is called has no LINK that watches the peer and says how it is.
  if (member)
    self->monitor(member);
  if (calls(name, own_name(self))) {
    if (member)
      ops::logger("member")->info("node {} has connected", name);
    else if (s.others.member(name))
      ops::logger("member")->warn("lost node {}, which connects to this one", name);
  }
  s.others.connected(name, member, now(self));
  // What the leader says now does not get here, and it has noticed or soon will. If it has committed
  // the drift, the fence keeps a flow that thaws from writing behind the new owner's back.
  if (!member && name == s.decided.leader()) {
    drop_all_warm(self);
    thaw_all(self);
  }
}

void lost(self_pointer self, const caf::down_msg& message) {
  for (const auto& [name, p] : self->state.others.all())
    if (p.member && p.member->address() == message.source)
      return connected(self, name, nullptr);
}

std::string why_unheard(self_pointer self, const std::string& name) {
  if (calls(own_name(self), name))
    return "not heard of yet; the log of node " + own_name(self) + " says why";
  return "not heard of yet; it connects to this node when it runs, reaches the `listen` of this one, "
         "and knows no other node that is named " +
         own_name(self);
}

void tell_unheard(self_pointer self) {
  auto& s = self->state;
  if (s.unheard_told || now(self) - s.started < unheard_time)
    return;
  s.unheard_told = true;
  for (const auto& [name, p] : s.others.all())
    if (!p.last && calls(name, own_name(self)))
      ops::logger("member")->warn("node {}: {}", name, why_unheard(self, name));
}

} // namespace rtdp::cluster::member
