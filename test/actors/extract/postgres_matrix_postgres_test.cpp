/// Every type: a value reads the same from the snapshot (binary) as from the change stream (text).
#include "test/actors/extract/postgres_fixture.hpp"

#include <algorithm>
#include <map>

using namespace rtdp;
using namespace rtdp::extract::test;

namespace {

struct column {
  std::string type;
  ums::type becomes;
  /// As SQL expressions.
  std::vector<std::string> values;
};
using matrix = std::vector<column>;

matrix plain_types() {
  using ums::type;
  return {
      {"smallint", type::int_, {"'-32768'", "0", "32767"}},
      {"integer", type::int_, {"'-2147483648'", "0", "2147483647"}},
      {"bigint", type::long_, {"'-9223372036854775808'", "9223372036854775807"}},
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
       {"'0'", "'-0.00010'", "'NaN'", "'Infinity'", "'-Infinity'",
        "'123456789012345678901234567890.123456789'", "1e100"}},
      {"numeric(12,4)", type::decimal, {"'1'", "'-99999999.9999'"}},
      {"numeric(5,-2)", type::decimal, {"'12345'"}},
      {"text", type::string, {"''", "'ä€😀'", "E'a\tb\\c\n'", "repeat('y', 9000)"}},
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
      {"timestamp(3)", type::datetime, {"'2026-11-22 10:13:24.213456'"}},
      {"timestamptz",
       type::datetime,
       {"'2026-11-22 10:13:24.2+02'", "'1850-01-01 00:00:00+00'", "'4714-11-24 00:00:00+00 BC'",
        "'infinity'"}},
      {"time", type::string, {"'23:59:59.999999'", "'24:00'"}},
      {"timetz", type::string, {"'01:02:03+04:30'"}},
      {"interval",
       type::string,
       {"'1 year 2 mons -3 days 04:05:06.7'", "'0'", "'-178000000 years'"}},
  };
}

matrix structured_types() {
  using ums::type;
  return {
      {"json", type::jsonobject, {"'{\"a\":  [1, null]}'", "'[1]'"}},
      {"jsonb", type::jsonobject, {"'{\"b\": 1.50, \"a\": \"ä\"}'", "'3'"}},
      {"jsonpath", type::string, {"'$.a[*] ? (@ > 1)'"}},
      {"uuid", type::string, {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}},
      {"inet", type::string, {"'192.168.0.1'", "'10.1.0.0/16'", "'::1'", "'::ffff:1.2.3.4/128'"}},
      {"cidr", type::string, {"'10.0.0.0/8'", "'2001:db8::/32'"}},
      {"macaddr", type::string, {"'08:00:2b:01:02:03'"}},
      {"macaddr8", type::string, {"'08:00:2b:01:02:03:04:05'"}},
      {"bit(4)", type::string, {"B'1010'"}},
      {"varbit", type::string, {"B'10'", "B''"}},
      {"money", type::string, {"'-12.34'", "'92233720368547758.07'"}},
      {"xml", type::string, {"'<a>b</a>'", "'<?xml version=\"1.0\"?><a/>'"}},
      {"point", type::string, {"'(1.5,-2)'", "'(NaN,Infinity)'"}},
      {"line", type::string, {"'{1,2,3}'"}},
      {"lseg", type::string, {"'[(0,0),(1,0.1)]'"}},
      {"box", type::string, {"'(2,2),(0,0)'"}},
      {"path", type::string, {"'[(0,0),(1,1)]'", "'((0,0),(1,1))'"}},
      {"polygon", type::string, {"'((0,0),(1,1),(2,0))'"}},
      {"circle", type::string, {"'<(0,0),1e-10>'"}},
      {"tsvector", type::string, {"'a:1 b:2'"}},
      {"tsquery", type::string, {"'fat & (rat | !cat:*)'"}},
      {"int4range", type::string, {"'[1,10)'", "'empty'", "'(,5]'"}},
      {"int8range", type::string, {"'[1,9223372036854775807)'"}},
      {"numrange", type::string, {"'(1.50,2]'", "'[NaN,NaN]'"}},
      {"daterange", type::string, {"'[2026-01-01,infinity)'"}},
      {"tsrange", type::string, {"'[2026-01-01 00:00,2026-01-02 00:00:00.5)'"}},
      {"tstzrange", type::string, {"'[2026-01-01 00:00+02,)'"}},
      {"int4multirange", type::string, {"'{[1,3),[5,9)}'", "'{}'"}},
      {"int8multirange", type::string, {"'{[1,3)}'"}},
      {"nummultirange", type::string, {"'{[1.50,3),(7,)}'"}},
      {"datemultirange", type::string, {"'{[2026-01-01,2026-01-03)}'"}},
      {"tsmultirange", type::string, {"'{[2026-01-01,2026-01-03)}'"}},
      {"tstzmultirange", type::string, {"'{[2026-01-01 00:00+02,)}'"}},
  };
}

