/// What of a table is published: filters, column lists, partitions, identities, TRUNCATE.
#include "test/actors/extract/postgres_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract::test;

using list = std::vector<std::string>;

namespace {

error failure_of(source& s) {
  error failed;
  for (int i = 0; i < 400 && !failed; ++i)
    failed = s.driver->read(*s.collected, 50ms);
  return failed;
}

/// Without ids, which jump when a table is read again.
list without_ids(const list& lines) {
  list out;
  for (const auto& l : lines)
    out.push_back(l.substr(l.find(' ') + 1));
  return out;
}

} // namespace

TEST_CASE("row filter and column list of a publication of the user's own are honoured") {
  source s;
  s.settings.values["create"] = true;
  s.table("a", "id int primary key, n int, secret text");
  s.run("insert into a values (1, 1, 'x'), (2, -2, 'x'); alter table a replica identity full");
  s.db.run("create publication " + s.slot + " for table " + s.schema +
           ".a where (n > 0) with (publish_via_partition_root = true)");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i a.0 id=1 n=1 secret=x"});
  s.run("insert into a values (3, 3, 'y'), (4, -4, 'y'); update a set n = 5 where id = 4; "
        "update a set n = -1 where id = 1");
  CHECK(s.drained() == list{"2 i a.0 id=3 n=3 secret=y", "3 i a.0 id=4 n=5 secret=y",
                            "4 d a.0 id=1 n=1 secret=x"});
}

TEST_CASE("a filter and a column list that change while changes flow hold from then on") {
  source s;
  s.table("a", "id int primary key, n int, secret text");
  s.run("insert into a values (1, 1, 'x'), (2, -2, 'x')");
  s.db.run("create publication " + s.slot + " for table " + s.schema + ".a (id, n)");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i a.0 id=1 n=1", "2 i a.0 id=2 n=-2"});
  s.db.run("alter publication " + s.slot + " set table " + s.schema +
           ".a (id, secret) where (id > 1)");
  s.run("insert into a values (3, 3, 'y'); insert into a values (0, 3, 'y')");
  auto why = failure_of(s);
  CHECK(why == ec::unavailable);
  CHECK(has(why.text(), "published otherwise than before"));
  s.collected->take();
  REQUIRE(!s.open());
  auto got = without_ids(s.drained());
  CHECK(std::count(got.begin(), got.end(), "i a.1 id=2 secret=x") == 1);
  CHECK(std::count(got.begin(), got.end(), "i a.1 id=3 secret=y") >= 1);
  for (const auto& l : got)
    CHECK_FALSE(has(l, "id=0"));
  CHECK(std::any_of(s.batches.begin(), s.batches.end(),
                    [](auto& b) { return b.kind == ums::protocol::increment_sweep; }));
}

