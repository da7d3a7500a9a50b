#include "actors/extract/extraction.hpp"
#include "runtime/core/time.hpp"
#include "test/actors/extract/stepping.hpp"
#include "test/support/leaky_bus.hpp"
#include "test/support/scripted_source.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
using ids = std::vector<int64_t>;
using positions = std::vector<std::string>;

struct place {
  test::temp_folder folder;
  test::scripted_source source;
  bool strict = false;
  std::shared_ptr<test::leaky_bus> bus = std::make_shared<test::leaky_bus>(folder.path());

  extraction make(bus::topic_options options = {}, size_t message_bytes_max = 1 << 20) {
    extraction_settings s;
    s.name = "shop";
    s.to = routing({"rtdp.shop"}, options);
    s.message_bytes_max = message_bytes_max;
    s.data_dir = folder.path();
    s.strict = strict;
    return {s, bus, [this] { return source.make(); }};
  }
  ids published() { return test::ids_in(bus->held("rtdp.shop")); }
  std::map<std::string, std::string> stored() {
    auto store = state::checkpoint_store::open(folder.path());
    REQUIRE(store);
    return *store->load("source.shop");
  }
  void forget() {
    auto store = state::checkpoint_store::open(folder.path());
    REQUIRE(store);
    REQUIRE_FALSE(store->forget("source.shop"));
  }
};

} // namespace

TEST_CASE("rows are on the bus before the position is stored, and it is before the confirm") {
  place p;
  p.source.rows = {1, 2, 3, 4};
  auto e = p.make();
  ok(e.open());
  ids seen;
  std::string position;
  p.source.at_confirm = [&] {
    seen = p.published();
    position = p.stored()["position"];
  };
  auto outcome = stepped(e);
  CHECK(outcome.rows == 3);
  CHECK(outcome.bytes > 0);
  REQUIRE(outcome.tables.size() == 1);
  CHECK(outcome.tables[0].rows == 3);
  CHECK(seen == ids{1, 2, 3});
  CHECK(position == "3");
  CHECK(p.source.confirmed == positions{"3"});
  CHECK_FALSE(e.idle());
  stepped(e);
  CHECK(e.idle());
  CHECK(e.position() == "4");
  CHECK(e.next_id() == 5);
}

TEST_CASE("after a failed flush everything behind the stored position is read again") {
  place p;
  p.source.rows = {1, 2, 3, 4, 5, 6};
  auto e = p.make();
  ok(e.open());
  stepped(e);
  p.bus->failing_flushes = 1;
  CHECK(e.step(0ms).error() == ec::unavailable);
  CHECK(p.stored()["position"] == "3");
  CHECK(p.source.confirmed == positions{"3"});
  ok(e.open());
  CHECK(p.source.opened == positions{"", "3"});
  stepped(e);
  CHECK(p.stored()["position"] == "6");
  // The same rows have the same ids, whether the first try arrived or not.
  auto all = p.published();
  CHECK(ids(all.end() - 3, all.end()) == ids{4, 5, 6});
}

TEST_CASE("ids go on where they were after a restart") {
  place p;
  p.source.rows = {1, 2, 3, 4, 5, 6};
  {
    auto e = p.make();
    ok(e.open());
    stepped(e);
  }
  auto e = p.make();
  ok(e.open());
  CHECK(e.position() == "3");
  stepped(e);
  CHECK(p.published() == ids{1, 2, 3, 4, 5, 6});
}

TEST_CASE("when the state is gone ids jump behind the last on the topic") {
  place p;
  p.source.rows = {1, 2, 3};
  {
    auto e = p.make();
    ok(e.open());
    stepped(e);
    ok(e.mark());
  }
  p.forget();
  auto e = p.make();
  ok(e.open());
  stepped(e);
  auto all = p.published();
  REQUIRE(all.size() == 6);
  CHECK(all[3] >= 3 + 1'000'000);
  CHECK(all[5] == all[3] + 2);
}

