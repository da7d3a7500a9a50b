#include "actors/extract/collector.hpp"
#include "actors/extract/snapshot_plan.hpp"
#include "actors/extract/snapshot_settings.hpp"
#include "actors/extract/snapshot_windows.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;

const ums::ns orders{"postgres", "shop", "public", "orders"};

ums::batch rows_with(const std::map<int64_t, int64_t>& rows) {
  ums::batch b{std::make_shared<ums::schema>(
      schema_of(orders, {{.name = "id", .type = ums::type::long_, .key = true},
                         {.name = "n", .type = ums::type::long_}}))};
  for (auto [id, n] : rows) {
    b.columns[3].append_int(id);
    b.columns[4].append_int(n);
  }
  return b;
}

std::string key(int64_t id) {
  auto b = rows_with({{id, 0}});
  return key_of(b, key_columns_of(b), 0);
}

/// Transactions are numbered in the order of their commits.
change_stamp at(uint64_t n) { return {n, n}; }
holds up_to(uint64_t n) {
  return [n](const change_stamp& s) { return s.transaction <= n; };
}

std::string refused(const error& e) {
  CHECK(e == ec::rejected);
  return e.text();
}

bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

} // namespace

TEST_CASE("a chunk that nobody changed is kept whole") {
  snapshot_windows w;
  w.watch(0);
  auto a = w.open(0);
  w.fill(a, rows_with({{1, 1}, {2, 2}}), up_to(0));
  auto chunk = w.close(a);
  REQUIRE(chunk);
  CHECK(chunk->keep.empty());
  CHECK(chunk->rows.columns[3].size() == 2);
}

TEST_CASE("a chunk leaves out the rows that were changed by what it does not hold") {
  snapshot_windows w;
  w.watch(0);
  auto a = w.open(0);
  w.changed(0, at(1), key(1));
  w.changed(0, at(2), key(2));
  w.fill(a, rows_with({{1, 1}, {2, 2}, {3, 3}}), up_to(1));
  w.changed(0, at(3), key(3));
  w.changed(7, at(3), key(1));
  auto chunk = w.close(a);
  REQUIRE(chunk);
  CHECK(chunk->keep == std::vector<bool>{true, false, false});
}

TEST_CASE("a transaction in the log that a chunk begun later does not see counts for it") {
  snapshot_windows w;
  w.watch(0);
  w.changed(0, at(5), key(1));
  auto a = w.open(0);
  w.fill(a, rows_with({{1, 1}, {2, 2}}), up_to(4));
  CHECK(w.close(a)->keep == std::vector<bool>{false, true});
  auto b = w.open(0);
  w.fill(b, rows_with({{1, 1}}), up_to(4));
  CHECK(w.close(b)->keep == std::vector<bool>{false});
  auto c = w.open(0);
  w.fill(c, rows_with({{1, 2}}), up_to(5));
  CHECK(w.close(c)->keep.empty());
}

TEST_CASE("a chunk across a truncate, a changed table or a row that cannot be told is read again") {
  snapshot_windows w;
  w.watch(0);
  auto a = w.open(0), b = w.open(0);
  w.all_changed(0, at(4));
  w.fill(a, rows_with({{1, 1}}), up_to(3));
  w.fill(b, rows_with({{1, 1}}), up_to(4));
  CHECK_FALSE(w.close(a));
  CHECK(w.close(b));
}

TEST_CASE("what no change carried comes from the chunk") {
  snapshot_windows w;
  w.watch(0);
  auto a = w.open(0);
  w.fill(a, rows_with({{1, 1}, {2, 2}, {3, 3}}), up_to(0));
  w.changed(0, at(1), key(1), {"n", "big"});
  w.changed(0, at(2), key(1), {"n"});
  w.changed(0, at(3), key(2), {"n"});
  w.changed(0, at(4), key(2));
  auto chunk = w.close(a);
  REQUIRE(chunk);
  CHECK(chunk->keep == std::vector<bool>{false, false, true});
  REQUIRE(chunk->rest.size() == 1);
  CHECK(chunk->rest[0].first == 0);
  CHECK(chunk->rest[0].second == std::vector<std::string>{"n"});
}

