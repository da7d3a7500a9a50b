#include "runtime/ops/alarms.hpp"

#include "runtime/ops/cli.hpp"
#include "runtime/ops/cli_tables.hpp"
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

constexpr int64_t at_us = 1'795'342'404'213'456;

struct alarmed {
  test::fake_node node;
  metrics counted{"n1"};
  std::unique_ptr<http_server> server;
  std::ostringstream out, err;

  alarmed() {
    auto started =
        http_server::start({.listen = "127.0.0.1:0"}, router(rest_routes(node, counted)));
    REQUIRE(started);
    server = std::move(*started);
    node.told = {{"latency", "table", "sqlite.shop.main.orders", "12 s old", at_us, 0},
                 {"failed", "flow", "orders", "no such\ntable", at_us, at_us + 1'000'000}};
  }
  test::reply get(const std::string& path) const { return test::ask(server->port(), "GET", path); }
  cli with(bool as_json) {
    out.str("");
    return {server->url(), as_json, false, out, err};
  }
};

} // namespace

TEST_CASE("alarms are listed, all of them or the open ones") {
  alarmed t;
  auto all = json::parse(t.get("/api/v1/alarms").body)["items"];
  REQUIRE(all.size() == 2);
  CHECK(all[0] == json{{"condition", "latency"},
                       {"component", "table"},
                       {"name", "sqlite.shop.main.orders"},
                       {"text", "12 s old"},
                       {"since", "2026-11-22T10:13:24.213456Z"},
                       {"ended", nullptr}});
  CHECK(all[1]["ended"] == "2026-11-22T10:13:25.213456Z");
  CHECK(json::parse(t.get("/api/v1/alarms?open=true").body)["items"].size() == 1);
  CHECK(json::parse(t.get("/api/v1/alarms?open=false").body)["items"].size() == 2);
  CHECK(t.get("/api/v1/alarms?open=perhaps").status == 400);
  t.node.list_answer = unavailable("the alarms are being started");
  CHECK(t.get("/api/v1/alarms").status == 503);
}

TEST_CASE("the status holds the open alarms") {
  alarmed t;
  auto status = json::parse(t.get("/api/v1/status").body);
  REQUIRE(status["alarms"].size() == 1);
  CHECK(status["alarms"][0]["condition"] == "latency");
  auto text = status_text(nlohmann::ordered_json::parse(status.dump()), false);
  CHECK(text.find("latency    table.sqlite.shop.main.orders  12 s old\n") != std::string::npos);
}

TEST_CASE("rtdp alarms shows a table of the open ones, or of all") {
  alarmed t;
  CHECK(t.with(false).alarms(false) == 0);
  CHECK(t.out.str() == "SINCE                CONDITION  COMPONENT                      TEXT\n"
                       "2026-11-22T10:13:24  latency    table.sqlite.shop.main.orders  12 s old\n");
  CHECK(t.with(false).alarms(true) == 0);
  CHECK(t.out.str().find("failed     flow.orders                    no such table\n") !=
        std::string::npos);
  CHECK(t.with(true).alarms(false) == 0);
  CHECK(json::parse(t.out.str())["items"].size() == 1);
  t.node.told.clear();
  CHECK(t.with(false).alarms(false) == 0);
  CHECK(t.out.str() == "no alarms\n");
}
