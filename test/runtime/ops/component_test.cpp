#include "runtime/ops/component.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace rtdp;
using namespace rtdp::ops;

TEST_CASE("a state is read back from its word") {
  for (auto s : all_states)
    CHECK(parse_state(to_string(s)) == s);
  CHECK(parse_state("new") == state::new_);
  CHECK_FALSE(parse_state("Running"));
}

TEST_CASE("a component goes the usual way from new to stopped") {
  auto s = state::new_;
  for (auto to : {state::starting, state::running, state::drifting, state::running,
                  state::suspended, state::running, state::stopping, state::stopped,
                  state::starting, state::failed, state::starting})
    CHECK_FALSE(move(s, to));
}

TEST_CASE("an illegal move is refused, names both states and changes nothing") {
  auto s = state::stopped;
  auto e = move(s, state::running);
  CHECK(e == ec::rejected);
  CHECK(e.text() == "a component that is stopped cannot become running");
  CHECK(s == state::stopped);
}

TEST_CASE("every state can be left, may keep its state, and none leads back to new") {
  for (auto from : all_states) {
    CHECK(legal(from, from));
    int ways = 0;
    for (auto to : all_states) {
      ways += from != to && legal(from, to);
      CHECK_FALSE((to == state::new_ && from != to && legal(from, to)));
    }
    CHECK(ways > 0);
  }
}

TEST_CASE("every state but stopped leads to failed") {
  for (auto from : all_states)
    CHECK(legal(from, state::failed) == (from != state::stopped));
}

TEST_CASE("a component is rendered with its fixed columns first, then its facts in order") {
  component c{component_class::flow, "orders", "sync", state::failed, "no \"such\" table", "n1",
              1'795'342'404'213'456, {}};
  c.set(facts::rows_in, int64_t{42}).set(facts::lag_seconds, 0.5).set(facts::position, "t/0:7");
  c.set(facts::rows_in, int64_t{43});
  CHECK(items_json(to_json(std::vector{c})) ==
        R"({"items":[{"name":"orders","class":"flow","kind":"sync","state":"failed",)"
        R"("reason":"no \"such\" table","node":"n1","since":"2026-11-22T10:13:24.213456Z",)"
        R"("rows_in":43,"lag_seconds":0.5,"position":"t/0:7"}]})");
}

TEST_CASE("text that is no UTF-8 does not break the JSON") {
  component c;
  c.reason = "caf\xe9";
  CHECK(to_json(c)["reason"] == "caf\xe9");
  CHECK(dump(to_json(c)).find("caf\xef\xbf\xbd") != std::string::npos);
}

TEST_CASE("time before 1970 and at the epoch is rendered") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(rfc3339(-1) == "1969-12-31T23:59:59.999999Z");
}
