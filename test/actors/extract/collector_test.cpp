#include "actors/extract/collector.hpp"

#include <doctest/doctest.h>

#include <random>

namespace {

using namespace rtdp;
using extract::collector;
using ums::protocol;

constexpr size_t first = ums::system_columns;

ums::ns name(const std::string& table, const std::string& version = "0") {
  return {"postgres", "shop", "public", table, version};
}

std::vector<ums::field> id_and_text() {
  return {{.name = "id", .type = ums::type::long_, .key = true},
          {.name = "note", .type = ums::type::string}};
}

void add(collector& c, collector::handle h, char op, int64_t id, std::string_view note) {
  auto& b = c.row(h, op, 1000 + id);
  b.columns[first].append_int(id);
  b.columns[first + 1].append_text(note);
}

std::vector<int64_t> ids(const ums::batch& b) { return {b.ids().begin(), b.ids().end()}; }

} // namespace

TEST_CASE("rows get consecutive ids and the system columns in front") {
  collector c(41);
  auto h = c.table(name("orders"), id_and_text());
  add(c, h, 'i', 1, "one");
  add(c, h, 'd', 1, "");
  CHECK(c.rows() == 2);
  auto taken = c.take();
  REQUIRE(taken.batches.size() == 1);
  auto& b = taken.batches[0];
  CHECK(b.schema->name == name("orders"));
  CHECK(b.schema->fields.size() == 5);
  CHECK(b.schema->fields[0].name == "ums_id_");
  CHECK(b.schema->fields[2].name == "ums_op_");
  CHECK(b.schema->keys() == std::vector<std::string>{"id"});
  CHECK(ids(b) == std::vector<int64_t>{41, 42});
  CHECK(b.timestamps()[0] == 1001);
  CHECK(b.op(0) == 'i');
  CHECK(b.op(1) == 'd');
  CHECK(b.columns[first + 1].text(0) == "one");
  CHECK(taken.rows == 2);
  CHECK(c.next_id() == 43);
  CHECK(c.rows() == 0);
  CHECK(c.bytes() == 0);
}

TEST_CASE("a before-image shares the id of the update that follows it") {
  collector c(1);
  auto h = c.table(name("orders"), id_and_text());
  add(c, h, 'b', 7, "old");
  add(c, h, 'u', 7, "new");
  add(c, h, 'i', 8, "next");
  auto taken = c.take();
  CHECK(ids(taken.batches[0]) == std::vector<int64_t>{1, 1, 2});
}

TEST_CASE("interleaved tables grow their own batch") {
  collector c(1);
  auto a = c.table(name("a"), id_and_text());
  auto b = c.table(name("b"), id_and_text());
  for (int i = 0; i < 100; ++i) {
    add(c, a, 'i', i, "x");
    add(c, b, 'i', i, "y");
  }
  auto taken = c.take();
  REQUIRE(taken.batches.size() == 2);
  CHECK(taken.batches[0].rows() == 100);
  CHECK(taken.batches[1].rows() == 100);
  CHECK(taken.batches[1].ids()[99] == 200);
}

TEST_CASE("another column set or version of a table opens a batch behind the former") {
  collector c(1);
  auto whole = c.table(name("a"), id_and_text());
  auto part = c.table(name("a"), {id_and_text()[0]});
  auto next = c.table(name("a", "1"), id_and_text());
  CHECK(whole != part);
  CHECK(c.table(name("a"), id_and_text()) == whole);
  CHECK(c.table(name("a", "1"), id_and_text()) == next);
  CHECK(c.table(name("a"), id_and_text(), 5) != whole);
  add(c, whole, 'i', 1, "x");
  c.row(part, 'u', 0).columns[first].append_int(1);
  add(c, whole, 'i', 2, "x");
  add(c, next, 'i', 3, "x");
  add(c, next, 'i', 4, "x");
  auto taken = c.take();
  REQUIRE(taken.batches.size() == 4);
  CHECK(ids(taken.batches[0]) == std::vector<int64_t>{1});
  CHECK(ids(taken.batches[1]) == std::vector<int64_t>{2});
  CHECK(ids(taken.batches[2]) == std::vector<int64_t>{3});
  CHECK(ids(taken.batches[3]) == std::vector<int64_t>{4, 5});
}

TEST_CASE("rows of a snapshot and of changes do not share a batch") {
  collector c(1);
  auto h = c.table(name("a"), id_and_text());
  auto& b = c.row(h, 'i', 0, protocol::initial_data);
  b.columns[first].append_int(1);
  b.columns[first + 1].append_null();
  add(c, h, 'i', 2, "x");
  auto taken = c.take();
  REQUIRE(taken.batches.size() == 2);
  CHECK(taken.batches[0].kind == protocol::initial_data);
  CHECK(taken.batches[1].kind == protocol::increment_data);
}

