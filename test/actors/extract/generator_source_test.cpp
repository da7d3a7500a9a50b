#include "test/actors/extract/driving.hpp"

#include <ctime>
#include <set>

using namespace rtdp;
using namespace rtdp::test;

namespace {

drive generator(const std::string& yaml, const std::string& position = "", int64_t id = 1) {
  auto source = make_source("generator", yaml);
  auto failed = source->open(position);
  REQUIRE_MESSAGE(!failed, failed.text());
  return {std::move(source), position, id, 1000};
}

} // namespace

TEST_CASE("the generator gives the same rows for the same seed, and others for another") {
  auto settings = [](int seed) {
    return "{rows: 5000, keys: 700, update_share: 0.3, delete_share: 0.2, seed: " +
           std::to_string(seed) + "}";
  };
  auto a = generator(settings(7)), b = generator(settings(7)), c = generator(settings(8));
  auto rows = read_all(a);
  CHECK(rows.size() == 5000);
  CHECK(rows == read_all(b));
  CHECK(rows != read_all(c));
}

TEST_CASE("the generator goes on at any position with the same rows") {
  std::string yaml =
      "{rows: 6000, keys: 500, update_share: 0.4, delete_share: 0.25, tables: [a, b]}";
  auto whole = generator(yaml);
  auto rows = read_all(whole);
  for (int64_t n : {1, 999, 1000, 1001, 2500, 5999, 6000}) {
    auto part = generator(yaml, std::to_string(n), n + 1);
    auto rest = read_all(part);
    REQUIRE(rest.size() == size_t(6000 - n));
    for (const auto& r : rest) {
      auto same = std::find(rows.begin(), rows.end(), r);
      CHECK_MESSAGE(same != rows.end(), "id " << r.id << " from position " << n);
    }
  }
}

TEST_CASE("updates and deletes of the generator touch only keys that exist") {
  struct shares {
    int64_t keys;
    double update, del;
  };
  for (auto s : {shares{1, 0.5, 0.3},
                 {2, 0.5, 0.3},
                 {15, 0.9, 0.1},
                 {100, 0, 0.5},
                 {100, 0, 1},
                 {100, 1, 0},
                 {5000, 0.3, 0.3},
                 {5000, 0.6, 0.1},
                 {3000, 0, 0},
                 {0, 0.5, 0.1}}) {
    CAPTURE(s.keys);
    CAPTURE(s.update);
    CAPTURE(s.del);
    auto d = generator("{rows: 20000, keys: " + std::to_string(s.keys) + ", update_share: " +
                       std::to_string(s.update) + ", delete_share: " + std::to_string(s.del) + "}");
    std::set<std::string> alive;
    int64_t updates = 0;
    for (const auto& r : read_all(d)) {
      bool exists = alive.contains(r.key);
      REQUIRE_MESSAGE(exists == (r.op != 'i'), r.op << " of key " << r.key << " at " << r.id);
      if (r.op == 'i')
        alive.insert(r.key);
      if (r.op == 'd')
        alive.erase(r.key);
      updates += r.op == 'u';
      if (s.keys > 0)
        REQUIRE(int64_t(alive.size()) <= s.keys);
    }
    if (s.update > 0)
      CHECK(double(updates) > s.update * 0.7 * 20'000 - double(s.keys));
  }
}

TEST_CASE("the generator keeps its pace, waits no longer than it may and is idle at the end") {
  auto d = generator("{rows_per_second: 2000, rows: 40}");
  auto begun = std::chrono::steady_clock::now();
  size_t rows = 0;
  while (!d.source->progress().idle) {
    auto before = std::chrono::steady_clock::now();
    rows += d.step(5ms).rows;
    std::chrono::duration<double> all = std::chrono::steady_clock::now() - begun;
    // The clock counts to the row: half a row is what rounding may add.
    CHECK(double(rows) <= all.count() * 2000 + 0.5);
    // Generous: the machine may be busy.
    CHECK(std::chrono::steady_clock::now() - before < 2s);
  }
  CHECK(rows == 40);
  CHECK(d.step(1ms).rows == 0);
}

TEST_CASE("the generator makes any column that is asked for") {
  auto d =
      generator("{rows: 3, columns: [{name: a, type: string, length: 7}, {name: b, type: double}, "
                "{name: c, type: boolean}, {name: d, type: date}, {name: e, type: decimal}, "
                "{name: f, type: jsonobject}, {name: g, type: binary}]}");
  auto rows = read_all(d);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].cells.size() == 8);
  CHECK(rows[0].cells["a"].size() <= 7);
  CHECK(rows[0].cells["f"] == R"({"made": true})");
}

TEST_CASE("settings that leave no row to delete are refused, and so is a wrong position") {
  CHECK(make_source("generator", "{keys: 0, delete_share: 0.5}")->open("") == ec::rejected);
  CHECK(make_source("generator", "{update_share: 0.6, delete_share: 0.5}")->open("") ==
        ec::rejected);
  CHECK(make_source("generator", "{}")->open("12x") == ec::rejected);
}

TEST_CASE("the generator's speed is told") {
  auto source = make_source("generator", "{rows: 2000000, update_share: 0.2, delete_share: 0.1}");
  REQUIRE_FALSE(source->open(""));
  extract::collector out(1);
  auto begun = std::clock();
  size_t rows = 0, bytes = 0;
  while (!source->progress().idle) {
    REQUIRE_FALSE(source->read(out, 0ms));
    auto taken = out.take();
    rows += taken.rows;
    for (const auto& b : taken.batches)
      bytes += b.bytes();
  }
  auto seconds = double(std::clock() - begun) / CLOCKS_PER_SEC;
  auto speed = double(rows) / seconds / 1e6;
  auto size = bytes / rows;
  MESSAGE(speed << " M rows/cpu_s, " << size << " bytes a row");
  CHECK(rows == 2'000'000);
}
