#include "test/runtime/cluster/three_members.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace rtdp;
using namespace rtdp::simulation;

TEST_CASE("of nodes that start together the first one leads, and the flows are spread over them") {
  three c;
  CHECK(c.log.decided().term() == 1);
  CHECK(c.log.decided().revision() == 1);
  CHECK(c.nodes["n1"]->runs == std::map<std::string, int64_t>{{"f1", 1}});
  CHECK(c.nodes["n2"]->runs == std::map<std::string, int64_t>{{"f2", 1}});
  for (const auto* name : {"n1", "n2", "n3"})
    CHECK(c.look(name).leader == "n1");
}

TEST_CASE("when the leader dies the next one leads, and what it had runs elsewhere within 2.5 s") {
  three c;
  c.kill("n1");
  c.run(2500ms);
  CHECK(c.log.decided().leader() == "n2");
  CHECK(c.log.decided().term() == 2);
  CHECK(c.owner("f1") == "n3 2");
  CHECK(c.nodes["n3"]->runs == std::map<std::string, int64_t>{{"f1", 2}});
  CHECK(c.owner("f2") == "n2 1");
}

TEST_CASE("a node that was started again does not run what its dead process had") {
  three c;
  c.kill("n2");
  c.start("n2");
  c.run(3s);
  CHECK_FALSE(c.nodes["n2"]->was_told("place f2 1"));
  // The leader gives it back, with an epoch of its own.
  CHECK(c.owner("f2") == "n2 2");
  CHECK(c.nodes["n2"]->runs == std::map<std::string, int64_t>{{"f2", 2}});
}

TEST_CASE("a second node under the name of one that answers is refused") {
  three c;
  CHECK(c.greet("n3", "n2", "another") == "two nodes are named n2; give one of them another name");
  CHECK(c.shown("n3", "n2").state == "running");
  CHECK(c.shown("n3", "n2").boot == "n2#1");
}

TEST_CASE("a node that was killed and is started at once is let in before it counts as lost") {
  three c;
  c.kill("n2");
  CHECK(c.shown("n3", "n2").state == "running");
  CHECK(c.greet("n3", "n2", "n2#2") == "this is n3");
  CHECK(c.shown("n3", "n2").state == "joining");
}

TEST_CASE("a node whose former process hangs is let in, and when that wakes nobody listens to it") {
  three c;
  c.clock.freeze(1);
  CHECK(c.greet("n3", "n2", "n2#2") == "this is n3");
  c.clock.thaw(1);
  c.run(1s);
  CHECK(c.shown("n3", "n2").state == "joining");
  CHECK(c.greet("n3", "n2", "n2#2") == "this is n3");
}

TEST_CASE("MEMBER notices by itself that a node which had called it is gone") {
  three c;
  auto before = c.shown("n3", "n1").state;
  caf::anon_send_exit(c.actors.at("n1"), caf::exit_reason::kill);
  c.run(700ms);
  CHECK(before == "running");
  CHECK(c.shown("n3", "n1").state == "lost");
  c.actors.erase("n1");
}

TEST_CASE("an order that cannot be carried out is refused with the reason, at any node") {
  three c;
  struct refusal {
    runtime::command what;
    const char* why;
  };
  const std::vector<refusal> all = {
      {{"drift", "f9", "n2"}, "no flow named f9"},
      {{"drift", "f1", "n9"}, "no node is named n9"},
      {{"drift", "f1", "n1"}, "is on n1 already"},
      {{"cancel", "f1", ""}, "does not drift"},
      {{"drain", "n9", ""}, "no node is named n9"},
      {{"stop", "flow.f9", ""}, "no flow named f9"},
      {{"apply", "", "", ""}, "line 1: expected settings"},
      {{"dance", "", ""}, "does not know how to dance"},
  };
  auto decisions = [&c] {
    const auto& log = c.log.records();
    return std::count_if(log.begin(), log.end(),
                         [](const auto& r) { return shared_log::key(r) != "leader"; });
  };
  auto before = decisions();
  for (const auto* at : {"n1", "n3"})
    for (const auto& r : all) {
      auto answer = c.ask(at, r.what);
      CHECK_MESSAGE(answer.starts_with("no: "), answer);
      CHECK_MESSAGE(answer.find(r.why) != answer.npos, answer);
    }
  CHECK(decisions() == before);
}

