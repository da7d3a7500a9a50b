#include "runtime/cluster/supervision.hpp"

#include <doctest/doctest.h>

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;
const moment start{1000h};
const auto crash = unavailable("actor: code 3");

} // namespace

TEST_CASE("more crashes within the window than the limit give the child up") {
  supervision s{{.crashes_max = 3, .window = 10min, .wait = {}}};
  for (int i = 0; i < 3; ++i)
    CHECK(s.died(crash, true, start + i * 1min, 7));
  CHECK_FALSE(s.died(crash, true, start + 3min, 7));
}

TEST_CASE("crashes that are older than the window are forgotten") {
  supervision s{{.crashes_max = 3, .window = 10min, .wait = {}}};
  for (int i = 0; i < 20; ++i)
    CHECK(s.died(crash, true, start + i * 4min, 7));
}

TEST_CASE("what is unavailable is never given up, and does not count as a crash") {
  supervision s{{.crashes_max = 1, .window = 10min, .wait = {}}};
  for (int i = 0; i < 100; ++i)
    CHECK(s.died(unavailable("connection refused"), false, start + i * 1s, 7));
  CHECK(s.died(crash, true, start + 101s, 7));
  CHECK_FALSE(s.died(crash, true, start + 102s, 7));
}

TEST_CASE("what a retry cannot help is given up at once") {
  supervision s;
  CHECK_FALSE(s.died(rejected("wrong password"), false, start, 7));
  CHECK_FALSE(s.died(fenced("epoch 2 owns it"), false, start, 7));
}

TEST_CASE("the wait before a restart grows up to its limit") {
  supervision s{{.crashes_max = 5, .window = 10min, .wait = {200ms, 10'000ms}}};
  std::chrono::milliseconds most = 200ms;
  for (int i = 0; i < 20; ++i) {
    auto at = s.died(unavailable("connection refused"), false, start, 7);
    REQUIRE(at);
    CHECK(*at - start <= most);
    CHECK(*at - start >= most * 3 / 4);
    most = std::min<std::chrono::milliseconds>(2 * most, 10s);
  }
}

TEST_CASE("a person who starts it again wipes out the past") {
  supervision s{{.crashes_max = 1, .window = 10min, .wait = {200ms, 10'000ms}}};
  CHECK(s.died(crash, true, start, 7));
  CHECK_FALSE(s.died(crash, true, start, 7));
  s.forgive();
  auto at = s.died(crash, true, start, 7);
  REQUIRE(at);
  CHECK(*at - start <= 200ms);
}

} // namespace rtdp::cluster
