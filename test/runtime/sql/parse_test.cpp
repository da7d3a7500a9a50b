#include "runtime/sql/engine.hpp"
#include "runtime/sql/parse.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace rtdp::sql;

namespace {

engine& db() {
  static auto opened = engine::open({});
  REQUIRE(bool(opened));
  return **opened;
}

std::string refusal(const std::string& text) {
  auto parsed = select_tree::parse(db(), text);
  return parsed ? "accepted" : parsed.error().text();
}

std::string list(const std::vector<reference>& of) {
  std::string text;
  for (const auto& r : of)
    text += (text.empty() ? "" : " ") + r.name + "@" + std::to_string(r.at);
  return text;
}

} // namespace

TEST_CASE("a place counts lines and characters from 1") {
  CHECK(place("abc", 0) == "line 1, column 1: ");
  CHECK(place("a\nbc", 3) == "line 2, column 2: ");
  CHECK(place("'ü€' x", 8) == "line 1, column 6: ");
  CHECK(place("ab", 100) == "line 1, column 3: ");
}

TEST_CASE("wrong syntax is refused at its place") {
  CHECK(refusal("selec 1") == "line 1, column 1: syntax error at or near \"selec\"");
  CHECK(refusal("select 1 +\n  from batch") ==
        "line 2, column 3: syntax error at or near \"from\"");
  CHECK(refusal("select 'ü', from from batch where") ==
        "line 1, column 17: syntax error at or near \"from\"");
  CHECK(refusal("select 'abc") ==
        "line 1, column 8: unterminated quoted string at or near \"'abc\"");
  CHECK(refusal(std::string("select 1\0 from batch", 20)) ==
        "line 1, column 9: the text holds a NUL character");
  CHECK(refusal("select '\xff' from batch") == "the text is not valid UTF-8");
}

TEST_CASE("anything but one SELECT is refused") {
  CHECK(refusal("") == "a sql step is one SELECT; found 0 statements");
  CHECK(refusal("-- nothing") == "a sql step is one SELECT; found 0 statements");
  CHECK(refusal("select 1 from batch; select 2 from batch") ==
        "a sql step is one SELECT; found 2 statements");
  for (std::string text :
       {"insert into batch values (1)", "update batch set id = 1", "delete from batch",
        "drop view batch", "create table t (a int)", "copy batch to 'x.csv'", "attach 'x.db'",
        "set threads = 4", "pragma version", "install httpfs", "call pragma_version()",
        "explain select 1", "begin", "export database 'x'"})
    CHECK_MESSAGE(refusal(text) == "a sql step is one SELECT; found another statement", text);
  CHECK(refusal("describe batch").find("found DESCRIBE") != std::string::npos);
  CHECK(refusal("select * from (show tables)").find("found DESCRIBE") != std::string::npos);
  CHECK(refusal("select $1 from batch").find("has no parameters; found $1") != std::string::npos);
  CHECK(refusal("select 1 from batch;") == "accepted");
}

TEST_CASE("whatever reads from outside is refused") {
  CHECK(refusal("select *\nfrom read_csv('/etc/passwd')") ==
        "line 2, column 6: function read_csv cannot stand in FROM; a sql step reads only its "
        "batch: no files, no system tables, no functions that read");
  for (std::string text :
       {"select * from read_text('x')", "select * from glob('*')", "select * from duckdb_tables()",
        "select * from batch where id in (select * from query('select 1'))",
        "with t as (select * from parquet_scan('x')) select * from t", "from rtdp_scan(1)",
        "select (select count(*) from duckdb_settings()) from batch",
        "select * from information_schema.tables", "select * from main.batch"})
    CHECK_MESSAGE(refusal(text).find("reads only its batch") != std::string::npos, text);
  CHECK(refusal("select * from batch, range(3), unnest([1, 2]) u(x)") == "accepted");
}

TEST_CASE("tables, columns and names of WITH are listed with their places") {
  auto parsed = select_tree::parse(
      db(),
      "with a as (select id from orders o) select a.id, x + 1 as y from a join batch b using (k)");
  REQUIRE(bool(parsed));
  CHECK(list(parsed->tables()) == "orders@26 batch@72");
  CHECK(list(parsed->columns()) == "id@18 id@43 x@49");
  CHECK(list(parsed->with()) == "a@5");
}

TEST_CASE("the select list tells what is handed on and what is computed") {
  auto parsed = select_tree::parse(
      db(),
      "select id, note as n, a + 1, * replace (a + 1 as b), columns(*) + 1, b.c from orders b");
  REQUIRE(bool(parsed));
  const auto& out = parsed->outputs();
  REQUIRE(out.size() == 6);
  CHECK(out[0].kind == output::kind::column);
  CHECK(out[1].column == "note");
  CHECK(out[2].kind == output::kind::computed);
  CHECK(out[3].kind == output::kind::star);
  CHECK(out[3].replaced == std::vector<std::string>{"b"});
  CHECK(out[4].kind == output::kind::expanded);
  CHECK(out[5].column == "c");
  CHECK(parsed->reads_table_directly());
  CHECK(parsed->may_add_columns());
}

TEST_CASE("a column is not added where it would change the rows") {
  for (std::string text :
       {"select distinct id from batch", "select id from batch group by id",
        "select id from batch union select 1", "select count(*) from batch group by all"})
    CHECK_MESSAGE(!select_tree::parse(db(), text)->may_add_columns(), text);
}

TEST_CASE("rewriting renames the tables, adds columns behind, and keeps the rest of the dialect") {
  auto parsed = select_tree::parse(
      db(), "from orders select orders.id, list_transform([1], lambda x: x + 1) as l order by 1");
  REQUIRE(bool(parsed));
  auto text = parsed->rewritten(db(), "rtdp_1", {"ums_id_"});
  REQUIRE(bool(text));
  CHECK(*text ==
        "SELECT orders.id, list_transform(main.list_value(1), (x -> (x + 1))) AS l, ums_id_ "
        "FROM rtdp_1 AS orders ORDER BY 1");
}
