/// Every type: a value reads the same from the snapshot (binary) as from the change stream (text).
#include "test/actors/extract/postgres_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract::test;

namespace {

struct column {
  std::string type;
  ums::type becomes;
  /// As SQL expressions.
  std::vector<std::string> values;
};

std::vector<column> matrix(const std::string& schema) {
  using ums::type;
  auto u = schema + ".";
  return {
      {"smallint", type::int_, {"-32768", "0", "32767"}},
      {"integer", type::int_, {"-2147483648", "0", "2147483647"}},
      {"bigint", type::long_, {"-9223372036854775808", "9223372036854775807"}},
      {"oid", type::long_, {"0", "4294967295"}},
      {"real",
       type::float_,
       {"'0.1'", "'-3.4e38'", "'1e-45'", "'NaN'", "'Infinity'", "'-Infinity'"}},
      {"double precision",
       type::double_,
       {"'0.1'", "'1.7e308'", "'5e-324'", "'NaN'", "'-Infinity'", "'-0'"}},
      {"boolean", type::boolean, {"true", "false"}},
      {"numeric",
       type::decimal,
       {"'0'", "'-0.00010'", "'NaN'", "'Infinity'", "'123456789012345678901234567890.123456789'",
        "1e100"}},
      {"numeric(12,4)", type::decimal, {"'1'", "'-99999999.9999'"}},
      {"text", type::string, {"''", "'ä€😀'", "E'a\\tb\\\\c\\n'", "repeat('y', 9000)"}},
      {"varchar(10)", type::string, {"'x '"}},
      {"char(5)", type::string, {"'x'", "''"}},
      {"\"char\"", type::string, {"'c'", "''"}},
      {"name", type::string, {"'n'"}},
      {"bytea", type::binary, {"''", "'\\x00ff10'"}},
      {"date",
       type::date,
       {"'2026-11-22'", "'4714-11-24 BC'", "'5874897-12-31'", "'infinity'", "'-infinity'"}},
      {"timestamp",
       type::datetime,
       {"'2026-11-22 10:13:24.213456'", "'0044-03-15 01:02:03 BC'", "'12026-01-01'", "'infinity'",
        "'-infinity'"}},
      {"timestamptz",
       type::datetime,
       {"'2026-11-22 10:13:24.2+02'", "'1850-01-01 00:00:00+00'", "'4714-11-24 00:00:00+00 BC'",
        "'infinity'"}},
      {"time", type::string, {"'23:59:59.999999'", "'24:00'"}},
      {"timetz", type::string, {"'01:02:03+04:30'"}},
      {"interval", type::string, {"'1 year 2 mons -3 days 04:05:06.7'", "'0'"}},
      {"json", type::jsonobject, {"'{\"a\":  [1, null]}'", "'[1]'"}},
      {"jsonb", type::jsonobject, {"'{\"b\": 1.50, \"a\": \"ä\"}'", "'3'"}},
      {"uuid", type::string, {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}},
      {"inet", type::string, {"'192.168.0.1'", "'10.1.0.0/16'", "'::1'"}},
      {"cidr", type::string, {"'10.0.0.0/8'"}},
      {"macaddr", type::string, {"'08:00:2b:01:02:03'"}},
      {"bit(4)", type::string, {"B'1010'"}},
      {"varbit", type::string, {"B'10'"}},
      {"money", type::string, {"'-12.34'"}},
      {"xml", type::string, {"'<a>b</a>'", "'<?xml version=\"1.0\"?><a/>'"}},
      {"point", type::string, {"'(1.5,-2)'"}},
      {"tsvector", type::string, {"'a:1 b:2'"}},
      {"int[]", type::string, {"'{1,NULL,3}'", "'{}'", "'{{1},{2}}'"}},
      {"text[]", type::string, {"'{\"a b\",NULL,\"NULL\",\"q\\\"\"}'"}},
      {"int4range", type::string, {"'[1,10)'", "'empty'"}},
      {"pg_lsn", type::string, {"'16/B374D848'"}},
      {"regclass", type::string, {"'pg_class'"}},
      {u + "mood", type::string, {"'so so'", "'ok'"}},
      {u + "pair",
       type::string,
       {"row(1, 'a b')::" + u + "pair", "row(null, null)::" + u + "pair"}},
      {u + "positive", type::int_, {"1"}},
      {u + "more_positive", type::int_, {"7"}},
      {u + "price", type::decimal, {"'1.20'"}},
      {u + "odd", type::string, {"row(5)::" + u + "odd"}},
  };
}

void make_types(source& s) {
  s.run("create type mood as enum ('ok', 'so so')");
  s.run("create type pair as (n int, t text)");
  s.run("create domain positive as int check (value > 0)");
  s.run("create domain more_positive as positive");
  s.run("create domain price as numeric(10,2)");
  // A type whose cast to text is not what it prints.
  s.run("create type odd as (n int)");
  s.run("create function odd_text(odd) returns text language sql immutable as $$ select 'cast' $$");
  s.run("create cast (odd as text) with function odd_text(odd)");
}

std::vector<std::string> values_of(const std::vector<ums::batch>& batches) {
  std::vector<std::string> out;
  for (const auto& b : batches)
    for (size_t i = 0; b.carries_rows() && i < b.rows(); ++i) {
      auto text = line(b, i);
      out.push_back(text.substr(text.find(' ', text.find(" i ") + 3)));
    }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace

TEST_CASE("every type reads the same from the snapshot as from the log, and as its UMS type") {
  source s;
  s.db.run(
      "alter role rtdp set timezone = 'Asia/Kathmandu'; alter role rtdp set datestyle = 'German'");
  make_types(s);
  auto types = matrix(s.schema);
  std::string inserts;
  for (size_t i = 0; i < types.size(); ++i) {
    auto table = "m" + std::to_string(i);
    s.table(table, "id int primary key, v " + types[i].type);
    auto values = types[i].values;
    values.emplace_back("null");
    for (size_t k = 0; k < values.size(); ++k)
      inserts += "insert into " + s.schema + "." + table + " values (" + std::to_string(k) + ", " +
                 values[k] + ");";
  }
  s.db.run(inserts);
  REQUIRE(!s.open());
  s.drain();
  auto from_snapshot = values_of(s.batches);
  for (auto& b : s.batches) {
    auto& type = types.at(std::stoul(b.schema->name[ums::ns::table].substr(1)));
    CAPTURE(type.type);
    CHECK(b.schema->fields.at(4).type == type.becomes);
    CHECK(b.kind == ums::protocol::initial_data);
  }
  s.batches.clear();
  for (size_t i = 0; i < types.size(); ++i)
    s.run("delete from m" + std::to_string(i));
  s.drain();
  s.batches.clear();
  s.db.run(inserts);
  s.drain();
  auto from_log = values_of(s.batches);
  CHECK(from_log == from_snapshot);
  size_t cells = 0, differ = 0;
  for (size_t i = 0; i < std::min(from_log.size(), from_snapshot.size()); ++i, ++cells)
    if (from_log[i] != from_snapshot[i] && ++differ)
      MESSAGE("snapshot" << from_snapshot[i] << ", log" << from_log[i]);
  MESSAGE("cells=" << cells << ", differ=" << differ << ", dead letters=" << s.bad.size());
  CHECK(s.bad.empty());
  s.db.run("alter role rtdp reset all");
}

TEST_CASE("a timestamp that UMS cannot hold is a dead letter, and the rows around it go on") {
  source s;
  s.table("a", "id int primary key, t timestamp");
  auto rows = "insert into a values (1, 'now'), (2, '294276-12-31 23:59:59'), (3, 'now')";
  s.run(rows);
  REQUIRE(!s.open());
  CHECK(s.drained().size() == 2);
  REQUIRE(s.bad.size() == 1);
  CHECK(s.bad[0].reason.find("column t: expected a timestamp") == 0);
  s.run(std::string("delete from a; ") + rows);
  CHECK(s.drained().size() == 5);
  CHECK(s.bad.size() == 2);
  CHECK(s.collected->next_id() == 10);
}
