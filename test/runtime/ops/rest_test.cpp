#include "runtime/ops/http.hpp"
#include "runtime/ops/rest.hpp"
#include "test/runtime/ops/fake_node.hpp"
#include "test/runtime/ops/talk.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <set>

using namespace rtdp;
using namespace rtdp::ops;
using nlohmann::json;
using ops::test::a_flow;
using ops::test::a_letter;

namespace {

/// A fake node behind the real routes on a real socket.
struct served {
  ops::test::fake_node node;
  metrics counted{"n1"};
  std::unique_ptr<http_server> server;

  served() {
    auto started =
        http_server::start({.listen = "127.0.0.1:0"}, router(rest_routes(node, counted)));
    REQUIRE(started);
    server = std::move(*started);
    node.lists[component_class::flow] = {a_flow("orders"), a_flow("a/b")};
  }
  ops::test::reply ask(const std::string& method, const std::string& path,
                       const std::string& body = "",
                       const std::string& headers = "Content-Type: application/json\r\n") const {
    return ops::test::ask(server->port(), method, path, body, headers);
  }
  json get(const std::string& path) const { return json::parse(ask("GET", path).body); }
};

} // namespace

TEST_CASE("healthz tells that the process answers, whatever its components do") {
  served s;
  s.node.reasons = {"source.shop is failed"};
  s.node.list_answer = unavailable("busy");
  CHECK(s.ask("GET", "/healthz").status == 200);
}

TEST_CASE("readyz is 200 when ready, 503 with the reasons else, as JSON or as text") {
  served s;
  auto ready = s.ask("GET", "/readyz");
  CHECK(ready.status == 200);
  CHECK(json::parse(ready.body)["ready"] == true);
  s.node.reasons = {"source.shop is starting: cannot reach db:5432", "flow.orders is failed"};
  auto waiting = s.ask("GET", "/readyz");
  CHECK(waiting.status == 503);
  CHECK(json::parse(waiting.body)["reasons"] == s.node.reasons);
  auto text = s.ask("GET", "/readyz", "", "Accept: text/plain\r\n");
  CHECK(text.status == 503);
  CHECK(text.body == "not ready\nsource.shop is starting: cannot reach db:5432\n"
                     "flow.orders is failed\n");
}

