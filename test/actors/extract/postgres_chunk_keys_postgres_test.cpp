#include "actors/extract/postgres_chunk_table.hpp"
#include "test/actors/extract/postgres_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract::test;

TEST_CASE("keys of every kind can be followed by chunks") {
  const std::pair<const char*, const char*> kinds[] = {
      {"text", "'k''' || i"},
      {"text collate \"en-x-icu\"", "case when i % 2 = 0 then 'a' else 'A' end || i"},
      {"numeric", "i * 1.5"},
      {"uuid", "md5(i::text)::uuid"},
      {"timestamptz", "'2026-01-01'::timestamptz + i * interval '1 ms'"},
      {"bytea", "decode(md5(i::text), 'hex')"},
      {"double precision", "sqrt(i)"},
      {"char(8)", "i::text"},
      {"inet", "'10.0.0.0'::inet + i"},
      {"int[]", "array[i % 10, i]"},
      {"boolean", "null"}};
  for (auto [type, value] : kinds) {
    CAPTURE(type);
    source s;
    s.settings.values["snapshot_chunk_rows"] = int64_t(17);
    bool flag = std::string(type) == "boolean";
    s.table("a", std::string("k ") + type + " primary key");
    if (flag)
      s.run("insert into a values (true), (false)");
    else
      s.run(std::string("insert into a select ") + value + " from generate_series(1, 100) i");
    REQUIRE(!s.open());
    auto got = s.drained();
    std::sort(got.begin(), got.end());
    CHECK(std::unique(got.begin(), got.end()) == got.end());
    CHECK(got.size() == (flag ? 2 : 100));
    CHECK(s.bad.empty());
  }
}

TEST_CASE("a chunk ends so many rows on in the order of the key, which its index gives") {
  source s;
  s.table("a", "id int, part text, primary key (id, part)");
  s.run("insert into a select i, 'x' from generate_series(1, 2000) i; analyze a");
  extract::pg::chunk_table t{.name = {s.schema, "a"},
                             .columns = {},
                             .key = {{"\"id\"", "int4"}, {"\"part\"", "text"}},
                             .fingerprint = "",
                             .filter = "",
                             .where = "",
                             .rows = 17};
  CHECK(s.db.run(extract::pg::bound_statement(t, {})) == client::rows{{"17", "x"}});
  auto second = extract::pg::bound_statement(t, {"17", "x"});
  CHECK(s.db.run(second) == client::rows{{"34", "x"}});
  s.run("set enable_seqscan = off");
  auto plan = s.db.run("explain " + second);
  for (const auto& row : plan)
    CHECK_MESSAGE(row[0].find("Sort") == std::string::npos, row[0]);
}
