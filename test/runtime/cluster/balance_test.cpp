#include "runtime/cluster/balance.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace rtdp::cluster {

namespace {

using strings = std::vector<std::string>;

/// Three nodes n1, n2, n3, of which n1 and n2 have the label "big"; all are there.
struct world {
  std::vector<placeable> all;
  config::cluster_settings nodes;
  catalog decided;
  std::map<std::string, usable_node> usable;

  world() {
    for (const char* name : {"n1", "n2", "n3"}) {
      config::member_settings m;
      m.name = name;
      if (m.name != "n3")
        m.labels = {"big"};
      nodes.nodes.push_back(m);
      usable[name].boot = std::string("boot-") + name;
    }
  }

  void owns(const std::string& node, const std::string& component, int64_t rows_per_s = 0) {
    if (std::none_of(all.begin(), all.end(),
                     [&](const placeable& p) { return p.component == component; }))
      all.push_back({component});
    REQUIRE_FALSE(decided.learn(placement_record(component, {node, "boot-" + node, 1, false})));
    runtime::running r;
    r.state = "running";
    r.rows_per_s = rows_per_s;
    usable[node].components[component] = r;
  }

  situation look() const { return {all, nodes, decided, usable}; }

  /// "flow.a n1", "flow.b waits for …"
  strings placed() const {
    strings out;
    for (const auto& a : place_orphans(look()))
      out.push_back(a.component + " " + (a.to.empty() ? a.reason : a.to));
    return out;
  }
};

} // namespace

TEST_CASE("components without a load take turns over the nodes") {
  world w;
  w.all = {{"source.s"}, {"flow.a"}, {"flow.b"}, {"flow.c"}};
  CHECK(w.placed() == strings{"source.s n1", "flow.a n2", "flow.b n3", "flow.c n1"});
}

TEST_CASE("what has a living owner stays where it is") {
  world w;
  w.owns("n3", "flow.a");
  CHECK(w.placed() == strings{});
}

TEST_CASE("what a lost node had goes to the others, the idlest first") {
  world w;
  w.owns("n1", "flow.a");
  w.owns("n2", "flow.b");
  w.owns("n1", "flow.c");
  w.usable.erase("n1");
  w.usable["n2"].cpu_permille = 900;
  CHECK(w.placed() == strings{"flow.a n3", "flow.c n3"});
}

TEST_CASE("a node that was started again gets back what it had") {
  world w;
  w.owns("n2", "flow.a");
  w.owns("n1", "flow.b");
  w.usable["n2"].boot = "another";
  CHECK(w.placed() == strings{"flow.a n2"});
}

TEST_CASE("a pin is a node's name or a label") {
  world w;
  w.all = {{"flow.a", "n3"}, {"flow.b", "big"}, {"flow.c", "big"}, {"flow.d", "big"}};
  CHECK(w.placed() == strings{"flow.a n3", "flow.b n1", "flow.c n2", "flow.d n1"});
  w.usable.erase("n3");
  CHECK(w.placed().front() == "flow.a waits for a node: it is tied to n3 (n3)");
}

TEST_CASE("flows that are kept apart never meet") {
  world w;
  w.all = {{"flow.a", "big"}, {"flow.b", "big", {"flow.a"}}, {"flow.c", "big", {"flow.a", "flow.b"}}};
  CHECK(w.placed() == strings{"flow.a n1", "flow.b n2",
                              "flow.c waits for a node: it is tied to big (n1, n2), and is kept "
                              "apart from flow.a, flow.b"});
}

TEST_CASE("a draining node keeps what it has and gets nothing") {
  world w;
  w.owns("n1", "flow.a");
  w.usable["n1"].takes_more = false;
  w.all.push_back({"flow.b"});
  w.all.push_back({"flow.c"});
  CHECK(w.placed() == strings{"flow.b n2", "flow.c n3"});
  auto leave = leave_draining(w.look());
  REQUIRE(leave.size() == 1);
  CHECK(leave[0].component == "flow.a");
  CHECK(leave[0].from == "n1");
  CHECK(leave[0].to == "n2");
  CHECK(leave[0].reason == "node n1 drains");
  CHECK(unfit(w.look(), "flow.b", "n1") == "node n1 is draining");
  CHECK(unfit(w.look(), "flow.b", "n9") == "node n9 is lost, unknown or in trouble");
}

TEST_CASE("what leaves a node together is spread, and what is kept apart stays apart") {
  world w;
  w.owns("n1", "flow.a");
  w.owns("n1", "flow.b");
  w.owns("n1", "flow.c");
  w.usable["n1"].takes_more = false;
  w.all = {{"flow.a"}, {"flow.b", "", {"flow.a"}}, {"flow.c", "", {"flow.a", "flow.b"}}};
  auto leave = leave_draining(w.look());
  REQUIRE(leave.size() == 3);
  CHECK(leave[0].to == "n2");
  CHECK(leave[1].to == "n3");
  CHECK(leave[2].to.empty());
  CHECK(leave[2].reason == "node n1 drains, but no other node may run it");
}

TEST_CASE("a thousand flows are placed on ten nodes alike, and in no time that a beat would miss") {
  world w;
  w.all.clear();
  w.nodes.nodes.clear();
  w.usable.clear();
  for (int i = 0; i < 10; ++i) {
    auto node = "n" + std::to_string(i);
    w.nodes.nodes.push_back({node, "", "off", "", {}});
    w.usable[node] = {"boot", true, 0, {}};
  }
  for (int i = 0; i < 1000; ++i)
    w.all.push_back({"flow.f" + std::to_string(i)});
  std::map<std::string, int> got;
  auto begun = std::chrono::steady_clock::now();
  for (const auto& a : place_orphans(w.look()))
    ++got[a.to];
  // 15 ms are usual; the beats of the leader are 250 ms apart.
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(250));
  CHECK(got.size() == 10);
  for (const auto& [node, flows] : got)
    CHECK(flows == 100);
}

TEST_CASE("the flow that leaves two nodes most alike is moved") {
  world w;
  w.owns("n1", "flow.small", 1000);
  w.owns("n1", "flow.middle", 3000);
  w.owns("n1", "flow.large", 6000);
  w.owns("n2", "flow.other", 100);
  w.usable["n1"].cpu_permille = 1000;
  w.usable["n2"].cpu_permille = 100;
  w.usable["n3"].cpu_permille = 200;
  auto move = even_out(w.look());
  REQUIRE(move);
  CHECK(move->component == "flow.middle");
  CHECK(move->from == "n1");
  CHECK(move->to == "n2");
  CHECK(move->reason ==
        "n1 uses 100% of a core, n2 uses 10%; this flow is about 30% of it");
}

TEST_CASE("nobody moves for a small difference, nor with rows to catch up with") {
  world w;
  w.owns("n1", "flow.a", 1000);
  w.owns("n1", "flow.b", 1000);
  w.usable["n1"].cpu_permille = 400;
  w.usable["n2"].cpu_permille = 150;
  w.usable["n3"].cpu_permille = 200;
  CHECK_FALSE(even_out(w.look()));
  w.usable["n1"].cpu_permille = 900;
  CHECK(even_out(w.look()));
  for (auto& [component, r] : w.usable["n1"].components)
    r.lag_rows = 5001;
  CHECK_FALSE(even_out(w.look()));
}

} // namespace rtdp::cluster