TEST_CASE("metrics come in the Prometheus text format") {
  served s;
  s.counted.rows_in({.flow = "orders"}).Increment(7);
  auto got = s.ask("GET", "/metrics");
  CHECK(got.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(got.body.find("rtdp_rows_in_total{node=\"n1\",flow=\"orders\"} 7\n") != std::string::npos);
}

TEST_CASE("every class has a list and its items") {
  served s;
  for (auto c : all_classes) {
    component item{c, "x.y.z", "k", state::running, "", "n1", 1, {}};
    s.node.lists[c] = {item};
    auto path = std::string("/api/v1/") + plural(c);
    CHECK(s.get(path)["items"][0]["name"] == "x.y.z");
    CHECK(s.get(path + "/x.y.z")["class"] == to_string(c));
    auto missing = s.ask("GET", path + "/nope");
    CHECK(missing.status == 404);
    CHECK(missing.body.find("there is no ") != std::string::npos);
  }
  s.node.lists.clear();
  CHECK(s.ask("GET", "/api/v1/sinks").body == R"({"items":[]})");
}

TEST_CASE("a list that cannot be had is 503 with the reason") {
  served s;
  s.node.list_answer = unavailable("FEEDBACK did not answer within 5 s");
  for (auto path : {"/api/v1/flows", "/api/v1/flows/orders", "/api/v1/status"}) {
    auto got = s.ask("GET", path);
    CHECK(got.status == 503);
    CHECK(got.headers["Content-Type"] == "application/problem+json");
    CHECK(json::parse(got.body)["detail"] == "FEEDBACK did not answer within 5 s");
  }
}

TEST_CASE("the status has the node, its readiness and all lists") {
  served s;
  auto got = s.get("/api/v1/status");
  CHECK(got["node"] == "n1");
  CHECK(got["version"] == "0.1.0");
  CHECK(got["started"] == "2026-11-22T10:13:24.000000Z");
  CHECK(got["flows"].size() == 2);
  for (auto c : all_classes)
    CHECK(got[plural(c)].is_array());
}

TEST_CASE("a flow is started, stopped and rewound, and answers with how it is now") {
  served s;
  auto started = s.ask("POST", "/api/v1/flows/orders/start");
  CHECK(started.status == 200);
  CHECK(json::parse(started.body)["name"] == "orders");
  s.ask("POST", "/api/v1/flows/a%2Fb/stop");
  s.ask("POST", "/api/v1/flows/orders/rewind");
  s.ask("POST", "/api/v1/flows/orders/rewind", R"({"to":"2026-11-22T10:00:00Z"})");
  s.ask("POST", "/api/v1/flows/orders/rewind", R"({"to":42})");
  CHECK(s.node.calls == std::vector<std::string>{"start flow orders", "stop flow a/b", "rewind orders to ",
                                                 "rewind orders to 2026-11-22T10:00:00Z",
                                                 "rewind orders to 42"});
}

TEST_CASE("a change that is wrong reaches no flow") {
  served s;
  CHECK(s.ask("POST", "/api/v1/flows/nope/start").status == 404);
  for (auto body : {"[]", "{", R"({"to":true})", R"({"to":null})", "\xff"})
    CHECK_MESSAGE(s.ask("POST", "/api/v1/flows/orders/rewind", body).status == 400, body);
  CHECK(s.ask("POST", "/api/v1/flows/orders/start", "", "Origin: http://a.example\r\n").status ==
        403);
  CHECK(s.ask("POST", "/api/v1/flows/orders/rewind", "to=1", "").status == 415);
  CHECK(s.ask("GET", "/api/v1/flows/orders/start").headers["Allow"] == "POST");
  CHECK(s.node.calls.empty());
}

TEST_CASE("a refusal of the component is 409 with its words") {
  served s;
  s.node.answer = rejected("a component that is stopped cannot become stopping");
  auto got = s.ask("POST", "/api/v1/flows/orders/stop");
  CHECK(got.status == 409);
  CHECK(json::parse(got.body)["instance"] == "/api/v1/flows/orders/stop");
}

TEST_CASE("dead letters are listed, by component and up to a limit") {
  served s;
  s.node.letters = {a_letter(3), a_letter(2, "stream.main"), a_letter(1)};
  CHECK(s.get("/api/v1/dead-letters")["items"].size() == 3);
  CHECK(s.get("/api/v1/dead-letters?component=stream.main")["items"][0]["id"] == 2);
  CHECK(s.get("/api/v1/dead-letters?limit=1")["items"].size() == 1);
  CHECK(s.get("/api/v1/dead-letters?limit=1")["items"][0] ==
        json::parse(R"({"id":3,"component":"flow.orders",
          "namespace":"sqlite.shop.main.orders.0.0.0","topic":"shop.orders","partition":0,
          "offset":41,"reason":"no such column","at":"2026-11-22T10:13:24.213456Z"})"));
  for (auto limit : {"0", "-1", "x", "10001", "", "99999999999999999999"})
    CHECK_MESSAGE(s.ask("GET", std::string("/api/v1/dead-letters?limit=") + limit).status == 400,
                  limit);
}

TEST_CASE("a dead letter is shown with its bytes, whatever they are") {
  served s;
  s.node.letters = {a_letter(7), a_letter(8)};
  s.node.letters[1].bytes = std::string("a\0\xff", 3);
  CHECK(s.get("/api/v1/dead-letters/7")["message"] == R"({"a":1})");
  CHECK(s.get("/api/v1/dead-letters/7")["encoding"] == "utf-8");
  CHECK(s.get("/api/v1/dead-letters/8")["message"] == "6100ff");
  CHECK(s.get("/api/v1/dead-letters/8")["encoding"] == "hex");
  for (auto id : {"9", "x", "7x", "-1"})
    CHECK(s.ask("GET", std::string("/api/v1/dead-letters/") + id).status == 404);
}

TEST_CASE("dead letters are replayed and dropped") {
  served s;
  s.node.letters = {a_letter(7), a_letter(8)};
  CHECK(s.ask("POST", "/api/v1/dead-letters/7/replay").body == R"({"replayed":1})");
  CHECK(s.ask("POST", "/api/v1/dead-letters/replay").body == R"({"replayed":2})");
  CHECK(s.ask("POST", "/api/v1/dead-letters/replay?component=flow.orders").status == 200);
  CHECK(s.ask("DELETE", "/api/v1/dead-letters/7").body == R"({"dropped":1})");
  CHECK(s.ask("DELETE", "/api/v1/dead-letters/7").status == 404);
  CHECK(s.node.calls ==
        std::vector<std::string>{"replay 7", "replay all ", "replay all flow.orders", "drop 7"});
  s.node.answer = unavailable("the flow is starting");
  CHECK(s.ask("POST", "/api/v1/dead-letters/8/replay").status == 503);
}

TEST_CASE("the OpenAPI document tells every route, and nothing else") {
  served s;
  auto document = s.get("/api/v1/openapi.json");
  CHECK(document["openapi"] == "3.1.0");
  CHECK(document["info"]["version"] == "0.1.0");
  std::set<std::string> ids;
  size_t operations = 0;
  for (const auto& entry : document["paths"].items())
    for (const auto& operation : entry.value()) {
      ++operations;
      ids.insert(operation["operationId"]);
      CHECK(!operation["summary"].get<std::string>().empty());
      bool has_parameter = entry.key().find('{') == std::string::npos;
      for (const auto& p : operation.value("parameters", json::array()))
        has_parameter |= p["in"] == "path" && p["required"] == true;
      CHECK_MESSAGE(has_parameter, entry.key());
    }
  CHECK(operations == rest_routes(s.node, s.counted).size());
  CHECK(ids.size() == operations);
  CHECK(document["paths"]["/api/v1/flows/{name}/rewind"]["post"]["requestBody"]["content"]
                ["application/json"]["schema"]["properties"]["to"]["type"] == "string");
  CHECK(document["paths"]["/metrics"]["get"]["responses"]["200"]["content"].contains("text/plain"));
}

TEST_CASE("the status page loads only its own style and script, and nothing inline") {
  served s;
  auto page = s.ask("GET", "/");
  CHECK(page.headers["Content-Type"] == "text/html; charset=utf-8");
  for (auto part : {"/status.css", "/status.js"}) {
    CHECK(page.body.find(part) != std::string::npos);
    CHECK(s.ask("GET", part).status == 200);
  }
  for (auto foreign : {"http://", "https://", "<style", " style=", " onclick=", "<script>"})
    CHECK_MESSAGE(page.body.find(foreign) == std::string::npos, foreign);
  CHECK(s.ask("GET", "/status.js").body.find("innerHTML") == std::string::npos);
}
