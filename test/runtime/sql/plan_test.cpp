#include "test/runtime/sql/fixture.hpp"

using namespace rtdp;
using namespace rtdp::sql;
using namespace rtdp::sql::test;
using ums::type;

namespace {

const auto wide = schema_of(
    {{.name = "id", .type = type::long_, .nullable = false, .key = true, .native = "int8"},
     {.name = "qty", .type = type::int_},
     {.name = "Note", .type = type::string, .encoded = true, .native = "varchar(20)"},
     {.name = "tags", .type = type::jsonarray, .native = "jsonb"}});

ums::schema planned(const std::string& text) {
  auto made = opened(text)->prepare(*wide);
  REQUIRE_MESSAGE(bool(made), (made ? "" : made.error().text()));
  return *made;
}

std::string names(const ums::schema& s) {
  std::string text;
  for (const auto& f : s.fields)
    text += (text.empty() ? "" : " ") + f.name;
  return text;
}

} // namespace

TEST_CASE("the system columns come first, once, whatever the select says") {
  CHECK(names(planned("select id from orders")) == "ums_id_ ums_ts_ ums_op_ id");
  CHECK(names(planned("select * from orders")) == "ums_id_ ums_ts_ ums_op_ id qty Note tags");
  CHECK(names(planned("select id, ums_ts_, qty from orders")) == "ums_id_ ums_ts_ ums_op_ id qty");
  CHECK(names(planned("select id, UMS_OP_, * exclude (ums_op_, id) from batch")) ==
        "ums_id_ ums_ts_ ums_op_ id qty Note tags");
  CHECK(names(planned("with t as (select * from orders) select id from t")) ==
        "ums_id_ ums_ts_ ums_op_ id");
  CHECK(names(planned("select id, u as tag from orders, unnest(tags::varchar[]) t(u)")) ==
        "ums_id_ ums_ts_ ums_op_ id tag");
}

TEST_CASE("a position in ORDER BY means the same after the system columns were added") {
  auto input =
      batch_of(wide, {{"1", "30", "", "[]"}, {"2", "10", "", "[]"}, {"3", "20", "", "[]"}});
  CHECK(cells_of(*ran("select qty, id from orders order by 1", input)) == "10,2;20,3;30,1");
}

TEST_CASE("system columns that the select computes are taken") {
  auto input =
      batch_of(wide, {{"1", "30", "", "[]"}, {"1", "10", "", "[]"}, {"2", "5", "", "[]"}});
  auto out = ran("select id, sum(qty) as total, max(ums_id_) as ums_id_, max(ums_ts_) as ums_ts_, "
                 "'u' as ums_op_ from orders group by id",
                 input);
  CHECK(cells_of(*out) == "1,40;2,5");
  CHECK(out->ids()[0] == 2);
  CHECK(out->op(0) == 'u');
  CHECK(fields_of(*out->schema) == "id long, total decimal");
  CHECK(out->schema->fields[3].key);
  CHECK(ran("select 5::int as ums_id_, id from orders", input)->ids()[2] == 5);
}

TEST_CASE("an aggregating query must select the system columns itself") {
  auto hint = std::string("for example max(ums_id_) AS ums_id_, max(ums_ts_) AS ums_ts_");
  for (std::string text :
       {"select id, count(*) as n from orders group by id", "select count(*) as n from orders",
        "select distinct id from orders", "select id from orders union all select id from orders",
        "select id, sum(qty) as n from orders group by all",
        "with t as (select id from orders) select id from t"}) {
    auto why = refusal(text, *wide);
    CHECK_MESSAGE(why.find("the query must select ums_id_, ums_ts_, ums_op_ itself") !=
                      std::string::npos,
                  why);
    CHECK_MESSAGE(why.find(hint) != std::string::npos, why);
  }
  CHECK(refusal("select max(ums_id_) as ums_id_, count(*) as n from orders", *wide)
            .find("must select ums_ts_, ums_op_ itself") != std::string::npos);
}

