#include "test/actors/extract/postgres_fixture.hpp"

using namespace rtdp;
using namespace rtdp::extract::test;

using list = std::vector<std::string>;

namespace {

std::string error_of(source& s) { return s.open().text(); }

} // namespace

TEST_CASE("rows that were there come first, changes follow") {
  source s;
  s.table("a", "id int primary key, note text, price numeric(8,2)");
  s.run("insert into a values (1, 'one', 1.50), (2, null, null)");
  REQUIRE(!s.open());
  CHECK(s.drained() ==
        list{"1 i a.0 id=1 note=one price=1.50", "2 i a.0 id=2 note=NULL price=NULL"});
  CHECK(s.batches.at(0).kind == ums::protocol::initial_data);
  auto& fields = s.batches.at(0).schema->fields;
  CHECK(s.batches.at(0).schema->name == ums::ns("postgres", "shop", s.schema, "a", "0", "0", "0"));
  CHECK(fields.at(3).key);
  CHECK(!fields.at(3).nullable);
  CHECK(fields.at(5).native == "numeric(8,2)");
  CHECK(fields.at(5).type == ums::type::decimal);
  s.run("insert into a values (3, 'three', 3)");
  s.run("update a set note = 'two' where id = 2; delete from a where id = 1");
  CHECK(s.drained() == list{"3 i a.0 id=3 note=three price=3.00",
                            "4 u a.0 id=2 note=two price=NULL", "5 d a.0 id=1"});
  CHECK(s.batches.back().kind == ums::protocol::increment_data);
  CHECK(s.driver->progress().tables.at(0).snapshot_done);
  CHECK(s.driver->progress().tables.at(0).snapshot_rows == 2);
  CHECK(s.driver->progress().retained_bytes >= 0);
}

TEST_CASE("a source that is opened again goes on where it was") {
  source s;
  s.table("a", "id int primary key");
  s.run("insert into a values (1)");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i a.0 id=1"});
  s.close();
  s.run("insert into a values (2)");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"2 i a.0 id=2"});
}

TEST_CASE("without a snapshot only changes come") {
  source s;
  s.settings.values["snapshot"] = std::string("never");
  s.table("a", "id int primary key");
  s.run("insert into a values (1)");
  REQUIRE(!s.open());
  s.step();
  s.run("insert into a values (2)");
  CHECK(s.drained() == list{"1 i a.0 id=2"});
}

TEST_CASE("a changed key is a delete of the old and an insert of the new") {
  source s;
  s.table("a", "id int, part text, note text, primary key (id, part)");
  s.run("insert into a values (1, 'x', 'n')");
  REQUIRE(!s.open());
  s.drained();
  s.run("update a set part = 'y'; update a set note = 'm'");
  CHECK(s.drained() ==
        list{"2 d a.0 id=1 part=x", "3 i a.0 id=1 part=y note=n", "4 u a.0 id=1 part=y note=m"});
}

TEST_CASE("a value that the log does not carry is absent, and read where it is needed") {
  source s;
  s.table("a", "id int primary key, n int, big text");
  s.run("alter table a alter big set storage external");
  s.run("insert into a values (1, 0, repeat('x', 5000))");
  REQUIRE(!s.open());
  s.drained();
  s.run("update a set n = 1");
  CHECK(s.drained() == list{"2 u a.0 id=1 n=1"});
  s.run("update a set id = 2");
  CHECK(s.drained() == list{"3 d a.0 id=1", "4 i a.0 id=2 n=1 big=" + std::string(5000, 'x')});
  // Gone again before it could be read: the insert goes on with what is known.
  s.run("update a set id = 3; delete from a");
  CHECK(s.drained() == list{"5 d a.0 id=2", "6 i a.0 id=3 n=1", "7 d a.0 id=3"});
}

TEST_CASE("before-images hold the old row, also what the log leaves out of the new one") {
  source s;
  s.table("a", "id int primary key, n int, big text", true);
  s.run("alter table a alter big set storage external; alter table a replica identity full");
  s.run("insert into a values (1, 0, repeat('x', 3000))");
  REQUIRE(!s.open());
  s.drained();
  auto big = " big=" + std::string(3000, 'x');
  s.run("update a set n = 1; update a set id = 2; delete from a");
  CHECK(s.drained() == list{"2 b a.0 id=1 n=0" + big, "2 u a.0 id=1 n=1" + big,
                            "3 d a.0 id=1 n=1" + big, "4 i a.0 id=2 n=1" + big,
                            "5 d a.0 id=2 n=1" + big});
}

