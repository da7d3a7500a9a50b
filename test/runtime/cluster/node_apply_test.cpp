#include "test/runtime/cluster/children.hpp"

#include <algorithm>

namespace rtdp::cluster::test {

namespace {

using words = std::vector<std::string>;

struct applying : around_node {
  explicit applying(bool placed = false) {
    next = plan();
    next.placed = placed;
    start(next);
  }
  auto apply() {
    return system.ask<bool>(node, atom::apply_v, std::make_shared<const node_plan>(next));
  }
  script& a() { return *flows.at("a"); }
  script& b() { return *flows.at("b"); }

  /// What is applied next; at first what runs.
  node_plan next;
};

} // namespace

TEST_CASE("a plan that changes nothing restarts nothing but ALARM, whose settings may be others") {
  applying t;
  CHECK(t.apply()->value == true);
  t.system.advance(5s);
  CHECK(*t.stops == words{});
  CHECK(t.a().born.size() == 1);
  CHECK(t.alarms == 2);
  CHECK(t.told("alarm", "n1").state != "failed");
}

TEST_CASE("what is not in the plan is stopped and in no list any more") {
  applying t;
  t.next.flows.erase(t.next.flows.begin());
  t.next.sources.clear();
  CHECK(t.apply()->value == true);
  CHECK(*t.stops == words{"source", "a"});
  CHECK(*t.around.dropped == words{"heartbeat.shop", "source.shop", "flow.a"});
  t.system.advance(5s);
  CHECK(t.a().born.size() == 1);
  CHECK(t.source->born.size() == 1);
  CHECK(t.b().born.size() == 1);
}

TEST_CASE("a plan that is taken up says so, before what is new in it starts") {
  applying t;
  bool taken = false;
  auto started = std::make_shared<script>();
  t.next.flows.push_back(t.plan_flow("c", started));
  t.next.taken = [&taken, started] { taken = started->born.empty(); };
  CHECK(t.apply()->value == true);
  CHECK(taken);
}

TEST_CASE("what is new in the plan is started") {
  applying t;
  t.flows["c"] = std::make_shared<script>();
  t.next.flows.push_back(t.plan_flow("c", t.flows["c"]));
  CHECK(t.apply()->value == true);
  CHECK(t.flows["c"]->born.size() == 1);
  CHECK(*t.stops == words{});
}

TEST_CASE("in a cluster what is new waits until it is placed") {
  applying t(true);
  t.flows["c"] = std::make_shared<script>();
  t.next.flows.push_back(t.plan_flow("c", t.flows["c"]));
  auto place = [&](int64_t epoch) {
    return t.system.ask<bool>(t.node, atom::place_v, std::string("flow"), std::string("c"), epoch);
  };
  CHECK(place(2)->error == ec::rejected);
  CHECK(t.apply()->value == true);
  CHECK(t.flows["c"]->born.empty());
  CHECK(place(2)->value == true);
  CHECK(t.flows["c"]->epochs == std::vector<int64_t>{2});
  // Changed, it starts again under the epoch it has.
  t.next.flows.back().fingerprint = "other";
  CHECK(t.apply()->value == true);
  CHECK(*t.stops == words{"c"});
  CHECK(t.flows["c"]->epochs == std::vector<int64_t>{2, 2});
}

TEST_CASE("what changed is stopped and started again, what a person stopped stays stopped") {
  applying t;
  CHECK(t.stop_flow("b")->value);
  t.stops->clear();
  t.next.flows[0].fingerprint = t.next.flows[1].fingerprint = "other";
  t.next.sources[0].fingerprint = "other";
  CHECK(t.apply()->value == true);
  CHECK(*t.stops == words{"source", "a"});
  CHECK(t.a().born.size() == 2);
  CHECK(t.b().born.size() == 1);
  CHECK(t.source->born.size() == 2);
  CHECK(t.heartbeats == 1);
  CHECK(t.start_flow("b")->value);
}

TEST_CASE("what failed is tried again when its settings change") {
  applying t;
  t.tell(t.source, atom::open_v);
  CHECK(t.told("source", "shop").state == "failed");
  t.next.sources[0].fingerprint = "the right password";
  CHECK(t.apply()->value == true);
  CHECK(t.source->born.size() == 2);
}

TEST_CASE("a changed stream takes its flows with it, in the order of a stop") {
  applying t;
  t.next.streams[0].fingerprint = "other";
  t.stream->ends_when_stopped = false;
  auto applied = t.apply();
  CHECK(*t.stops == words{"stream"});
  t.system.advance(2400ms);
  CHECK(!applied->arrived());
  // Another one waits its turn; people may stop and start meanwhile.
  CHECK(t.apply()->error == ec::unavailable);
  t.system.advance(300ms);
  CHECK(applied->value == true);
  std::sort(t.stops->begin() + 1, t.stops->end());
  CHECK(*t.stops == words{"stream", "a", "b"});
  CHECK(t.stream->born.size() == 2);
  CHECK(t.a().born.size() == 2);
  CHECK(t.b().born.size() == 2);
  t.system.advance(20s);
  CHECK(t.a().born.size() == 2);
}

TEST_CASE("a flow that is stopped while a plan is taken up stays stopped") {
  applying t;
  t.next.flows[0].fingerprint = "other";
  t.a().ends_when_stopped = false;
  auto applied = t.apply();
  auto stopped = t.stop_flow("a");
  t.system.advance(3s);
  CHECK(applied->value == true);
  CHECK(stopped->value == true);
  CHECK(t.a().born.size() == 1);
}

TEST_CASE("a node that is stopped while it takes up a plan ends, and says so") {
  applying t;
  t.next.flows[0].fingerprint = "other";
  t.a().ends_when_stopped = false;
  auto applied = t.apply();
  t.system.send(t.node, atom::stop_v);
  CHECK(applied->error == ec::unavailable);
  t.system.advance(10s);
  CHECK(t.a().born.size() == 1);
  CHECK(t.start_flow("a")->error == ec::unavailable);
}

} // namespace rtdp::cluster::test
