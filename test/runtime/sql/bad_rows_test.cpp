#include "test/runtime/sql/fixture.hpp"

#include <random>
#include <set>

using namespace rtdp;
using namespace rtdp::sql;
using namespace rtdp::sql::test;

namespace {

const auto texts = schema_of({{.name = "v", .type = ums::type::string}});

ums::batch_ptr run_with_bad(const std::string& text, const ums::batch_ptr& input,
                            bad_row_map& bad) {
  auto out = opened(text)->run(input, bad);
  REQUIRE_MESSAGE(bool(out), (out ? "" : out.error().text()));
  return *out;
}

} // namespace

TEST_CASE("a row whose cast fails is set aside with the reason, the others come out in order") {
  bad_row_map bad;
  auto out = run_with_bad("select v::int as n from batch",
                          batch_of(texts, {{"1"}, {"two"}, {"3"}, {"4"}, {""}}), bad);
  CHECK(cells_of(*out) == "1;3;4");
  REQUIRE(bad.size() == 2);
  CHECK_MESSAGE(bad[1].find("Could not convert string 'two' to INT32") != std::string::npos,
                bad[1]);
  CHECK(bad.count(4) == 1);
}

TEST_CASE("an overflow in one row is that row's own") {
  bad_row_map bad;
  auto schema = schema_of({{.name = "n", .type = ums::type::long_}});
  auto out = run_with_bad("select n * 2 as n from batch",
                          batch_of(schema, {{"1"}, {"9223372036854775807"}, {"3"}}), bad);
  CHECK(cells_of(*out) == "2;6");
  REQUIRE(bad.size() == 1);
  CHECK_MESSAGE(bad[1].find("Overflow") != std::string::npos, bad[1]);
}

TEST_CASE("random bad rows in a large batch are found, all and only they") {
  auto seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  auto input = std::make_shared<ums::batch>(texts);
  std::set<size_t> expected;
  for (size_t i = 0; i < 10'000; ++i) {
    append_system(*input, int64_t(i));
    bool is_bad = random() % 500 == 0;
    if (is_bad)
      expected.insert(i);
    input->columns[3].append_text(is_bad ? "bad" : std::to_string(i));
  }
  bad_row_map bad;
  auto out = run_with_bad("select v::bigint as v from batch", input, bad);
  std::set<size_t> found;
  for (const auto& [row, why] : bad)
    found.insert(row);
  CHECK(found == expected);
  REQUIRE(out->rows() == 10'000 - expected.size());
  CHECK(std::equal(out->ids().begin(), out->ids().end(), out->columns[3].ints().begin()));
}

TEST_CASE("a decimal that does not fit makes a bad row only when the query uses it") {
  auto schema = schema_of({{.name = "id", .type = ums::type::long_},
                           {.name = "d", .type = ums::type::decimal, .native = "numeric(5,2)"}});
  auto input = batch_of(schema, {{"1", "1.00"},
                                 {"2", "NaN"},
                                 {"3", "1.005"},
                                 {"4", "1000"},
                                 {"5", "Infinity"},
                                 {"6", std::nullopt}});
  bad_row_map bad;
  CHECK(cells_of(*run_with_bad("select id from batch", input, bad)) == "1;2;3;4;5;6");
  CHECK(bad.empty());
  CHECK(cells_of(*run_with_bad("select id, d from batch", input, bad)) == "1,1.00;6,null");
  CHECK(bad.size() == 4);
  CHECK(bad[2] == "column d: '1.005' does not fit DECIMAL(5,2) exactly");
}

TEST_CASE("cells outside their type make bad rows") {
  auto schema = schema_of({{.name = "i", .type = ums::type::int_},
                           {.name = "d", .type = ums::type::date},
                           {.name = "s", .type = ums::type::string}});
  auto input = batch_of(schema, {{"2147483648", "0", "a"},
                                 {"1", "2147483647", "a"},
                                 {"1", "0", "\xc3"},
                                 {"2", "0", "\xa9"},
                                 {"3", "0", "é"}});
  bad_row_map bad;
  CHECK(cells_of(*run_with_bad("select * from batch", input, bad)) == "3,0,é");
  REQUIRE(bad.size() == 4);
  CHECK(bad[0] == "column i: 2147483648 does not fit INTEGER");
  CHECK(bad[1] == "column d: 2147483647 days from 1970 do not fit DATE");
  CHECK(bad[2] == "column s: the text is not valid UTF-8");
}

TEST_CASE("unfit cells and failing expressions in one batch are both set aside") {
  auto schema =
      schema_of({{.name = "i", .type = ums::type::int_}, {.name = "s", .type = ums::type::string}});
  auto input = batch_of(schema, {{"1", "10"}, {"2147483648", "20"}, {"3", "x"}, {"4", "40"}});
  bad_row_map bad;
  CHECK(cells_of(*run_with_bad("select i + s::int as n from batch", input, bad)) == "11;44");
  CHECK(bad.size() == 2);
}

TEST_CASE("when all rows are bad, nothing comes out and all are reported") {
  rows data(300, {"x"});
  bad_row_map bad;
  CHECK(run_with_bad("select v::int as n from batch", batch_of(texts, data), bad)->rows() == 0);
  CHECK(bad.size() == 300);
}

TEST_CASE("rows that fail only together are all set aside") {
  auto schema = schema_of({{.name = "n", .type = ums::type::long_}});
  bad_row_map bad;
  auto out =
      run_with_bad("select max(ums_id_) as ums_id_, max(ums_ts_) as ums_ts_, 'i' as ums_op_, "
                   "(sum(n)::bigint) as total from batch",
                   batch_of(schema, {{"9223372036854775807"}, {"9223372036854775807"}}), bad);
  CHECK(out->rows() == 0);
  CHECK(bad.size() == 2);
}

TEST_CASE("the query is usable after bad rows") {
  auto query = opened("select v::int as n from batch");
  bad_row_map bad;
  REQUIRE(bool(query->run(batch_of(texts, {{"x"}, {"1"}}), bad)));
  CHECK(bad.size() == 1);
  CHECK(cells_of(*ran(*query, batch_of(texts, {{"5"}}))) == "5");
}
