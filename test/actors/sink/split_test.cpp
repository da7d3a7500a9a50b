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

const fence here{"orders", 1, "p"};

error keep_nothing(const std::vector<bad_row>&) { return {}; }

} // namespace

TEST_CASE("a good slice is one write and no more questions") {
  picky d;
  auto b = rows_of(10);
  auto r = write_split(d, ums::slice::all(b), here, keep_nothing);
  ok(r.error);
  CHECK(r.done == 10);
  CHECK(d.writes == 1);
  CHECK(d.prepared == 0);
  CHECK(d.progress == lines{"p"});
}

TEST_CASE("bad rows are found, good ones keep their order, progress comes last and once") {
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
    auto b = rows_of(70);
    auto r = write_split(d, {&b, first, count}, here, keep_nothing);
    ok(r.error);
    CHECK(r.done == count);
    CHECK(d.progress == lines{"p"});
    std::set<size_t> found;
    for (const auto& one : r.bad)
      found.insert(one.row);
    CHECK(found == bad);
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
  auto r = write_split(d, ums::slice::all(b), here, keep_nothing);
  ok(r.error);
  REQUIRE(r.bad.size() == 1);
  CHECK(r.bad[0].row == 777);
  CHECK(r.bad[0].reason == "row 777 does not fit");
  CHECK(d.writes <= 2 * 12 + 1);
  CHECK(d.prepared == 1);
}

TEST_CASE("an unreachable or lost store ends the split and says how far it got") {
  for (auto code : {ec::unavailable, ec::fenced}) {
    picky d({6});
    d.failing_write = 3;
    d.failure = error(code, "gone");
    auto b = rows_of(8);
    auto r = write_split(d, ums::slice::all(b), here, keep_nothing);
    // 0..7 is rejected, 0..3 written, 4..7 meets the failure.
    refused(r.error, code, {"gone"});
    CHECK(r.done == 4);
    CHECK(r.bad.empty());
    CHECK(d.progress.empty());
  }
}

TEST_CASE("bad rows are kept before the progress that leaves them behind") {
  // In front, in the middle, and as the very last row.
  for (std::set<size_t> bad : {std::set<size_t>{0}, {3, 4}, {7}, {0, 1, 2, 3, 4, 5, 6, 7}}) {
    picky d(bad);
    std::set<size_t> kept;
    auto b = rows_of(8);
    auto keep = [&](const std::vector<bad_row>& found) {
      CHECK(d.progress.empty());
      for (const auto& one : found)
        CHECK(kept.insert(one.row).second);
      return error{};
    };
    ok(write_split(d, ums::slice::all(b), here, keep).error);
    CHECK(kept == bad);
    CHECK(d.progress == lines{"p"});
  }
}

TEST_CASE("when bad rows cannot be kept no progress is stored") {
  picky d({2});
  auto b = rows_of(8);
  auto keep = [](const std::vector<bad_row>&) { return unavailable("disk full"); };
  refused(write_split(d, ums::slice::all(b), here, keep).error, ec::unavailable, {"disk full"});
  CHECK(d.progress.empty());
}

TEST_CASE("when the table is wrong no row is blamed") {
  picky d({0, 1, 2});
  d.table = rejected("table orders is gone");
  auto b = rows_of(8);
  auto r = write_split(d, ums::slice::all(b), here, keep_nothing);
  refused(r.error, ec::rejected, {"gone"});
  CHECK(r.bad.empty());
  CHECK(r.done == 0);
  CHECK(d.writes == 1);
}

TEST_CASE("too many bad rows without a good one between them are a wrong table") {
  std::set<size_t> bad;
  for (size_t i = 20; i < 60; ++i)
    bad.insert(i);
  auto b = rows_of(100);
  picky patient(bad);
  auto r = write_split(patient, ums::slice::all(b), here, keep_nothing, 40);
  ok(r.error);
  CHECK(r.bad.size() == 40);
  picky d(bad);
  r = write_split(d, ums::slice::all(b), here, keep_nothing, 39);
  refused(r.error, ec::rejected, {"40 rows in a row", "row 59"});
  CHECK(d.progress.empty());
}

} // namespace rtdp::sink::test