TEST_CASE("system columns of a wrong type are refused") {
  CHECK(refusal("select 'x' as ums_id_, id from orders", *wide) ==
        "line 1, column 1: ums_id_ must be an integer (BIGINT), but the query makes it a UMS "
        "string");
  CHECK(refusal("select 1 as ums_op_, id from orders", *wide).find("ums_op_ must be a VARCHAR") !=
        std::string::npos);
  CHECK(refusal("select *, ums_id_ from orders", *wide) ==
        "line 1, column 1: ums_id_ is selected twice");
}

TEST_CASE("a system column that is null is an error, not a lost row") {
  bad_row_map bad;
  auto query = opened("select max(ums_id_) as ums_id_, max(ums_ts_) as ums_ts_, 'i' as ums_op_, "
                      "count(*) as n from orders where qty > 100");
  auto out = query->run(batch_of(wide, {{"1", "1", "", "[]"}}), bad);
  REQUIRE(!out);
  CHECK(out.error().text().find("a row whose ums_id_ is null") != std::string::npos);
}

TEST_CASE("a column that is handed on keeps all that the schema says about it") {
  for (std::string text :
       {"select * from orders", "select id, qty, note, tags from orders",
        "select o.id, o.qty, o.Note, o.tags from orders o", "select * from (select * from orders)"})
    CHECK_MESSAGE(planned(text).fields == wide->fields, text);
  auto renamed = planned("select tags as labels, id as order_id, id from orders");
  CHECK(renamed.fields[3].type == type::jsonarray);
  CHECK(renamed.fields[3].native == "jsonb");
  CHECK(renamed.fields[4].key);
  CHECK(!renamed.fields[5].key);
}

TEST_CASE("a computed column keeps nothing, even under an old name") {
  for (std::string text :
       {"select id + 0 as id from orders", "select * replace (id + 0 as id) from orders",
        "select columns(*) from (select id + 1 as id, ums_id_, ums_ts_, ums_op_ from orders) o",
        "select id % 10 as id, * exclude (id) from orders"}) {
    auto made = planned(text);
    auto id = made.fields[*made.find("id")];
    if (text.find("columns") == std::string::npos)
      CHECK_MESSAGE((!id.key && id.native.empty() && id.nullable), text);
    CHECK(id.type == type::long_);
  }
}

TEST_CASE("unknown columns, functions and types are refused at their place") {
  auto begins = [](const std::string& query, const std::string& with) {
    auto why = refusal(query, *wide);
    CHECK_MESSAGE(why.rfind(with, 0) == 0, why);
  };
  begins("select id,\n       foo from orders",
         "line 2, column 8: Referenced column \"foo\" not found in FROM clause!");
  begins("select 'ü', foo from orders", "line 1, column 13: Referenced column \"foo\"");
  begins("select nosuch(id) from orders",
         "line 1, column 8: Scalar Function with name nosuch does not exist!");
  begins("select id::nosuchtype from orders", "line 1, column");
  begins("select id from orders where note > date '2020-13-01'", "line 1, column");
  begins("select id || [1] from orders", "line 1, column");
  begins(
      "select id from invoices",
      "line 1, column 16: there is no table \"invoices\"; the batch is named \"orders\" and batch");
  begins("select id from batch b join x.y on true", "line 1, column");
  begins("select id from 'data.csv'", "line 1, column 16: there is no table \"data.csv\"");
  begins("select qty as a, id as a from orders",
         "line 1, column 1: two columns of the result are named \"a\"");
  begins("with orders as (select * from batch) select * from orders",
         "line 1, column 6: WITH hides the batch's own name \"orders\"");
  begins("select 1 as x", "line 1, column 1: the query reads no table");
  begins("select a.id from a, b", "line 1, column 21: the query reads \"a\" and \"b\"");
}

TEST_CASE("columns that differ only in case are refused, since SQL cannot tell them apart") {
  auto twins =
      schema_of({{.name = "id", .type = type::long_}, {.name = "ID", .type = type::long_}});
  CHECK(refusal("select * from batch", *twins).find("differ only in case") != std::string::npos);
}

TEST_CASE("a refused schema leaves the query usable") {
  auto query = opened("select qty from batch");
  CHECK(!query->prepare(*schema_of({{.name = "x", .type = type::int_}})));
  CHECK(query->prepare(*wide));
}
