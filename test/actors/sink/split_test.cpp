#include "actors/sink/split.hpp"
#include "test/actors/sink/contract.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

namespace rtdp::sink::test {

namespace {

/// Rejects slices that hold a bad row; remembers what it took.
class picky final : public driver {
public:
  explicit picky(std::set<size_t> bad = {}) : bad_(std::move(bad)) {}

  error connect() override { return {}; }
  result<std::string> take(const std::string&, int64_t) override { return std::string{}; }
  error prepare(const ums::schema&) override {
    ++prepared;
    return table;
  }
  error write(const ums::slice& rows, const fence& f) override {
    ++writes;
    if (writes == failing_write)
      return failure;
    for (auto row = rows.first; row < rows.first + rows.count; ++row)
      if (bad_.contains(row))
        return rejected("row " + std::to_string(row) + " does not fit");
    for (auto row = rows.first; row < rows.first + rows.count; ++row)
      written.push_back(row);
    if (!f.progress.empty())
      progress.push_back(f.progress);
    return {};
  }
  error advance(const fence& f) override {
    progress.push_back(f.progress);
    return {};
  }
  bool transactional() const override { return true; }

  std::vector<size_t> written;
  lines progress;
  int writes = 0, prepared = 0, failing_write = 0;
  error table, failure;

private:
  std::set<size_t> bad_;
};

ums::batch rows_of(size_t count) {
  std::vector<row> rows;
  for (size_t i = 0; i < count; ++i)
    rows.push_back({'i', int64_t(i + 1), {std::to_string(i), "n", "1"}});
  return batch_of(orders(), rows);
}

/// The progress is the number of rows that it covers.
fence upto(size_t end) { return {"orders", 1, std::to_string(end)}; }

error keep_nothing(const bad_row&) { return {}; }

/// Remembers what it kept.
struct keeper {
  picky& store;
  std::vector<bad_row> kept = {};

  keep_bad function() {
    return [this](const bad_row& bad) {
      // No progress may cover a row that is nowhere yet.
      for (const auto& p : store.progress)
        CHECK(std::stoul(p) <= bad.row);
      kept.push_back(bad);
      return error{};
    };
  }
  std::set<size_t> rows() const {
    std::set<size_t> all;
    for (const auto& one : kept)
      CHECK(all.insert(one.row).second);
    return all;
  }
};

} // namespace

TEST_CASE("a good slice is one write and no more questions") {
  picky d;
  auto b = rows_of(10);
  auto r = write_split(d, ums::slice::all(b), upto, keep_nothing);
  ok(r.error);
  CHECK(r.done == 10);
  CHECK(d.writes == 1);
  CHECK(d.prepared == 0);
  CHECK(d.progress == lines{"10"});
}

TEST_CASE("bad rows are kept before anything behind them, and good ones keep their order") {
  auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    size_t first = random() % 5, count = 1 + random() % 60;
    std::set<size_t> bad;
    for (size_t i = first; i < first + count; ++i)
      if (random() % 5 == 0)
        bad.insert(i);
    picky d(bad);
    keeper k{d};
    auto b = rows_of(70);
    auto r = write_split(d, {&b, first, count}, upto, k.function());
    ok(r.error);
    CHECK(r.done == count);
    CHECK(r.bad == bad.size());
    CHECK(k.rows() == bad);
    CHECK(d.progress.back() == std::to_string(first + count));
    std::vector<size_t> good;
    for (size_t i = first; i < first + count; ++i)
      if (!bad.contains(i))
        good.push_back(i);
    CHECK(d.written == good);
  }
}

TEST_CASE("one bad row of many costs a logarithm of writes") {
  picky d({777});
  auto b = rows_of(4096);
  keeper k{d};
  ok(write_split(d, ums::slice::all(b), upto, k.function()).error);
  REQUIRE(k.kept.size() == 1);
  CHECK(k.kept[0].row == 777);
  CHECK(k.kept[0].reason == "row 777 does not fit");
  CHECK(d.writes <= 2 * 12 + 1);
  CHECK(d.prepared == 1);
}

TEST_CASE("an unreachable or lost store ends the split and says how far it got") {
  for (auto code : {ec::unavailable, ec::fenced}) {
    picky d({6});
    d.failing_write = 3;
    d.failure = error(code, "gone");
    auto b = rows_of(8);
    auto r = write_split(d, ums::slice::all(b), upto, keep_nothing);
    // 0..7 is rejected, 0..3 written, 4..7 meets the failure.
    refused(r.error, code, {"gone"});
    CHECK(r.done == 4);
    CHECK(r.bad == 0);
    CHECK(d.progress == lines{"4"});
  }
}

TEST_CASE("each piece carries the progress of its end") {
  // In front, in the middle, and as the very last row.
  const std::vector<std::pair<std::set<size_t>, lines>> cases = {
      {{0}, {"2", "4", "8"}},
      {{3, 4}, {"2", "3", "6", "8"}},
      {{7}, {"4", "6", "7", "8"}},
      {{0, 1, 2, 3, 4, 5, 6, 7}, {"8"}},
  };
  for (const auto& [bad, progress] : cases) {
    picky d(bad);
    keeper k{d};
    auto b = rows_of(8);
    ok(write_split(d, ums::slice::all(b), upto, k.function()).error);
    CHECK(k.rows() == bad);
    CHECK(d.progress == progress);
  }
}

TEST_CASE("when a bad row cannot be kept nothing behind it is written") {
  picky d({2});
  auto b = rows_of(8);
  auto keep = [](const bad_row&) { return unavailable("disk full"); };
  auto r = write_split(d, ums::slice::all(b), upto, keep);
  refused(r.error, ec::unavailable, {"disk full"});
  CHECK(r.done == 2);
  CHECK(d.progress == lines{"2"});
  CHECK(d.written == std::vector<size_t>{0, 1});
}

TEST_CASE("an empty rest stores the progress that was missing") {
  picky d;
  auto b = rows_of(8);
  ok(write_split(d, {&b, 8, 0}, upto, keep_nothing).error);
  CHECK(d.writes == 0);
  CHECK(d.progress == lines{"8"});
}

TEST_CASE("a truncate that is refused is no bad row") {
  picky d({0});
  auto b = truncate_of(7);
  keeper k{d};
  auto r = write_split(d, ums::slice::all(b), upto, k.function());
  refused(r.error, ec::rejected, {"row 0"});
  CHECK(r.done == 0);
  CHECK(k.kept.empty());
}

TEST_CASE("when the table is wrong no row is blamed") {
  picky d({0, 1, 2});
  d.table = rejected("table orders is gone");
  auto b = rows_of(8);
  auto r = write_split(d, ums::slice::all(b), upto, keep_nothing);
  refused(r.error, ec::rejected, {"gone"});
  CHECK(r.bad == 0);
  CHECK(r.done == 0);
  CHECK(d.writes == 1);
}

TEST_CASE("too many bad rows without a good one between them are a wrong table") {
  std::set<size_t> bad;
  for (size_t i = 20; i < 60; ++i)
    bad.insert(i);
  auto b = rows_of(100);
  picky patient(bad);
  auto r = write_split(patient, ums::slice::all(b), upto, keep_nothing, 40);
  ok(r.error);
  CHECK(r.bad == 40);
  picky d(bad);
  r = write_split(d, ums::slice::all(b), upto, keep_nothing, 39);
  refused(r.error, ec::rejected, {"40 rows in a row", "row 59"});
  // What is in front of them is written; the 40 are not passed by.
  CHECK(r.done == 59);
  CHECK(std::stoul(d.progress.back()) == 20);
}

} // namespace rtdp::sink::test
