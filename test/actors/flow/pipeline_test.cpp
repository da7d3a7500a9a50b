#include "actors/flow/pipeline.hpp"
#include "test/actors/flow/rows.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iostream>
#include <random>

using namespace rtdp;
using namespace rtdp::flow;
using namespace rtdp::test;

namespace {

using strings = std::vector<std::string>;

std::unique_ptr<step> sql(const std::string& text) {
  auto all = kinds();
  auto at = std::find_if(all.begin(), all.end(), [](auto& k) { return k.spec.name == "sql"; });
  REQUIRE(at != all.end());
  auto settings = at->spec.defaults();
  settings.values["sql"] = text;
  return at->make(settings);
}

pipeline made(const strings& steps, pipeline_settings how = {}) {
  std::vector<std::unique_ptr<step>> all;
  for (const auto& text : steps)
    all.push_back(sql(text));
  return {std::move(how), std::move(all)};
}

int64_t applied_of(const state::progress& p) {
  return p.applied(orders_name().text(), "rtdp.shop/0");
}

using orders_out = std::vector<runtime::write_order>;

orders_out processed(pipeline& p, const runtime::delivery& d) {
  auto out = p.process(d);
  REQUIRE_MESSAGE(bool(out), out.error().text());
  return *out;
}

strings shown_all(const orders_out& all) {
  strings out;
  for (const auto& o : all)
    out.push_back(shown(o.data));
  return out;
}

} // namespace

TEST_CASE("rows go through as they are when there are no steps") {
  auto p = made({});
  auto rows = orders({{1, 'i', 7, "5"}, {2, 'd', 7}});
  auto out = processed(p, delivered(rows, 4));
  REQUIRE(out.size() == 1);
  CHECK(out[0].data == rows);
  CHECK(out[0].origin.data == rows);
  CHECK(out[0].before == state::progress{});
  CHECK(out[0].after.offsets.at("rtdp.shop/0") == 4);
  CHECK(applied_of(out[0].after) == 2);
  CHECK(p.progress() == out[0].after);
}

TEST_CASE("what was applied before is dropped by its ids, in another batch and within one") {
  auto p = made({});
  state::progress stored;
  stored.ids[orders_name().text()] = 10;
  p.restore(stored);
  CHECK(processed(p, delivered(orders({{9, 'i', 1, "1"}, {10, 'u', 1, "2"}}), 3)).empty());
  CHECK(p.progress().offsets.at("rtdp.shop/0") == 3);
  auto out = processed(p, delivered(orders({{10, 'u', 1, "2"},
                                            {11, 'u', 1, "3"},
                                            {12, 'i', 2, "1"},
                                            {11, 'u', 1, "3"},
                                            {12, 'i', 2, "1"},
                                            {13, 'i', 3, "1"}}),
                                    5));
  CHECK(shown_all(out) == strings{"u 11 3, i 12 1, i 13 1"});
  CHECK(applied_of(p.progress()) == 13);
}

TEST_CASE("each table has its own watermark") {
  auto p = made({});
  processed(p, delivered(orders({{9, 'i', 1, "1"}}), 1));
  auto other = batch_of(orders_schema("returns"), {{5, 'i', 1, "1"}});
  CHECK(shown_all(processed(p, delivered(other, 2))) == strings{"i 5 1"});
}

TEST_CASE("before-images are left out") {
  auto p = made({});
  auto out = processed(p, delivered(orders({{1, 'b', 1, "1"}, {2, 'u', 1, "2"}}), 1));
  CHECK(shown_all(out) == strings{"u 2 2"});
}

TEST_CASE("a mark moves the offset and nothing else") {
  auto p = made({"select * from orders"});
  auto out = processed(p, delivered(sign(ums::protocol::increment_heartbeat, 99), 8));
  CHECK(out.empty());
  CHECK(p.progress().offsets.at("rtdp.shop/0") == 8);
  CHECK(p.progress().ids.empty());
}

TEST_CASE("a truncate is applied once, in the order of the ids") {
  auto p = made({"select * from orders where qty <> ''"});
  auto truncate = sign(ums::protocol::increment_truncate, 5);
  processed(p, delivered(orders({{4, 'i', 1, "1"}}), 1));
  auto out = processed(p, delivered(truncate, 2));
  REQUIRE(out.size() == 1);
  CHECK(out[0].data == truncate);
  CHECK(applied_of(out[0].after) == 5);
  processed(p, delivered(orders({{6, 'i', 2, "1"}}), 3));
  CHECK(processed(p, delivered(truncate, 2)).empty());
}

