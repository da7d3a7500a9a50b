#include "config/scalar.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace rtdp::config;
using std::chrono::milliseconds;

TEST_CASE("booleans are read in YAML's usual words") {
  for (const auto* yes : {"true", "True", "TRUE", "yes", "on"})
    CHECK(read_bool(yes) == true);
  for (const auto* no : {"false", "False", "no", "off", "OFF"})
    CHECK(read_bool(no) == false);
  for (const auto* neither : {"", "1", "y", "truely", "falsehood"})
    CHECK_FALSE(read_bool(neither));
}

TEST_CASE("integers may have the suffix of a size") {
  CHECK(read_integer("100") == 100);
  CHECK(read_integer("-5") == -5);
  CHECK(read_integer("+5") == 5);
  CHECK(read_integer("64KiB") == 65'536);
  CHECK(read_integer("8 MiB") == 8 << 20);
  CHECK(read_integer("1GiB") == 1 << 30);
  CHECK(read_integer("9223372036854775807") == INT64_MAX);
  for (const auto* wrong :
       {"", "x", "1.5", "1e3", "0x10", "8MB", "8mib", "8  MiB", "MiB", "+-5", "- 5",
        "9223372036854775808", "9223372036854775807KiB", "8589934592GiB"}) {
    CAPTURE(wrong);
    CHECK_FALSE(read_integer(wrong));
  }
}

TEST_CASE("numbers are finite decimals") {
  CHECK(read_number("0.25") == 0.25);
  CHECK(read_number("-1e6") == -1e6);
  for (const auto* wrong : {"", "x", "nan", "inf", "1e999", "1,5", "1 "})
    CHECK_FALSE(read_number(wrong));
}

TEST_CASE("durations name their unit, but for zero") {
  CHECK(read_duration("250ms") == milliseconds{250});
  CHECK(read_duration("5s") == milliseconds{5000});
  CHECK(read_duration("2m") == milliseconds{120'000});
  CHECK(read_duration("1h") == milliseconds{3'600'000});
  CHECK(read_duration("7d") == milliseconds{604'800'000});
  CHECK(read_duration("0") == milliseconds{0});
  for (const auto* wrong : {"", "5", "s", "-1s", "1.5s", "5 sec", "1w", "106751991168d", "5S"}) {
    CAPTURE(wrong);
    CHECK_FALSE(read_duration(wrong));
  }
}

TEST_CASE("a shown value reads back the same") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 1000; ++i) {
    auto n = static_cast<int64_t>(random() >> (random() % 63 + 1));
    CHECK(read_integer(show_integer(n, "fetch_bytes")) == n);
    CHECK(read_integer(show_integer(n, "batch_rows")) == n);
    CHECK(read_duration(show_duration(milliseconds{n})) == milliseconds{n});
  }
  CHECK(show_integer(8 << 20, "fetch_bytes") == "8MiB");
  CHECK(show_integer(65'536, "batch_rows") == "65536");
  CHECK(show_duration(milliseconds{90'000}) == "90s");
}
