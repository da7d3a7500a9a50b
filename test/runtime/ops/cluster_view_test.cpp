#include "runtime/ops/cluster_view.hpp"

#include "runtime/ops/http.hpp"
#include "runtime/ops/rest.hpp"
#include "test/runtime/ops/fake_node.hpp"
#include "test/runtime/ops/talk.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace rtdp;
using namespace rtdp::ops;
using nlohmann::json;
using ops::test::a_cluster;
using ops::test::a_drift;
using ops::test::a_flow;

namespace {

struct served_cluster {
  ops::test::fake_node node;
  metrics counted{"n1"};
  std::unique_ptr<http_server> server;

  served_cluster() {
    auto started =
        http_server::start({.listen = "127.0.0.1:0"}, router(rest_routes(node, counted)));
    REQUIRE(started);
    server = std::move(*started);
    node.lists[component_class::flow] = {a_flow("orders"), a_flow("a/b")};
    node.seen = a_cluster();
  }
  ops::test::reply ask(const std::string& method, const std::string& path,
                       const std::string& body = "",
                       const std::string& type = "application/json") const {
    return ops::test::ask(server->port(), method, path, body, "Content-Type: " + type + "\r\n");
  }
  json get(const std::string& path) const { return json::parse(ask("GET", path).body); }
};

} // namespace

TEST_CASE("nodes are listed with their load; what is not known is left out") {
  served_cluster s;
  auto nodes = s.get("/api/v1/nodes")["items"];
  REQUIRE(nodes.size() == 2);
  CHECK(nodes[0] == json{{"name", "n1"},
                         {"state", "running"},
                         {"reason", ""},
                         {"version", "0.1.0"},
                         {"leader", true},
                         {"last_seen", "2026-11-22T10:13:24.000000Z"},
                         {"flows", 2},
                         {"sources", 1},
                         {"rows_per_s", 20'000},
                         {"cpu_percent", 41.5},
                         {"rss_bytes", 50 << 20}});
  CHECK(nodes[1]["last_seen"] == nullptr);
  CHECK(!nodes[1].contains("cpu_percent"));
  CHECK(!nodes[1].contains("rss_bytes"));
}

TEST_CASE("drifts are listed with their step, and their pause when it is known") {
  served_cluster s;
  s.node.seen.drifts = {a_drift("freeze"), a_drift("done")};
  auto drifts = s.get("/api/v1/drifts")["items"];
  REQUIRE(drifts.size() == 2);
  CHECK(drifts[0]["step"] == "freeze");
  CHECK(drifts[0]["ended"] == nullptr);
  CHECK(drifts[0]["pause_ms"] == nullptr);
  CHECK(drifts[1]["ended"] == "2026-11-22T10:13:24.900000Z");
  CHECK(drifts[1]["pause_ms"] == 84.0);
}

TEST_CASE("the plan tells what would be moved, and why") {
  served_cluster s;
  CHECK(s.get("/api/v1/plan")["items"] == json::parse(R"([{"component":"flow.orders","from":"n1",
          "to":"n2","reason":"n1 works at 90%, n2 at 10%"}])"));
}

TEST_CASE("the status holds the cluster, and says when there is none") {
  served_cluster s;
  s.node.seen.drifts = {a_drift("prepare")};
  auto cluster = s.get("/api/v1/status")["cluster"];
  CHECK(cluster["clustered"] == true);
  CHECK(cluster["leader"] == "n1");
  CHECK(cluster["revision"] == 3);
  CHECK(cluster["nodes"].size() == 2);
  CHECK(cluster["drifts"][0]["flow"] == "orders");
  s.node.seen = {};
  CHECK(s.get("/api/v1/status")["cluster"]["clustered"] == false);
}

TEST_CASE("orders go to the cluster with the words of its leader coming back") {
  served_cluster s;
  auto drifted = s.ask("POST", "/api/v1/flows/a%2Fb/drift", R"({"to":"n2"})");
  CHECK(drifted.status == 200);
  CHECK(json::parse(drifted.body) == json{{"verb", "drift"},
                                          {"name", "a/b"},
                                          {"answer", "drift of a/b is under way"}});
  CHECK(s.ask("DELETE", "/api/v1/flows/orders/drift").status == 200);
  CHECK(s.ask("POST", "/api/v1/nodes/n2/drain").status == 200);
  CHECK(s.ask("POST", "/api/v1/nodes/n2/undrain").status == 200);
  CHECK(s.ask("POST", "/api/v1/apply", "nodes: {}\n", "text/yaml; charset=utf-8").status == 200);
  CHECK(s.node.calls == std::vector<std::string>{"drift a/b to n2", "cancel orders",
                                                 "drain n2", "undrain n2", "apply nodes: {}\n"});
}

TEST_CASE("an order that is wrong reaches nobody") {
  served_cluster s;
  CHECK(s.ask("POST", "/api/v1/flows/nope/drift", R"({"to":"n2"})").status == 404);
  CHECK(s.ask("DELETE", "/api/v1/flows/nope/drift").status == 404);
  CHECK(s.ask("POST", "/api/v1/nodes/n9/drain").status == 404);
  for (auto body : {"", "[]", "{", R"({"to":7})", R"({"to":""})", R"({"ot":"n2"})",
                    R"({"to":"n2","too":"n3"})", "\xff"})
    CHECK_MESSAGE(s.ask("POST", "/api/v1/flows/orders/drift", body).status == 400, body);
  CHECK(s.ask("POST", "/api/v1/apply").status == 400);
  CHECK(s.ask("POST", "/api/v1/apply", "{}").status == 415);
  CHECK(s.ask("POST", "/api/v1/apply", "nodes: {}", "text/plain").status == 415);
  CHECK(s.ask("POST", "/api/v1/flows/orders/drift", R"({"to":"n2"})", "text/yaml").status == 415);
  CHECK(s.node.calls.empty());
}

TEST_CASE("what the cluster refuses is 409 with its words, what nobody answers 503") {
  served_cluster s;
  s.node.answer = rejected("flow orders is drifting already, from n1 to n2");
  auto refused = s.ask("POST", "/api/v1/flows/orders/drift", R"({"to":"n2"})");
  CHECK(refused.status == 409);
  CHECK(refused.headers["Content-Type"] == "application/problem+json");
  CHECK(json::parse(refused.body)["detail"] == "flow orders is drifting already, from n1 to n2");
  s.node.answer = unavailable("no node leads");
  CHECK(s.ask("POST", "/api/v1/nodes/n1/drain").status == 503);
  s.node.list_answer = unavailable("busy");
  for (auto path : {"/api/v1/nodes", "/api/v1/drifts", "/api/v1/plan"})
    CHECK(s.ask("GET", path).status == 503);
}

TEST_CASE("the OpenAPI document says that a settings file is YAML") {
  served_cluster s;
  auto apply = s.get("/api/v1/openapi.json")["paths"]["/api/v1/apply"]["post"];
  CHECK(apply["requestBody"]["required"] == true);
  CHECK(apply["requestBody"]["content"]["text/yaml"]["schema"]["type"] == "string");
}

TEST_CASE("a step is told with its pause and its reason") {
  CHECK(drift_step(to_json(a_drift("freeze"))) == "freeze");
  CHECK(drift_step(to_json(a_drift("done"))) == "done, paused 84 ms");
  auto failed = a_drift("failed");
  failed.reason = "n2 did not\nanswer";
  CHECK(drift_step(to_json(failed)) == "failed: n2 did not answer");
}