TEST_CASE("a sweep reaches the target once, unless that appends or holds other tables too") {
  auto schema = std::make_shared<ums::schema>();
  schema->name = orders_name();
  schema->fields = {{.name = "ums_id_", .type = ums::type::long_},
                    {.name = "ums_ts_", .type = ums::type::datetime},
                    {.name = "before", .type = ums::type::long_}};
  auto sweep = std::make_shared<ums::batch>(schema, ums::protocol::increment_sweep);
  for (auto& c : sweep->columns)
    c.append_int(5);
  auto p = made({"select * from orders"});
  processed(p, delivered(orders({{4, 'i', 1, "1"}}), 1));
  auto out = processed(p, delivered(sweep, 2));
  REQUIRE(out.size() == 1);
  CHECK(out[0].data == sweep);
  CHECK(processed(p, delivered(sweep, 2)).empty());

  auto shared = made({});
  processed(shared, delivered(batch_of(orders_schema("returns"), {{1, 'i', 1, "1"}}), 1));
  CHECK(processed(shared, delivered(sweep, 2)).empty());

  pipeline appending({.deletes_follow = false}, {});
  CHECK(processed(appending, delivered(sweep, 2)).empty());

  // The last copy counts: rows that the snapshot met may still be on their way in a slower one.
  pipeline split({.partitions = {{"rtdp.shop", 3}}}, {});
  CHECK(processed(split, delivered(sweep, 2, "rtdp.shop/1")).empty());
  CHECK(processed(split, delivered(sweep, 2, "rtdp.shop/0")).empty());
  processed(split, delivered(orders({{4, 'i', 1, "1"}}), 1, "rtdp.shop/2"));
  CHECK(processed(split, delivered(sweep, 2, "rtdp.shop/2")).size() == 1);
  CHECK(processed(split, delivered(sweep, 2, "rtdp.shop/2")).empty());
}

TEST_CASE("each partition of a topic has its own watermark, since their ids interleave") {
  auto p = made({});
  CHECK(shown_all(processed(p, delivered(orders({{1, 'i', 1, "1"}, {9, 'i', 2, "1"}}), 2))) ==
        strings{"i 1 1, i 9 1"});
  auto other = orders({{2, 'i', 3, "1"}, {7, 'i', 4, "1"}});
  CHECK(shown_all(processed(p, delivered(other, 2, "rtdp.shop/1"))) == strings{"i 2 1, i 7 1"});
  CHECK(processed(p, delivered(other, 2, "rtdp.shop/1")).empty());
}

TEST_CASE("a watermark stored before there were partitions holds for every partition") {
  auto p = made({});
  auto stored = state::progress::parse(
      R"({"offsets":{"rtdp.shop/0":4},"ids":{")" + orders_name().text() + R"(":10}})");
  REQUIRE(stored);
  p.restore(*stored);
  for (auto partition : {"rtdp.shop/0", "rtdp.shop/1"}) {
    auto out = processed(p, delivered(orders({{10, 'i', 1, "1"}, {11, 'i', 2, "1"}}), 5, partition));
    CHECK(shown_all(out) == strings{"i 11 1"});
  }
}

TEST_CASE("the copies of a truncate count once, and no older row comes after the first") {
  auto p = made({});
  auto truncate = sign(ums::protocol::increment_truncate, 5);
  REQUIRE(processed(p, delivered(truncate, 1, "rtdp.shop/0")).size() == 1);
  CHECK(shown_all(processed(p, delivered(orders({{6, 'i', 1, "1"}}), 2, "rtdp.shop/0"))) ==
        strings{"i 6 1"});
  // Partition 1 is slower; a restart in between changes nothing.
  auto stored = state::progress::parse(p.progress().text());
  REQUIRE(stored);
  CHECK(*stored == p.progress());
  p.restore(*stored);
  CHECK(shown_all(processed(
            p, delivered(orders({{3, 'i', 2, "1"}, {4, 'd', 3}, {8, 'i', 4, "1"}}), 2,
                         "rtdp.shop/1"))) == strings{"i 8 1"});
  CHECK(processed(p, delivered(truncate, 3, "rtdp.shop/1")).empty());
  // Nor by a replay.
  CHECK(processed(p, delivered(orders({{2, 'i', 9, "1"}}), 0, "")).empty());
}

TEST_CASE("a replayed dead letter is applied whatever the watermark, and moves no offset") {
  auto p = made({});
  processed(p, delivered(orders({{9, 'i', 1, "1"}}), 5));
  auto before = p.progress();
  CHECK(shown_all(processed(p, delivered(orders({{3, 'i', 2, "2"}}), 0, ""))) == strings{"i 3 2"});
  CHECK(p.progress() == before);
}