TEST_CASE("a table that was taken out of the publication for a while is read again") {
  source s;
  s.table("a", "id int primary key");
  s.table("b", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  s.close();
  s.db.run("alter publication " + s.slot + " drop table " + s.schema + ".a");
  s.run("insert into a values (1); insert into b values (1)");
  s.db.run("alter publication " + s.slot + " add table " + s.schema + ".a");
  s.run("insert into a values (2)");
  REQUIRE(!s.open());
  auto got = without_ids(s.drained());
  CHECK(std::count(got.begin(), got.end(), "i a.0 id=1") == 1);
  CHECK(std::count(got.begin(), got.end(), "i a.0 id=2") >= 1);
  CHECK(std::count(got.begin(), got.end(), "i b.0 id=1") == 1);
  s.close();
  s.db.run("alter publication " + s.slot + " drop table " + s.schema + ".a");
  s.settings.values["create"] = false;
  auto why = s.open();
  CHECK(why == ec::rejected);
  CHECK(has(why.text(), "does not hold table"));
}

TEST_CASE("a new table of a schema that is captured whole is noticed and read") {
  source s;
  s.run("create table a (id int primary key)");
  s.capture(s.schema + ".*");
  REQUIRE(!s.open());
  s.drained();
  s.run("create table b (id int primary key); insert into b values (1)");
  auto why = failure_of(s);
  CHECK(why == ec::unavailable);
  CHECK(has(why.text(), "\"b\" is new"));
  REQUIRE(!s.open());
  CHECK(without_ids(s.drained()) == list{"i b.0 id=1"});
}

TEST_CASE("a partitioned table is one table, also of partitions that were attached later") {
  source s;
  s.table("p", "id int primary key, v text) partition by range (id");
  s.run(
      "create table p1 partition of p for values from (0) to (10); insert into p values (1, 'a')");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i p.0 id=1 v=a"});
  s.run("create table p2 partition of p for values from (10) to (20)");
  s.run("insert into p values (11, 'b'); update p set id = 12 where id = 1");
  CHECK(s.drained() == list{"2 i p.0 id=11 v=b", "3 d p.0 id=1", "4 i p.0 id=12 v=a"});
  s.run("create table old (v text, id int primary key); insert into old values ('c', 21)");
  s.run("alter table p attach partition old for values from (20) to (30)");
  s.run("insert into p values (22, 'd')");
  auto why = failure_of(s);
  CHECK(why == ec::unavailable);
  s.collected->take();
  REQUIRE(!s.open());
  auto got = without_ids(s.drained());
  for (auto row : {"i p.0 id=21 v=c", "i p.0 id=22 v=d", "i p.0 id=12 v=a"})
    CHECK(std::count(got.begin(), got.end(), row) >= 1);
  s.run("truncate p");
  CHECK(without_ids(s.drained()) == list{"- p.0"});
}

TEST_CASE("a partition with another identity than its root keeps what the log does not carry") {
  source s;
  s.table("p", "id int primary key, n int, big text) partition by range (id");
  s.run("create table p1 partition of p for values from (0) to (10)");
  s.run("alter table p1 alter big set storage external; alter table p replica identity full");
  s.run("insert into p values (1, 1, repeat('x', 4000))");
  REQUIRE(!s.open());
  s.drained();
  s.run("update p set n = 2; update p set id = 2; delete from p");
  CHECK(s.drained() ==
        list{"2 u p.0 id=1 n=2", "3 d p.0 id=1", "4 i p.0 id=2 n=2", "5 d p.0 id=2"});
  std::get<config::sections>(s.settings.values["tables"]).at(0).values["before_images"] = true;
  CHECK(has(s.open().text(), "does not tell whether a partition wrote the whole old row"));
}

TEST_CASE("a publication that publishes partitions one by one is refused with what to do") {
  source s;
  s.table("p", "id int primary key) partition by range (id");
  s.db.run("create publication " + s.slot + " for table " + s.schema + ".p");
  auto why = s.open();
  CHECK(why == ec::rejected);
  CHECK(has(why.text(), "publish_via_partition_root = true"));
}

TEST_CASE("a truncate of several tables and of those that refer to them reaches each of them") {
  source s;
  s.table("a", "id int primary key");
  s.table("b", "id int primary key, a int");
  s.run("alter table b add foreign key (a) references a");
  s.table("c", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  s.run(
      "insert into a values (1); truncate a, c restart identity cascade; insert into a values (2)");
  auto got = s.drained();
  REQUIRE(got.size() == 5);
  CHECK(got.front() == "1 i a.0 id=1");
  CHECK(got.back() == "5 i a.0 id=2");
  auto middle = without_ids({got.begin() + 1, got.end() - 1});
  std::sort(middle.begin(), middle.end());
  CHECK(middle == list{"- a.0", "- b.0", "- c.0"});
}

TEST_CASE("tables of one name in several schemas stay apart") {
  source s;
  s.table("a", "id int primary key");
  auto second = "\"" + s.schema + " Zwéi.x\"";
  s.db.run("create schema " + second + "; create table " + second + ".a (id int primary key)");
  s.capture(second + ".a");
  REQUIRE(!s.open());
  s.run("insert into a values (1); insert into " + second + ".a values (2)");
  s.drain();
  for (const auto& b : s.batches)
    if (b.carries_rows())
      CHECK(b.schema->name[ums::ns::database] ==
            (b.find("id")->ints()[0] == 1 ? s.schema : s.schema + " Zwéi.x"));
  s.db.run("drop schema " + second + " cascade");
}

TEST_CASE("an identity index that is not the primary key names the rows") {
  source s;
  s.table("a", "id int primary key, code text not null, n int");
  s.run(
      "create unique index a_code on a (code); alter table a replica identity using index a_code");
  s.run("insert into a values (1, 'x', 1)");
  REQUIRE(!s.open());
  s.drained();
  CHECK(s.batches.at(0).schema->fields.at(4).key);
  CHECK(!s.batches.at(0).schema->fields.at(3).key);
  s.run("update a set n = 2; update a set id = 7; update a set code = 'y'; delete from a");
  CHECK(s.drained() == list{"2 u a.0 id=1 code=x n=2", "3 u a.0 id=7 code=x n=2", "4 d a.0 code=x",
                            "5 i a.0 id=7 code=y n=2", "6 d a.0 code=y"});
}

TEST_CASE("under REPLICA IDENTITY FULL nothing is missing, neither texts nor arrays") {
  source s;
  s.table("a", "id int primary key, n int, big text, many int[]");
  s.run(
      "alter table a alter big set storage external, alter many set storage external; "
      "alter table a replica identity full; "
      "insert into a select 1, 1, repeat('x', 4000), array_agg(i) from generate_series(1, 2000) i");
  REQUIRE(!s.open());
  auto first = s.drained().at(0);
  s.run("update a set n = n");
  auto second = s.drained().at(0);
  CHECK(second.substr(second.find(" a.0")) == first.substr(first.find(" a.0")));
}

TEST_CASE("without a key, updates under REPLICA IDENTITY FULL are a delete and an insert") {
  source s;
  s.table("h", "who int, note text");
  s.run("alter table h replica identity full; insert into h values (1, 'a')");
  REQUIRE(!s.open());
  s.drained();
  s.run("update h set who = 2; delete from h");
  auto got = without_ids(s.drained());
  CHECK(got == list{"d h.0 who=1 note=a", "i h.0 who=2 note=a", "d h.0 who=2 note=a"});
}

TEST_CASE("REPLICA IDENTITY NOTHING: inserts come, the server refuses the rest") {
  source s;
  s.table("a", "id int primary key");
  s.run("alter table a replica identity nothing");
  REQUIRE(!s.open());
  s.drained();
  s.run("insert into a values (1)");
  CHECK(s.drained() == list{"1 i a.0 id=1"});
  CHECK_FALSE(s.db.try_run("delete from " + s.schema + ".a"));
  CHECK(has(s.db.why(), "replica identity"));
}
