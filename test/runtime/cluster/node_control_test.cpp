#include "runtime/cluster/node_control.hpp"

#include "runtime/system.hpp"
#include "test/support/temp_folder.hpp"

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

namespace rtdp::cluster {

namespace {

namespace atom = runtime::atom;
using reports = std::vector<runtime::report>;
using alarms = std::vector<runtime::alarm>;

runtime::feedback_actor::behavior_type feedback_with(reports all) {
  return {
      [](atom::status, const runtime::report&) {},
      [](atom::drop, const std::string&, const std::string&) {},
      [all](atom::list) { return all; },
  };
}

runtime::alarm_actor::behavior_type alarm(alarms all) {
  return {
      [all](atom::list) { return all; },
      [](atom::tick) {},
  };
}

runtime::report a_report(const std::string& component, const std::string& name,
                          std::map<std::string, int64_t> figures) {
  return {component, name, "", "running", "", std::move(figures), {}};
}

/// A control on real threads, as REST uses it; the actors behind it answer from a list.
struct controlled {
  runtime::system_config config;
  caf::actor_system system{config};
  rtdp::test::temp_folder folder;
  std::vector<caf::actor> spawned;

  ~controlled() {
    system.registry().erase(caf::atom("alarm"));
    for (const auto& a : spawned)
      caf::anon_send_exit(a, caf::exit_reason::kill);
  }
  node_control control(reports all) {
    auto to = system.spawn(feedback_with, std::move(all));
    spawned.push_back(caf::actor_cast<caf::actor>(to));
    return {system, {}, to, nullptr, {{"n1", "0.1.0", 0}, folder.path()}};
  }
  /// As NODE does when it starts ALARM.
  void start_alarm(alarms all) {
    auto a = system.spawn(alarm, std::move(all));
    spawned.push_back(caf::actor_cast<caf::actor>(a));
    system.registry().erase(caf::atom("alarm"));
    system.registry().put(caf::atom("alarm"), caf::actor_cast<caf::strong_actor_ptr>(a));
  }
};

} // namespace

TEST_CASE("alarms are those of the ALARM that runs, and an error while none does") {
  controlled t;
  auto control = t.control({});
  CHECK(control.alarms().error() == ec::unavailable);
  t.start_alarm({{"failed", "flow", "orders", "no such table", 5, 0}});
  auto told = control.alarms();
  REQUIRE(told);
  REQUIRE(told->size() == 1);
  CHECK((*told)[0].condition == "failed");
  CHECK((*told)[0].component == "flow");
  CHECK((*told)[0].name == "orders");
  CHECK((*told)[0].text == "no such table");
  CHECK((*told)[0].since_us == 5);
  CHECK((*told)[0].ended_us == 0);
  t.start_alarm({});
  CHECK(control.alarms()->empty());
}

TEST_CASE("the lag of a table goes on growing when nobody tells of its marks") {
  controlled t;
  auto control = t.control({a_report("table", "sqlite.shop.main.a.0.0.0", {{"marked_us", 1}}),
                            a_report("table", "sqlite.shop.main.b.0.0.0", {{"marked_us", 0}})});
  auto tables = control.list(ops::component_class::table);
  REQUIRE(tables);
  REQUIRE(tables->size() == 2);
  const auto* lag = (*tables)[0].find(ops::facts::lag_seconds);
  REQUIRE(lag);
  CHECK(std::get<double>(*lag) > 1e9);
  CHECK((*tables)[1].find(ops::facts::lag_seconds) == nullptr);
  CHECK((*tables)[0].find("marked_us") == nullptr);
}

TEST_CASE("a heartbeat that is being started again keeps the node from being ready") {
  controlled t;
  auto report = a_report("heartbeat", "shop", {});
  CHECK(t.control({report}).ready().ready());
  report.state = "starting";
  report.reason = "actor: code 3";
  auto ready = t.control({report}).ready();
  CHECK(ready.reasons == std::vector<std::string>{"heartbeat.shop is starting: actor: code 3"});
}

} // namespace rtdp::cluster