TEST_CASE("orders that come while the leader writes a decision wait for it") {
  three c;
  auto answers = c.ask_together("n1", {{"drain", "n3", ""},
                                       {"stop", "flow.f1", ""},
                                       {"apply", "", "", "f1 f2 f3"},
                                       {"drain", "n9", ""}});
  CHECK(answers[0].starts_with("node n3 drains:"));
  CHECK(answers[1] == "flow f1 is stopped");
  CHECK(answers[2].starts_with("revision 2 is in force"));
  CHECK(answers[3] == "no: no node is named n9");
  CHECK(c.log.decided().draining("n3"));
  CHECK(c.log.decided().find("flow.f1")->stopped);
}

TEST_CASE("a flow that is stopped, drifts, or whose target drains is not moved") {
  three c;
  CHECK(c.ask("n3", {"drain", "n3", ""}).starts_with("node n3 drains"));
  CHECK(c.drift("f1", "n3").find("node n3 is draining") != std::string::npos);
  CHECK(c.ask("n2", {"stop", "flow.f1", ""}) == "flow f1 is stopped");
  c.run(100ms);
  CHECK(c.nodes["n1"]->runs.empty());
  CHECK(c.drift("f1", "n2").find("is stopped; start it first") != std::string::npos);
  CHECK(c.ask("n2", {"start", "flow.f1", ""}) == "flow f1 is started");
  c.run(100ms);
  CHECK(c.nodes["n1"]->runs == std::map<std::string, int64_t>{{"f1", 2}});
  c.nodes["n2"]->warm_answers = false;
  CHECK(c.drift("f1", "n2") == "flow f1 drifts to n2");
  CHECK(c.drift("f1", "n2").find("drifts to n2 already") != std::string::npos);
}

TEST_CASE("a drift prepares, freezes, commits and resumes, and says where it is") {
  three c;
  c.nodes["n1"]->freeze_answers = false;
  CHECK(c.drift("f1", "n3") == "flow f1 drifts to n3");
  c.run(50ms);
  CHECK(c.drift_shown() == "freeze: asked for");
  CHECK(c.nodes["n3"]->was_told("warm f1 so far"));
  CHECK(c.owner("f1") == "n1 1");
  // No answer within 4 s: it stays where it is.
  c.run(4s);
  CHECK(c.drift_shown().starts_with(
      "failed: node n1 did not answer within 4 s when it was asked to freeze flow f1; "));
  CHECK(c.nodes["n1"]->was_told("thaw f1"));
  CHECK(c.nodes["n3"]->was_told("drop f1"));
  CHECK(c.owner("f1") == "n1 1");
  c.nodes["n1"]->freeze_answers = true;
  CHECK(c.drift("f1", "n3") == "flow f1 drifts to n3");
  c.run(2s);
  CHECK(c.drift_shown() == "done: ");
  CHECK(c.owner("f1") == "n3 2");
  CHECK(c.nodes["n3"]->runs == std::map<std::string, int64_t>{{"f1", 2}});
  CHECK(c.nodes["n1"]->calls.back() == "drop f1");
}

TEST_CASE("a target that cannot get ready leaves the flow where it is") {
  three c;
  c.nodes["n3"]->warm_error = rejected("no such table");
  CHECK(c.drift("f1", "n3") == "flow f1 drifts to n3");
  c.run(100ms);
  CHECK(c.drift_shown() == "failed: node n3: no such table");
  CHECK_FALSE(c.nodes["n1"]->was_told("freeze f1"));
  CHECK(c.owner("f1") == "n1 1");
}

TEST_CASE("a drift can be cancelled until it is committed") {
  three c;
  c.nodes["n3"]->warm_answers = false;
  CHECK(c.drift("f1", "n3") == "flow f1 drifts to n3");
  CHECK(c.ask("n2", {"cancel", "f1", ""}) ==
        "the drift of flow f1 is cancelled; it stays where it is");
  CHECK(c.drift_shown() == "cancelled: cancelled");
  c.run(100ms);
  CHECK(c.nodes["n3"]->calls.back() == "drop f1");
  CHECK(c.owner("f1") == "n1 1");
}

