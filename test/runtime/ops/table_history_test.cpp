#include "runtime/ops/cli.hpp"
#include "runtime/ops/http.hpp"
#include "runtime/ops/rest.hpp"
#include "test/runtime/ops/fake_node.hpp"
#include "test/runtime/ops/talk.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sstream>

using namespace rtdp;
using namespace rtdp::ops;
using nlohmann::json;

namespace {

constexpr auto orders = "postgres.shop.public.orders";

struct served_history {
  ops::test::fake_node node;
  metrics counted{"n1"};
  std::unique_ptr<http_server> server;

  served_history() {
    table_version first{.version = 0,
                        .previous = -1,
                        .decision = "published",
                        .published_as = 0,
                        .at_us = 1'795'342'404'000'000,
                        .position = "0/15D3A0",
                        .columns = {{"id", "long", "bigint", false, true}},
                        .changes = {}};
    auto second = first;
    second.version = 1;
    second.previous = 0;
    second.decision = "ignored";
    second.position = "0/16B000";
    second.columns.push_back({"note", "string", "", true, false});
    second.changes = {{"added", "note", "added note string", true},
                      {"dropped", "amount", "dropped amount", false}};
    node.histories[orders] = {orders, {first, second}};
    auto started =
        http_server::start({.listen = "127.0.0.1:0"}, router(rest_routes(node, counted)));
    REQUIRE(started);
    server = std::move(*started);
  }
  ops::test::reply get(const std::string& path) const {
    return ops::test::ask(server->port(), "GET", path, "", "");
  }
};

} // namespace

TEST_CASE("a table's versions are shown with place, time, columns and what changed") {
  served_history s;
  auto body = json::parse(s.get("/api/v1/tables/postgres.shop.public.orders/versions").body);
  CHECK(body["name"] == orders);
  REQUIRE(body["items"].size() == 2);
  CHECK(body["items"][0]["previous"].is_null());
  CHECK(body["items"][0]["compatible"] == true);
  const auto& second = body["items"][1];
  CHECK(second["namespace"] == "postgres.shop.public.orders.1.0.0");
  CHECK(second["decision"] == "ignored");
  CHECK(second["published_as"] == 0);
  CHECK(second["at"] == "2026-11-22T10:13:24.000000Z");
  CHECK(second["position"] == "0/16B000");
  CHECK(second["columns"][0] == json{{"name", "id"},
                                     {"type", "long"},
                                     {"native", "bigint"},
                                     {"nullable", false},
                                     {"key", true}});
  CHECK(second["changes"][1]["kind"] == "dropped");
  CHECK(second["compatible"] == false);
}

TEST_CASE("two versions are compared, the last two unless others are named") {
  served_history s;
  auto path = std::string("/api/v1/tables/") + orders + "/compatibility";
  auto body = json::parse(s.get(path).body);
  CHECK(body["compatible"] == false);
  CHECK(body["changes"].size() == 2);
  s.get(path + "?from=0&to=1");
  CHECK(s.node.calls == std::vector<std::string>{"compare postgres.shop.public.orders -1 -1",
                                                 "compare postgres.shop.public.orders 0 1"});
  CHECK(s.get(path + "?from=one").status == 400);
  CHECK(s.get(path + "?to=-1").status == 400);
  s.node.answer = rejected("has no version 9");
  CHECK(s.get(path + "?to=9").status == 409);
}

TEST_CASE("a table without a history is not found") {
  served_history s;
  for (const auto* what : {"versions", "compatibility"}) {
    auto reply = s.get(std::string("/api/v1/tables/other/") + what);
    CHECK(reply.status == 404);
    CHECK(json::parse(reply.body)["detail"] ==
          "there is no table \"other\" with a history; GET /api/v1/tables lists the tables");
  }
}

TEST_CASE("the command line shows the versions as a table, or the same JSON") {
  served_history s;
  std::ostringstream out, err;
  cli c{.url = s.server->url(), .out = out, .err = err};
  CHECK(c.versions(orders) == 0);
  CHECK(err.str().empty());
  auto text = out.str();
  CHECK(text.find("VERSION  BEGAN") != std::string::npos);
  CHECK(text.find("ignored, as 0") != std::string::npos);
  CHECK(text.find("added note string, dropped amount (!)") != std::string::npos);
  CHECK(text.find("id bigint key, note string") != std::string::npos);
  out.str("");
  c.json = true;
  CHECK(c.versions(orders) == 0);
  CHECK(json::parse(out.str())["items"].size() == 2);
  CHECK(c.versions("other") == 1);
  CHECK(err.str().find("next: rtdp tables") != std::string::npos);
}
