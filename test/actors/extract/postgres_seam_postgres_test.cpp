/// What a target that appends gets of tables that are written to while their first snapshot is under
/// way: each version of a row once.
#include "test/actors/extract/postgres_target.hpp"

#include <algorithm>
#include <random>
#include <thread>

using namespace rtdp;
using namespace rtdp::extract::test;

namespace {

void chunked(source& s, int64_t rows, int64_t parallel = 1) {
  s.settings.values["snapshot_chunk_rows"] = rows;
  s.settings.values["snapshot_parallel"] = parallel;
}

/// How often each version of a row came: table, id and n.
using appended = std::map<std::string, std::map<std::pair<int64_t, int64_t>, int>>;

appended versions(const std::vector<ums::batch>& batches, size_t& of_chunks) {
  appended out;
  for (const auto& b : batches)
    for (size_t row = 0; b.carries_rows() && row < b.rows(); ++row) {
      ++out[b.schema->name[ums::ns::table]][{b.find("id")->ints()[row], b.find("n")->ints()[row]}];
      of_chunks += b.kind == ums::protocol::initial_data;
    }
  return out;
}

/// Every version from the first one that came on, each once; and the one that the source has now.
void check_once(source& s, const appended& came) {
  for (const auto& [table, all] : came) {
    size_t doubled = 0, missing = 0;
    std::map<int64_t, int64_t> last;
    for (const auto& [version, times] : all) {
      doubled += times > 1;
      auto [at, first] = last.try_emplace(version.first, version.second);
      missing += !first && version.second != at->second + 1;
      at->second = version.second;
    }
    std::map<int64_t, int64_t> now;
    for (auto& r : s.db.run("select id, n from " + s.schema + "." + table))
      now[std::stoll(r[0])] = std::stoll(r[1]);
    CAPTURE(table);
    CHECK(doubled == 0);
    CHECK(missing == 0);
    CHECK((last == now));
  }
}

/// Inserts and updates of `a` and `p`, never deletes: a version tells where it comes from.
class writers {
public:
  writers(source& s, unsigned seed, bool savepoints) {
    for (unsigned w = 0; w < 2; ++w)
      threads_.emplace_back([this, schema = s.schema, random = std::mt19937(seed + w), w,
                             savepoints]() mutable {
        client c;
        c.run("set search_path = " + schema);
        for (int fresh = 1000 + int(w) * 1'000'000; !stop_; ++fresh) {
          auto set = [&] { return " set n = n + 1 where id = " + std::to_string(random() % 700); };
          auto add = " values (" + std::to_string(fresh) + ", 0)";
          const std::string some[] = {
              "insert into a" + add,
              "insert into p" + add,
              "update a" + set(),
              "update p" + set(),
              "begin; insert into a" + add + "; update p" + set() + "; commit",
              "begin; update a" + set() + "; update p" + set() + "; rollback",
              "begin; savepoint x; update a" + set() + "; release x; savepoint y; insert into p" +
                  add + "; select pg_sleep(0.01); commit",
              "begin; update p" + set() + "; savepoint x; update a" + set() + "; rollback to x; commit"};
          if (!c.try_run(some[random() % (savepoints ? 8 : 6)]))
            c.try_run("rollback");
        }
      });
  }
  ~writers() {
    stop_ = true;
    for (auto& t : threads_)
      t.join();
  }

private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

void make_shop(source& s) {
  s.table("a", "id int primary key, n int");
  s.table("p", "id int primary key, n int) partition by range (id");
  s.run("create table p0 partition of p for values from (0) to (500000); "
        "create table p1 partition of p for values from (500000) to (9000000); "
        "insert into a select i, 0 from generate_series(1, 600) i; "
        "insert into p select i, 0 from generate_series(1, 600) i");
}

} // namespace

TEST_CASE("each version of a row comes once while it is written in a snapshot, also over kills") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 4; ++round) {
    // Killed behind the making of the slot, before anything is stored.
    bool at_birth = round % 2 == 1;
    CAPTURE(round);
    source s;
    chunked(s, 40, 2);
    s.rows_max = 200;
    make_shop(s);
    {
      writers w(s, seed + unsigned(round) * 10, !at_birth);
      s.db.run("select pg_sleep(0.05)");
      for (int opened = 0; opened < 5; ++opened) {
        REQUIRE(!s.open());
        s.db.run("select pg_sleep(0.02)");
        auto steps = opened == 0 && at_birth ? 0 : 1 + random() % 15;
        for (unsigned i = 0; i < steps; ++i)
          s.step(5ms);
      }
      REQUIRE(!s.open());
      for (int i = 0; i < 10; ++i)
        s.step(10ms);
    }
    s.drain();
    size_t of_chunks = 0;
    auto came = versions(s.batches, of_chunks);
    CHECK(came.size() == 2);
    check_once(s, came);
    CHECK(of_chunks > 100);
    target t;
    t.apply(s.batches);
    CHECK((t.tables["a"] == rows_of(s, "a")));
    CHECK((t.tables["p"] == rows_of(s, "p")));
    CHECK(t.problems == 0);
  }
}

TEST_CASE("each row of a table that is added to a running source comes once") {
  source s;
  chunked(s, 40, 2);
  s.table("first", "id int primary key, n int");
  REQUIRE(!s.open());
  s.drain();
  make_shop(s);
  {
    writers w(s, 1, false);
    s.db.run("select pg_sleep(0.05)");
    REQUIRE(!s.open());
    for (int i = 0; i < 20; ++i)
      s.step(5ms);
  }
  s.drain();
  size_t of_chunks = 0;
  check_once(s, versions(s.batches, of_chunks));
  CHECK(of_chunks > 1000);
}

TEST_CASE("rows that a rewrite of the table has touched come from their chunks all the same") {
  source s;
  chunked(s, 20);
  s.table("a", "id int primary key, n int");
  s.run("insert into a select i, 0 from generate_series(1, 200) i");
  REQUIRE(!s.open());
  while (s.driver->progress().tables.at(0).snapshot_rows < 60)
    s.step();
  // The same columns as before; the log does not tell of the new rows.
  s.run("alter table a alter n type int using n + 1");
  s.drain();
  size_t of_chunks = 0;
  auto came = versions(s.batches, of_chunks);
  std::map<int64_t, int64_t> last;
  for (const auto& [version, times] : came["a"])
    last[version.first] = version.second;
  CHECK(last.size() == 200);
  CHECK(last[200] == 1);
}

TEST_CASE("rows whose values the log does not carry whole come from their chunks all the same") {
  source s;
  chunked(s, 20);
  s.table("a", "id int primary key, n int, big text");
  s.run("alter table a alter big set storage external");
  s.run("insert into a select i, 0, repeat('x', 3000) from generate_series(1, 200) i");
  REQUIRE(!s.open());
  s.run("update a set n = 1");
  s.drain();
  std::map<int64_t, size_t> big;
  for (const auto& b : s.batches)
    for (size_t row = 0; b.carries_rows() && row < b.rows(); ++row)
      if (const auto* c = b.find("big"))
        big[b.find("id")->ints()[row]] = c->text(row).size();
  CHECK(big.size() == 200);
  CHECK(big[200] == 3000);
}