TEST_CASE("a transaction of very many changes makes chunks that do not hold it be read again") {
  snapshot_windows w;
  w.watch(0);
  auto a = w.open(0);
  for (int64_t i = 0; i < 150'000; ++i)
    w.changed(0, at(1), key(i));
  auto b = w.open(0);
  w.changed(0, at(2), key(200'000));
  w.fill(a, rows_with({{300'000, 1}}), up_to(0));
  w.fill(b, rows_with({{200'000, 1}, {300'000, 1}}), up_to(1));
  CHECK_FALSE(w.close(a));
  CHECK(w.close(b)->keep == std::vector<bool>{false, true});
}

TEST_CASE("keys of several columns do not run into each other") {
  ums::batch b{std::make_shared<ums::schema>(
      schema_of(orders, {{.name = "x", .type = ums::type::string, .key = true},
                         {.name = "y", .type = ums::type::string, .key = true}}))};
  const std::pair<const char*, const char*> rows[] = {{"a", "bc"}, {"ab", "c"}, {"", "abc"}};
  for (auto [x, y] : rows) {
    b.columns[3].append_text(x);
    b.columns[4].append_text(y);
  }
  b.columns[3].append_null();
  b.columns[4].append_text("abc");
  auto columns = key_columns_of(b);
  CHECK(columns == std::vector<uint32_t>{3, 4});
  for (size_t i = 0; i < 4; ++i)
    for (size_t k = 0; k < i; ++k)
      CHECK(key_of(b, columns, i) != key_of(b, columns, k));
}

TEST_CASE("random changes and overlapping chunks end in the table") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random{seed};
  auto below = [&](uint64_t n) {
    return std::uniform_int_distribution<uint64_t>{0, n - 1}(random);
  };
  for (int round = 0; round < 50; ++round) {
    snapshot_windows w;
    w.watch(0);
    std::map<int64_t, int64_t> table, target;
    for (int64_t i = 0; i < 30; ++i)
      table[i] = 0;
    struct open_chunk {
      snapshot_windows::id id;
      int64_t from;
      /// What a chunk that was read before this one began has seen.
      uint64_t floor = 0;
      bool filled = false;
    };
    std::vector<open_chunk> chunks;
    int64_t next = 0;
    uint64_t seen = 0;
    // Every tick is a transaction; the log is handed over at once. A chunk may not see the last
    // three transactions, as if they were not visible yet.
    std::vector<std::map<int64_t, int64_t>> past(4, table);
    for (uint64_t tick = 4; next < 30 || !chunks.empty(); ++tick) {
      auto id = int64_t(below(30));
      w.changed(0, at(tick), key(id));
      if (below(3) == 0) {
        table.erase(id);
        target.erase(id);
      } else {
        target[id] = table[id] = int64_t(tick);
      }
      past.push_back(table);
      if (next < 30 && below(2) == 0) {
        chunks.push_back({w.open(0), next, seen});
        next += 10;
      }
      if (chunks.empty())
        continue;
      auto n = below(chunks.size());
      auto& c = chunks[n];
      if (!c.filled) {
        auto as_of = std::max(c.floor, tick - below(4));
        seen = std::max(seen, as_of);
        std::map<int64_t, int64_t> some;
        for (auto [k, v] : past[as_of])
          if (k >= c.from && k < c.from + 10)
            some[k] = v;
        w.fill(c.id, rows_with(some), up_to(as_of));
        c.filled = true;
        continue;
      }
      auto got = w.close(c.id);
      REQUIRE(got);
      for (size_t i = 0; i < got->rows.columns[3].size(); ++i)
        if (got->keep.empty() || got->keep[i])
          target[got->rows.columns[3].ints()[i]] = got->rows.columns[4].ints()[i];
      chunks.erase(chunks.begin() + int64_t(n));
    }
    REQUIRE(target == table);
  }
}

TEST_CASE("a plan reads back from its text, whatever a key holds") {
  snapshot_plan p;
  p.add({.table = "public.a", .where = "x > 'é\"'", .estimated = 9});
  p.add({.table = "public.b",
         .sweep = true,
         .paused = true,
         .started_us = 7,
         .first_id = 12,
         .last = {"1", std::string("\xff\0\n\"", 4), ""},
         .rows = 40});
  auto again = snapshot_plan::parse(p.text());
  REQUIRE(again);
  CHECK(*again == p);
  CHECK(snapshot_plan{}.text() == "[]");
  for (const char* wrong : {"", "{}", "7", "[{}]", "[{\"table\":1}]"})
    CHECK_FALSE(snapshot_plan::parse(wrong));
}

TEST_CASE("a plan does what is asked, or says what to do instead") {
  using verb = snapshot_request::verb;
  snapshot_plan p;
  auto ask = [&](verb what, std::string where = {}, bool sweep = false) {
    return p.apply({.what = what, .table = "a", .where = std::move(where), .sweep = sweep},
                   "public.a", 100);
  };
  CHECK(has(refused(ask(verb::pause)), "no snapshot to pause; one begins with start"));
  CHECK(has(refused(ask(verb::start, "x > 1", true)), "leave one out"));
  CHECK(!ask(verb::start, "x > 1"));
  CHECK(p.find("public.a")->estimated == 100);
  CHECK(has(refused(ask(verb::start)), "under way: let it end, or cancel it first"));
  CHECK(has(refused(ask(verb::resume)), "not paused"));
  CHECK(!ask(verb::pause));
  CHECK(p.find("public.a")->paused);
  CHECK(has(refused(ask(verb::start)), "paused: resume it"));
  CHECK(!ask(verb::resume));
  p.advance("public.a", {"5"}, 5);
  p.advance("public.a", {"9"}, 4);
  CHECK(p.find("public.a")->last == std::vector<std::string>{"9"});
  CHECK(p.find("public.a")->rows == 9);
  p.begin_again("public.a");
  CHECK(p.find("public.a")->last.empty());
  CHECK(!ask(verb::cancel));
  CHECK(p.empty());
}

TEST_CASE("a throttle keeps to its rate, also after a rest") {
  throttle free{0}, t{1000};
  throttle::time_point now{100s};
  free.took(1'000'000, now);
  CHECK(free.ready(now));
  t.took(500, now);
  CHECK_FALSE(t.ready(now + 499ms));
  CHECK(t.ready(now + 500ms));
  t.took(500, now);
  CHECK_FALSE(t.ready(now + 999ms));
  // What was not used is not saved up.
  t.took(500, now + 10s);
  CHECK_FALSE(t.ready(now + 10'499ms));
  CHECK(t.next() == now + 10'500ms);
}

} // namespace rtdp::extract
