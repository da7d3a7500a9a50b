#include "actors/heartbeat/feedback_actor.hpp"
#include "actors/heartbeat/heartbeat_actor.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/component.hpp"
#include "test/support/deterministic.hpp"
#include "test/support/probe.hpp"

#include <doctest/doctest.h>

namespace rtdp::heartbeat {

namespace {

using namespace std::chrono_literals;
namespace atom = runtime::atom;
using counter = std::shared_ptr<int>;

/// A SOURCE that counts marks.
runtime::source_actor::behavior_type marked(counter marks) {
  return {
      [marks](atom::mark) { ++*marks; },
      [](atom::idle) { return true; },
      [](atom::snapshot, const runtime::snapshot_order&) { return true; },
      [](atom::stop) {},
      [](atom::open) {},
      [](atom::read) {},
  };
}

struct around_heartbeat {
  test::deterministic system;
  test::surroundings around{system};
  counter marks = std::make_shared<int>(0);
  runtime::heartbeat_actor heartbeat =
      system.spawn(heartbeat_actor, around.env, std::string("shop"), system.spawn(marked, marks),
                   std::chrono::milliseconds{1000});

  void seen(const std::string& flow, const std::string& table, int64_t seconds_ago,
            const std::string& version = "0") {
    auto ns = table.empty() ? table : "sqlite.shop.main." + table + "." + version + ".0.0";
    system.send(heartbeat, atom::seen_v, flow, ns, now_us() - seconds_ago * 1'000'000);
  }
  /// How old the last mark of a table is, as lists will tell it; -1: nobody waits for one.
  int64_t age(const std::string& table, const std::string& version = "0") const {
    auto figures =
        around.last("table", "sqlite.shop.main." + table + "." + version + ".0.0").figures;
    auto marked_us = figures.contains("marked_us") ? figures["marked_us"] : 0;
    return marked_us > 0 ? (now_us() - marked_us) / 1'000'000 : -1;
  }
  int64_t lag_seconds() const {
    auto figures = around.last("source", "shop").figures;
    return figures.contains("lag_us") ? figures["lag_us"] / 1'000'000 : -1;
  }
};

struct around_feedback {
  std::shared_ptr<ops::metrics> metrics = std::make_shared<ops::metrics>("n1");
  test::deterministic system;
  runtime::feedback_actor feedback = system.spawn(feedback_actor, metrics);

