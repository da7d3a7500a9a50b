#include "actors/flow/step.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace rtdp;
using namespace rtdp::flow;

namespace {

kind sql_kind() {
  auto all = kinds();
  auto at =
      std::find_if(all.begin(), all.end(), [](const kind& k) { return k.spec.name == "sql"; });
  REQUIRE(at != all.end());
  return *at;
}

config::section settings(const std::string& sql) {
  auto made = sql_kind().spec.defaults();
  made.values["sql"] = sql;
  return made;
}

ums::schema a_schema() {
  return {ums::ns("sqlite", "shop", "main", "orders"),
          0,
          {{.name = "ums_id_", .type = ums::type::long_},
           {.name = "ums_ts_", .type = ums::type::datetime},
           {.name = "ums_op_", .type = ums::type::string},
           {.name = "id", .type = ums::type::long_},
           {.name = "qty", .type = ums::type::string}}};
}

std::shared_ptr<ums::batch> batch_of(const std::vector<std::string>& quantities,
                                     ums::protocol kind = ums::protocol::increment_data) {
  auto made = std::make_shared<ums::batch>(std::make_shared<const ums::schema>(a_schema()), kind);
  int64_t id = 0;
  for (const auto& qty : quantities) {
    made->columns[0].append_int(++id);
    made->columns[1].append_int(0);
    made->columns[2].append_text("i");
    made->columns[3].append_int(id * 10);
    made->columns[4].append_text(qty);
  }
  return made;
}

} // namespace

TEST_CASE("the sql step's first setting is its text, so that `- sql: select …` is enough") {
  auto spec = sql_kind().spec;
  CHECK(spec.fields.front().name == "sql");
  CHECK(spec.fields.front().is_required);
}

TEST_CASE("the check accepts a good text and names the place in a bad one") {
  auto check = sql_kind().check;
  CHECK(!check(settings("select id, qty * 2 as double from orders")));
  CHECK(check(settings("select id,\n qty * from orders")).text() ==
        "line 2, column 8: syntax error at or near \"from\"");
  CHECK(check(settings("drop table orders")) == ec::rejected);
  CHECK(check(settings("select * from read_csv('x.csv')")) == ec::rejected);
}

TEST_CASE("prepare gives the schema of the output, or the place of what is unknown") {
  auto step = sql_kind().make(settings("select id, qty::int as qty from orders where qty <> ''"));
  auto schema = step->prepare(a_schema());
  REQUIRE(bool(schema));
  CHECK(schema->fields.size() == 5);
  CHECK(schema->fields[4].type == ums::type::int_);

  auto wrong = sql_kind().make(settings("select id, price from orders"))->prepare(a_schema());
  REQUIRE(!wrong);
  CHECK(wrong.error() == ec::rejected);
  CHECK(wrong.error().text().rfind("line 1, column 12: ", 0) == 0);
}

TEST_CASE("apply gives the good rows and reports the bad ones by their index") {
  auto step = sql_kind().make(settings("select id, qty::int as qty from orders"));
  bad_rows bad;
  auto out = step->apply(batch_of({"1", "one", "3"}), bad);
  REQUIRE(bool(out));
  CHECK((*out)->rows() == 2);
  CHECK((*out)->ids()[1] == 3);
  REQUIRE(bad.rows.size() == 1);
  CHECK(bad.rows[0].index == 1);
  CHECK(bad.rows[0].reason.find("'one'") != std::string::npos);
}

TEST_CASE("a mark goes through as it is, and an empty batch comes out empty") {
  auto step = sql_kind().make(settings("select id from orders"));
  bad_rows bad;
  auto mark = batch_of({"1"}, ums::protocol::increment_heartbeat);
  auto out = step->apply(mark, bad);
  REQUIRE(bool(out));
  CHECK(*out == mark);
  out = step->apply(batch_of({}), bad);
  REQUIRE(bool(out));
  CHECK((*out)->rows() == 0);
  CHECK(bad.rows.empty());
}

TEST_CASE("a step whose text is wrong says so at every call") {
  auto step = sql_kind().make(settings("select"));
  bad_rows bad;
  CHECK(!step->prepare(a_schema()));
  CHECK(!step->apply(batch_of({"1"}), bad));
}
