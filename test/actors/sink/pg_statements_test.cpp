#include "actors/sink/pg_connection.hpp"
#include "actors/sink/pg_statements.hpp"

#include <doctest/doctest.h>

namespace rtdp::sink::test {

TEST_CASE("built-in types are told from those of users and from attacks") {
  for (auto good :
       {"integer", "numeric(12,2)", "character varying(20)[]", "timestamp(3) with time zone",
        "\"char\"", "bit varying(5)", "double precision"})
    CHECK_MESSAGE(is_built_in_type(good), good);
  for (auto bad : {"", "mood", "public.integer", "text; drop table t", "numeric(1", "numeric()",
                   "numeric(1);--)", "integer[", "[]", "integer default 1"})
    CHECK_MESSAGE(!is_built_in_type(bad), bad);
}

TEST_CASE("names are quoted once and parsed back") {
  CHECK(quote("a\"b") == "\"a\"\"b\"");
  for (auto text : {"orders", "public.orders", "\"My.S\".\"a\"\"b\""}) {
    auto name = table_name::parse(text);
    REQUIRE(name);
    auto again = table_name::parse(name->sql());
    REQUIRE(again);
    CHECK(again->schema == name->schema);
    CHECK(again->table == name->table);
  }
  CHECK(table_name::parse("Public.Orders")->sql() == "\"Public\".\"Orders\"");
}

TEST_CASE("an SQLSTATE says whether a retry helps") {
  for (auto state :
       {"08006", "40001", "40P01", "53100", "53300", "55P03", "57P01", "57014", "25P03"})
    CHECK_MESSAGE(pg_code(state) == ec::unavailable, state);
  for (auto state : {"22001", "23505", "42P01", "28P01", "3D000", "21000"})
    CHECK_MESSAGE(pg_code(state) == ec::rejected, state);
}

} // namespace rtdp::sink::test