TEST_CASE("truncate and termination take an id, carry no business columns and end the batch before") {
  collector c(1);
  auto h = c.table(name("a"), id_and_text());
  add(c, h, 'i', 1, "x");
  c.truncate(name("a"), 55);
  add(c, h, 'i', 2, "x");
  c.terminate(name("a"), 57);
  auto taken = c.take();
  REQUIRE(taken.batches.size() == 4);
  auto& truncated = taken.batches[1];
  CHECK(truncated.kind == protocol::increment_truncate);
  CHECK(truncated.schema->fields.size() == 2);
  CHECK(truncated.ids()[0] == 2);
  CHECK(truncated.timestamps()[0] == 55);
  CHECK(taken.batches[2].ids()[0] == 3);
  CHECK(taken.batches[3].kind == protocol::increment_termination);
  CHECK(c.next_id() == 5);
}

TEST_CASE("a spoiled row becomes a dead letter and its id stays used") {
  collector c(1);
  auto h = c.table(name("a"), id_and_text());
  add(c, h, 'i', 1, "x");
  c.row(h, 'i', 0).columns[first].append_int(2);
  c.spoil("column note: not UTF-8", "\xff");
  add(c, h, 'i', 3, "z");
  auto taken = c.take();
  REQUIRE(taken.batches.size() == 1);
  CHECK(ids(taken.batches[0]) == std::vector<int64_t>{1, 3});
  CHECK(taken.batches[0].columns[first + 1].text(1) == "z");
  REQUIRE(taken.bad.size() == 1);
  CHECK(taken.bad[0].table == name("a"));
  CHECK(taken.bad[0].bytes == "\xff");
  CHECK(taken.rows == 2);
}

TEST_CASE("a batch whose only row was spoiled is not handed over") {
  collector c(1);
  auto h = c.table(name("a"), id_and_text());
  c.row(h, 'i', 0);
  c.spoil("why", "what");
  auto taken = c.take();
  CHECK(taken.batches.empty());
  CHECK(taken.bad.size() == 1);
}

TEST_CASE("a spoiled update takes its before-image with it") {
  collector c(1);
  auto h = c.table(name("a"), id_and_text());
  add(c, h, 'i', 1, "x");
  auto before = c.bytes();
  add(c, h, 'b', 1, "x");
  c.row(h, 'u', 0);
  c.spoil("why", "");
  CHECK(c.rows() == 1);
  add(c, h, 'i', 2, "y");
  CHECK(c.bytes() > before);
  auto taken = c.take();
  CHECK(ids(taken.batches[0]) == std::vector<int64_t>{1, 3});
}

TEST_CASE("a position is handed over once with the id that follows it") {
  collector c(10);
  auto h = c.table(name("a"), id_and_text());
  add(c, h, 'i', 1, "x");
  c.commit("at 1");
  add(c, h, 'i', 2, "x");
  auto taken = c.take();
  CHECK(taken.position == "at 1");
  CHECK(taken.next_id == 11);
  CHECK(c.take().position.empty());
  c.skip_ids(1000);
  c.commit("at 2");
  taken = c.take();
  CHECK(taken.position == "at 2");
  CHECK(taken.next_id == 1012);
}

TEST_CASE("the collector is full by rows, by bytes and by dead letters") {
  collector by_rows(1, 3, 1 << 20);
  auto h = by_rows.table(name("a"), id_and_text());
  for (int i = 0; i < 3; ++i) {
    CHECK(!by_rows.full());
    add(by_rows, h, 'i', i, "");
  }
  CHECK(by_rows.full());
  by_rows.take();
  CHECK(!by_rows.full());

  collector by_bytes(1, 1000, 1000);
  h = by_bytes.table(name("a"), id_and_text());
  add(by_bytes, h, 'i', 1, std::string(1000, 'x'));
  CHECK(by_bytes.full());

  collector by_letters(1, 1000, 1000);
  h = by_letters.table(name("a"), id_and_text());
  by_letters.row(h, 'i', 0);
  by_letters.spoil("why", std::string(1000, 'x'));
  CHECK(by_letters.full());
}

TEST_CASE("whatever the mix of calls, bytes are the bytes of the batches and ids only grow") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  collector c(1);
  std::vector<collector::handle> handles;
  for (auto table : {"a", "b", "c"}) {
    handles.push_back(c.table(name(table), id_and_text()));
    handles.push_back(c.table(name(table, "1"), id_and_text()));
  }
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 200; ++i) {
      auto h = handles[random() % handles.size()];
      if (random() % 10 == 0)
        add(c, h, 'b', i, std::string(random() % 50, 'b'));
      add(c, h, 'u', i, std::string(random() % 50, 'x'));
    }
    auto bytes = c.bytes();
    size_t sum = 0, rows = 0;
    std::map<std::string, int64_t> last_id;
    auto taken = c.take();
    for (auto& b : taken.batches) {
      sum += b.bytes();
      rows += b.rows();
      for (auto id : b.ids()) {
        auto& last = last_id[b.schema->name[ums::ns::table]];
        CHECK(id >= last);
        last = id;
      }
    }
    CHECK(bytes == sum);
    CHECK(rows == taken.rows);
  }
}
