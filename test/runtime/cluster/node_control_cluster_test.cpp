#include "runtime/cluster/node_control.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/system.hpp"
#include "test/support/temp_folder.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

namespace rtdp::cluster {

namespace {

namespace atom = runtime::atom;
using reports = std::vector<runtime::report>;

runtime::feedback_actor::behavior_type feedback(reports all) {
  return {
      [](atom::status, const runtime::report&) {},
      [](atom::drop, const std::string&, const std::string&) {},
      [all](atom::list) { return all; },
  };
}

/// Answers for the cluster; what the control does not use is refused.
struct fake_member {
  runtime::cluster_report seen, at_leader;
  std::map<std::string, reports> peers;
  std::string refusal;
};

runtime::member_actor::behavior_type member(fake_member m) {
  auto refuse = [] { return runtime::to_caf(rejected("not asked in this test")); };
  using text = caf::result<std::string>;
  return {
      [=](atom::greet, const runtime::hello&) -> caf::result<runtime::hello> { return refuse(); },
      [](atom::beat, const runtime::beat&) {},
      [=](atom::progress, const std::string&) -> text { return refuse(); },
      [=](atom::warm, const std::string&, const std::string&) -> caf::result<bool> {
        return refuse();
      },
      [=](atom::freeze, const std::string&) -> text { return refuse(); },
      [](atom::thaw, const std::string&) {},
      [](atom::drop, const std::string&) {},
      [m](atom::ask, const runtime::command& c) -> text {
        if (!m.refusal.empty())
          return runtime::to_caf(rejected(m.refusal));
        return c.verb + " " + c.name + " " + c.to + " " + c.text;
      },
      [m](atom::list) { return m.seen; },
      [=](atom::status) -> caf::result<reports> { return refuse(); },
      [m](atom::status, const std::string& node) -> caf::result<reports> {
        auto at = m.peers.find(node);
        if (at == m.peers.end())
          return runtime::to_caf(unavailable("node " + node + " is not connected"));
        return at->second;
      },
      [m](atom::list, const std::string& node) -> caf::result<runtime::cluster_report> {
        if (node != m.seen.leader || m.at_leader.nodes.empty())
          return runtime::to_caf(unavailable("the link is lost"));
        return m.at_leader;
      },
      [](atom::peer, const std::string&, const caf::strong_actor_ptr&) {},
      [](atom::learn, const std::vector<std::string>&) {},
      [](atom::stop) {},
      [](atom::tick) {},
  };
}

runtime::report report_of(const std::string& component, const std::string& name,
                          std::map<std::string, std::string> texts = {}) {
  return {component, name, "", "running", "", {}, std::move(texts)};
}

runtime::node_report node_of(const std::string& name, const std::string& state) {
  runtime::node_report n;
  n.name = name;
  n.state = state;
  return n;
}

/// n1 with the flow `here`, n2 with the flow `there` and the source `shop`, n3, which is lost.
struct clustered {
  runtime::system_config config;
  caf::actor_system system{config};
  rtdp::test::temp_folder folder;
  std::vector<caf::actor> spawned;
  fake_member m;