TEST_CASE("a truncate is a message of its own in its place") {
  source s;
  s.table("a", "id int primary key");
  s.table("b", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  s.run("insert into a values (1); truncate a, b; insert into a values (2)");
  CHECK(s.drained() == list{"1 i a.0 id=1", "2 - a.0", "3 - b.0", "4 i a.0 id=2"});
}

TEST_CASE("a table without primary key sends inserts without a key") {
  source s;
  s.table("h", "who int, note text");
  s.run("insert into h values (1, 'a'), (1, 'a')");
  REQUIRE(!s.open());
  CHECK(s.drained().size() == 2);
  CHECK(s.batches.at(0).schema->keys().empty());
  CHECK(!s.db.try_run("update " + s.schema + ".h set note = 'b'"));
  s.run("insert into h values (2, null)");
  CHECK(s.drained() == list{"3 i h.0 who=2 note=NULL"});
}

TEST_CASE("a changed table begins a new version when its next row comes") {
  source s;
  s.table("a", "id int primary key");
  s.run("insert into a values (1)");
  REQUIRE(!s.open());
  s.drained();
  s.run("alter table a add n int; insert into a values (2, 3)");
  CHECK(s.drained() == list{"2 - a.0", "3 i a.1 id=2 n=3"});
  CHECK(s.batches.at(1).kind == ums::protocol::increment_termination);
  CHECK(s.driver->progress().tables.at(0).name[ums::ns::version] == "1");
  REQUIRE(!s.open());
  s.run("insert into a values (4, 5)");
  CHECK(s.drained() == list{"4 i a.1 id=4 n=5"});
}

TEST_CASE("odd names and all tables of a schema can be captured") {
  source s;
  s.run("create table \"we.ird \"\"t\"\"\" (\"i d\" int primary key, \"sel'ect\" text)");
  s.run("create table parts (id int primary key) partition by range (id)");
  s.run("create table parts_1 partition of parts for values from (0) to (10)");
  s.run("insert into \"we.ird \"\"t\"\"\" values (1, 'x'); insert into parts values (1)");
  s.capture(s.schema + ".*");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i parts.0 id=1", "2 i we.ird \"t\".0 i d=1 sel'ect=x"});
  s.run("insert into \"we.ird \"\"t\"\"\" values (2, 'y'); insert into parts values (2)");
  CHECK(s.drained() == list{"3 i we.ird \"t\".0 i d=2 sel'ect=y", "4 i parts.0 id=2"});
}

