#include "runtime/core/backoff.hpp"
#include "runtime/core/error.hpp"

#include <doctest/doctest.h>

#include <set>

namespace rtdp {

using namespace std::chrono_literals;

TEST_CASE("the wait doubles up to its limit, less up to a quarter") {
  backoff b{100ms, 30'000ms};
  for (uint64_t seed : {0ULL, 1ULL, 77ULL, ~0ULL}) {
    std::chrono::milliseconds most = 100ms;
    for (uint32_t attempt = 0; attempt < 100; ++attempt) {
      auto wait = b.delay(attempt, seed);
      CHECK(wait <= most);
      CHECK(wait >= most * 3 / 4);
      most = std::min<std::chrono::milliseconds>(2 * most, 30'000ms);
    }
  }
  CHECK(b.delay(UINT32_MAX, 1) <= 30'000ms);
}

TEST_CASE("components that failed together do not come back together") {
  backoff b{1000ms, 30'000ms};
  std::set<int64_t> waits;
  for (uint64_t seed = 0; seed < 20; ++seed)
    waits.insert(b.delay(0, seed).count());
  CHECK(waits.size() > 10);
}

TEST_CASE("an error is true, keeps its code and takes its place in front") {
  error none;
  CHECK_FALSE(none);
  CHECK_FALSE(none.in("table orders"));
  auto e = rejected("no such column").in("table orders");
  CHECK(e);
  CHECK(e == ec::rejected);
  CHECK(e.text() == "table orders: no such column");
}

TEST_CASE("a result is a value or the error in its place") {
  result<int> value = 7, failed = unavailable("gone");
  REQUIRE(value);
  CHECK(*value == 7);
  REQUIRE_FALSE(failed);
  CHECK(failed.error() == ec::unavailable);
}

TEST_CASE("every code has a word") {
  std::set<std::string> words;
  for (auto code : {ec::ok, ec::unavailable, ec::rejected, ec::fenced})
    words.insert(to_string(code));
  CHECK(words.size() == 4);
}

} // namespace rtdp
