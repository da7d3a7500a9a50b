/// A source that goes from node to node over a real broker: RTDP_TEST_KAFKA, set by
/// test/services/with kafka.
#include "actors/extract/bus_parts.hpp"
#include "actors/extract/extraction.hpp"
#include "runtime/core/time.hpp"
#include "test/actors/extract/stepping.hpp"
#include "test/support/leaky_bus.hpp"
#include "test/support/scripted_source.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using ids = std::vector<int64_t>;

std::shared_ptr<bus::bus> kafka() {
  const char* broker = std::getenv("RTDP_TEST_KAFKA");
  REQUIRE_MESSAGE(broker != nullptr, "run this with: test/services/with kafka -- …");
  for (const auto& k : bus::kinds())
    if (k.spec.name == "kafka") {
      auto settings = k.spec.defaults();
      settings.values["brokers"] = std::string(broker);
      return k.make(settings, "");
    }
  FAIL("there is no Kafka bus");
  return nullptr;
}

double ms_since(clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(clock::now() - begin).count();
}

/// A source with a name and a topic that no other test has, and nodes that run it.
struct shared_source {
  extraction make(const std::string& node, const test::temp_folder& folder, int64_t epoch) {
    extraction_settings s;
    s.name = name;
    s.to = routing({name});
    s.data_dir = folder.path();
    s.clustered = epoch > 0;
    s.self = {node, epoch};
    return {s, kafka(), [this] { return script.make(); }};
  }
  ids published() {
    auto bus = kafka();
    REQUIRE_FALSE(bus->open());
    auto held = bus->ranges(name);
    REQUIRE(held);
    std::vector<bus::message> all;
    auto failed = read_parts(*bus, "test", {{{name, 0}, held->at(0)}},
                             [&](const auto&, const bus::message& m) { all.push_back(m); });
    REQUIRE_MESSAGE(!failed, failed.text());
    return test::ids_in(all);
  }

  const std::string name = "shop-" + std::to_string(now_us());
  test::scripted_source script;
};

} // namespace

TEST_CASE("on Kafka a source goes on on another node, and comes back to the first") {
  shared_source s;
  s.script.rows = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  test::temp_folder one, two;
  auto first = s.make("n1", one, 1), second = s.make("n2", two, 2), third = s.make("n1", one, 3);
  ok(first.open());
  stepped(first);
  auto begin = clock::now();
  ok(second.open());
  MESSAGE("taken over in ", ms_since(begin), " ms");
  CHECK(s.script.opened == std::vector<std::string>{"", "3"});
  auto late = first.step(0ms);
  REQUIRE_FALSE(late);
  CHECK(late.error() == ec::fenced);
  stepped(second);
  auto why = first.open();
  CHECK(why == ec::fenced);
  CHECK(why.text().find("node n2 runs source " + s.name) != std::string::npos);
  ok(third.open());
  CHECK(s.script.opened.back() == "6");
  stepped(third);
  CHECK(s.published() == ids{1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("on Kafka a source that publishes one row at a time waits little for each") {
  for (int64_t epoch : {0, 1}) {
    shared_source s;
    s.script.rows_a_read = 1;
    test::temp_folder folder;
    auto e = s.make("n1", folder, epoch);
    ok(e.open());
    std::vector<double> ms;
    for (int64_t i = 0; i < 200; ++i) {
      s.script.rows.push_back(i);
      auto begin = clock::now();
      stepped(e);
      ms.push_back(ms_since(begin));
    }
    std::sort(ms.begin(), ms.end());
    std::string where = epoch > 0 ? "in a cluster" : "alone";
    MESSAGE(where, ": p50 ", ms[100], " ms, p99 ", ms[198], " ms");
    CHECK(ms[100] < 100);
  }
}

} // namespace rtdp::extract