TEST_CASE("a large transaction is handed over in pieces") {
  source s;
  s.rows_max = 1000;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  auto before = s.stored.size();
  s.run("insert into a select generate_series(1, 10500)");
  auto got = s.drained();
  CHECK(got.size() == 10'500);
  CHECK(got.back() == "10500 i a.0 id=10500");
  CHECK(s.stored.size() - before >= 11);
}

TEST_CASE("without a key a snapshot that was cut off begins again with an empty table") {
  source s;
  s.rows_max = 100;
  s.table("a", "id int");
  s.table("b", "id int");
  s.run("alter table b replica identity full");
  s.run(
      "insert into a select generate_series(1, 150); insert into b select generate_series(1, 500)");
  REQUIRE(!s.open());
  while (s.got.size() < 300)
    s.step();
  auto last = s.collected->next_id();
  s.close();
  s.got.clear();
  s.run("delete from b where id > 10; insert into a values (151)");
  REQUIRE(!s.open());
  auto got = s.drained();
  // Table a was complete: it goes on with changes. Table b is emptied and read again.
  REQUIRE(got.size() == 12);
  CHECK(has(got[0], " - b.0"));
  CHECK(std::stoll(got[0]) > last);
  CHECK(has(got[10], " i b.0 id=10"));
  CHECK(has(got[11], " i a.0 id=151"));
}

TEST_CASE("a table that is captured later is read when the source is opened again") {
  source s;
  s.table("a", "id int primary key");
  s.run("create table b (id int primary key); insert into b values (1)");
  REQUIRE(!s.open());
  s.drained();
  s.close();
  s.capture(s.schema + ".b");
  s.run("insert into a values (7)");
  REQUIRE(!s.open());
  auto got = s.drained();
  REQUIRE(got.size() == 2);
  CHECK(has(got[0] + got[1], " i b.0 id=1"));
  CHECK(has(got[0] + got[1], " i a.0 id=7"));
  s.run("insert into b values (2)");
  CHECK(has(s.drained().at(0), " i b.0 id=2"));
}

TEST_CASE("the slot moves on while its tables are idle") {
  source s;
  s.settings.values["heartbeat_interval"] = std::chrono::milliseconds(100);
  s.table("a", "id int primary key");
  s.run("create table other (id int)");
  REQUIRE(!s.open());
  s.drained();
  auto confirmed = "select confirmed_flush_lsn >= '" + s.db.value("select pg_current_wal_lsn()") +
                   "' from pg_replication_slots where slot_name = '" + s.slot + "'";
  s.run("insert into other select generate_series(1, 1000)");
  auto give_up = std::chrono::steady_clock::now() + 20s;
  while (s.db.value(confirmed) != "t" && std::chrono::steady_clock::now() < give_up)
    s.step();
  CHECK(s.db.value(confirmed) == "t");
  REQUIRE(!s.open());
  s.run("insert into a values (1)");
  CHECK(s.drained() == list{"1 i a.0 id=1"});
}

TEST_CASE("what cannot go well is refused at once and says why") {
  source s;
  s.table("a", "id int primary key");
  auto url = server_url();
  auto with = [&](const std::string& from, const std::string& to) {
    auto changed = url;
    changed.replace(changed.find(from), from.size(), to);
    s.settings.values["url"] = config::secret(changed);
    return s.open();
  };
  auto wrong = with("rtdp:rtdp", "rtdp:no");
  CHECK(wrong == ec::rejected);
  CHECK(has(wrong.text(), "password authentication failed"));
  wrong = with("/test", "/nowhere");
  CHECK(wrong == ec::rejected);
  CHECK(has(wrong.text(), "database \"nowhere\" does not exist"));
  CHECK(with("postgresql:", "postgresql:x") == ec::rejected);
  auto port = url.substr(url.find("127.0.0.1:"), url.rfind('/') - url.find("127.0.0.1:"));
  CHECK(with(port, "127.0.0.1:1") == ec::unavailable);
  s.settings.values["url"] = config::secret(url);

  s.settings.values["create"] = false;
  CHECK(has(error_of(s), "does not exist: create it"));
  s.settings.values["create"] = true;
  s.capture(s.schema + ".nothing");
  CHECK(has(error_of(s), "nothing\" does not exist"));
  s.settings.values["tables"] = config::sections();
  s.capture(s.schema + ".a", true);
  CHECK(has(error_of(s), "REPLICA IDENTITY FULL"));
  s.settings.values["tables"] = config::sections();
  s.capture("a.b.c");
  CHECK(has(error_of(s), "expected schema.table"));
}

TEST_CASE("a slot that is gone, taken or ahead of us is told from one that is fine") {
  source s;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  auto other = extract::postgres_source().make("shop", s.settings);
  auto taken = other->open(s.position);
  CHECK(taken == ec::unavailable);
  CHECK(has(taken.text(), "is active for PID "));
  auto old = s.position;
  s.run("insert into a values (1)");
  s.drain();
  s.close();
  s.position = old;
  auto ahead = s.open();
  CHECK(ahead == ec::rejected);
  CHECK(has(ahead.text(), "was confirmed up to"));
  s.db.run("select pg_drop_replication_slot('" + s.slot + "')");
  auto gone = s.open();
  CHECK(gone == ec::rejected);
  CHECK(has(gone.text(), "is gone"));
}

TEST_CASE("a broken connection is unavailable, and the source goes on after it") {
  source s;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  s.db.run("select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '" +
           s.slot + "'");
  s.run("insert into a values (1)");
  error failed;
  for (int i = 0; i < 100 && !failed; ++i)
    failed = s.driver->read(*s.collected, 50ms);
  CHECK(failed == ec::unavailable);
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i a.0 id=1"});
}