  void tell(const runtime::report& r) { system.send(feedback, atom::status_v, r); }
  std::vector<runtime::report> list() {
    return *system.ask<std::vector<runtime::report>>(feedback, atom::list_v)->value;
  }
  double state(const std::string& component, const std::string& word) const {
    return metrics->component_state({component, word}).Value();
  }
};

runtime::report report_of(const std::string& component, const std::string& name,
                          const std::string& state, const std::string& reason = "") {
  runtime::report r;
  r.component = component;
  r.name = name;
  r.state = state;
  r.reason = reason;
  return r;
}

} // namespace

TEST_CASE("HEARTBEAT marks its source each second") {
  around_heartbeat t;
  t.system.advance(900ms);
  CHECK(*t.marks == 0);
  t.system.advance(200ms);
  CHECK(*t.marks == 1);
  t.system.advance(10s);
  CHECK(*t.marks == 11);
  CHECK(t.around.last("source", "shop").figures["marks_sent"] == 11);
}

TEST_CASE("HEARTBEAT marks the source that took the place of the first") {
  around_heartbeat t;
  auto next = std::make_shared<int>(0);
  auto source = t.system.spawn(marked, next);
  t.system.send(t.heartbeat, atom::join_v, caf::actor_cast<caf::strong_actor_ptr>(source));
  t.system.advance(3s);
  CHECK(*t.marks == 0);
  CHECK(*next == 3);
}

TEST_CASE("the slowest flow and table tell the lag") {
  around_heartbeat t;
  t.system.advance(1s);
  // Nothing has arrived: there is no lag to tell.
  CHECK(t.lag_seconds() == -1);
  t.seen("orders", "a", 5);
  t.seen("orders", "b", 50);
  t.seen("copy", "a", 20);
  t.system.advance(1s);
  CHECK(t.lag_seconds() == 50);
  t.seen("orders", "b", 2);
  // A mark that a restarted flow reads again does not turn the clock back.
  t.seen("orders", "b", 90);
  t.system.advance(1s);
  CHECK(t.lag_seconds() == 20);
  CHECK(t.age("a") == 20);
  CHECK(t.age("b") == 2);
  auto lag = t.around.env.metrics
                 ->lag_seconds({.source = "shop", .table = "sqlite.shop.main.a.0.0.0"})
                 .Value();
  CHECK(lag == doctest::Approx(20).epsilon(0.05));
}

TEST_CASE("the marks of an older version of a table are not waited for") {
  around_heartbeat t;
  t.seen("orders", "a", 100);
  t.system.advance(1s);
  CHECK(t.lag_seconds() == 100);
  t.seen("orders", "a", 5, "1");
  t.system.advance(1s);
  CHECK(t.lag_seconds() == 5);
  CHECK(t.age("a") == -1);
  CHECK(t.age("a", "1") == 5);
}

TEST_CASE("the marks of a flow that a person stopped are not waited for") {
  around_heartbeat t;
  t.seen("orders", "a", 100);
  t.seen("copy", "a", 5);
  t.system.advance(1s);
  CHECK(t.age("a") == 100);
  t.seen("orders", "", 0);
  t.system.advance(1s);
  CHECK(t.age("a") == 5);
  t.seen("copy", "", 0);
  t.system.advance(1s);
  CHECK(t.age("a") == -1);
}

TEST_CASE("FEEDBACK merges what a component tells") {
  around_feedback t;
  auto first = report_of("flow", "orders", "starting", "connection refused");
  first.kind = "sql";
  first.figures = {{"rows_in", 1}, {"rows_out", 1}};
  first.texts = {{"position", "1"}};
  t.tell(first);
  auto second = report_of("flow", "orders", "");
  second.figures = {{"rows_in", 5}};
  t.tell(second);
  auto all = t.list();
  REQUIRE(all.size() == 1);
  CHECK(all[0].state == "starting");
  CHECK(all[0].reason == "connection refused");
  CHECK(all[0].kind == "sql");
  CHECK(all[0].figures["rows_in"] == 5);
  CHECK(all[0].figures["rows_out"] == 1);
  CHECK(all[0].figures["since_us"] > 0);
  CHECK(all[0].texts["position"] == "1");
  t.tell(report_of("flow", "orders", "running"));
  CHECK(t.list()[0].reason.empty());
}

TEST_CASE("FEEDBACK passes over figures of a component that it was never told of") {
  around_feedback t;
  auto figures = report_of("table", "gone", "");
  figures.figures = {{"marked_us", 1}};
  t.tell(figures);
  CHECK(t.list().empty());
}

TEST_CASE("FEEDBACK lists by class and name") {
  around_feedback t;
  t.tell(report_of("source", "shop", "running"));
  t.tell(report_of("flow", "b", "running"));
  t.tell(report_of("flow", "a", "running"));
  std::string order;
  for (const auto& r : t.list())
    order += r.component + "." + r.name + " ";
  CHECK(order == "flow.a flow.b source.shop ");
}

TEST_CASE("exactly one state of a component is set in the metric") {
  around_feedback t;
  for (const std::string word : {"starting", "running", "failed", "stopped"}) {
    t.tell(report_of("flow", "orders", word, "why"));
    for (auto state : ops::all_states)
      CHECK(t.state("flow.orders", ops::to_string(state)) == (word == ops::to_string(state)));
  }
}

TEST_CASE("the time of a state is that of its last change") {
  around_feedback t;
  t.tell(report_of("flow", "orders", "running"));
  auto since = t.list()[0].figures["since_us"];
  t.tell(report_of("flow", "orders", "running"));
  CHECK(t.list()[0].figures["since_us"] == since);
}

TEST_CASE("what left the node is in no list and no state, with the sink or tables it came with") {
  around_feedback t;
  /// A SINK or TABLE tells once more when its owner has ended already.
  auto sink = t.system.spawn([to = t.feedback](caf::event_based_actor* self) {
    auto told = report_of("sink", "dw.orders", "running");
    told.texts["flow"] = "orders";
    self->send(to, atom::status_v, told);
    return caf::behavior{[self, to](atom::stop) {
      self->send(to, atom::status_v, report_of("sink", "dw.orders", "stopped"));
    }};
  });
  t.system.run();
  t.tell(report_of("flow", "orders", "running"));
  t.tell(report_of("flow", "others", "running"));
  auto table = report_of("table", "sqlite.shop.main.orders.0.0.0", "running");
  table.texts["source"] = "orders";
  t.tell(table);
  t.system.send(t.feedback, atom::drop_v, std::string("flow"), std::string("orders"));
  t.system.send(sink, atom::stop_v);
  auto all = t.list();
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "others");
  CHECK(all[1].component == "table");
  CHECK(t.state("flow.orders", "running") == 0);
  CHECK(t.state("sink.dw.orders", "running") == 0);
  CHECK(t.state("flow.others", "running") == 1);
  // It came back.
  t.tell(report_of("flow", "orders", "starting"));
  CHECK(t.list().size() == 3);
}

} // namespace rtdp::heartbeat