TEST_CASE("deletes pass a row-wise step by with nothing but the key") {
  auto p = made({"select id, qty::int * 2 as twice from orders where qty::int > 0"});
  auto out = processed(p, delivered(orders({{1, 'i', 1, "5"}, {2, 'd', 2}}), 1));
  REQUIRE(out.size() == 2);
  CHECK(shown(out[0].data) == "d 2");
  REQUIRE(out[0].data->schema->fields.size() == 4);
  CHECK(out[0].data->schema->fields[3].name == "id");
  CHECK(out[0].data->columns[3].ints()[0] == 2);
  CHECK(shown(out[1].data) == "i 1");
  CHECK(out[1].data->find("twice")->ints()[0] == 10);
}

TEST_CASE("an update that a step leaves out becomes a delete") {
  auto p = made({"select id, qty from orders where qty::int > 0"});
  auto out =
      processed(p, delivered(orders({{1, 'i', 1, "0"}, {2, 'u', 2, "0"}, {3, 'u', 3, "1"}}), 1));
  CHECK(shown_all(out) == strings{"d 2", "u 3 1"});
}

TEST_CASE("where every change is appended, steps see deletes and nothing becomes one") {
  auto p = made({"select id, coalesce(qty, 'none') as qty from orders where qty is null or "
                 "qty <> '0'"},
                {.keys = {}, .deletes_follow = false});
  auto out = processed(p, delivered(orders({{1, 'u', 1, "0"}, {2, 'd', 2}, {3, 'i', 3, "4"}}), 1));
  CHECK(shown_all(out) == strings{"d 2 none, i 3 4"});
}

TEST_CASE("a flow's own keys are those of its deletes") {
  auto p = made({"select * from orders"}, {.keys = {"qty"}, .deletes_follow = true});
  auto out = processed(p, delivered(orders({{1, 'd', 4, "9"}}), 1));
  REQUIRE(out.size() == 1);
  CHECK(shown(out[0].data) == "d 1 9");
  auto wrong = made({"select * from orders"}, {.keys = {"number"}, .deletes_follow = true});
  auto refused = wrong.process(delivered(orders({{1, 'd', 4}}), 1));
  REQUIRE(!refused);
  CHECK(refused.error().text().find("key column number is not a column of") == 0);
}

TEST_CASE("a row that fails in any step is unfit, with the index of the row as it came") {
  auto p = made({"select id, qty, qty::int as n from orders where qty <> 'skip'",
                 "select id, 100 // n as share, qty::int8 // (n - 3) as y, "
                 "case when n = 4 then 'x'::int else n end as z from batch"});
  auto out = processed(p, delivered(orders({{1, 'd', 9},
                                            {2, 'i', 1, "one"},
                                            {3, 'i', 2, "skip"},
                                            {4, 'i', 3, "4"},
                                            {5, 'u', 4, "6"}}),
                                    1));
  REQUIRE(out.size() == 2);
  CHECK(shown(out[0].data) == "d 1");
  CHECK(shown(out[1].data) == "u 5");
  REQUIRE(out[1].unfit.size() == 2);
  CHECK(out[1].unfit[0].index == 1);
  CHECK(out[1].unfit[0].reason.find("step 1: ") == 0);
  CHECK(out[1].unfit[1].index == 3);
  CHECK(out[1].unfit[1].reason.find("step 2: ") == 0);
}

TEST_CASE("an update that could not be computed is no delete") {
  auto p = made({"select id, qty::int as n from orders"});
  auto out = processed(p, delivered(orders({{1, 'u', 1, "one"}}), 1));
  REQUIRE(out.size() == 1);
  CHECK(out[0].data->rows() == 0);
  CHECK(out[0].unfit.size() == 1);
}

TEST_CASE("a step that needs a column which the log left out makes unfit rows, the flow goes on") {
  auto p = made({"select id, qty from orders"});
  auto partial = batch_of(orders_schema("orders", false), {{5, 'u', 1}, {6, 'u', 2}});
  SUBCASE("after rows that had it") { processed(p, delivered(orders({{1, 'i', 1, "5"}}), 1)); }
  SUBCASE("as the first rows after a start") {}
  auto out = processed(p, delivered(partial, 2));
  REQUIRE(out.size() == 1);
  REQUIRE(out[0].unfit.size() == 2);
  CHECK(out[0].unfit[1].index == 1);
  CHECK(out[0].unfit[1].reason.find("step 1: the log did not carry every column") == 0);
  CHECK(applied_of(out[0].after) == 6);
  CHECK(shown_all(processed(p, delivered(orders({{7, 'i', 1, "5"}}), 3))) == strings{"i 7 5"});
}

