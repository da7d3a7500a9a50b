#include "runtime/sql/types.hpp"
#include "test/runtime/sql/fixture.hpp"

#include <limits>

using namespace rtdp;
using namespace rtdp::sql;
using namespace rtdp::sql::test;
using ums::type;

namespace {

template<class T>
std::string text_of_limit(T value) {
  return std::to_string(value);
}

/// What comes back for `cells` of one column, as "cell;cell;…".
std::string round_trip(type t, const std::string& native, const std::vector<cell>& cells) {
  ums::field f{.name = "v", .type = t, .native = native};
  rows data;
  for (const auto& c : cells)
    data.push_back({c});
  auto out = ran("select * from batch", batch_of(schema_of({f}), data));
  REQUIRE(out->schema->fields.size() == 4);
  REQUIRE(out->rows() == cells.size());
  CHECK(out->schema->fields[3] == f);
  return cells_of(*out);
}

/// "type native: value" of one expression.
std::string computed(const std::string& expression) {
  auto input = batch_of(schema_of({}), {{}});
  auto out = ran("select " + expression + " as v from batch", input);
  REQUIRE(out->rows() == 1);
  const auto& f = out->schema->fields[3];
  return std::string(to_string(f.type)) + (f.native.empty() ? "" : " " + f.native) + ": " +
         text_of(out->columns[3], 0);
}

} // namespace

TEST_CASE("every UMS type goes through the engine unchanged, with nulls and extremes") {
  const cell null;
  CHECK(round_trip(type::string, "", {"", "a", "twelve bytes", "thirteen byte", null, "ü€😀"}) ==
        ";a;twelve bytes;thirteen byte;null;ü€😀");
  CHECK(round_trip(type::int_, "", {"-2147483648", "2147483647", "0", null}) ==
        "-2147483648;2147483647;0;null");
  CHECK(round_trip(type::long_, "", {"-9223372036854775808", null, "9223372036854775807"}) ==
        "-9223372036854775808;null;9223372036854775807");
  CHECK(round_trip(type::float_, "", {"1.5", "-inf", "nan", null}) == "1.5;-inf;nan;null");
  CHECK(round_trip(type::double_, "", {"1e308", "5e-324", "inf", "-0.0", null}) ==
        "1e+308;4.9406564584124654e-324;inf;-0;null");
  CHECK(round_trip(type::boolean, "", {"1", "0", null}) == "1;0;null");
  CHECK(round_trip(type::binary, "", {std::string("\0\xff\x80", 3), "", null}) ==
        std::string("\0\xff\x80;;null", 9));
  CHECK(round_trip(type::jsonobject, "", {R"({"a":  1})", null}) == R"({"a":  1};null)");
  CHECK(round_trip(type::jsonarray, "", {"[1, 2]", null}) == "[1, 2];null");
}

TEST_CASE("dates and times keep microseconds and both infinities") {
  auto plus = text_of_limit(ums::plus_infinity), minus = text_of_limit(ums::minus_infinity);
  CHECK(round_trip(type::date, "", {"0", "-719528", "2932896", plus, minus, std::nullopt}) ==
        "0;-719528;2932896;" + plus + ";" + minus + ";null");
  CHECK(round_trip(type::datetime, "", {"-1", "1700000000123456", plus, minus, std::nullopt}) ==
        "-1;1700000000123456;" + plus + ";" + minus + ";null");
}

TEST_CASE("decimals stay exact text in every width") {
  CHECK(round_trip(type::decimal, "numeric(4,1)", {"-999.9", "0.1", "0.0"}) == "-999.9;0.1;0.0");
  CHECK(round_trip(type::decimal, "numeric(9)", {"-999999999", std::nullopt}) == "-999999999;null");
  CHECK(round_trip(type::decimal, "decimal(18,2)", {"9999999999999999.99"}) ==
        "9999999999999999.99");
  CHECK(round_trip(type::decimal, "numeric(38,0)", {std::string(38, '9')}) == std::string(38, '9'));
  CHECK(round_trip(type::decimal, "numeric(38,38)",
                   {"-0." + std::string(38, '9'), "0." + std::string(37, '0') + "1"}) ==
        "-0." + std::string(38, '9') + ";0." + std::string(37, '0') + "1");
}

