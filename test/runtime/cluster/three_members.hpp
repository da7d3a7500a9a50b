/// Three MEMBERs on simulated time that have come to know each other, for the tests of MEMBER.
#pragma once

#include "test/simulation/members.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace rtdp::simulation {

/// Three nodes that run, n1 leads, and f1 is on n1, f2 on n2.
struct three : members {
  three() {
    for (const auto* name : {"n1", "n2", "n3"})
      start(name);
    run(4s);
    REQUIRE(log.decided().leader() == "n1");
    REQUIRE(owner("f1") == "n1 1");
    REQUIRE(owner("f2") == "n2 1");
  }
  ~three() { CHECK(events.broken() == std::string()); }

  /// Node and epoch.
  std::string owner(const std::string& flow) {
    const auto* p = log.decided().find("flow." + flow);
    return p ? p->node + " " + std::to_string(p->epoch) : "";
  }
  /// What this node answers to a greeting within 1 s.
  std::string greet(const std::string& at, const std::string& name, const std::string& boot) {
    auto answer = std::make_shared<std::string>("nothing");
    auto hello = cluster::current_hello(name, "1.0.0", boot);
    clock.spawn(nowhere, [answer, hello, to = actors.at(at)](caf::event_based_actor* self) {
      self->request(to, caf::infinite, runtime::atom::greet_v, hello)
          .then([answer](const runtime::hello& h) { *answer = "this is " + h.node; },
                [answer](caf::error& e) { *answer = runtime::from_caf(e).text(); });
    });
    run(1s);
    return *answer;
  }
  runtime::node_report shown(const std::string& at, const std::string& name) {
    for (auto& n : look(at).nodes)
      if (n.name == name)
        return n;
    return {};
  }
  std::string drift(const std::string& flow, const std::string& to) {
    return ask("n1", {"drift", flow, to});
  }
  /// f2 is on its way from n2 to n3 and asked to freeze, which n2 does not answer.
  void drift_to_freeze() {
    nodes["n2"]->freeze_answers = false;
    CHECK(drift("f2", "n3") == "flow f2 drifts to n3");
    run(50ms);
    CHECK(drift_shown() == "freeze: asked for");
  }
  /// n2 has f2 and was told to go on, n3 to let go of it.
  void check_thawed() {
    CHECK(nodes["n2"]->calls.back() == "thaw f2");
    CHECK(nodes["n3"]->calls.back() == "drop f2");
    CHECK(owner("f2") == "n2 1");
  }
  /// As LINK says it on either side.
  void disconnect(const std::string& one, const std::string& other) {
    caf::anon_send(actors.at(one), atom::peer_v, other, caf::strong_actor_ptr{});
    caf::anon_send(actors.at(other), atom::peer_v, one, caf::strong_actor_ptr{});
  }
  void reconnect(const std::string& one, const std::string& other) {
    connect(one, other);
    connect(other, one);
  }
};

} // namespace rtdp::simulation
