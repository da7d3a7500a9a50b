/// The mysql source against a real MariaDB: snapshot, changes, positions, what is refused.
#include "test/actors/extract/mysql_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract;
using namespace rtdp::extract::test;
using lines_t = std::vector<std::string>;

TEST_CASE("rows of before come from a snapshot, later ones from the log, in their order") {
  source s;
  s.table("t", "id int primary key, v varchar(20)");
  s.run("insert into t values (1, 'one'), (2, null)");
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 id=1 v=one", "i t.0 id=2 v=NULL"});
  CHECK(s.batches.front().kind == ums::protocol::initial_data);
  s.run("insert into t values (3, 'three'); update t set v = 'zwei' where id = 2; delete from t "
        "where id = 1; update t set id = 30 where id = 3");
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 id=3 v=three", "u t.0 id=2 v=zwei", "d t.0 id=1 v=one",
                             "d t.0 id=3 v=three", "i t.0 id=30 v=three"});
  CHECK(s.batches.back().kind == ums::protocol::increment_data);
  CHECK(s.bad.empty());
}

TEST_CASE("tables by star, odd names, before-images, and a key of two columns") {
  source s;
  s.run("create table `Ödd.name` (`a b` int, c int, v int, primary key (c, `a b`)); create table "
        "order_1 (id int primary key); create table other (id int primary key)");
  s.capture("\"" + s.database + "\".\"Ödd.name\"", true);
  s.capture(s.database + ".order_*");
  REQUIRE(!s.open());
  s.drain();
  s.run("insert into `Ödd.name` values (1, 2, 3); update `Ödd.name` set v = 4; insert into order_1 "
        "values (5); insert into other values (6)");
  s.drain();
  CHECK(s.fresh() == lines_t{"i Ödd.name.0 a b=1 c=2 v=3", "b Ödd.name.0 a b=1 c=2 v=3",
                             "u Ödd.name.0 a b=1 c=2 v=4", "i order_1.0 id=5"});
}

TEST_CASE("rollbacks and savepoints leave nothing, tables without transactions come as they are") {
  source s;
  s.table("t", "id int primary key, v int");
  s.run("create table m (id int primary key, v int) engine = MyISAM; insert into m values (1, 1)");
  s.capture(s.database + ".m");
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.fresh() == lines_t{"i m.0 id=1 v=1"});
  client other;
  other.run("use " + s.database + "; begin; insert into t values (1, 1)");
  s.run("insert into t values (2, 2); begin; insert into t values (3, 3); rollback; begin; insert "
        "into t values (4, 4); savepoint x; insert into t values (5, 5); rollback to x; insert into t "
        "values (6, 6); commit; insert into m values (7, 7); update m set v = 8 where id = 7");
  other.run("commit");
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 id=2 v=2", "i t.0 id=4 v=4", "i t.0 id=6 v=6", "i m.0 id=7 v=7",
                             "u m.0 id=7 v=8", "i t.0 id=1 v=1"});
}

TEST_CASE("an update of a table without a key is a delete and an insert") {
  source s;
  s.table("t", "a int, b int");
  s.run("insert into t values (1, 1), (1, 1)");
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 a=1 b=1", "i t.0 a=1 b=1"});
  s.run("update t set b = 2 limit 1");
  s.drain();
  CHECK(s.fresh() == lines_t{"d t.0 a=1 b=1", "i t.0 a=1 b=2"});
}

