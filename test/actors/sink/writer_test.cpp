#include "actors/sink/writer.hpp"
#include "test/actors/sink/orders.hpp"
#include "test/support/flaky_sink.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <numeric>

namespace rtdp::sink::test {

namespace {

using ids = std::vector<int64_t>;

ids numbers(int64_t first, int64_t last) {
  ids all(size_t(last - first + 1));
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// A flow's node: its folder and its store outlive any writer.
struct place {
  rtdp::test::temp_folder folder;
  rtdp::test::flaky_store store;

  std::unique_ptr<sink::writer> make(std::chrono::milliseconds interval = {}) {
    writer_settings s{"orders", folder.path(), interval};
    return std::make_unique<sink::writer>(std::move(s), store.make());
  }
  state::progress progress() { return parsed(store.progress["orders"]); }
  static state::progress parsed(const std::string& text) {
    auto p = state::progress::parse(text);
    REQUIRE_MESSAGE(p, p.error().text());
    return *p;
  }
  std::vector<state::dead_letter> letters() {
    auto letters = state::dead_letter_store::open(folder.path());
    REQUIRE(letters);
    return *letters->list();
  }
  std::map<std::string, std::string> checkpoint() {
    auto store_ = state::checkpoint_store::open(folder.path());
    REQUIRE(store_);
    return *store_->load("flow.orders");
  }
  void save(const std::map<std::string, std::string>& values) {
    auto store_ = state::checkpoint_store::open(folder.path());
    REQUIRE(store_);
    ok(store_->save("flow.orders", values));
  }
};

std::string opened(sink::writer& w, int64_t epoch = 0) {
  auto progress = w.open(epoch);
  REQUIRE_MESSAGE(progress, progress.error().text());
  return *progress;
}

runtime::write_receipt written(sink::writer& w, const runtime::write_order& o) {
  auto receipt = w.write(o);
  REQUIRE_MESSAGE(receipt, receipt.error().text());
  return *receipt;
}

int64_t id_mark(const state::progress& p) { return p.applied(orders()->name.text(), "t/0"); }

} // namespace

TEST_CASE("the epoch grows with each writer and stays while it reconnects") {
  place p;
  for (int64_t epoch = 1; epoch <= 3; ++epoch) {
    auto w = p.make();
    opened(*w);
    CHECK(w->epoch() == epoch);
    opened(*w);
    CHECK(w->epoch() == epoch);
    CHECK(p.checkpoint()["epoch"] == std::to_string(epoch));
  }
  auto w = p.make();
  opened(*w, 9);
  CHECK(w->epoch() == 9);
}

TEST_CASE("an epoch is used up by a failed connect") {
  place p;
  p.store.failing_connects = 1;
  auto w = p.make();
  CHECK(w->open(0).error() == ec::unavailable);
  opened(*w);
  CHECK(w->epoch() == 1);
  auto next = p.make();
  opened(*next);
  CHECK(next->epoch() == 2);
}

TEST_CASE("a writer that starts again under its epoch waits until the one before has ended") {
  place p;
  auto old = p.make();
  opened(*old, 7);
  auto next = p.make();
  CHECK(next->open(7).error() == ec::unavailable);
  // It may still end what it has in hand; the next one reads its progress behind that.
  written(*old, order_of(0, {1, 2}));
  old.reset();
  CHECK(id_mark(place::parsed(opened(*next, 7))) == 2);
  // Another epoch is the fence's matter.
  auto newer = p.make();
  opened(*newer, 8);
}

TEST_CASE("an older writer writes nothing") {
  place p;
  auto old = p.make();
  opened(*old);
  auto newer = p.make();
  opened(*newer);
  auto refused_ = old->write(order_of(0, {1, 2}));
  REQUIRE_FALSE(refused_);
  refused(refused_.error(), ec::fenced, {"epoch 2"});
  CHECK(p.store.rows.empty());
}

TEST_CASE("a batch and its progress are one call, and the progress comes back at the next open") {
  place p;
  auto w = p.make();
  CHECK(opened(*w).empty());
  auto receipt = written(*w, order_of(7, numbers(1, 100)));
  CHECK(receipt.rows == 100);
  CHECK(receipt.dead_letters == 0);
  CHECK(receipt.done_us > 0);
  CHECK(p.store.writes == 1);
  CHECK(p.store.prepares == 1);
  written(*w, order_of(8, numbers(101, 110)));
  CHECK(p.store.prepares == 1);
  CHECK(p.parsed(opened(*p.make())) == progress_of(9, 110));
}

TEST_CASE("bad rows become dead letters with their bytes and place, and the others are written") {
  place p;
  p.store.bad = {3, 6};
  auto w = p.make();
  opened(*w);
  auto order = order_of(41, numbers(1, 6));
  auto receipt = written(*w, order);
  CHECK(receipt.rows == 4);
  CHECK(receipt.dead_letters == 2);
  CHECK(p.store.rows == ids{1, 2, 4, 5});
  CHECK(p.progress() == order.after);
  auto letters = p.letters();
  REQUIRE(letters.size() == 2);
  CHECK(letters[0].component == "flow.orders");
  CHECK(letters[0].ns == orders()->name.text());
  CHECK(letters[0].topic == "t");
  CHECK(letters[0].partition == 0);
  CHECK(letters[0].offset == 41);
  CHECK(letters[0].reason == "row 3 does not fit");
  CHECK(letters[1].reason == "row 6 does not fit");
  std::string bytes;
  ok(ums::write(ums::slice{order.data.get(), 2, 1}, bytes));
  CHECK(letters[0].bytes == bytes);
}

TEST_CASE("a dead letter holds the row as it came off the bus, not what the steps made of it") {
  place p;
  p.store.bad = {5};
  auto w = p.make();
  opened(*w);
  auto order = order_of(0, {2, 5});
  // The steps let 3 of 5 rows go.
  order.origin.data = rows_with({1, 2, 3, 4, 5});
  written(*w, order);
  std::string bytes;
  ok(ums::write(ums::slice{order.origin.data.get(), 4, 1}, bytes));
  REQUIRE(p.letters().size() == 1);
  CHECK(p.letters()[0].bytes == bytes);
}

TEST_CASE("the rows that the steps could not compute are kept before anything is written") {
  place p;
  p.store.failing_call = 2;
  auto w = p.make();
  opened(*w);
  auto order = order_of(0, {2, 3});
  order.origin.data = rows_with({1, 2, 3, 4});
  order.unfit = {{0, "step 1: division by zero"}, {3, "step 1: not a number"}};
  CHECK(w->write(order).error() == ec::unavailable);
  REQUIRE(p.letters().size() == 2);
  CHECK(p.letters()[1].reason == "step 1: not a number");
  opened(*w);
  auto receipt = written(*w, order);
  CHECK(receipt.rows == 2);
  CHECK(receipt.dead_letters == 2);
  CHECK(p.letters().size() == 2);
}

TEST_CASE("a replayed dead letter that fails again is not stored twice") {
  place p;
  p.store.bad = {1};
  auto w = p.make();
  opened(*w);
  written(*w, order_of(0, {1}));
  auto again = order_of(0, {1});
  again.origin.partition.clear();
  again.before = again.after = progress_of(1, 1);
  again.unfit = {};
  CHECK(written(*w, again).dead_letters == 1);
  CHECK(p.letters().size() == 1);
  p.store.bad.clear();
  CHECK(written(*w, again).dead_letters == 0);
  CHECK(p.store.rows == ids{1});
}

TEST_CASE("after a crash between two pieces each row is written exactly once") {
  auto all = numbers(1, 16);
  // The store goes away for good at each call in turn; a new writer then goes on from what is
  // stored, as FLOW does: it leaves out the rows whose ids are covered.
  for (bool applied : {false, true})
    for (int call = 2; call <= 14; ++call) {
      INFO("call ", call, applied ? " applied, answer lost" : "");
      place p;
      p.store.bad = {6, 16};
      p.store.applied_anyway = applied;
      auto first = p.make();
      opened(*first);
      p.store.failing_call = call - 1;
      if (first->write(order_of(0, all)))
        continue;
      auto second = p.make();
      auto stored = p.parsed(opened(*second));
      ids rest;
      for (auto id : all)
        if (stored.offsets.empty() || (stored.offsets["t/0"] == 0 && id > id_mark(stored)))
          rest.push_back(id);
      if (!rest.empty()) {
        auto order = order_of(0, rest);
        order.origin.data = rows_with(all);
        written(*second, order);
      }
      CHECK(p.store.rows == ids{1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15});
      CHECK(p.letters().size() == 2);
      CHECK(p.progress() == progress_of(1, 16));
    }
}

TEST_CASE("a writer that reconnects in the middle of a batch goes on behind what is written") {
  auto all = numbers(1, 16);
  for (int call = 1; call <= 14; ++call) {
    INFO("call ", call);
    place p;
    p.store.bad = {6, 16};
    auto w = p.make();
    opened(*w);
    p.store.failing_call = call;
    auto order = order_of(0, all);
    auto receipt = w->write(order);
    if (!receipt) {
      CHECK(receipt.error() == ec::unavailable);
      opened(*w);
      receipt = w->write(order);
      REQUIRE_MESSAGE(receipt, receipt.error().text());
    }
    CHECK(receipt->rows == 14);
    CHECK(receipt->dead_letters == 2);
    CHECK(p.store.rows == ids{1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15});
    CHECK(p.letters().size() == 2);
    CHECK(p.progress() == order.after);
  }
}

TEST_CASE("the ids stored with a piece cover no row that is still to come") {
  SUBCASE("in a batch whose rows a step put in another order") {
    place p;
    auto w = p.make();
    opened(*w);
    p.store.bad = {2};
    p.store.failing_call = 3;
    auto order = order_of(0, {1, 2, 8});
    order.data = rows_with({8, 1, 2, 5});
    order.after = progress_of(1, 8);
    CHECK(w->write(order).error() == ec::unavailable);
    CHECK(p.store.rows == ids{8, 1});
    // 2 and 5 are still to come, so at most 1 may be covered.
    CHECK(id_mark(p.progress()) == 1);
  }
  SUBCASE("when another order of the same batch holds lower ids") {
    place p;
    auto w = p.make();
    opened(*w);
    p.store.bad = {9};
    auto deletes = order_of(0, {4, 6, 8, 9});
    deletes.before = deletes.after = progress_of(0, 0);
    p.store.failing_call = 3;
    CHECK(w->write(deletes).error() == ec::unavailable);
    CHECK(p.store.rows == ids{4, 6});
    CHECK(id_mark(p.progress()) == 0);
  }
}

TEST_CASE("a batch of which nothing is left stores its progress") {
  place p;
  auto w = p.make();
  opened(*w);
  auto order = order_of(3, {1});
  order.data = nullptr;
  CHECK(written(*w, order).rows == 0);
  CHECK(p.progress() == order.after);
  CHECK(p.store.writes == 0);
}

TEST_CASE("a table that is wrong fails the flow and blames no row") {
  place p;
  auto w = p.make();
  opened(*w);
  p.store.table = rejected("column qty is missing");
  auto r = w->write(order_of(0, {1, 2}));
  REQUIRE_FALSE(r);
  refused(r.error(), ec::rejected, {"qty"});
  CHECK(p.letters().empty());
}

TEST_CASE("a rewind replaces the stored progress once") {
  for (bool transactional : {true, false}) {
    place p;
    p.store.transactional = transactional;
    auto w = p.make();
    opened(*w);
    written(*w, order_of(8, {10}));
    auto wanted = progress_of(2, 0);
    p.save({{"rewind", wanted.text()}});
    CHECK(p.parsed(opened(*p.make())) == wanted);
    // The same again from the store, not from the wish.
    CHECK(p.checkpoint()["rewind"].empty());
    auto third = p.make();
    CHECK(p.parsed(opened(*third)) == wanted);
    written(*third, order_of(3, {5}));
    CHECK(p.parsed(opened(*p.make())) == progress_of(4, 5));
  }
}

TEST_CASE("a store without transactions keeps its progress in the checkpoint, not at each batch") {
  place p;
  p.store.transactional = false;
  auto w = p.make(std::chrono::hours{1});
  opened(*w);
  written(*w, order_of(0, {1}));
  CHECK(p.parsed(p.checkpoint()["progress"]) == progress_of(1, 1));
  written(*w, order_of(1, {2}));
  CHECK(p.parsed(p.checkpoint()["progress"]) == progress_of(1, 1));
  ok(w->advance(progress_of(2, 2).text()));
  CHECK(p.parsed(opened(*p.make())) == progress_of(2, 2));
}

TEST_CASE("without its state a writer does not touch the store") {
  place p;
  // A file stands where the folder should be.
  opened(*p.make());
  p.store.calls.clear();
  sink::writer w({"orders", p.folder.file("state.db")}, p.store.make());
  CHECK_FALSE(w.open(0));
  CHECK(p.store.calls.empty());
}

} // namespace rtdp::sink::test
