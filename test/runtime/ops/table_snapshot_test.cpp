#include "runtime/ops/table_snapshot.hpp"
#include "test/runtime/ops/fake_node.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace rtdp::ops {

namespace {

response post(control& node, const std::string& body) {
  std::vector<route> routes;
  add_snapshot_route(routes, node);
  request r;
  r.method = "POST";
  r.path = "/api/v1/tables/orders/snapshot";
  r.parts["name"] = "orders";
  r.body = body;
  return routes.at(0).handler(r);
}

} // namespace

TEST_CASE("a snapshot is asked for by its table, with a condition, a sweep or another verb") {
  test::fake_node node;
  auto answer = post(node, "");
  CHECK(answer.status == 200);
  CHECK(answer.body == R"({"name":"postgres.shop.public.orders.0.0.0","verb":"start"})");
  post(node, R"({"where":"id > 7","source":"shop"})");
  post(node, R"({"sweep":true})");
  post(node, R"({"verb":"pause"})");
  CHECK(node.calls == std::vector<std::string>{"start snapshot orders of  where ",
                                               "start snapshot orders of shop where id > 7",
                                               "start snapshot orders of  where  sweep",
                                               "pause snapshot orders of  where "});
}

TEST_CASE("a body that is none is refused before anything happens, a refusal is passed on") {
  test::fake_node node;
  for (const char* wrong : {"[]", "{", R"({"verb":7})", R"({"sweep":"yes"})", R"({"wehre":"x"})"})
    CHECK(post(node, wrong).status == 400);
  CHECK(node.calls.empty());
  node.answer = rejected("table orders: there is no snapshot to pause; one begins with start");
  auto answer = post(node, R"({"verb":"pause"})");
  CHECK(answer.status == 409);
  CHECK(answer.body.find("one begins with start") != std::string::npos);
}

TEST_CASE("progress says what is known") {
  auto shown = [](const char* table) {
    return snapshot_progress(nlohmann::ordered_json::parse(table));
  };
  CHECK(shown(R"({"snapshot_rows_done":1200,"snapshot_rows_estimated":4000,)"
              R"("snapshot_eta_seconds":12})") == "1200 of about 4000 rows, 30%, 12 s left");
  CHECK(shown(R"({"snapshot_rows_done":5000,"snapshot_rows_estimated":4000})") == "5000 rows");
  CHECK(shown("{}") == "0 rows");
}

} // namespace rtdp::ops
