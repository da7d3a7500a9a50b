#include "runtime/core/shelf.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace std::chrono_literals;

TEST_CASE("what is on the shelf is taken once, by its name, and thrown away in time") {
  shelf s;
  shelf::time_point now{};
  s.put("a", std::make_shared<int>(1), now + 1min);
  s.put("b", std::make_shared<int>(2), now + 2min);
  CHECK(!s.take<int>("c"));
  auto a = s.take<int>("a");
  REQUIRE(a);
  CHECK(*a == 1);
  CHECK(!s.take<int>("a"));
  s.put("a", a, now + 1min);
  s.throw_away(now + 1min);
  CHECK(a.use_count() == 1);
  CHECK(s.take<int>("b"));
}

TEST_CASE("the last thing of a name is the one that is there") {
  shelf s;
  s.put("a", std::make_shared<int>(1), {});
  s.put("a", std::make_shared<int>(2), {});
  CHECK(*s.take<int>("a") == 2);
}