TEST_CASE("a large transaction is handed over in pieces, and again from each of them") {
  source s;
  s.rows_max = 1000;
  s.table("t", "id int primary key, v varchar(100)");
  REQUIRE(!s.open());
  s.drain();
  s.run("insert into t select seq, repeat('x', 100) from seq_1_to_20000");
  s.got.clear();
  s.stored.clear();
  s.drain();
  auto all = s.got;
  auto places = s.stored;
  CHECK(all.size() == 20'000);
  REQUIRE(places.size() >= 20);
  for (size_t i = 0; i < places.size(); i += 5) {
    s.position = places[i].position;
    s.next_id = places[i].next_id;
    s.got.clear();
    REQUIRE(!s.open());
    s.drain();
    CHECK(s.got == lines_t(all.begin() + ptrdiff_t(places[i].lines), all.end()));
  }
}

TEST_CASE("a new log file, also after FLUSH, is followed, and the position moves on while idle") {
  source s;
  s.settings.values["heartbeat_interval"] = std::chrono::milliseconds(100);
  s.table("t", "id int primary key");
  REQUIRE(!s.open());
  s.drain();
  s.got.clear();
  s.run("insert into t values (1); flush binary logs; insert into t values (2); flush binary logs");
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 id=1", "i t.0 id=2"});
  auto end = s.db.run("show master status");
  for (int i = 0; i < 40 && s.position.find(end[0][0] + ":") != 0; ++i)
    s.step();
  CHECK(s.position.find(end[0][0] + ":") == 0);
  CHECK(s.driver->progress().retained_bytes >= 0);
  s.run("insert into t values (3)");
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 id=3"});
}

TEST_CASE("a snapshot goes by key in chunks while changes flow, and goes on behind the last one") {
  source s;
  s.settings.values["snapshot_chunk_rows"] = int64_t{100};
  s.table("t", "a varchar(20) character set latin1, b int, v int, primary key (a, b)");
  s.run("insert into t select concat('k''ä', seq % 7), seq, 0 from seq_1_to_1050");
  REQUIRE(!s.open());
  for (int i = 0; i < 8; ++i) {
    s.step();
    s.run("insert into t values ('new', " + std::to_string(i) + ", 1)");
  }
  REQUIRE(!s.driver->progress().tables[0].snapshot_done);
  auto before = s.got.size();
  CHECK(before > 100);
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.got.size() - before < 1000);
  std::map<std::string, int> rows;
  for (auto& l : s.fresh())
    ++rows[l.substr(l.find(" a="), l.find(" v=") - l.find(" a="))];
  CHECK(rows.size() == 1058);
  CHECK(s.bad.empty());
}

TEST_CASE("rows of the log keep their ids over a restart while a snapshot is under way") {
  source s;
  s.settings.values["snapshot_chunk_rows"] = int64_t{100};
  s.table("t", "id int primary key");
  s.table("h", "n int");
  s.run("insert into t select seq from seq_1_to_2000");
  REQUIRE(!s.open());
  while (s.driver->progress().tables[0].snapshot_rows < 300)
    s.step();
  CHECK(!s.driver->snapshot({.what = snapshot_request::verb::pause, .table = "t"}));
  s.drain();
  // What follows is on the bus, but its place is not stored when the process dies.
  auto place = s.stored.back();
  auto read_h = [&] {
    s.got.clear();
    while (s.got.size() < 2)
      s.step();
    return s.got;
  };
  s.run("insert into h values (1), (2)");
  auto before = read_h();
  s.position = place.position;
  s.next_id = place.next_id;
  REQUIRE(!s.open());
  CHECK(read_h() == before);
}

TEST_CASE("a snapshot on request, of some rows or with a sweep, paused and resumed") {
  source s;
  s.settings.values["snapshot"] = std::string("never");
  s.settings.values["snapshot_chunk_rows"] = int64_t{10};
  s.table("t", "id int primary key, v int");
  s.run("insert into t select seq, seq % 2 from seq_1_to_30");
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.fresh().empty());
  using verb = snapshot_request::verb;
  CHECK(!s.driver->snapshot({.what = verb::start, .table = "t", .where = "v = 1 and id < 6"}));
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 id=1 v=1", "i t.0 id=3 v=1", "i t.0 id=5 v=1"});
  CHECK(!s.driver->snapshot({.what = verb::start, .table = s.database + ".t", .sweep = true}));
  CHECK(!s.driver->snapshot({.what = verb::pause, .table = "t"}));
  s.drain();
  CHECK(s.fresh().empty());
  CHECK(s.driver->progress().tables[0].snapshot_paused);
  REQUIRE(!s.open());
  CHECK(!s.driver->snapshot({.what = verb::resume, .table = "t"}));
  s.drain();
  auto got = s.fresh();
  CHECK(got.size() == 31);
  CHECK(got.back().find("sweep") != std::string::npos);
  CHECK(s.driver->snapshot({.what = verb::start, .table = "nothing"}) == ec::rejected);
}
