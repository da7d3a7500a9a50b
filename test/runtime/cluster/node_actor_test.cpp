#include "test/runtime/cluster/children.hpp"

#include <algorithm>

namespace rtdp::cluster::test {

namespace {

using words = std::vector<std::string>;

} // namespace

TEST_CASE("NODE starts everything but what a person stopped") {
  around_node t;
  t.start(true);
  CHECK(t.source->born.size() == 1);
  CHECK(t.stream->born.size() == 1);
  CHECK(t.flows["a"]->born.size() == 1);
  CHECK(t.flows["b"]->born.empty());
  CHECK(t.told("flow", "b").state == "stopped");
}

TEST_CASE("a child that crashed is started again with back-off, the others go on") {
  around_node t;
  t.start();
  auto& source = *t.source;
  t.tell(t.source, atom::read_v);
  CHECK(t.told("source", "shop").state == "starting");
  CHECK_FALSE(t.told("source", "shop").reason.empty());
  CHECK(source.born.size() == 1);
  t.system.advance(300ms);
  CHECK(source.born.size() == 2);
  t.crash(t.source);
  t.system.advance(200ms);
  CHECK(source.born.size() == 2);
  t.system.advance(300ms);
  CHECK(source.born.size() == 3);
  CHECK(t.stream->born.size() == 1);
  CHECK(t.flows["a"]->born.size() == 1);
}

TEST_CASE("a child that goes on crashing is failed with the reason, the others go on") {
  around_node t;
  t.start();
  auto& flow = *t.flows["a"];
  for (size_t i = 1; i <= 3; ++i) {
    t.crash(t.flows["a"]);
    t.system.advance(5s);
    CHECK(flow.born.size() == i + 1);
  }
  t.crash(t.flows["a"]);
  t.system.advance(60s);
  CHECK(flow.born.size() == 4);
  CHECK(t.told("flow", "a").state == "failed");
  CHECK_FALSE(t.told("flow", "a").reason.empty());
  CHECK(t.flows["b"]->born.size() == 1);
  CHECK(t.system.ask<bool>(t.node, atom::idle_v)->error == ec::rejected);
  // A person starts it again.
  CHECK(t.start_flow("a")->value);
  CHECK(flow.born.size() == 5);
}

TEST_CASE("a child that was rejected is failed at once") {
  around_node t;
  t.start();
  t.tell(t.source, atom::open_v);
  CHECK(t.told("source", "shop").state == "failed");
  CHECK(t.told("source", "shop").reason == "wrong password");
  t.system.advance(60s);
  CHECK(t.source->born.size() == 1);
  auto idle = t.system.ask<bool>(t.node, atom::idle_v);
  CHECK(idle->error.text() == "source shop failed: wrong password");
}

TEST_CASE("a child whose store is away is started again for ever") {
  around_node t;
  t.start();
  for (size_t i = 1; i <= 20; ++i) {
    t.tell(t.flows["a"], atom::open_v);
    CHECK(t.told("flow", "a").state == "starting");
    CHECK(t.told("flow", "a").reason == "connection refused");
    t.system.advance(11s);
    CHECK(t.flows["a"]->born.size() == i + 1);
  }
}

TEST_CASE("flows follow their restarted stream") {
  around_node t;
  t.start();
  t.crash(t.stream);
  CHECK(t.told("flow", "a").reason == "the stream it reads from ended");
  t.system.advance(1s);
  CHECK(t.stream->born.size() == 2);
  CHECK(t.flows["a"]->born.size() == 2);
  CHECK(t.flows["b"]->born.size() == 2);
}

TEST_CASE("a flow whose stream is not there waits for it and says so") {
  around_node t;
  t.start(true);
  for (int i = 0; i < 3; ++i) {
    t.crash(t.stream);
    t.system.advance(5s);
  }
  t.crash(t.stream);
  t.system.advance(5s);
  CHECK(t.told("stream", "main").state == "failed");
  CHECK(t.start_flow("b")->value);
  CHECK(t.told("flow", "b").state == "starting");
  CHECK(t.told("flow", "b").reason == "waits for stream main");
}

TEST_CASE("the heartbeat of a source outlives it and marks the next one") {
  around_node t;
  t.start();
  t.system.send(t.heartbeat, atom::tick_v);
  CHECK(t.source->marks == 1);
  t.crash(t.source);
  t.system.advance(1s);
  CHECK(t.source->born.size() == 2);
  // Flows tell the one that they were given at their start.
  CHECK(t.heartbeats == 1);
  t.system.send(t.heartbeat, atom::tick_v);
  CHECK(t.source->marks == 2);
}

TEST_CASE("a heartbeat that crashed is started again, and the flows are told") {
  around_node t;
  t.start();
  auto first = t.heartbeat;
  t.system.kill(first);
  CHECK(t.told("heartbeat", "shop").state == "starting");
  t.system.advance(300ms);
  CHECK(t.heartbeats == 2);
  CHECK(t.told("heartbeat", "shop").state == "running");
  CHECK(t.flows["a"]->joined.back() == "shop");
  CHECK(t.flows["b"]->joined.back() == "shop");
  t.system.send(t.heartbeat, atom::tick_v);
  CHECK(t.source->marks == 1);
  CHECK(t.source->born.size() == 1);
}

TEST_CASE("a heartbeat whose source is away comes back with it") {
  around_node t;
  t.start();
  t.system.kill(t.heartbeat);
  t.crash(t.source);
  t.system.advance(1s);
  CHECK(t.source->born.size() == 2);
  CHECK(t.heartbeats == 2);
  CHECK(t.told("heartbeat", "shop").state == "running");
  t.system.send(t.heartbeat, atom::tick_v);
  CHECK(t.source->marks == 1);
}

TEST_CASE("ALARM is started again when it crashed, and is found under its name") {
  around_node t;
  t.start();
  auto registered = [&t] {
    return t.system.registry().get<caf::strong_actor_ptr>(caf::atom("alarm"));
  };
  CHECK(registered() == caf::actor_cast<caf::strong_actor_ptr>(t.alarm));
  t.system.send(t.alarm, atom::tick_v);
  CHECK(t.told("alarm", "n1").state == "starting");
  t.system.advance(300ms);
  CHECK(t.alarms == 2);
  CHECK(t.told("alarm", "n1").state == "running");
  CHECK(registered() == caf::actor_cast<caf::strong_actor_ptr>(t.alarm));
  t.system.send(t.node, atom::stop_v);
  CHECK_FALSE(registered());
  t.system.advance(10s);
  CHECK(t.alarms == 2);
  CHECK(t.heartbeats == 1);
}

TEST_CASE("heartbeats do not wait for the marks of a flow that a person stopped") {
  around_node t;
  t.start();
  CHECK(t.stop_flow("a")->value);
  CHECK(*t.forgotten == words{"a"});
}

TEST_CASE("stop goes from sources over streams to flows") {
  around_node t;
  t.start();
  t.source->ends_when_stopped = false;
  t.system.send(t.node, atom::stop_v);
  CHECK(*t.stops == words{"source"});
  t.crash(t.source);
  // The flows are told at the same time.
  REQUIRE(t.stops->size() == 4);
  std::sort(t.stops->begin() + 2, t.stops->end());
  CHECK(*t.stops == words{"source", "stream", "a", "b"});
}

TEST_CASE("stop kills what hangs and goes on") {
  around_node t;
  t.start();
  t.source->ends_when_stopped = false;
  t.flows["b"]->ends_when_stopped = false;
  auto ended = std::make_shared<bool>(false);
  t.system.spawn([ended, n = t.node](caf::event_based_actor* self) -> caf::behavior {
    self->monitor(n);
    self->set_down_handler([ended](caf::down_msg&) { *ended = true; });
    return {[](int) {}};
  });
  t.system.run();
  t.system.send(t.node, atom::stop_v);
  CHECK(*t.stops == words{"source"});
  t.system.advance(2400ms);
  CHECK(t.stops->size() == 1);
  t.system.advance(200ms);
  CHECK(t.told("source", "shop").reason == "did not stop in time");
  CHECK(t.stops->size() == 4);
  t.system.advance(2300ms);
  CHECK_FALSE(*ended);
  t.system.advance(200ms);
  CHECK(*ended);
}

TEST_CASE("nothing is started again during a stop") {
  around_node t;
  t.start();
  t.crash(t.source);
  t.stream->ends_when_stopped = false;
  t.system.send(t.node, atom::stop_v);
  t.system.advance(2s);
  CHECK(t.source->born.size() == 1);
}

TEST_CASE("a flow is stopped and started by its name") {
  around_node t;
  t.start();
  CHECK(t.stop_flow("a")->value);
  CHECK(t.told("flow", "a").state == "stopped");
  CHECK(*t.stops == words{"a"});
  t.system.advance(20s);
  CHECK(t.flows["a"]->born.size() == 1);
  CHECK(t.stop_flow("a")->value);
  CHECK(t.start_flow("a")->value);
  CHECK(t.flows["a"]->born.size() == 2);
  CHECK(t.start_flow("a")->error.text() == "flow a is already started");
  CHECK(t.start_flow("none")->error.text() == "no flow named none");
  CHECK(t.stop_flow("none")->error == ec::rejected);
}

TEST_CASE("a stopped flow stays stopped when it ended with an error") {
  around_node t;
  t.start();
  t.flows["a"]->stop_error = unavailable("the store is gone");
  CHECK(t.stop_flow("a")->value);
  CHECK(t.told("flow", "a").state == "stopped");
  t.system.advance(20s);
  CHECK(t.flows["a"]->born.size() == 1);
}

TEST_CASE("a flow that does not end when stopped is ended, and everybody who asked is answered") {
  around_node t;
  t.start();
  t.flows["a"]->ends_when_stopped = false;
  auto first = t.stop_flow("a"), second = t.stop_flow("a");
  t.system.advance(2400ms);
  CHECK_FALSE(first->arrived());
  t.system.advance(200ms);
  CHECK(first->value);
  CHECK(second->value);
  CHECK(*t.stops == words{"a"});
  CHECK(t.told("flow", "a").state == "stopped");
  CHECK(t.start_flow("a")->value);
}

TEST_CASE("a dead letter is run through the flow of that name") {
  around_node t;
  t.start(true);
  auto replay = [&t](const std::string& flow, const std::string& message) {
    return t.system.ask<bool>(t.node, atom::replay_v, flow, message);
  };
  CHECK(replay("a", "good")->value == true);
  CHECK(replay("a", "bad")->value == false);
  CHECK(replay("b", "good")->error.text() == "flow b does not run");
  CHECK(replay("none", "good")->error == ec::rejected);
}

TEST_CASE("NODE is idle when every child is that runs") {
  around_node t;
  t.start(true);
  auto idle = [&t] { return t.system.ask<bool>(t.node, atom::idle_v)->value; };
  CHECK(idle() == true);
  t.flows["b"]->idle = false;
  CHECK(idle() == true);
  for (const auto& busy : {t.source, t.stream, t.flows["a"]}) {
    busy->idle = false;
    CHECK(idle() == false);
    busy->idle = true;
  }
  t.tell(t.flows["a"], atom::open_v);
  CHECK(idle() == false);
  t.system.advance(1s);
  CHECK(idle() == true);
}

} // namespace rtdp::cluster::test