TEST_CASE("a flow that was frozen by a leader that hangs goes on as soon as another one leads") {
  three c;
  c.drift_to_freeze();
  c.clock.freeze(0);
  c.run(50ms);
  CHECK_FALSE(c.nodes["n2"]->was_told("thaw f2"));
  // It would thaw by itself after 5 s.
  c.run(2s);
  CHECK(c.log.decided().leader() == "n2");
  CHECK(c.nodes["n2"]->was_told("thaw f2"));
  CHECK(c.nodes["n3"]->was_told("drop f2"));
  CHECK(c.owner("f2") == "n2 1");
}

TEST_CASE("a flow that was frozen by a leader that dies goes on at once") {
  three c;
  c.drift_to_freeze();
  c.kill("n1");
  c.run(50ms);
  c.check_thawed();
}

TEST_CASE("a warm flow ends when its flow gets another owner, though nobody says so") {
  three c;
  caf::anon_send(c.actors.at("n3"), runtime::atom::warm_v, std::string("f1"),
                 std::string("so far"));
  c.run(1s);
  CHECK(c.nodes["n3"]->calls.back() == "warm f1 so far");
  CHECK(c.ask("n2", {"stop", "flow.f1", ""}) == "flow f1 is stopped");
  CHECK(c.ask("n2", {"start", "flow.f1", ""}) == "flow f1 is started");
  c.run(200ms);
  CHECK(c.owner("f1") == "n1 2");
  CHECK(c.nodes["n3"]->calls.back() == "drop f1");
}

TEST_CASE("a warm flow ends with its drift, though the node still lets go of the flow it had") {
  three c;
  c.nodes["n1"]->drop_answers = false;
  CHECK(c.drift("f1", "n2") == "flow f1 drifts to n2");
  c.run(500ms);
  CHECK(c.owner("f1") == "n2 2");
  CHECK(c.nodes["n1"]->calls.back() == "drop f1");
  auto n1 = c.actors.at("n1");
  caf::anon_send(n1, runtime::atom::warm_v, std::string("f1"), std::string("so far"));
  c.run(100ms);
  CHECK(c.nodes["n1"]->calls.back() == "warm f1 so far");
  caf::anon_send(n1, runtime::atom::drop_v, std::string("f1"));
  c.run(100ms);
  CHECK(c.nodes["n1"]->calls.back() == "drop f1");
}

TEST_CASE("a node that drains is left by its flows, one after the other") {
  three c;
  CHECK(c.ask("n3", {"drain", "n1", ""}).starts_with("node n1 drains"));
  c.run(2s);
  CHECK(c.owner("f1") == "n3 2");
  CHECK(c.nodes["n1"]->runs.empty());
  CHECK(c.look("n2").nodes.front().state == "drained");
}

TEST_CASE("a drain that fails is tried again ever more seldom, and the node says why it is not empty") {
  three c;
  c.nodes["n2"]->warm_error = c.nodes["n3"]->warm_error = rejected("no such table");
  auto tries = [&c] {
    auto drifts = c.look("n1").drifts;
    return std::count_if(drifts.begin(), drifts.end(),
                         [](const auto& d) { return d.step == "failed"; });
  };
  CHECK(c.ask("n1", {"drain", "n1", ""}).starts_with("node n1 drains"));
  c.run(400ms);
  CHECK(tries() == 1);
  auto n1 = c.shown("n1", "n1");
  CHECK(n1.state == "draining");
  CHECK_MESSAGE(n1.reason.find("node n1 drains, but flow f1 could not move: node n") == 0,
                n1.reason);
  CHECK(n1.reason.find(": no such table; it is tried again in 1 s") != std::string::npos);
  c.run(15s);
  // After 1, 2, 4 and 8 s, a quarter of it less at most.
  CHECK(tries() >= 4);
  CHECK(tries() <= 6);
  CHECK(c.owner("f1") == "n1 1");
  c.nodes["n2"]->warm_error = c.nodes["n3"]->warm_error = {};
  c.run(11s);
  CHECK(c.owner("f1") != "n1 1");
  CHECK(c.shown("n1", "n1").state == "drained");
}

