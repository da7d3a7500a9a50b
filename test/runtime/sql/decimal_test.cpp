#include "runtime/sql/decimal.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace rtdp::sql;

namespace {

std::string printed(int128 value, uint8_t scale) {
  std::string text;
  append_decimal(value, scale, text);
  return text;
}

} // namespace

TEST_CASE("the size of a decimal is read from the source's type name") {
  CHECK(decimal_shape_of("numeric(12,2)") == decimal_shape{12, 2});
  CHECK(decimal_shape_of("decimal(38, 38)") == decimal_shape{38, 38});
  CHECK(decimal_shape_of("NUMERIC(7)") == decimal_shape{7, 0});
  for (auto text : {"", "numeric", "numeric(39,2)", "numeric(5,6)", "numeric(5,-2)", "numeric(0)",
                    "numeric(a)", "numeric(5", "varchar(10)", "numeric()", "numeric(5,2,1)"})
    CHECK(decimal_shape_of(text) == decimal_shape{38, 12});
}

TEST_CASE("a decimal is taken only when it fits exactly") {
  CHECK(parse_decimal("1.5", {4, 2}) == int128(150));
  CHECK(parse_decimal("-.5", {4, 2}) == int128(-50));
  CHECK(parse_decimal("+007.", {4, 2}) == int128(700));
  CHECK(parse_decimal("1.5000", {4, 2}) == int128(150));
  CHECK(parse_decimal("0.0000", {1, 0}) == int128(0));
  CHECK(parse_decimal("99.99", {4, 2}) == int128(9999));
  for (auto text : {"", "-", ".", "+.", "NaN", "Infinity", "1e3", " 1", "1 ", "1,5", "--1", "1.005",
                    "100", "100.00", "1.2.3"})
    CHECK_MESSAGE(!parse_decimal(text, {4, 2}), text);
  CHECK(!parse_decimal(std::string(39, '9'), {38, 0}));
  CHECK(!parse_decimal("1" + std::string(60, '0'), {38, 0}));
  CHECK(parse_decimal(std::string(60, '0') + "1", {38, 0}) == int128(1));
}

TEST_CASE("a decimal is printed with all digits behind the point") {
  CHECK(printed(0, 0) == "0");
  CHECK(printed(0, 2) == "0.00");
  CHECK(printed(-5, 2) == "-0.05");
  CHECK(printed(12345, 2) == "123.45");
  CHECK(printed(int128(1'000'000'000'000'000'000), 0) == "1000000000000000000");
  CHECK(printed(int128(1) << 127, 0) == "-170141183460469231731687303715884105728");
}

TEST_CASE("printing and parsing are inverse for random decimals") {
  auto seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937_64 random(seed);
  const int128 limit = *parse_decimal("1" + std::string(37, '0'), {38, 0}) * 9;
  for (int i = 0; i < 20'000; ++i) {
    auto value = int128((uint128(random()) << 64 | random()) >> (random() % 127)) % limit;
    if (random() % 2 == 0)
      value = -value;
    auto scale = uint8_t(random() % 39);
    auto text = printed(value, scale);
    auto back = parse_decimal(text, {38, scale});
    CHECK_MESSAGE((back && *back == value), text);
  }
}
