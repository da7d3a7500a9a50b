#include "runtime/cluster/cluster_lists.hpp"

#include <doctest/doctest.h>

namespace rtdp::cluster {

namespace {

using runtime::report;

report of(const std::string& component, const std::string& name, const std::string& state,
          std::map<std::string, std::string> texts = {}) {
  return {component, name, "", state, "", {}, std::move(texts)};
}

std::vector<std::string> lines(const std::vector<ops::component>& all) {
  std::vector<std::string> out;
  for (const auto& c : all)
    out.push_back(std::string(ops::to_string(c.class_)) + " " + c.name + " on " + c.node + " is " +
                  ops::to_string(c.state) + (c.reason.empty() ? "" : ": " + c.reason));
  return out;
}

} // namespace

TEST_CASE("a component is told by its owner alone: what it left behind elsewhere is not shown") {
  const owners all = {{"flow.orders", "n2"}, {"source.shop", "n1"}};
  std::vector<told> nodes;
  nodes.push_back({"n1",
                   std::vector{of("source", "shop", "running"), of("flow", "orders", "stopped"),
                               of("sink", "dw.orders", "starting", {{"flow", "orders"}}),
                               of("table", "t", "running", {{"source", "shop"}}),
                               of("stream", "main", "running"), of("heartbeat", "shop", "failed")}});
  nodes.push_back({"n2", std::vector{of("flow", "orders", "running"),
                                     of("sink", "dw.orders", "running", {{"flow", "orders"}}),
                                     of("table", "t", "stopped", {{"source", "shop"}}),
                                     of("stream", "main", "running")}});
  CHECK(lines(merged(nodes, all)) ==
        std::vector<std::string>{"source shop on n1 is running", "table t on n1 is running",
                                 "stream main on n1 is running", "stream main on n2 is running",
                                 "flow orders on n2 is running", "sink dw.orders on n2 is running"});
}

TEST_CASE("what nobody tells of is shown with the reason") {
  const owners all = {{"flow.a", "n2"}, {"flow.b", ""}, {"flow.c", "n1"}, {"source.s", "n3"}};
  std::vector<told> nodes;
  nodes.push_back({"n1", std::vector<report>{}});
  nodes.push_back({"n2", unavailable("n2 is lost: no beat for 1.5 s")});
  CHECK(lines(merged(nodes, all)) ==
        std::vector<std::string>{"source s on n3 is suspended: n3 does not tell of it yet",
                                 "flow a on n2 is suspended: n2 is lost: no beat for 1.5 s",
                                 "flow b on  is new: no node has it yet",
                                 "flow c on n1 is suspended: n1 does not tell of it yet"});
}

TEST_CASE("what has left the settings is shown as long as it works") {
  std::vector<told> nodes;
  nodes.push_back({"n1", std::vector{of("flow", "old", "stopped"), of("flow", "odd", "running"),
                                     of("stream", "main", "stopped")}});
  CHECK(lines(merged(nodes, {})) == std::vector<std::string>{"stream main on n1 is stopped",
                                                            "flow odd on n1 is running"});
}

TEST_CASE("figures are shown in the unit of their fact") {
  auto r = of("flow", "orders", "running");
  r.figures = {{"lag_us", 250'000}, {"latency_p99_us", 17'500}, {"since_us", 7}, {"idle", 1},
               {"rows_in", 3}};
  auto c = show(r, "n2");
  CHECK(c.node == "n2");
  CHECK(c.since_us == 7);
  CHECK(std::get<double>(*c.find(ops::facts::lag_seconds)) == 0.25);
  CHECK(std::get<double>(*c.find(ops::facts::latency_p99_ms)) == 17.5);
  CHECK(std::get<int64_t>(*c.find(ops::facts::rows_in)) == 3);
  CHECK(c.find("idle") == nullptr);
}

TEST_CASE("the view has drifts under way first, then the newest") {
  runtime::cluster_report r;
  r.leader = "n1";
  r.nodes.emplace_back().cpu_permille = 100;
  auto drift = [](const std::string& flow, int64_t started_us, int64_t ended_us) {
    runtime::drift_report d;
    d.flow = flow;
    d.started_us = started_us;
    d.ended_us = ended_us;
    return d;
  };
  r.drifts = {drift("old", 1, 2), drift("newer", 3, 4), drift("now", 2, 0)};
  auto v = view_of(r);
  CHECK(v.clustered);
  CHECK(v.nodes.at(0).cpu_permille == 100);
  REQUIRE(v.drifts.size() == 3);
  CHECK(v.drifts[0].flow == "now");
  CHECK(v.drifts[1].flow == "newer");
  CHECK(v.drifts[2].flow == "old");
}

} // namespace rtdp::cluster