TEST_CASE("a flow whose drain a person has cancelled is not moved at once again") {
  three c;
  c.nodes["n2"]->warm_answers = c.nodes["n3"]->warm_answers = false;
  CHECK(c.ask("n1", {"drain", "n1", ""}).starts_with("node n1 drains"));
  c.run(200ms);
  CHECK(c.ask("n1", {"cancel", "f1", ""}).starts_with("the drift of flow f1 is cancelled"));
  c.run(200ms);
  CHECK(c.drift_shown() == "cancelled: cancelled");
}

TEST_CASE("the move that would help most stays in the plan as long as it would") {
  three c;
  CHECK(c.ask("n1", {"apply", "", "", "f1 f2 f3 f4"}).starts_with("revision 2"));
  c.run(1s);
  REQUIRE(c.nodes["n1"]->runs.size() == 2);
  c.cpu_permille["n1"] = 1500;
  c.nodes["n1"]->rows_each_look = 100;
  c.run(6s);
  for (int i = 0; i < 50; ++i) {
    c.run(110ms);
    auto plan = c.look("n1").plan;
    REQUIRE(plan.size() == 1);
    CHECK(plan[0].from == "n1");
    CHECK(plan[0].reason.starts_with("n1 uses 150% of a core"));
  }
}

TEST_CASE("a flow that comes back into the settings goes on behind the epoch that it had") {
  three c;
  CHECK(c.ask("n3", {"apply", "", "", "f1"}) == "revision 2 is in force: 1 sources and flows");
  c.run(200ms);
  CHECK(c.owner("f2").empty());
  CHECK(c.nodes["n2"]->runs.empty());
  CHECK(c.ask("n3", {"apply", "", "", "f1 f2"}) == "revision 3 is in force: 2 sources and flows");
  c.run(200ms);
  // Its target would refuse the first epoch again.
  CHECK(c.owner("f2") == "n2 2");
}

TEST_CASE("a node that is busy with one plan is told the next one again") {
  three c;
  c.nodes["n2"]->busy = 3;
  CHECK(c.ask("n2", {"apply", "", "", "f1 f2 f3"}).starts_with("revision 2 is in force"));
  c.run(1s);
  const auto& calls = c.nodes["n2"]->calls;
  CHECK(std::count(calls.begin(), calls.end(), "apply") == 4);
}

TEST_CASE("a leader in trouble whose append broke off leads on, since nobody else would") {
  three c;
  c.measured["n1"] = "its disk is full";
  c.log.away = true;
  c.run(1s);
  CHECK(c.ask("n1", {"drain", "n3", ""}).starts_with("no: "));
  c.log.away = false;
  c.run(2s);
  CHECK(c.log.decided().leader() == "n1");
  CHECK(c.ask("n2", {"drain", "n3", ""}).starts_with("node n3 drains"));
  // It is no owner any more.
  CHECK_FALSE(c.owner("f1").starts_with("n1"));
}

TEST_CASE("a stopped flow is in the lists of its owner alone") {
  three c;
  CHECK(c.ask("n1", {"stop", "flow.f2", ""}) == "flow f2 is stopped");
  c.run(200ms);
  CHECK(c.nodes["n2"]->listed_stopped.contains("f2"));
  c.measured["n2"] = "its disk is full";
  c.run(2s);
  auto owner = c.owner("f2").substr(0, 2);
  CHECK(owner != "n2");
  for (const auto* name : {"n1", "n2", "n3"})
    CHECK(c.nodes[name]->listed_stopped.contains("f2") == (name == owner));
}

TEST_CASE("without a leader an order says so") {
  members c;
  c.start("n2");
  c.run(100ms);
  CHECK(c.ask("n2", {"drain", "n1", ""}).find("nobody leads the cluster") != std::string::npos);
}
