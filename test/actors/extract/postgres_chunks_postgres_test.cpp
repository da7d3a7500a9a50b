#include "actors/extract/postgres_position.hpp"
#include "test/actors/extract/postgres_target.hpp"

#include <algorithm>
#include <random>
#include <thread>

using namespace rtdp;
using namespace rtdp::extract::test;

namespace {

using verb = extract::snapshot_request::verb;

void chunked(source& s, int64_t rows, int64_t parallel = 1, int64_t rows_per_second = 0) {
  s.settings.values["snapshot_chunk_rows"] = rows;
  s.settings.values["snapshot_parallel"] = parallel;
  s.settings.values["snapshot_rows_per_second"] = rows_per_second;
}

error ask(source& s, verb what, const std::string& table, const std::string& where = "",
          bool sweep = false) {
  return s.driver->snapshot({.what = what, .table = table, .where = where, .sweep = sweep});
}

const extract::table_progress& progress(const source& s) {
  static extract::source_progress now;
  now = s.driver->progress();
  return now.tables.at(0);
}

/// Until the snapshot has published so many rows.
void read_until(source& s, int64_t rows) {
  auto give_up = std::chrono::steady_clock::now() + 30s;
  while (progress(s).snapshot_rows < rows) {
    s.step();
    REQUIRE(std::chrono::steady_clock::now() < give_up);
  }
}

size_t count(const std::vector<std::string>& lines, std::string_view part) {
  return size_t(std::count_if(lines.begin(), lines.end(), [&](auto& l) { return has(l, part); }));
}

} // namespace

TEST_CASE("an interrupted snapshot goes on behind its last chunk, and chunks before it stay") {
  source s;
  chunked(s, 100);
  s.table("a", "id int primary key, note text");
  s.run("insert into a select i, 'n' || i from generate_series(1, 1000) i");
  REQUIRE(!s.open());
  read_until(s, 300);
  s.close();
  auto first = std::exchange(s.got, {});
  CHECK(first.size() >= 300);
  CHECK(first.size() < 1000);
  s.run("update a set note = 'changed' where id in (1, 999)");
  REQUIRE(!s.open());
  auto second = s.drained();
  CHECK(count(second, " i a.0 id=5 ") == 0);
  CHECK(count(second, " u a.0 id=1 note=changed") == 1);
  CHECK(second.size() <= 1000 - first.size() + 2);
  target t;
  t.apply(s.batches);
  CHECK(t.tables["a"] == rows_of(s, "a"));
  CHECK(progress(s).snapshot_done);
  // The other one of the two had been changed when its chunk was read: the log brought it.
  CHECK(progress(s).snapshot_rows == 999);
  CHECK(count(second, "id=999 ") == 1);
  CHECK(progress(s).snapshot_started_us > 0);
}

TEST_CASE("rows of the log keep their ids over a restart while a snapshot is under way") {
  source s;
  chunked(s, 100);
  s.table("h", "n int");
  s.table("big", "id int primary key");
  s.run("insert into big select generate_series(1, 2000)");
  REQUIRE(!s.open());
  while (s.driver->progress().tables.at(1).snapshot_rows < 300)
    s.step();
  REQUIRE(!ask(s, verb::pause, "big"));
  s.drain();
  // What follows is on the bus, but its place is not stored when the process dies.
  s.confirming = false;
  auto place = s.stored.back();
  s.run("insert into h values (1), (2)");
  auto read_h = [&] {
    s.got.clear();
    while (count(s.got, " h.0 n=") < 2)
      s.step();
    return s.got;
  };
  auto before = read_h();
  s.position = place.position;
  s.next_id = place.next_id;
  REQUIRE(!s.open());
  CHECK(read_h() == before);
}

