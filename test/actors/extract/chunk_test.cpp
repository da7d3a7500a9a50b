#include "actors/extract/collector.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

namespace {

const ums::ns orders{"postgres", "shop", "public", "orders"};
const std::vector<ums::field> columns = {{.name = "id", .type = ums::type::long_, .key = true},
                                         {.name = "name", .type = ums::type::string}};

ums::batch three_rows() {
  ums::batch b{std::make_shared<ums::schema>(schema_of(orders, columns))};
  for (int64_t id : {1, 2, 3}) {
    b.columns[3].append_int(id);
    b.columns[4].append_text("n" + std::to_string(id));
  }
  return b;
}

} // namespace

TEST_CASE("a chunk takes the next ids and stands between the rows around it") {
  collector out{100};
  auto h = out.table(orders, columns);
  auto add = [&](int64_t id) {
    auto& b = out.row(h, 'u', 5);
    b.columns[3].append_int(id);
    b.columns[4].append_text("x");
  };
  add(7);
  out.chunk(h, three_rows(), {}, 9);
  add(8);
  auto t = out.take();
  REQUIRE(t.batches.size() == 3);
  CHECK(t.rows == 5);
  const auto& chunk = t.batches[1];
  CHECK(chunk.kind == ums::protocol::initial_data);
  CHECK(std::vector<int64_t>(chunk.ids().begin(), chunk.ids().end()) ==
        std::vector<int64_t>{101, 102, 103});
  CHECK(chunk.timestamps()[2] == 9);
  CHECK(chunk.op(0) == 'i');
  CHECK(t.batches[2].ids()[0] == 104);
}

TEST_CASE("rows of a chunk that were changed in between are left out without an id") {
  collector out{1};
  auto h = out.table(orders, columns);
  out.chunk(h, three_rows(), {true, false, true}, 9);
  out.chunk(h, three_rows(), {false, false, false}, 9);
  auto t = out.take();
  REQUIRE(t.batches.size() == 1);
  CHECK(t.batches[0].rows() == 2);
  CHECK(t.batches[0].columns[4].text(1) == "n3");
  CHECK(out.next_id() == 3);
}

TEST_CASE("a chunk whose position must be stored first fills the collector until it is taken") {
  collector out{1};
  auto h = out.table(orders, columns);
  CHECK_FALSE(out.full());
  out.chunk(h, three_rows(), {}, 9);
  out.commit_and_settle("behind the chunk");
  CHECK(out.full());
  auto t = out.take();
  CHECK(t.settle);
  CHECK(t.position == "behind the chunk");
  CHECK(t.next_id == 4);
  CHECK_FALSE(out.full());
  CHECK_FALSE(out.take().settle);
}

TEST_CASE("rows of the log get their ids again, and pass by those of a chunk that was not settled") {
  collector out{10};
  auto h = out.table(orders, columns);
  auto log_row = [&] {
    auto& b = out.row(h, 'u', 5);
    b.columns[3].append_int(1);
    b.columns[4].append_text("x");
    return b.ids().back();
  };
  // The bus holds 10, 11 of the log, a chunk with 12 to 15, 16 of the log, a chunk with 17 to 20.
  out.pass_by({{12, 15}, {17, 20}}, 20);
  CHECK(log_row() == 10);
  CHECK(log_row() == 11);
  CHECK(log_row() == 16);
  CHECK(log_row() == 21);
  CHECK(log_row() == 22);
}

TEST_CASE("a chunk that is read again gets ids behind all that the bus holds") {
  collector out{10};
  auto h = out.table(orders, columns);
  out.pass_by({{12, 15}}, 20);
  out.chunk(h, three_rows(), {}, 9);
  CHECK(out.next_id() == 24);
  out.truncate(orders, 9);
  CHECK(out.next_id() == 25);

  // A sweep ends a snapshot, and is not given again as it was either.
  collector sweeping{10};
  sweeping.pass_by({}, 20);
  sweeping.truncate(orders, 9);
  CHECK(sweeping.next_id() == 11);
  sweeping.sweep(orders, 9, 5);
  CHECK(sweeping.next_id() == 22);
}

TEST_CASE("ids that are left out after a lost position are behind all that the bus holds") {
  collector out{10};
  out.pass_by({}, 2000);
  out.skip_ids(5);
  CHECK(out.next_id() == 2001);
  out.skip_ids(5);
  CHECK(out.next_id() == 2006);
}

} // namespace rtdp::extract