TEST_CASE("only the rows that reached the step which needs the column are unfit, and once each") {
  auto p = made({"select * from orders where id > 1", "select id, qty from batch"});
  processed(p, delivered(orders({{1, 'i', 3, "5"}}), 1));
  auto partial = batch_of(orders_schema("orders", false), {{5, 'u', 1}, {6, 'u', 2}});
  auto out = processed(p, delivered(partial, 2));
  REQUIRE(out.size() == 2);
  CHECK(shown(out[0].data) == "d 5");
  REQUIRE(out[1].unfit.size() == 1);
  CHECK(out[1].unfit[0].index == 1);
}

TEST_CASE("a step that cannot work on the table stops the flow with its place") {
  auto p = made({"select id from orders", "select price from batch"});
  auto out = p.process(delivered(orders({{1, 'i', 1, "5"}}), 1));
  REQUIRE(!out);
  CHECK(out.error() == ec::rejected);
  CHECK(out.error().text().find("step 2: line 1, column 8: ") == 0);
  CHECK(p.progress() == state::progress{});
}

TEST_CASE("only the last of several orders completes the delivery") {
  auto p = made({"select * from orders"});
  processed(p, delivered(orders({{1, 'i', 1, "1"}}), 1));
  auto before = p.progress();
  auto out = processed(p, delivered(orders({{2, 'd', 1}, {3, 'i', 1, "2"}}), 2));
  REQUIRE(out.size() == 2);
  CHECK(out[0].before == before);
  CHECK(out[0].after == before);
  CHECK(out[1].before == before);
  CHECK(out[1].after == p.progress());
}

TEST_CASE("a message without system columns is refused, since its rows cannot be told apart") {
  auto schema = orders_schema();
  schema.fields.erase(schema.fields.begin());
  auto p = made({});
  ums::batch b{std::make_shared<const ums::schema>(schema)};
  b.columns[0].append_int(1);
  b.columns[1].append_text("i");
  b.columns[2].append_int(1);
  b.columns[3].append_text("1");
  auto out = p.process(delivered(std::make_shared<const ums::batch>(std::move(b)), 1));
  REQUIRE(!out);
  CHECK(out.error().text().find("ums_id_, ums_ts_ and ums_op_") != std::string::npos);
}

namespace {

/// A target as sinks keep it: the newest change of each key wins, deletes leave a tombstone.
struct target {
  struct cell {
    int64_t ums_id = 0;
    bool there = false;
    int64_t twice = 0;
  };
  std::map<int64_t, cell> rows;

  void apply(const orders_out& all) {
    for (const auto& o : all)
      for (size_t r = 0; r < o.data->rows(); ++r) {
        auto& at = rows[o.data->find("id")->ints()[r]];
        if (o.data->ids()[r] <= at.ums_id)
          continue;
        at = {o.data->ids()[r], o.data->op(r) != 'd', 0};
        if (const auto* twice = o.data->find("twice"))
          at.twice = twice->ints()[r];
      }
  }
  std::map<int64_t, int64_t> there() const {
    std::map<int64_t, int64_t> out;
    for (const auto& [id, c] : rows)
      if (c.there)
        out[id] = c.twice;
    return out;
  }
};

} // namespace

TEST_CASE("whatever happens to a table, the target holds what the query says") {
  auto seed = std::random_device{}();
  std::cout << "pipeline_test: seed " << seed << "\n";
  std::mt19937 random(seed);
  auto below = [&](int n) { return std::uniform_int_distribution<>(0, n - 1)(random); };
  auto p = made({"select id, qty::int * 2 as twice from orders where qty::int > 2"});
  std::map<int64_t, int> source;
  target into;
  std::vector<row> history;
  for (int64_t ums_id = 1; ums_id <= 3000; ++ums_id) {
    auto id = int64_t(below(20));
    auto qty = below(6);
    bool there = source.count(id) > 0;
    bool remove = there && below(3) == 0;
    if (remove)
      source.erase(id);
    else
      source[id] = qty;
    history.push_back({ums_id,
                       remove  ? 'd'
                       : there ? 'u'
                               : 'i',
                       id, remove ? std::nullopt : std::optional(std::to_string(qty))});
  }
  int64_t offset = 0;
  for (size_t first = 0; first < history.size();) {
    auto end = std::min(history.size(), first + size_t(1 + below(40)));
    // Now and then some rows come again, as after a crash of the source.
    auto from = first - std::min(first, size_t(below(4) == 0 ? below(30) : 0));
    into.apply(processed(
        p, delivered(orders({history.begin() + int64_t(from), history.begin() + int64_t(end)}),
                     ++offset)));
    first = end;
  }
  std::map<int64_t, int64_t> expected;
  for (const auto& [id, qty] : source)
    if (qty > 2)
      expected[id] = qty * 2;
  CHECK(into.there() == expected);
}
