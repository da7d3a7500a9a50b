#include "runtime/state/progress.hpp"

#include <doctest/doctest.h>

namespace rtdp::state {
namespace {

TEST_CASE("progress reads back what it wrote, on one line") {
  progress p;
  p.offsets = {{"orders/0", 0}, {"orders/1", INT64_MAX}};
  p.ids = {{R"(postgres.shop."odd ""name".t.0.0.0)", -1}, {"ümlaut", INT64_MIN}};
  p.truncated = {{"a.b.c.d.0.0.0", 7}};
  auto text = p.text();
  CHECK(text.find('\n') == std::string::npos);
  auto back = progress::parse(text);
  REQUIRE(back);
  CHECK(*back == p);
  CHECK(*progress::parse("") == progress{});
  CHECK(*progress::parse(progress{}.text()) == progress{});
}

TEST_CASE("progress that nobody wrote is rejected with what was found") {
  for (const char* text :
       {"x", "[]", "{}", R"({"offsets":{}})", R"({"offsets":[],"ids":{}})",
        R"({"offsets":{"a":1.5},"ids":{}})", R"({"offsets":{"a":"1"},"ids":{}})",
        R"({"offsets":{},"ids":{},"truncated":[]})",
        R"({"offsets":{"a":9223372036854775808},"ids":{}})", R"({"offsets":{},"ids":{},"more":1})",
        R"({"offsets":{},"ids":{}} x)", "\xff"}) {
    CAPTURE(text);
    auto back = progress::parse(text);
    REQUIRE(!back);
    CHECK(back.error() == ec::rejected);
    CHECK(back.error().text().find("progress") == 0);
  }
}

TEST_CASE("an applied id belongs to a table and a partition, and never falls") {
  progress p;
  CHECK(p.applied("a.b.c.d.0.0.0", "t/0") == 0);
  p.apply("a.b.c.d.0.0.0", "t/0", 5);
  p.apply("a.b.c.d.0.0.0", "t/0", 3);
  p.apply("a.b.c.d.0.0.0", "t/1", 2);
  CHECK(p.applied("a.b.c.d.0.0.0", "t/0") == 5);
  CHECK(p.applied("a.b.c.d.0.0.0", "t/1") == 2);
  CHECK(p.applied("a.b.c.d.1.0.0", "t/0") == 0);
}

TEST_CASE("a name that is not UTF-8 does not stop progress from being written") {
  progress p;
  p.ids = {{"bad\xff", 1}};
  CHECK(progress::parse(p.text()));
}

} // namespace
} // namespace rtdp::state
