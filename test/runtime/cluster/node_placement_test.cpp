#include "test/runtime/cluster/children.hpp"

namespace rtdp::cluster::test {

namespace {

using words = std::vector<std::string>;
using numbers = std::vector<int64_t>;

/// A node of a cluster: nothing but its stream runs until it is placed.
struct placing : around_node {
  placing() {
    auto p = plan();
    p.placed = true;
    start(p);
  }
  auto place(const std::string& component, const std::string& name, int64_t epoch) {
    return system.ask<bool>(node, atom::place_v, component, name, epoch);
  }
  auto drop(const std::string& component, const std::string& name) {
    return system.ask<bool>(node, atom::drop_v, component, name);
  }
  auto warm(const std::string& name) {
    return system.ask<bool>(node, atom::warm_v, name, std::string("there"));
  }
  script& a() { return *flows.at("a"); }
  void fenced() {
    system.spawn([to = a().born.back()](caf::event_based_actor* self) {
      self->send_exit(caf::actor_cast<caf::actor>(to),
                      runtime::to_caf(rtdp::fenced("epoch 9 owns the table")));
    });
    system.run();
  }
};

} // namespace

TEST_CASE("in a cluster NODE starts streams, and what is placed on it under its epoch") {
  placing t;
  CHECK(t.stream->born.size() == 1);
  CHECK(t.source->born.empty());
  CHECK(t.a().born.empty());
  CHECK(t.told("flow", "a").state.empty());
  CHECK(t.place("source", "shop", 3)->value == true);
  CHECK(t.source->epochs == numbers{3});
  CHECK(t.heartbeats == 1);
  CHECK(t.place("flow", "a", 4)->value == true);
  CHECK(t.a().epochs == numbers{4});
  CHECK(t.flows["b"]->born.empty());
  CHECK(t.place("flow", "none", 1)->error == ec::rejected);
}

TEST_CASE("a restart has the epoch of the placement") {
  placing t;
  t.place("flow", "a", 4);
  t.crash(t.flows["a"]);
  t.system.advance(1s);
  CHECK(t.a().epochs == numbers{4, 4});
}

TEST_CASE("a placement that is in force is left alone, a newer one restarts, an older one is refused") {
  placing t;
  t.place("flow", "a", 4);
  CHECK(t.place("flow", "a", 4)->value == true);
  CHECK(t.a().epochs == numbers{4});
  CHECK(*t.stops == words{});
  CHECK(t.place("flow", "a", 5)->value == true);
  CHECK(*t.stops == words{"a"});
  CHECK(t.a().epochs == numbers{4, 5});
  CHECK(t.place("flow", "a", 4)->error == ec::rejected);
}

TEST_CASE("a newer placement begins when the flow has ended under its old epoch") {
  placing t;
  t.place("flow", "a", 4);
  t.a().ends_when_stopped = false;
  CHECK(t.place("flow", "a", 5)->value == true);
  t.system.advance(2400ms);
  CHECK(t.a().epochs == numbers{4});
  t.system.advance(300ms);
  CHECK(t.a().epochs == numbers{4, 5});
}

TEST_CASE("what is dropped stops, and is in no list any more") {
  placing t;
  t.place("source", "shop", 3);
  t.place("flow", "a", 4);
  CHECK(t.drop("flow", "a")->value == true);
  CHECK(*t.stops == words{"a"});
  CHECK(*t.around.dropped == words{"flow.a"});
  CHECK(*t.forgotten == words{"a"});
  CHECK(t.drop("source", "shop")->value == true);
  CHECK(*t.around.dropped == words{"flow.a", "heartbeat.shop", "source.shop"});
  CHECK(t.drop("flow", "a")->value == true);
  t.system.advance(20s);
  CHECK(t.a().born.size() == 1);
  CHECK(t.source->born.size() == 1);
  CHECK(t.heartbeats == 1);
  CHECK(t.start_flow("a")->error == ec::rejected);
  // It may come back, with a heartbeat of its own.
  CHECK(t.place("flow", "a", 6)->value == true);
  CHECK(t.place("source", "shop", 6)->value == true);
  CHECK(t.a().epochs == numbers{4, 6});
  CHECK(t.source->epochs == numbers{3, 6});
  CHECK(t.heartbeats == 2);
  CHECK(t.a().joined.back() == "shop");
}

TEST_CASE("a drop that hangs is ended in time, and what waits to be started again is dropped too") {
  placing t;
  t.place("flow", "a", 4);
  t.a().ends_when_stopped = false;
  auto dropped = t.drop("flow", "a");
  t.system.advance(2400ms);
  CHECK(!dropped->arrived());
  t.system.advance(300ms);
  CHECK(dropped->value == true);
  t.place("flow", "b", 1);
  t.crash(t.flows["b"]);
  CHECK(t.drop("flow", "b")->value == true);
  t.system.advance(20s);
  CHECK(t.flows["b"]->born.size() == 1);
}

TEST_CASE("a flow that is placed while it is dropped starts when it has ended") {
  placing t;
  t.place("flow", "a", 4);
  t.a().ends_when_stopped = false;
  t.drop("flow", "a");
  CHECK(t.place("flow", "a", 6)->value == true);
  t.system.advance(3s);
  CHECK(t.a().epochs == numbers{4, 6});
  CHECK(t.around.dropped->empty());
}

TEST_CASE("a flow that a newer owner fenced out stays failed, with that owner, until it is placed") {
  placing t;
  t.place("flow", "a", 4);
  t.fenced();
  CHECK(t.told("flow", "a").state == "failed");
  CHECK(t.told("flow", "a").reason == "epoch 9 owns the table");
  CHECK(t.place("flow", "a", 4)->value == true);
  t.system.advance(20s);
  CHECK(t.a().born.size() == 1);
  SUBCASE("placed again") {
    CHECK(t.place("flow", "a", 10)->value == true);
    CHECK(t.a().epochs == numbers{4, 10});
  }
  SUBCASE("dropped") {
    CHECK(t.drop("flow", "a")->value == true);
    CHECK(*t.around.dropped == words{"flow.a"});
  }
}

TEST_CASE("a warm flow is resumed by its placement, not started again") {
  placing t;
  t.a().ready = false;
  auto ready = t.warm("a");
  CHECK(t.a().warm == words{"there"});
  CHECK(!ready->arrived());
  t.tell(t.flows["a"], atom::tick_v);
  CHECK(ready->value == true);
  CHECK(t.warm("a")->error == ec::rejected);
  CHECK(t.place("flow", "a", 5)->value == true);
  CHECK(t.a().resumed == numbers{5});
  CHECK(t.a().born.size() == 1);
  t.system.advance(120s);
  CHECK(*t.stops == words{});
  // From now on it is a flow like any other.
  t.crash(t.flows["a"]);
  t.system.advance(1s);
  CHECK(t.a().epochs == numbers{0, 5});
  CHECK(t.a().warm.size() == 1);
}

TEST_CASE("a warm flow that nobody resumes or drops ends by itself") {
  placing t;
  CHECK(t.warm("a")->value == true);
  t.system.advance(59s);
  CHECK(*t.stops == words{});
  t.system.advance(2s);
  CHECK(*t.stops == words{"a"});
  CHECK(*t.around.dropped == words{"flow.a"});
  CHECK(t.warm("a")->value == true);
}

TEST_CASE("a flow that comes back while its former life ends gets warm behind that") {
  placing t;
  t.place("flow", "a", 4);
  t.a().ends_when_stopped = false;
  auto dropped = t.drop("flow", "a");
  auto ready = t.warm("a");
  CHECK(!ready->arrived());
  CHECK(t.a().warm.empty());
  t.crash(t.flows["a"]);
  CHECK(dropped->value == true);
  CHECK(ready->value == true);
  CHECK(t.a().warm == words{"there"});
  CHECK(t.place("flow", "a", 6)->value == true);
  CHECK(t.a().resumed == numbers{6});
}

TEST_CASE("a warm flow that fails is its leader's matter: told, and not started again") {
  placing t;
  t.a().ready = false;
  auto ready = t.warm("a");
  t.tell(t.flows["a"], atom::open_v);
  CHECK(ready->error == ec::unavailable);
  CHECK(ready->error.text() == "the warm flow ended: connection refused");
  t.system.advance(20s);
  CHECK(t.a().born.size() == 1);
  CHECK(*t.around.dropped == words{"flow.a"});
}

TEST_CASE("a warm flow that is dropped while it gets ready says so to who waits") {
  placing t;
  t.a().ready = false;
  auto ready = t.warm("a");
  CHECK(t.drop("flow", "a")->value == true);
  CHECK(ready->error == ec::unavailable);
  CHECK(t.warm("none")->error == ec::rejected);
}

TEST_CASE("freeze, thaw and progress go to the flow of that name") {
  placing t;
  t.place("flow", "a", 4);
  CHECK(t.system.ask<std::string>(t.node, atom::freeze_v, std::string("a"))->value == "frozen a");
  CHECK(t.system.ask<std::string>(t.node, atom::progress_v, std::string("a"))->value ==
        "progress of a");
  t.system.send(t.node, atom::thaw_v, std::string("a"));
  t.system.send(t.node, atom::thaw_v, std::string("b"));
  CHECK(t.a().thaws == 1);
  CHECK(t.system.ask<std::string>(t.node, atom::freeze_v, std::string("b"))->error == ec::rejected);
}

TEST_CASE("a node that stops takes no placement, and its warm flows end with it") {
  placing t;
  t.warm("a");
  t.place("flow", "b", 1);
  t.flows["b"]->ends_when_stopped = false;
  t.system.send(t.node, atom::stop_v);
  CHECK(t.place("source", "shop", 1)->error == ec::unavailable);
  CHECK(t.warm("a")->error == ec::unavailable);
  CHECK(std::count(t.stops->begin(), t.stops->end(), "a") == 1);
}

} // namespace rtdp::cluster::test