TEST_CASE("random writes while chunks are read, and ends at random places: source = target") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  for (unsigned round = 0; round < 3; ++round) {
    source s;
    chunked(s, 40, 3);
    s.rows_max = 200;
    s.table("a", "id int, part text collate \"C\", n int, primary key (part, id)");
    s.table("b", "id text primary key, n int");
    s.run("insert into a select i, 'p' || i % 7, 0 from generate_series(1, 600) i; "
          "insert into b select 'Ä' || i, 0 from generate_series(1, 600) i");
    std::atomic<bool> stop{false};
    std::vector<std::thread> writers;
    for (unsigned w = 0; w < 2; ++w)
      writers.emplace_back([&, w] {
        client c;
        std::mt19937 random(seed + round * 10 + w);
        c.run("set search_path = " + s.schema);
        for (int n = 0; !stop; ++n) {
          auto id = std::to_string(random() % 700);
          auto part = "'p" + std::to_string(random() % 7) + "'";
          const std::string some[] = {
              "update a set n = n + 1 where id = " + id,
              "delete from a where id = " + id,
              "insert into a values (" + id + ", " + part + ", 7) on conflict do nothing",
              "update a set part = " + part + " where id = " + id,
              "insert into b values ('Ä" + id + "', 7) on conflict (id) do update set n = b.n + 1",
              "delete from b where id = 'Ä" + id + "'",
              "begin; update b set n = n + 1 where n < 3; rollback",
              "begin; update b set n = -1 where id like '%7'; update a set n = 5 where id % 9 = 0; "
              "commit"};
          if (!c.try_run(some[random() % 8]))
            c.try_run("rollback");
        }
      });
    std::mt19937 random(seed + round);
    target t;
    for (int opened = 0; opened < 6; ++opened) {
      REQUIRE(!s.open());
      auto steps = random() % 25;
      for (unsigned i = 0; i < steps; ++i)
        s.step(10ms);
      if (opened == 3)
        CHECK(ask(s, verb::cancel, "b") != ec::unavailable);
      s.close();
    }
    REQUIRE(!s.open());
    auto again = ask(s, verb::start, "b", "", true);
    CHECK((!again || again == ec::rejected));
    for (int i = 0; i < 20; ++i)
      s.step(10ms);
    stop = true;
    for (auto& w : writers)
      w.join();
    s.drain();
    t.apply(s.batches);
    CHECK(t.tables["a"] == rows_of(s, "a", 2));
    CHECK(t.tables["b"] == rows_of(s, "b"));
    CHECK(t.problems == 0);
    CHECK(s.bad.empty());
  }
}

TEST_CASE("a snapshot can be asked for while changes flow, with a condition") {
  source s;
  chunked(s, 10);
  s.settings.values["snapshot"] = std::string("never");
  s.table("a", "id int primary key, n int");
  s.run("insert into a select i, i from generate_series(1, 100) i");
  REQUIRE(!s.open());
  CHECK(s.drained().empty());
  REQUIRE(!ask(s, verb::start, s.schema + ".a", "n > 95 -- the last"));
  s.run("insert into a values (101, 101)");
  auto got = s.drained();
  CHECK(count(got, " i a.0 id=") >= 6);
  CHECK(count(got, "id=96 ") == 1);
  CHECK(count(got, "id=95 ") == 0);
  CHECK(progress(s).snapshot_done);
  // A condition that only some rows show to be wrong pauses its snapshot; the changes go on.
  REQUIRE(!ask(s, verb::start, "a", "10 / (n - 50) = 0"));
  s.run("insert into a values (102, 102)");
  for (int i = 0; i < 100 && progress(s).snapshot_reason.empty(); ++i)
    s.step();
  CHECK(has(progress(s).snapshot_reason, "division by zero"));
  CHECK(progress(s).snapshot_paused);
  CHECK(count(s.drained(), "id=102 ") >= 1);
  CHECK(!ask(s, verb::cancel, "a"));
  CHECK(progress(s).snapshot_done);
}

TEST_CASE("what cannot be asked of a snapshot is refused with what to do") {
  source s;
  s.table("a", "id int primary key");
  s.table("h", "id int");
  REQUIRE(!s.open());
  s.drain();
  auto refused = [&](verb what, const std::string& table, const std::string& where = "",
                     bool sweep = false) {
    auto e = ask(s, what, table, where, sweep);
    CHECK(e == ec::rejected);
    return e.text();
  };
  CHECK(has(refused(verb::start, "nothing"), "name one of " + s.schema + ".a, "));
  CHECK(has(refused(verb::start, "a", "idd > 1"), "column \"idd\" does not exist"));
  CHECK(has(refused(verb::start, "a", "idd > 1"), "LINE"));
  CHECK(has(refused(verb::start, "a", "true); drop table a; --"), "syntax error"));
  CHECK(has(refused(verb::start, "a", "id > 1", true), "leave one out"));
  CHECK(has(refused(verb::start, "h", "id > 1"), "without a primary key"));
  CHECK(has(refused(verb::pause, "a"), "begins with start"));
}

TEST_CASE("a paused snapshot waits, also over a restart, and changes flow meanwhile") {
  source s;
  chunked(s, 50);
  s.table("a", "id int primary key");
  s.run("insert into a select generate_series(1, 500)");
  REQUIRE(!s.open());
  read_until(s, 100);
  REQUIRE(!ask(s, verb::pause, "a"));
  s.run("insert into a values (501)");
  s.drain();
  auto rows = progress(s).snapshot_rows;
  CHECK(rows < 500);
  CHECK(count(s.got, "id=501") == 1);
  REQUIRE(!s.open());
  s.drain();
  CHECK(progress(s).snapshot_paused);
  CHECK(progress(s).snapshot_rows == rows);
  REQUIRE(!ask(s, verb::resume, "a"));
  s.drain();
  CHECK(progress(s).snapshot_done);
  target t;
  t.apply(s.batches);
  CHECK(t.tables["a"] == rows_of(s, "a"));
}