TEST_CASE("a decimal of unknown size passes through without added zeros") {
  CHECK(round_trip(type::decimal, "", {"5", "5.5", "-0.000000000001", "0", "1200"}) ==
        "5;5.5;-0.000000000001;0;1200");
  CHECK(round_trip(type::decimal, "numeric(60,3)", {"1.250"}) == "1.25");
}

TEST_CASE("every DuckDB type has a UMS type") {
  CHECK(computed("'a'") == "string: a");
  CHECK(computed("1::tinyint") == "int: 1");
  CHECK(computed("255::utinyint") == "int: 255");
  CHECK(computed("(-32768)::smallint") == "int: -32768");
  CHECK(computed("65535::usmallint") == "int: 65535");
  CHECK(computed("4294967295::uinteger") == "long: 4294967295");
  CHECK(computed("18446744073709551615::ubigint") == "decimal numeric(20,0): 18446744073709551615");
  CHECK(computed("170141183460469231731687303715884105727::hugeint") ==
        "decimal: 170141183460469231731687303715884105727");
  CHECK(computed("(-170141183460469231731687303715884105728)::hugeint") ==
        "decimal: -170141183460469231731687303715884105728");
  CHECK(computed("340282366920938463463374607431768211455::uhugeint") ==
        "decimal: 340282366920938463463374607431768211455");
  CHECK(computed("-0.05::decimal(12,2)") == "decimal numeric(12,2): -0.05");
  CHECK(computed("1.5::float") == "float: 1.5");
  CHECK(computed("1.5::double") == "double: 1.5");
  CHECK(computed("1 = 1") == "boolean: 1");
  CHECK(computed("date '1970-01-02'") == "date: 1");
  CHECK(computed("'infinity'::date") == "date: 9223372036854775807");
  CHECK(computed("timestamp '1970-01-01 00:00:01.000002'") == "datetime: 1000002");
  CHECK(computed("timestamptz '1970-01-01 02:00:00+02'") == "datetime: 0");
  CHECK(computed("timestamp '1970-01-01 00:00:01'::timestamp_s") == "datetime: 1000000");
  CHECK(computed("timestamp '1970-01-01 00:00:01'::timestamp_ns") == "datetime: 1000000");
  CHECK(computed("'-infinity'::timestamp") == "datetime: -9223372036854775808");
  CHECK(computed("'ab'::blob") == "binary: ab");
  CHECK(computed("null") == "int: null");
}

TEST_CASE("nested types come out as JSON, the others as text") {
  CHECK(computed("[1, null]") == "jsonarray: [1,null]");
  CHECK(computed("{'a': 1, 'b': ['x']}") == R"(jsonobject: {"a":1,"b":["x"]})");
  CHECK(computed("map {'k': 1}") == R"(jsonobject: {"k":1})");
  CHECK(computed(R"('{"a": 1}'::json -> 'a')") == "jsonobject: 1");
  CHECK(computed("interval 3 day") == "string: 3 days");
  CHECK(computed("time '01:02:03'") == "string: 01:02:03");
  CHECK(computed("'5b0c6ff1-0000-4000-8000-000000000000'::uuid") ==
        "string: 5b0c6ff1-0000-4000-8000-000000000000");
  CHECK(computed("'a'::enum('a', 'b')") == "string: a");
  CHECK(computed("'101'::bit") == "string: 101");
}

TEST_CASE("a JSON column takes JSON operators") {
  auto input = batch_of(schema_of({{.name = "doc", .type = type::jsonobject}}),
                        {{R"({"name": "Ann", "n": 3})"}, {std::nullopt}});
  auto out =
      ran("select doc->>'name' as name, (doc->>'n')::int as n, doc as copy from batch", input);
  CHECK(fields_of(*out->schema) == "name string, n int, copy jsonobject");
  CHECK(cells_of(*out) == R"(Ann,3,{"name": "Ann", "n": 3};null,null,null)");
}