matrix system_types() {
  using ums::type;
  return {
      {"pg_lsn", type::string, {"'16/B374D848'"}},
      {"xid", type::string, {"'4294967295'"}},
      {"xid8", type::string, {"'18446744073709551615'"}},
      {"cid", type::string, {"'7'"}},
      {"tid", type::string, {"'(4,2)'"}},
      {"int2vector", type::string, {"'1 2 3'", "''"}},
      {"oidvector", type::string, {"'1 2'"}},
      {"txid_snapshot", type::string, {"'10:20:10,14'"}},
      {"pg_snapshot", type::string, {"'10:20:10,14'"}},
      {"refcursor", type::string, {"'c'"}},
      {"aclitem", type::string, {"'rtdp=r/rtdp'"}},
      {"regclass", type::string, {"'pg_class'", "'4294967295'"}},
      {"regproc", type::string, {"'pg_sleep'"}},
      {"regprocedure", type::string, {"'pg_sleep(double precision)'"}},
      {"regoper", type::string, {"'||/'"}},
      {"regoperator", type::string, {"'+(integer,integer)'"}},
      {"regtype", type::string, {"'double precision'", "'text[]'"}},
      {"regrole", type::string, {"'rtdp'"}},
      {"regnamespace", type::string, {"'pg_catalog'"}},
      {"regconfig", type::string, {"'english'"}},
      {"regdictionary", type::string, {"'simple'"}},
      {"regcollation", type::string, {"'\"C\"'"}},
  };
}

matrix user_types(const std::string& schema) {
  using ums::type;
  auto u = schema + ".";
  return {
      {u + "mood", type::string, {"'so so'", "'ok'"}},
      {u + "pair",
       type::string,
       {"row(1, 'a b')::" + u + "pair", "row(null, null)::" + u + "pair"}},
      {u + "positive", type::int_, {"1"}},
      {u + "more_positive", type::int_, {"7"}},
      {u + "price", type::decimal, {"'1.20'"}},
      {u + "odd", type::string, {"row(5)::" + u + "odd"}},
      {u + "float_range", type::string, {"'[0.1,2)'"}},
      {"public.hstore", type::string, {"'a=>1, \"b c\"=>NULL'"}},
      {"public.citext", type::string, {"'MiXed'"}},
      {"public.ltree", type::string, {"'top.science'"}},
  };
}

void make_types(source& s) {
  for (auto name : {"hstore", "citext", "ltree"})
    s.db.run(std::string("create extension if not exists ") + name + " schema public");
  s.run("create type mood as enum ('ok', 'so so')");
  s.run("create type pair as (n int, t text)");
  s.run("create domain positive as int check (value > 0)");
  s.run("create domain more_positive as positive");
  s.run("create domain price as numeric(10,2)");
  s.run("create type float_range as range (subtype = float8)");
  // A type whose cast to text is not what it prints.
  s.run("create type odd as (n int)");
  s.run("create function odd_text(odd) returns text language sql immutable as $$ select 'cast' $$");
  s.run("create cast (odd as text) with function odd_text(odd)");
}

/// "table column id" to value, and the UMS type of each column.
struct cells {
  std::map<std::string, std::string> values;
  std::map<std::string, ums::type> types;
};

cells cells_of(const std::vector<ums::batch>& batches) {
  cells out;
  for (const auto& b : batches)
    for (size_t c = ums::system_columns; b.carries_rows() && c < b.columns.size(); ++c) {
      auto name = b.schema->name[ums::ns::table] + " " + b.schema->fields[c].name;
      out.types[name] = b.schema->fields[c].type;
      for (size_t i = 0; i < b.rows(); ++i) {
        std::string text = "NULL";
        if (!b.columns[c].is_null(i)) {
          text.clear();
          ums::append_cell(b.columns[c], i, text);
        }
        auto id = std::to_string(b.find("id")->ints()[i]);
        out.values[name + " " + id] = text;
      }
    }
  return out;
}

/// One table with a column for each type, and rows for the values; shorter lists end with nulls.
struct wide_table {
  std::string name;
  std::vector<column> columns;

  void make(source& s) const {
    std::string sql = "id int primary key";
    for (size_t i = 0; i < columns.size(); ++i)
      sql += ", c" + std::to_string(i) + " " + columns[i].type;
    s.table(name, sql);
  }
  std::string inserts() const {
    size_t rows = 0;
    for (const auto& c : columns)
      rows = std::max(rows, c.values.size() + 1);
    std::string sql;
    for (size_t k = 0; k < rows; ++k) {
      sql += "insert into " + name + " values (" + std::to_string(k);
      for (const auto& c : columns)
        sql += ", " + (k < c.values.size() ? c.values[k] : "null");
      sql += ");";
    }
    return sql;
  }
};

