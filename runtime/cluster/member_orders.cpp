#include "runtime/cluster/member_parts.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/cluster/question.hpp"

#include <caf/actor_cast.hpp>

#include <fmt/format.h>

namespace rtdp::cluster::member {

namespace {

using namespace std::chrono_literals;
using reply = caf::typed_response_promise<std::string>;

/// Below the 5 s that REST has for an answer.
constexpr auto leader_timeout = 4s;

/// Answers when the catalog has it. REQUIRES: !deciding.
caf::result<std::string> record(self_pointer self, std::vector<std::string> records,
                                std::string answer) {
  auto promise = self->make_response_promise<std::string>();
  append(self, std::move(records), [promise, answer](const error& e) mutable {
    if (e)
      promise.deliver(runtime::to_caf(e.in("it is not known whether this was done; look and try "
                                           "again")));
    else
      promise.deliver(answer);
  });
  return promise;
}

/// A settings file that this node has found good.
caf::result<std::string> apply(self_pointer self, const std::string& text) {
  auto& s = self->state;
  if (text == s.decided.settings())
    return "these settings are in force already, as revision " +
           std::to_string(s.decided.revision());
  auto read = s.options.read_settings(text);
  if (!read)
    return runtime::to_caf(read.error());
  auto next = s.decided.revision() + 1;
  return record(self, {settings_record(text, next)},
                fmt::format("revision {} is in force: {} sources and flows", next,
                            read->components.size()));
}

caf::result<std::string> drain(self_pointer self, const std::string& node, bool on) {
  auto& s = self->state;
  if (!s.options.settings.nodes.find(node))
    return runtime::to_caf(rejected("no node is named " + node));
  if (s.decided.draining(node) == on)
    return "node " + node + (on ? " drains already" : " does not drain");
  return record(self, {draining_record(node, on)},
                "node " + node +
                    (on ? " drains: what it has goes to other nodes, flow by flow"
                        : " may have components again"));
}

caf::result<std::string> set_stopped(self_pointer self, const std::string& component,
                                     bool stopped) {
  const auto* p = self->state.decided.find(component);
  auto [kind, name] = split(component);
  if (!p)
    return runtime::to_caf(rejected("no " + kind + " named " + name));
  if (p->stopped == stopped)
    return kind + " " + name + (stopped ? " is stopped already" : " is started already");
  auto next = *p;
  next.stopped = stopped;
  next.epoch += stopped ? 0 : 1;
  return record(self, {placement_record(component, next)},
                kind + " " + name + (stopped ? " is stopped" : " is started"));
}

caf::result<std::string> move(self_pointer self, const runtime::command& c) {
  if (auto refused = start_drift(self, c.name, c.to, "asked for"))
    return runtime::to_caf(refused);
  return "flow " + c.name + " drifts to " + c.to;
}

caf::result<std::string> cancel(self_pointer self, const std::string& flow) {
  if (auto refused = cancel_drift(self, flow))
    return runtime::to_caf(refused);
  return "the drift of flow " + flow + " is cancelled; it stays where it is";
}

caf::result<std::string> carry_out(self_pointer self, const runtime::command& c) {
  if (c.verb == "apply")
    return apply(self, c.text);
  if (c.verb == "drift")
    return move(self, c);
  if (c.verb == "cancel")
    return cancel(self, c.name);
  if (c.verb == "drain" || c.verb == "undrain")
    return drain(self, c.name, c.verb == "drain");
  if (c.verb == "start" || c.verb == "stop")
    return set_stopped(self, c.name, c.verb == "stop");
  return runtime::to_caf(rejected("the leader does not know how to " + c.verb +
                                  "; it may be an older version of rtdp"));
}

} // namespace

void take_waiting_orders(self_pointer self) {
  for (auto& [c, promise] : std::exchange(self->state.waiting_orders, {}))
    self->request(runtime::member_actor(self), caf::infinite, runtime::atom::ask_v, c)
        .then([promise](const std::string& answer) mutable { promise.deliver(answer); },
              [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
}

caf::result<std::string> take_order(self_pointer self, const runtime::command& c) {
  auto& s = self->state;
  // Each decision is made on what the one before has decided; the leader renews its own record too.
  if (s.leading && s.deciding)
    return s.waiting_orders.emplace_back(c, self->make_response_promise<std::string>()).second;
  if (s.leading)
    return carry_out(self, c);
  auto leader = s.others.member(s.decided.leader());
  if (c.forwarded || !leader || !s.others.alive(s.decided.leader(), now(self)))
    return runtime::to_caf(
        unavailable("nobody leads the cluster at the moment; try again in a second or two"));
  auto passed_on = c;
  passed_on.forwarded = true;
  auto promise = self->make_response_promise<std::string>();
  question asked{"node " + s.decided.leader() + ", which leads,",
                 "to " + c.verb + (c.name.empty() ? " these settings" : " " + c.name),
                 leader_timeout};
  self->request(caf::actor_cast<runtime::member_actor>(leader), leader_timeout,
                runtime::atom::ask_v, passed_on)
      .then([promise](const std::string& answer) mutable { promise.deliver(answer); },
            [promise, asked](caf::error& e) mutable {
              promise.deliver(runtime::to_caf(answer_to(asked, e)));
            });
  return promise;
}

std::pair<std::string, std::string> split(const std::string& component) {
  auto dot = component.find('.');
  return {component.substr(0, dot), dot == component.npos ? "" : component.substr(dot + 1)};
}

} // namespace rtdp::cluster::member