  clustered() {
    m.seen.leader = "n2";
    m.seen.nodes = {node_of("n1", "running"), node_of("n2", "running"), node_of("n3", "lost")};
    m.seen.owners = {{"flow.here", "n1"}, {"flow.there", "n2"}, {"source.shop", "n2"}};
    m.peers["n2"] = {report_of("flow", "there"), report_of("source", "shop"),
                     report_of("table", "sqlite.shop.main.orders.0.0.0", {{"source", "shop"}})};
  }
  ~clustered() {
    for (const auto& a : spawned)
      caf::anon_send_exit(a, caf::exit_reason::kill);
  }
  std::shared_ptr<flow_directory> flows = std::make_shared<flow_directory>(
      std::vector<flow_facts>{{"here", "*", {}}, {"there", "sqlite.shop.main.orders", {}}});
  node_control control(reports own = {report_of("flow", "here")}) {
    auto told = system.spawn(feedback, std::move(own));
    auto asked = system.spawn(member, m);
    spawned.push_back(caf::actor_cast<caf::actor>(told));
    spawned.push_back(caf::actor_cast<caf::actor>(asked));
    control_facts facts{{"n1", "0.1.0", 0},
                        folder.path(),
                        flows,
                        {{"n2", "http://127.0.0.1:8082"}}};
    return {system, {}, told, nullptr, std::move(facts), asked};
  }
};

} // namespace

TEST_CASE("the lists are those of all nodes, each item with its own") {
  clustered t;
  auto control = t.control();
  auto flows = control.list(ops::component_class::flow);
  REQUIRE(flows);
  REQUIRE(flows->size() == 2);
  CHECK((*flows)[0].node == "n1");
  CHECK((*flows)[1].name == "there");
  CHECK((*flows)[1].node == "n2");
  CHECK(control.components()->size() == 4);
}

TEST_CASE("a node whose link is lost leaves its flows suspended in the list, and the others alone") {
  clustered t;
  t.m.peers.clear();
  auto flows = t.control().list(ops::component_class::flow);
  REQUIRE(flows);
  REQUIRE(flows->size() == 2);
  CHECK((*flows)[0].state == ops::state::running);
  CHECK((*flows)[1].state == ops::state::suspended);
  CHECK((*flows)[1].reason == "node n2 is not connected");
}

TEST_CASE("a node is ready when what is placed on it is") {
  clustered t;
  CHECK(t.control().ready().ready());
  CHECK(t.control({}).ready().reasons == std::vector<std::string>{"flow.here is new"});
  auto left = report_of("sink", "dw.x", {{"flow", "there"}});
  left.state = "starting";
  CHECK(t.control({report_of("flow", "here"), left}).ready().ready());
  t.m.seen.leader.clear();
  CHECK(t.control().ready().reasons ==
        std::vector<std::string>{"no node leads the cluster: nothing can be placed or moved"});
}

TEST_CASE("flows and sources are started and stopped by the cluster, which may refuse") {
  clustered t;
  CHECK(!t.control().start(ops::component_class::flow, "there"));
  CHECK(*t.control().order({.verb = "drift", .name = "here", .to = "n2"}) ==
        "drift here n2 ");
  t.m.refusal = "flow there is drifting";
  auto refused = t.control().stop(ops::component_class::flow, "there");
  CHECK(refused == ec::rejected);
  CHECK(refused.text() == "flow there is drifting");
}

TEST_CASE("what is about the data of another node names it") {
  clustered t;
  auto control = t.control();
  auto rewound = control.rewind_flow("there", "beginning");
  CHECK(rewound == ec::rejected);
  CHECK(rewound.text() == "flow.there is on n2: ask n2, with --url http://127.0.0.1:8082");
  ops::snapshot_order order;
  order.table = "orders";
  CHECK(control.snapshot(order).error().text() ==
        "table orders is read on n2: ask n2, with --url http://127.0.0.1:8082");
  CHECK(control.versions_of("orders").error() == ec::rejected);
  order.table = "nobody";
  CHECK(control.snapshot(order).error().text() ==
        "no source reads a table nobody; `rtdp tables` lists them");
}

TEST_CASE("a flow of other settings is known as soon as they are taken, a former one no more") {
  clustered t;
  auto control = t.control();
  t.m.seen.owners["flow.later"] = "n2";
  CHECK(control.rewind_flow("later", "beginning").text() == "no flow named later");
  t.flows->take({{"later", "*", {}}});
  CHECK(control.rewind_flow("there", "beginning").text() == "no flow named there");
  // Its node is looked up, so it was found.
  auto other = t.control();
  CHECK(other.rewind_flow("later", "beginning").text() ==
        "flow.later is on n2: ask n2, with --url http://127.0.0.1:8082");
}

TEST_CASE("drifts and the plan are those of the leader, the rest is as this node sees it") {
  clustered t;
  CHECK(t.control().cluster()->drifts.empty());
  t.m.at_leader = t.m.seen;
  t.m.at_leader.nodes = {node_of("n1", "lost")};
  t.m.at_leader.drifts.emplace_back().flow = "here";
  t.m.at_leader.plan.push_back({"flow.here", "n1", "n2", "n2 has less to do"});
  auto view = t.control().cluster();
  REQUIRE(view);
  REQUIRE(view->drifts.size() == 1);
  CHECK(view->drifts[0].flow == "here");
  CHECK(view->plan.size() == 1);
  CHECK(view->nodes.size() == 3);
  CHECK(view->nodes[0].state == "running");
}

TEST_CASE("a node alone is its own cluster, and takes no orders") {
  clustered t;
  auto told = t.system.spawn(feedback, reports{report_of("flow", "a"), report_of("source", "s")});
  t.spawned.push_back(caf::actor_cast<caf::actor>(told));
  control_facts facts{{"n1", "0.1.0", 0}, t.folder.path(), t.flows};
  node_control alone{t.system, {}, told, nullptr, std::move(facts)};
  auto view = alone.cluster();
  REQUIRE(view);
  CHECK(!view->clustered);
  CHECK(view->leader == "n1");
  REQUIRE(view->nodes.size() == 1);
  CHECK(view->nodes[0].flows == 1);
  CHECK(view->flows == std::vector<std::string>{"here", "there"});
  CHECK(view->nodes[0].sources == 1);
  CHECK(view->nodes[0].version == "0.1.0");
  auto refused = alone.order({.verb = "drain", .name = "n1"});
  CHECK(refused.error() == ec::rejected);
  CHECK(refused.error().text() ==
        "this node is not part of a cluster: `nodes:` in the settings file makes one");
}

} // namespace rtdp::cluster
