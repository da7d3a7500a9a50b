#include "runtime/ops/cli.hpp"
#include "runtime/ops/cli_layout.hpp"
#include "runtime/ops/cli_tables.hpp"
#include "runtime/ops/http.hpp"
#include "runtime/ops/rest.hpp"
#include "test/runtime/ops/fake_node.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sstream>

using namespace rtdp;
using namespace rtdp::ops;
using ops::test::a_flow;
using ops::test::a_letter;

namespace {

/// The commands against a fake node behind the real server.
struct commanded {
  ops::test::fake_node node;
  metrics counted{"n1"};
  std::unique_ptr<http_server> server;
  std::ostringstream out, err;

  commanded() {
    auto started =
        http_server::start({.listen = "127.0.0.1:0"}, router(rest_routes(node, counted)));
    REQUIRE(started);
    server = std::move(*started);
  }
  cli with(bool json = false) {
    out.str("");
    err.str("");
    return {server->url(), json, false, out, err};
  }
};

} // namespace

TEST_CASE("numbers are written for people") {
  CHECK(human_count(0) == "0");
  CHECK(human_count(999) == "999");
  CHECK(human_count(1'234'567) == "1,234,567");
  CHECK(human_count(-123) == "-123");
  CHECK(human_count(-1'234) == "-1,234");
  CHECK(human_seconds(0.0042) == "4.2 ms");
  CHECK(human_seconds(0.25) == "250 ms");
  CHECK(human_seconds(5) == "5.0 s");
  CHECK(human_seconds(75) == "1 min 15 s");
  CHECK(human_seconds(7'260) == "2 h 1 min");
  CHECK(human_seconds(90'000) == "1 d 1 h");
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(48 << 20) == "48 MB");
  CHECK(human_bytes(1'600) == "1.6 KB");
}

TEST_CASE("a list is a table with aligned columns, without those that are empty") {
  auto items =
      to_json(std::vector{a_flow("orders"), a_flow("é", state::failed, "no table\n\x1b[2J")});
  CHECK(
      list_table(component_class::flow, items, false) ==
      "NAME    STATE    ROWS IN  ROWS OUT  LAG ROWS     LAG    P99  DEAD LETTERS  SOURCE          "
      "         SINK       REASON\n"
      "orders  running  120,000   119,500       500  250 ms  18 ms             0  "
      "sqlite.shop.main.orders  dw.orders\n"
      "é       failed   120,000   119,500       500  250 ms  18 ms             0  "
      "sqlite.shop.main.é       dw.é       no table  [2J\n");
  items[1]["reason"] = "";
  CHECK(list_table(component_class::flow, items, false).find("REASON") == std::string::npos);
  CHECK(list_table(component_class::sink, nlohmann::ordered_json::array(), false) == "no sinks\n");
}

TEST_CASE("colours are there only when asked for, red for failed") {
  auto items = to_json(std::vector{a_flow("orders", state::failed, "why")});
  CHECK(list_table(component_class::flow, items, false).find('\x1b') == std::string::npos);
  auto coloured = list_table(component_class::flow, items, true);
  CHECK(coloured.find("\x1b[31mfailed\x1b[0m") != std::string::npos);
  CHECK(coloured.find("\x1b[31mwhy\x1b[0m") != std::string::npos);
}

TEST_CASE("a snapshot is a share while it runs") {
  auto shown = [](int64_t done, int64_t all, int64_t complete) {
    component c{component_class::table, "t", "", state::running, "", "n1", 0, {}};
    c.set(facts::snapshot_rows_done, done).set(facts::snapshot_rows_estimated, all);
    c.set(facts::snapshot_done, complete);
    return list_table(component_class::table, to_json(std::vector{c}), false);
  };
  CHECK(shown(999, 1'000, 0).find(" 99%\n") != std::string::npos);
  CHECK(shown(1'001, 1'000, 0).find("1,001 rows\n") != std::string::npos);
  CHECK(shown(5, -1, 0).find("5 rows\n") != std::string::npos);
  CHECK(shown(0, 0, 0).find("0 rows\n") != std::string::npos);
  CHECK(shown(1'000, 900, 1).find("done\n") != std::string::npos);
}

TEST_CASE("an odd answer is shown as far as it can be") {
  auto items =
      nlohmann::ordered_json::parse(R"([{"name":7,"state":null,"rows_out":"x","lag_rows":-1}])");
  CHECK(list_table(component_class::flow, items, false) == "NAME\n7\n");
}

TEST_CASE("status tells the node, its reasons and its lists") {
  commanded c;
  c.node.lists[component_class::flow] = {a_flow("orders")};
  c.node.reasons = {"source.shop is starting: cannot reach db:5432"};
  CHECK(c.with().status() == 0);
  CHECK(c.out.str().find("node n1, version 0.1.0, up since 2026-11-22T10:13:24: not ready\n"
                         "  source.shop is starting: cannot reach db:5432\n\nflows\nNAME") == 0);
  CHECK(c.with(true).status() == 0);
  CHECK(nlohmann::json::parse(c.out.str())["node"] == "n1");
}

TEST_CASE("a list is asked for whole or by name, as a table or as JSON") {
  commanded c;
  c.node.lists[component_class::flow] = {a_flow("orders"), a_flow("a/b")};
  CHECK(c.with().list(component_class::flow) == 0);
  CHECK(c.out.str().find("\norders  ") != std::string::npos);
  CHECK(c.with().list(component_class::flow, "a/b") == 0);
  CHECK(c.out.str().find("\na/b ") != std::string::npos);
  CHECK(c.out.str().find("orders  ") == std::string::npos);
  CHECK(c.with(true).list(component_class::flow) == 0);
  CHECK(nlohmann::json::parse(c.out.str())["items"].size() == 2);
  CHECK(c.with().list(component_class::flow, "nope") == 1);
  CHECK(c.out.str().empty());
  CHECK(c.err.str().find("there is no flow \"nope\"") != std::string::npos);
  CHECK(c.err.str().find("next: rtdp flows\n") != std::string::npos);
}

TEST_CASE("a flow is changed and its new state is told") {
  commanded c;
  c.node.lists[component_class::flow] = {a_flow("orders", state::stopped, "by a person")};
  CHECK(c.with().change(component_class::flow, "orders", "stop") == 0);
  CHECK(c.out.str() == "flow orders: stopped, by a person\n");
  CHECK(c.with().change(component_class::flow, "orders", "rewind", "42") == 0);
  CHECK(c.with().change(component_class::flow, "orders", "rewind") == 0);
  CHECK(c.node.calls ==
        std::vector<std::string>{"stop flow orders", "rewind orders to 42", "rewind orders to "});
  c.node.answer = rejected("the bus holds offsets from 50 on");
  CHECK(c.with().change(component_class::flow, "orders", "rewind", "42") == 1);
  CHECK(c.err.str() == "rtdp: the bus holds offsets from 50 on\nnext: rtdp flows\n");
}

TEST_CASE("dead letters are listed, shown, replayed and dropped") {
  commanded c;
  c.node.letters = {a_letter(2), a_letter(1, "stream.main")};
  CHECK(c.with().dead_letters("", 100) == 0);
  CHECK(c.out.str().find("shop.orders/0@41  no such column\n") != std::string::npos);
  CHECK(c.with(true).dead_letters("flow.orders", 100) == 0);
  auto line = c.out.str();
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  CHECK(nlohmann::json::parse(line)["id"] == 2);
  CHECK(c.with().show_dead_letter(2) == 0);
  CHECK(c.out.str().find("message    {\"a\":1}\n") != std::string::npos);
  CHECK(c.with().replay_dead_letters({}, "") == 0);
  CHECK(c.out.str() == "replayed 2\n");
  CHECK(c.with().replay_dead_letters({1, 2}, "") == 0);
  CHECK(c.out.str() == "replayed 2\n");
  CHECK(c.with(true).drop_dead_letters({1, 9, 2}) == 1);
  CHECK(c.out.str() == "{\"dropped\":2}\n");
  CHECK(c.err.str().find("there is no dead letter 9") != std::string::npos);
  CHECK(c.with().dead_letters("", 100) == 0);
  CHECK(c.out.str() == "no dead letters\n");
}

TEST_CASE("without a node every command says how to get one, and ends with 1") {
  commanded c;
  auto url = c.server->url();
  c.server.reset();
  cli lost{url, false, false, c.out, c.err};
  CHECK(lost.status() == 1);
  CHECK(c.err.str() == "rtdp: no node answers at " + url +
                           " (Connection refused): start one with `rtdp run FILE`, or name its "
                           "address with --url\n");
}
