#include "runtime/ops/cli.hpp"
#include "runtime/ops/cli_tables.hpp"
#include "runtime/ops/http.hpp"
#include "runtime/ops/rest.hpp"
#include "test/runtime/ops/fake_node.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>

using namespace rtdp;
using namespace rtdp::ops;
using ops::test::a_cluster;
using ops::test::a_drift;
using ops::test::a_flow;

namespace {

/// The commands against a fake node behind the real server.
struct commanded_cluster {
  ops::test::fake_node node;
  metrics counted{"n1"};
  std::unique_ptr<http_server> server;
  std::ostringstream out, err;

  commanded_cluster() {
    auto started =
        http_server::start({.listen = "127.0.0.1:0"}, router(rest_routes(node, counted)));
    REQUIRE(started);
    server = std::move(*started);
    node.lists[component_class::flow] = {a_flow("orders")};
    node.seen = a_cluster();
  }
  cli with(bool json = false) {
    out.str("");
    err.str("");
    return {server->url(), json, false, out, err};
  }
  /// The cluster has already done this when the order is answered.
  void drifts_to(drift ended) {
    node.on_order = [this, ended](const cluster_order&) {
      node.seen.drifts.insert(node.seen.drifts.begin(), ended);
    };
  }
  /// The output without the time in front of each line.
  std::string steps() const {
    std::istringstream lines(out.str());
    std::string all;
    for (std::string line; std::getline(lines, line);)
      all += line.substr(line.find("  ", line.find_first_not_of(' ')) + 2) + "\n";
    return all;
  }
};

} // namespace

TEST_CASE("rtdp nodes, drifts and plan are tables for people, and JSON") {
  commanded_cluster c;
  CHECK(c.with().nodes() == 0);
  CHECK(c.out.str() ==
        "NAME  STATE    LEADER  VERSION  CPU  MEMORY  ROWS/S  SOURCES  FLOWS  LAST SEEN            "
        "REASON\n"
        "n1    running  yes     0.1.0    42%   50 MB  20,000        1      2  2026-11-22T10:13:24\n"
        "n2    lost             0.1.0                               0      0                       "
        "no beat for 1.5 s\n");
  CHECK(c.with().drifts() == 0);
  CHECK(c.out.str() == "no drifts\n");
  c.node.seen.drifts = {a_drift("done")};
  CHECK(c.with().drifts() == 0);
  CHECK(c.out.str() ==
        "FLOW    FROM  TO  STEP  PAUSE  EPOCH  STARTED              ENDED\n"
        "orders  n1    n2  done  84 ms      4  2026-11-22T10:13:24  2026-11-22T10:13:24\n");
  CHECK(c.with().plan() == 0);
  CHECK(c.out.str() == "COMPONENT    FROM  TO  WHY\n"
                       "flow.orders  n1    n2  n1 works at 90%, n2 at 10%\n");
  c.node.seen.plan.clear();
  CHECK(c.with().plan() == 0);
  CHECK(c.out.str() == "nothing to move\n");
  CHECK(c.with(true).nodes() == 0);
  CHECK(nlohmann::json::parse(c.out.str())["items"].size() == 2);
}

TEST_CASE("the status shows nodes and what drifts, in a cluster only") {
  commanded_cluster c;
  c.node.seen.drifts = {a_drift("freeze"), a_drift("done")};
  CHECK(c.with().status() == 0);
  CHECK(c.out.str().find("\nnodes, led by n1\nNAME  STATE") != std::string::npos);
  CHECK(c.out.str().find("\ndrifts\nFLOW    FROM  TO  STEP    ") != std::string::npos);
  CHECK(c.out.str().find("done") == std::string::npos);
  c.node.seen.clustered = false;
  CHECK(c.with().status() == 0);
  CHECK(c.out.str().find("\nnodes") == std::string::npos);
}

TEST_CASE("lists show the node when there are several") {
  auto items = to_json(std::vector{a_flow("a"), a_flow("b")});
  CHECK(list_table(component_class::flow, items, false).find("NODE") == std::string::npos);
  items[1]["node"] = "n2";
  CHECK(list_table(component_class::flow, items, false).find("a     running  n1 ") !=
        std::string::npos);
}

TEST_CASE("rtdp flow NAME drift tells each step, also those that it did not see, and the pause") {
  commanded_cluster c;
  c.node.seen.drifts = {a_drift("failed", 1'795'342'000'000'000)};
  c.drifts_to(a_drift("done"));
  CHECK(c.with().drift("orders", "n2", true) == 0);
  CHECK(c.steps() == "prepare\nfreeze\ncommit\nresume\ndone, paused 84 ms\n");
  CHECK(c.err.str().empty());
  CHECK(c.node.calls == std::vector<std::string>{"drift orders to n2"});
}

TEST_CASE("a drift that fails ends with 1 and the reason") {
  commanded_cluster c;
  auto failed = a_drift("failed");
  failed.reason = "n2 did not answer within 2 s";
  c.drifts_to(failed);
  CHECK(c.with().drift("orders", "n2", true) == 1);
  CHECK(c.steps() == "failed: n2 did not answer within 2 s\n");
  CHECK(c.err.str() == "rtdp: flow orders did not move to n2: n2 did not answer within 2 s\n"
                       "next: rtdp flows\n");
}

TEST_CASE("a drift for machines is one object when it has ended") {
  commanded_cluster c;
  c.drifts_to(a_drift("done"));
  CHECK(c.with(true).drift("orders", "n2", true) == 0);
  CHECK(nlohmann::json::parse(c.out.str())["pause_ms"] == 84.0);
  CHECK(c.with(true).drift("orders", "n2", false) == 0);
  CHECK(nlohmann::json::parse(c.out.str())["verb"] == "drift");
}

TEST_CASE("an order is answered in a sentence, a refusal ends with 1") {
  commanded_cluster c;
  CHECK(c.with().drift("orders", "n2", false) == 0);
  CHECK(c.out.str() == "drift of orders is under way\n");
  CHECK(c.with().cancel_drift("orders") == 0);
  CHECK(c.out.str() == "cancel of orders is under way\n");
  CHECK(c.with().change_node("n2", "drain") == 0);
  CHECK(c.out.str() == "drain of n2 is under way\n");
  CHECK(c.with().change_node("n9", "drain") == 1);
  CHECK(c.err.str() == "rtdp: there is no node \"n9\"; GET /api/v1/nodes lists them\n"
                       "next: rtdp nodes\n");
  c.node.answer = rejected("n2 is draining");
  CHECK(c.with().drift("orders", "n2", true) == 1);
  CHECK(c.err.str() == "rtdp: n2 is draining\nnext: rtdp nodes\n");
}

TEST_CASE("rtdp apply sends the file as it is") {
  commanded_cluster c;
  rtdp::test::temp_folder folder;
  auto file = folder.path() + "/cluster.yaml";
  std::ofstream(file) << "nodes: {}\n";
  CHECK(c.with().apply(file) == 0);
  CHECK(c.node.calls == std::vector<std::string>{"apply nodes: {}\n"});
  CHECK(c.with().apply(file + ".not") == 1);
  CHECK(c.err.str() == "rtdp: " + file +
                           ".not cannot be read, or is empty: expected a settings file\n");
}