TEST_CASE("a table without a key is read anew as an emptied one") {
  source s;
  s.table("h", "id int");
  s.run("insert into h values (1), (2)");
  REQUIRE(!s.open());
  CHECK(s.drained().size() == 2);
  REQUIRE(!ask(s, verb::start, "h"));
  s.step();
  // SOURCE would open again while the slot is still taken; so does the test.
  s.close();
  s.run("insert into h values (3)");
  REQUIRE(!s.open());
  auto got = s.drained();
  REQUIRE(got.size() == 4);
  CHECK(has(got[0], " - h.0"));
  CHECK(has(got[3], " i h.0 id=3"));
}

TEST_CASE("a key that is changed in the middle begins the snapshot again") {
  source s;
  chunked(s, 20);
  s.table("a", "id int primary key, other int not null");
  s.run("insert into a select i, 1000 - i from generate_series(1, 200) i");
  REQUIRE(!s.open());
  read_until(s, 60);
  s.run("alter table a drop constraint a_pkey; alter table a add primary key (other)");
  s.drain();
  CHECK(progress(s).snapshot_done);
  CHECK(progress(s).snapshot_rows == 200);
  std::map<std::string, int> versions;
  for (const auto& b : s.batches)
    if (b.carries_rows())
      versions[b.schema->name[ums::ns::version] + b.schema->keys().at(0)] += int(b.rows());
  CHECK(versions["1other"] == 200);
}

TEST_CASE("columns that are added in the middle are in the rest of the snapshot") {
  source s;
  chunked(s, 20);
  s.table("a", "id int primary key");
  s.run("insert into a select generate_series(1, 200)");
  REQUIRE(!s.open());
  read_until(s, 60);
  s.run("alter table a add n int default 7; update a set n = 8 where id = 200");
  s.drain();
  target t;
  t.apply(s.batches);
  auto now = rows_of(s, "a");
  CHECK(t.tables["a"]["200|"] == "200|8|");
  CHECK(t.tables["a"]["150|"] == now["150|"]);
  CHECK(t.tables["a"].size() == 200);
}

TEST_CASE("a value that a change did not carry comes from the chunk that the change overtook") {
  source s;
  chunked(s, 1000);
  s.table("a", "id int primary key, n int, big text");
  s.run("alter table a alter big set storage external");
  s.run("insert into a select i, 0, repeat('x', 3000) from generate_series(1, 300) i");
  std::atomic<bool> stop{false};
  REQUIRE(!s.open());
  std::thread writer([&] {
    client c;
    for (int i = 0; !stop; ++i)
      c.run("update " + s.schema + ".a set n = n + 1 where id between 1 and 250");
  });
  while (!progress(s).snapshot_done)
    s.step(5ms);
  stop = true;
  writer.join();
  s.drain();
  std::map<std::string, std::map<std::string, std::string>> rows;
  size_t rest = 0;
  for (const auto& b : s.batches)
    for (size_t row = 0; b.carries_rows() && row < b.rows(); ++row) {
      auto& to = rows[std::to_string(b.columns[3].ints()[row])];
      for (size_t i = 4; i < b.columns.size(); ++i) {
        auto& cell = to[b.schema->fields[i].name];
        cell.clear();
        ums::append_cell(b.columns[i], row, cell);
      }
      rest += b.kind == ums::protocol::initial_data && b.op(row) == 'u';
    }
  CHECK(rows.size() == 300);
  for (auto& r : s.db.run("select id, n, big from " + s.schema + ".a")) {
    CHECK(rows[r[0]]["n"] == r[1]);
    CHECK((rows[r[0]]["big"] == r[2]));
  }
  MESSAGE("rows of which only a part came from the chunk: ", rest);
}

TEST_CASE("a sweep takes away what vanished while nobody looked") {
  source s;
  chunked(s, 10);
  s.table("a", "id int primary key");
  s.run("insert into a select generate_series(1, 50)");
  REQUIRE(!s.open());
  s.drain();
  target t;
  t.apply(s.batches);
  // As after a lost slot: the deletes are in no log that is read.
  s.db.run("alter publication " + s.slot + " set (publish = 'insert,update,truncate')");
  s.run("delete from a where id <= 5");
  s.drain();
  REQUIRE(!ask(s, verb::start, "a", "", true));
  s.run("insert into a values (51)");
  s.drain();
  t.apply(s.batches);
  CHECK(t.tables["a"] == rows_of(s, "a"));
  CHECK(t.tables["a"].size() == 46);
}

TEST_CASE("a throttled snapshot keeps to its rate") {
  source s;
  chunked(s, 1000, 2, 100);
  s.table("a", "id int primary key");
  s.run("insert into a select generate_series(1, 300)");
  auto begin = std::chrono::steady_clock::now();
  REQUIRE(!s.open());
  s.drain();
  // The first 100 rows at once, then 100 a second.
  CHECK(std::chrono::steady_clock::now() - begin >= 2s);
  CHECK(progress(s).snapshot_rows == 300);
}
