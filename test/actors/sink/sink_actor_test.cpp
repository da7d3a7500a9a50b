#include "actors/sink/sink_actor.hpp"
#include "test/actors/sink/orders.hpp"
#include "test/support/deterministic.hpp"
#include "test/support/flaky_sink.hpp"
#include "test/support/probe.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

namespace rtdp::sink::test {

namespace {

using namespace std::chrono_literals;
using runtime::write_receipt;
namespace atom = runtime::atom;

struct around_sink {
  rtdp::test::temp_folder folder;
  rtdp::test::flaky_store store;
  rtdp::test::deterministic system;
  rtdp::test::surroundings around{system};
  runtime::sink_actor sink;

  around_sink() {
    auto work =
        std::make_shared<sink::writer>(writer_settings{"orders", folder.path()}, store.make());
    sink = system.spawn(sink_actor, around.env, std::string("orders"), std::string("dw.orders"),
                        std::string("flaky"), work);
  }
  /// Opened, and nothing noted before.
  void open() {
    REQUIRE(system.ask<std::string>(sink, atom::open_v, int64_t{0})->value);
    store.calls.clear();
  }
  auto write(int64_t offset, const std::vector<int64_t>& ids) {
    return system.ask<write_receipt>(sink, atom::write_v, order_of(offset, ids));
  }
  runtime::report told() const { return around.last("sink", "dw.orders"); }
};

} // namespace

TEST_CASE("SINK answers open when the store comes back, and says meanwhile what it waits for") {
  around_sink t;
  t.store.failing_connects = 5;
  auto opened = t.system.ask<std::string>(t.sink, atom::open_v, int64_t{0});
  CHECK_FALSE(opened->arrived());
  CHECK(t.told().state == "starting");
  CHECK(t.told().reason == "connection refused");
  std::vector<int64_t> tried_at = {0};
  for (int64_t ms = 10; ms <= 6000 && !opened->arrived(); ms += 10) {
    auto before = t.store.connects;
    t.system.advance(10ms, 10ms);
    if (t.store.connects > before)
      tried_at.push_back(ms);
  }
  REQUIRE(opened->value);
  CHECK(opened->value->empty());
  CHECK(t.told().state == "running");
  CHECK(t.told().reason.empty());
  CHECK(t.told().figures["epoch"] == 1);
  // 100 ms doubled each time, less up to a quarter.
  REQUIRE(tried_at.size() == 6);
  for (size_t i = 1; i < tried_at.size(); ++i) {
    auto waited = tried_at[i] - tried_at[i - 1], most = int64_t{100} << (i - 1);
    CHECK(waited <= most + 10);
    CHECK(waited >= most * 3 / 4 - 10);
  }
  CHECK(t.around.env.metrics->retries({.sink = "dw.orders"}).Value() == 5);
}

TEST_CASE("SINK keeps the order of its orders, and takes the fence before the one that broke") {
  around_sink t;
  t.open();
  t.store.failing_call = 2;
  auto first = t.write(0, {1, 2});
  auto second = t.write(1, {3, 4});
  auto third = t.write(2, {5});
  auto last = t.system.ask<bool>(t.sink, atom::advance_v, progress_of(4, 5).text());
  CHECK(first->value);
  CHECK_FALSE(second->arrived());
  CHECK_FALSE(third->arrived());
  CHECK_FALSE(last->arrived());
  t.system.advance(200ms);
  CHECK(second->value);
  CHECK(third->value);
  CHECK(last->value);
  CHECK(t.store.calls == lines{"write 1..2", "write 3..4", "connect", "take 1", "write 3..4",
                               "write 5..5", "advance"});
  CHECK(t.store.progress["orders"] == progress_of(4, 5).text());
  CHECK(t.told().state == "running");
}

TEST_CASE("SINK waits longer each time while reconnecting helps but writing does not") {
  around_sink t;
  t.open();
  // Call 1 is the write; then connect is not counted, take is 1 and the write 2.
  t.store.failing_call = 1;
  auto answer = t.write(0, {1});
  std::vector<int64_t> waits;
  for (int64_t ms = 0; waits.size() < 4 && ms < 10'000; ms += 10) {
    t.store.failing_call = 2;
    auto before = t.store.writes;
    t.system.advance(10ms, 10ms);
    if (t.store.writes > before)
      waits.push_back(ms);
  }
  REQUIRE(waits.size() == 4);
  CHECK(waits[3] - waits[2] > 3 * (waits[1] - waits[0]) / 2);
  CHECK_FALSE(answer->arrived());
  t.store.failing_call = 0;
  t.system.advance(3s);
  CHECK(answer->value);
}

TEST_CASE("a fenced SINK ends its order and is counted") {
  around_sink t;
  t.open();
  t.store.epochs["orders"] = 7;
  auto answer = t.write(0, {1});
  CHECK(answer->error == ec::fenced);
  CHECK(answer->error.text() == "epoch 7 owns the table");
  CHECK(t.store.rows.empty());
  CHECK(t.told().state == "failed");
  CHECK(t.around.env.metrics->fenced_writes({"orders"}).Value() == 1);
  CHECK(t.around.env.metrics->errors({.sink = "dw.orders"}).Value() == 1);
}

TEST_CASE("a SINK that is fenced while it reconnects ends the order that waits") {
  around_sink t;
  t.open();
  t.store.failing_call = 1;
  auto answer = t.write(0, {1});
  CHECK_FALSE(answer->arrived());
  t.store.epochs["orders"] = 7;
  t.system.advance(200ms);
  CHECK(answer->error == ec::fenced);
  CHECK(t.store.rows.empty());
}

TEST_CASE("behind an order that failed nothing is written: its progress would pass it by") {
  around_sink t;
  t.open();
  t.store.failing_call = 1;
  auto first = t.write(0, {1, 2});
  auto second = t.write(1, {3});
  auto third = t.system.ask<bool>(t.sink, atom::advance_v, progress_of(9, 9).text());
  t.store.table = rejected("column qty is missing");
  t.system.advance(200ms);
  CHECK(first->error == ec::rejected);
  t.store.table = {};
  CHECK(second->error == ec::rejected);
  CHECK(third->error == ec::rejected);
  CHECK(t.write(2, {4})->error == ec::rejected);
  CHECK(t.store.rows.empty());
  CHECK(t.store.progress["orders"].empty());
  t.open();
  CHECK(t.write(0, {1, 2})->value);
}

TEST_CASE("SINK counts rows and dead letters in its report and in the metrics") {
  around_sink t;
  t.store.bad = {2};
  t.open();
  auto receipt = t.write(0, {1, 2, 3});
  REQUIRE(receipt->value);
  CHECK(receipt->value->rows == 2);
  CHECK(receipt->value->dead_letters == 1);
  CHECK(t.around.env.metrics->rows_out({.sink = "dw.orders"}).Value() == 2);
  CHECK(t.around.env.metrics->dead_letters({.flow = "orders"}).Value() == 1);
}

} // namespace rtdp::sink::test