TEST_CASE("when the state is gone and the topic holds nothing any more ids still go on") {
  place p;
  p.source.rows = {1};
  p.bus->only_range = {900, 900};
  auto before = now_us();
  auto e = p.make();
  ok(e.open());
  stepped(e);
  p.bus->only_range.reset();
  CHECK(p.published().at(0) >= before);
}

TEST_CASE("rows that cannot be decoded become dead letters and keep their ids used") {
  place p;
  p.source.rows = {1, -1, 3};
  auto e = p.make();
  ok(e.open());
  auto outcome = stepped(e);
  CHECK(outcome.rows == 2);
  CHECK(outcome.dead_letters == 1);
  CHECK(p.published() == ids{1, 3});
  auto letters = state::dead_letter_store::open(p.folder.path());
  REQUIRE(letters);
  auto all = *letters->list();
  REQUIRE(all.size() == 1);
  CHECK(all[0].component == "source.shop");
  CHECK(all[0].ns == test::scripted_source::table().text());
  CHECK(all[0].reason == "not a number");
  CHECK(all[0].bytes == "raw bytes");
  CHECK(all[0].topic.empty());
  CHECK(p.stored()["position"] == "3");
}

TEST_CASE("a strict source stops at the first row that cannot be decoded, and does not pass it") {
  place p;
  p.strict = true;
  p.source.rows = {1, -1, 3};
  auto e = p.make();
  ok(e.open());
  auto stopped = e.step(0ms).error();
  CHECK(stopped == ec::rejected);
  CHECK(stopped.text().find(test::scripted_source::table().text()) != std::string::npos);
  CHECK(stopped.text().find("not a number") != std::string::npos);
  CHECK(stopped.text().find("strict: false") != std::string::npos);
  CHECK(p.published().empty());
  ok(e.open());
  CHECK(p.source.opened == positions{"", ""});
}

TEST_CASE("a mark goes behind the rows and takes no id") {
  place p;
  p.source.rows = {1, 2, 3, 4};
  auto e = p.make();
  ok(e.open());
  stepped(e);
  auto before = now_us();
  ok(e.mark());
  stepped(e);
  auto messages = p.bus->held("rtdp.shop");
  REQUIRE(messages.size() == 3);
  ums::reader decode;
  std::vector<ums::batch> marks;
  std::vector<ums::bad_row> bad;
  ok(decode.read(messages[1].value, marks, bad));
  REQUIRE(marks.size() == 1);
  CHECK(marks[0].kind == ums::protocol::increment_heartbeat);
  CHECK(marks[0].ids()[0] == 3);
  CHECK(marks[0].timestamps()[0] >= before);
  CHECK(test::ids_in({messages[2]}) == ids{4});
}

TEST_CASE("a mark of a source with a heartbeat table goes out when its row comes back, with its time") {
  place p;
  p.source.rows = {1, 2, 3, 4};
  p.source.beaten_us = 0;
  auto e = p.make();
  ok(e.open());
  stepped(e);
  auto before = now_us();
  ok(e.mark());
  REQUIRE(p.source.beats.size() == 1);
  CHECK(p.source.beats[0] >= before);
  CHECK(p.bus->held("rtdp.shop").size() == 1);
  // The row comes with the last read, whose rows are before it in the log.
  p.source.beaten_us = 12345;
  stepped(e);
  stepped(e);
  auto messages = p.bus->held("rtdp.shop");
  REQUIRE(messages.size() == 3);
  CHECK(test::ids_in({messages[1]}) == ids{4});
  ums::reader decode;
  std::vector<ums::batch> marks;
  std::vector<ums::bad_row> bad;
  ok(decode.read(messages[2].value, marks, bad));
  REQUIRE(marks.size() == 1);
  CHECK(marks[0].kind == ums::protocol::increment_heartbeat);
  CHECK(marks[0].timestamps()[0] == 12345);
}

TEST_CASE("a topic with another number of partitions is refused, whatever is on it") {
  place p;
  p.source.rows = {1};
  ok(p.bus->open());
  ok(p.bus->create_topic("rtdp.shop", {.partitions = 4}));
  auto failed = p.make().open();
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("has 4 partitions, but partitions: says 1") != std::string::npos);
}

