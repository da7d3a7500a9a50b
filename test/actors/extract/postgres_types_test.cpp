#include "actors/extract/postgres_types.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace rtdp;
using namespace rtdp::extract::pg;

TEST_CASE("dates are read from the year 4714 BC to 5874897") {
  CHECK(parse_date("1970-01-01") == 0);
  CHECK(parse_date("2000-02-29") == 11'016);
  CHECK(parse_date("1969-12-31") == -1);
  CHECK(parse_date("0001-01-01") == -719'162);
  CHECK(parse_date("0001-12-31 BC") == -719'163);
  CHECK(parse_date("4714-11-24 BC") == -2'440'588);
  CHECK(parse_date("5874897-12-31") == 2145042905);
  CHECK(parse_date("infinity") == ums::plus_infinity);
  CHECK(parse_date("-infinity") == ums::minus_infinity);
  for (auto wrong : {"", "1970", "1970-13-01", "1970-00-01", "1970-01-32", "1970-01-01x", "x"})
    CHECK(!parse_date(wrong));
}

TEST_CASE("timestamps keep microseconds and are UTC") {
  CHECK(parse_timestamp("1970-01-01 00:00:01") == 1'000'000);
  CHECK(parse_timestamp("1970-01-01 00:00:00.000001+00") == 1);
  CHECK(parse_timestamp("1970-01-01 00:00:00.5") == 500'000);
  CHECK(parse_timestamp("1969-12-31 23:59:59.999999") == -1);
  CHECK(parse_timestamp("0044-03-15 12:00:00+00 BC") == (-735'160LL * 24 + 12) * 3'600'000'000);
  CHECK(parse_timestamp("infinity") == ums::plus_infinity);
  CHECK_MESSAGE(!parse_timestamp("294276-12-31 23:59:59"),
                "behind what 64 bits of microseconds hold");
  for (auto wrong : {"", "1970-01-01", "1970-01-01 1:00:00", "1970-01-01 00:00:00.",
                     "1970-01-01 00:00:00+02", "1970-01-01 00:00:00.1234567"})
    CHECK(!parse_timestamp(wrong));
}

TEST_CASE("what does not fit is refused and leaves the column alone") {
  ums::column ints(ums::type::int_), reals(ums::type::double_), bytes(ums::type::binary);
  CHECK(!append_text(ints, conversion::integer, "1x"));
  CHECK(!append_text(ints, conversion::integer, ""));
  CHECK(!append_text(ints, conversion::boolean, "true"));
  CHECK(!append_text(reals, conversion::real8, "1,5"));
  CHECK(!append_text(bytes, conversion::bytes, "\\x1"));
  CHECK(!append_text(bytes, conversion::bytes, "abc"));
  CHECK(!append_binary(ints, conversion::integer, "abc"));
  CHECK(!append_binary(ints, conversion::timestamp, "abc"));
  CHECK(!append_binary(reals, conversion::real8, "abc"));
  CHECK(ints.size() + reals.size() + bytes.size() == 0);
}

TEST_CASE("floats are read with their own precision") {
  ums::column c(ums::type::float_);
  REQUIRE(append_text(c, conversion::real4, "0.1"));
  CHECK(c.reals()[0] == double(0.1F));
  REQUIRE(append_text(c, conversion::real4, "-Infinity"));
  CHECK(c.reals()[1] == -INFINITY);
  REQUIRE(append_text(c, conversion::real4, "NaN"));
  CHECK(std::isnan(c.reals()[2]));
}

TEST_CASE("types without a twin are copied as the text that the change stream writes") {
  CHECK(copy_expression("\"a\"", 23) == "\"a\"");
  CHECK(copy_expression("\"a\"", 1042) == "\"a\"");
  CHECK(copy_expression("\"a\"", 1700) == "\"a\"::pg_catalog.text");
  CHECK(copy_expression("\"a\"", 869).find("format") != std::string::npos);
  CHECK(copy_expression("\"a\"", 99'999).find("format") != std::string::npos);
}
