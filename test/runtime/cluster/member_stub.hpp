/// A MEMBER that remembers what it was told and answers what the test says.
#pragma once

#include "runtime/caf_error.hpp"
#include "runtime/protocol.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::cluster::test {

namespace atom = runtime::atom;

/// Written by the actor; read by a test that drives the actor itself (deterministic), or through
/// `forward` otherwise.
struct member_script {
  runtime::hello me;
  /// The answer to so many greetings, before `me`.
  error refusal;
  int refusals = 0;
  /// It takes greetings and never answers them.
  bool silent = false;
  runtime::cluster_report list;
  std::vector<runtime::report> status;
  std::vector<runtime::hello> greetings;
  /// What LINK told, in its order.
  std::vector<std::pair<std::string, caf::strong_actor_ptr>> peers;
  /// Gets a copy of each `peer`, `beat` and `ask`.
  caf::actor forward;
};
using member_script_ptr = std::shared_ptr<member_script>;

inline caf::result<runtime::hello> greeted(runtime::member_actor::pointer self, member_script& s,
                                           const runtime::hello& who) {
  s.greetings.push_back(who);
  if (s.silent)
    return self->make_response_promise<runtime::hello>();
  if (s.refusals-- > 0)
    return runtime::to_caf(s.refusal);
  return s.me;
}

inline runtime::member_actor::behavior_type member_stub(runtime::member_actor::pointer self,
                                                        member_script_ptr s) {
  return {
      [self, s](atom::greet, const runtime::hello& who) { return greeted(self, *s, who); },
      [s](atom::beat, const runtime::beat& b) {
        if (s->forward)
          caf::anon_send(s->forward, atom::beat_v, b);
      },
      [](atom::progress, const std::string& flow) { return "progress of " + flow; },
      [](atom::warm, const std::string&, const std::string&) { return true; },
      [](atom::freeze, const std::string& flow) { return "progress of " + flow; },
      [](atom::thaw, const std::string&) {},
      [](atom::drop, const std::string&) {},
      [s](atom::ask, const runtime::command& c) {
        if (s->forward)
          caf::anon_send(s->forward, atom::ask_v, c);
        return "done";
      },
      [s](atom::list) { return s->list; },
      [s](atom::status) { return s->status; },
      [s](atom::status, const std::string&) { return s->status; },
      [s](atom::list, const std::string&) { return s->list; },
      [s](atom::peer, const std::string& name, const caf::strong_actor_ptr& handle) {
        s->peers.emplace_back(name, handle);
        if (s->forward)
          caf::anon_send(s->forward, atom::peer_v, name, handle);
      },
      [](atom::learn, const std::vector<std::string>&) {},
      [self](atom::stop) { self->quit(); },
      [](atom::tick) {},
  };
}

} // namespace rtdp::cluster::test