TEST_CASE("a mark goes to every partition of its table's topic") {
  place p;
  p.source.rows = {1, 2, 3};
  auto e = p.make({.partitions = 3});
  ok(e.open());
  stepped(e);
  ok(e.mark());
  for (int32_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    auto held = p.bus->held("rtdp.shop", i);
    REQUIRE_FALSE(held.empty());
    CHECK(test::ids_in({held.back()}, ums::protocol::increment_heartbeat) == ids{3});
  }
}

TEST_CASE("what a death left on the bus is not published again, also at the very first start") {
  place p;
  p.source.rows = {1, 2, 3, 4};
  p.source.rows_a_read = 4;
  {
    // Written, but the answer was lost; then the process ends.
    auto e = p.make();
    ok(e.open());
    p.bus->answers_lost = 1;
    CHECK(e.step(0ms).error() == ec::unavailable);
  }
  CHECK(p.published() == ids{1, 2, 3, 4});
  auto e = p.make();
  ok(e.open());
  CHECK(stepped(e).rows == 0);
  // Not only one mark may stand in front of the last row.
  for (int i = 0; i < 100; ++i)
    ok(e.mark());
  p.source.rows.push_back(5);
  stepped(e);
  CHECK(p.published() == ids{1, 2, 3, 4, 5});
  CHECK(p.stored()["position"] == "5");
}

TEST_CASE("rows behind many marks are found on the bus") {
  place p;
  p.source.rows = {1, 2};
  {
    auto e = p.make();
    ok(e.open());
    stepped(e);
  }
  {
    auto e = p.make();
    ok(e.open());
    p.source.rows = {1, 2, 3, 4};
    p.bus->answers_lost = 1;
    CHECK(e.step(0ms).error() == ec::unavailable);
    // As when the store of positions cannot be written for a while, and marks go on.
    ok(e.open());
    for (int i = 0; i < 500; ++i)
      ok(e.mark());
  }
  auto e = p.make();
  ok(e.open());
  stepped(e);
  CHECK(p.published() == ids{1, 2, 3, 4});
}

TEST_CASE("a row that no message can hold is a dead letter with its message, and the stream goes on") {
  place p;
  p.source.rows = {1, 2, 3};
  p.source.place = "entry 7";
  auto e = p.make({}, 10);
  ok(e.open());
  auto outcome = stepped(e);
  CHECK(outcome.rows == 0);
  CHECK(outcome.dead_letters == 3);
  auto letters = state::dead_letter_store::open(p.folder.path());
  REQUIRE(letters);
  auto all = *letters->list();
  REQUIRE(all.size() == 3);
  CHECK(all[0].ns == test::scripted_source::table().text());
  CHECK(all[0].reason.find("bus.message_bytes_max") != std::string::npos);
  CHECK(all[0].reason.find("read at entry 7") != std::string::npos);
  bus::message kept;
  kept.value = all[0].bytes;
  CHECK(test::ids_in({kept}).size() == 1);
  CHECK(p.stored()["position"] == "3");
}

TEST_CASE("finish stores what was read") {
  place p;
  p.source.rows = {1, 2};
  auto e = p.make();
  ok(e.open());
  stepped(e);
  ok(e.finish());
  CHECK(p.stored()["position"] == "2");
  CHECK(p.stored()["next_id"] == "3");
}

TEST_CASE("a source is not idle before its snapshots are done") {
  place p;
  p.source.snapshot_done = false;
  auto e = p.make();
  CHECK_FALSE(e.idle());
  ok(e.open());
  stepped(e);
  CHECK_FALSE(e.idle());
  p.source.snapshot_done = true;
  CHECK(e.idle());
}

TEST_CASE("a stored id that is no number is refused, not read as 0") {
  place p;
  auto store = state::checkpoint_store::open(p.folder.path());
  REQUIRE(store);
  ok(store->save("source.shop", {{"position", "3"}, {"next_id", "12x"}}));
  auto failed = p.make().open();
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("12x") != std::string::npos);
}

} // namespace rtdp::extract