/// Of each type: plain, as a domain, in arrays, and all of them in one composite.
std::vector<wide_table> tables_of(source& s, const matrix& types) {
  wide_table plain{"plain", types}, domains{"domains", {}}, arrays{"arrays", {}};
  std::string members, row;
  for (size_t i = 0; i < types.size(); ++i) {
    const auto& t = types[i];
    auto domain = "d" + std::to_string(i);
    s.run("create domain " + domain + " as " + t.type);
    domains.columns.push_back({domain, t.becomes, t.values});
    auto first = t.values.front() + "::" + t.type, list = first;
    for (size_t k = 1; k < t.values.size(); ++k)
      list += ", " + t.values[k] + "::" + t.type;
    arrays.columns.push_back(
        {t.type + "[]",
         ums::type::string,
         {"array[" + list + ", null]", "array[[" + first + "],[null::" + t.type + "]]", "'{}'",
          "array_fill(" + first + ", array[2], array[-3])"}});
    members += (i == 0 ? "c" : ", c") + std::to_string(i) + " " + t.type;
    row += (i == 0 ? "" : ", ") + first;
  }
  s.run("create type every as (" + members + ")");
  wide_table composite{"composite", {{"every", ums::type::string, {"row(" + row + ")::every"}}}};
  composite.columns.push_back(
      {"every[]", ums::type::string, {"array[row(" + row + ")::every, null]"}});
  arrays.columns.push_back(
      {"text[]",
       ums::type::string,
       {R"('{"a b",NULL,"NULL","q\"","back\\slash","c,d","{}",""}')", R"('{{"x",NULL},{"",y}}')"}});
  return {plain, domains, arrays, composite};
}

} // namespace

TEST_CASE("every type reads the same from the snapshot as from the log, and as its UMS type") {
  source s;
  s.db.run(
      "alter role rtdp set timezone = 'Asia/Kathmandu'; alter role rtdp set datestyle = 'German'");
  make_types(s);
  auto types = plain_types();
  for (auto& more : {structured_types(), system_types(), user_types(s.schema)})
    types.insert(types.end(), more.begin(), more.end());
  auto tables = tables_of(s, types);
  std::string inserts;
  for (const auto& t : tables) {
    t.make(s);
    inserts += t.inserts();
  }
  s.run(inserts);
  REQUIRE(!s.open());
  s.drain();
  auto from_snapshot = cells_of(s.batches);
  for (auto& b : s.batches)
    CHECK(b.kind == ums::protocol::initial_data);
  for (const auto& t : tables) {
    for (size_t i = 0; i < t.columns.size(); ++i) {
      CAPTURE(t.columns[i].type);
      CHECK(from_snapshot.types[t.name + " c" + std::to_string(i)] == t.columns[i].becomes);
    }
    s.run("delete from " + t.name);
  }
  s.drain();
  s.batches.clear();
  s.run(inserts);
  s.drain();
  auto from_log = cells_of(s.batches);
  CHECK(from_log.types == from_snapshot.types);
  size_t differ = 0;
  for (const auto& [where, value] : from_snapshot.values)
    if (from_log.values[where] != value && ++differ)
      MESSAGE(where << ": snapshot " << value << ", log " << from_log.values[where]);
  MESSAGE("types=" << types.size() << ", cells=" << from_snapshot.values.size()
                   << ", differ=" << differ << ", dead letters=" << s.bad.size());
  CHECK(differ == 0);
  CHECK(from_log.values.size() == from_snapshot.values.size());
  CHECK(from_snapshot.values.size() > 1800);
  CHECK(s.bad.empty());
  s.db.run("alter role rtdp reset all");
}

TEST_CASE("the matrix holds every type that the server has") {
  client db;
  auto types = plain_types();
  for (auto& more : {structured_types(), system_types()})
    types.insert(types.end(), more.begin(), more.end());
  std::string named;
  for (const auto& t : types)
    named += (named.empty() ? "'" : ", '") + t.type + "'::regtype::oid";
  // Types that no table of a user can hold a value of: they have no input.
  auto missing = db.run("select typname from pg_type where oid < 16384 and typtype in ('b', 'r', "
                        "'m') and typcategory not in ('A', 'Z') and typnamespace = "
                        "'pg_catalog'::regnamespace and typname <> 'gtsvector' and typname not "
                        "like 'pg\\_node\\_tree' and typname not in ('pg_ndistinct', "
                        "'pg_dependencies', 'pg_mcv_list', 'pg_brin_bloom_summary', "
                        "'pg_brin_minmax_multi_summary') and oid not in (" +
                        named + ")");
  for (const auto& row : missing)
    FAIL_CHECK("no test reads a " << row[0]);
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
