/// Tables that change while they are read, or while nobody reads: a change is told as the table was
/// when it was made.
#include "test/actors/extract/postgres_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract::test;

using list = std::vector<std::string>;

namespace {

/// Opened, all read, closed: what comes next happens while nobody reads.
void read_and_close(source& s) {
  REQUIRE(!s.open());
  s.drained();
  s.close();
}

list keys_of(const ums::batch& b) {
  list names;
  for (const auto& f : b.schema->fields)
    if (f.key)
      names.push_back(f.name);
  return names;
}

/// The batch whose first row's column `id` is this.
const ums::batch& batch_of(const source& s, const std::string& id) {
  for (const auto& b : s.batches)
    if (b.carries_rows() && has(line(b, 0) + " ", " id=" + id + " "))
      return b;
  FAIL("no row " << id);
  return s.batches.front();
}

/// Reads until the source refuses to go on.
error failure_of(source& s) {
  auto give_up = std::chrono::steady_clock::now() + 20s;
  error failed;
  while (!failed && std::chrono::steady_clock::now() < give_up) {
    failed = s.driver->read(*s.collected, 50ms);
    auto taken = s.collected->take();
    if (!taken.position.empty() && !failed) {
      s.position = taken.position;
      s.next_id = taken.next_id;
      failed = s.driver->confirm(s.position);
    }
  }
  return failed;
}

} // namespace

TEST_CASE("a table changed twice while nobody read: every row comes as the table was then") {
  source s;
  s.table("a", "id int primary key, n int");
  read_and_close(s);
  s.run("insert into a values (1, 1)");
  s.run("alter table a add m text");
  s.run("insert into a values (2, 2, 'x')");
  s.run("alter table a drop n");
  s.run("alter table a rename m to k");
  s.run("insert into a values (3, 'y')");
  s.run("alter table a alter k type int using 5");
  s.run("insert into a values (4, 7)");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i a.0 id=1 n=1", "2 - a.0", "3 i a.1 id=2 n=2 m=x", "4 - a.1",
                            "5 i a.2 id=3 k=y", "6 - a.2", "7 i a.3 id=4 k=7"});
  CHECK(batch_of(s, "3").schema->fields.at(4).type == ums::type::string);
  CHECK(batch_of(s, "4").schema->fields.at(4).type == ums::type::int_);
}

TEST_CASE("changes of rows and of the table in one transaction keep their order") {
  source s;
  s.table("a", "id int primary key, n int");
  REQUIRE(!s.open());
  s.drained();
  s.run(
      "begin; insert into a values (1, 1); alter table a add m int default 9; update a set n = 2;"
      "savepoint s; alter table a add gone int; insert into a values (8, 8, 8, 8); rollback to s;"
      "insert into a values (2, 2, 2); alter table a drop n; insert into a values (3, 3); commit");
  CHECK(s.drained() == list{"1 i a.0 id=1 n=1", "2 - a.0", "3 u a.1 id=1 n=2 m=9",
                            "4 i a.1 id=2 n=2 m=2", "5 - a.1", "6 i a.2 id=3 m=3"});
}

TEST_CASE("the key under REPLICA IDENTITY FULL is the one that the table had at the change") {
  source s;
  s.table("a", "id int primary key, other int not null");
  s.run("alter table a replica identity full; insert into a values (9, 90)");
  read_and_close(s);
  s.run("insert into a values (1, 10)");
  s.run("alter table a drop constraint a_pkey; alter table a add primary key (other)");
  s.run("insert into a values (2, 20); update a set other = 21 where id = 2");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"2 i a.0 id=1 other=10", "3 - a.0", "4 i a.1 id=2 other=20",
                            "5 d a.1 id=2 other=20", "6 i a.1 id=2 other=21"});
  CHECK(keys_of(batch_of(s, "1")) == list{"id"});
  CHECK(keys_of(batch_of(s, "2")) == list{"other"});
}

TEST_CASE("a changed primary key begins a new version") {
  source s;
  s.table("a", "id int primary key, other int not null");
  REQUIRE(!s.open());
  s.drained();
  s.run("insert into a values (1, 10)");
  s.run("alter table a drop constraint a_pkey; alter table a add primary key (other)");
  s.run("insert into a values (2, 20)");
  CHECK(s.drained() == list{"1 i a.0 id=1 other=10", "2 - a.0", "3 i a.1 id=2 other=20"});
  CHECK(keys_of(batch_of(s, "1")) == list{"id"});
  CHECK(keys_of(batch_of(s, "2")) == list{"other"});
}

TEST_CASE("a column that became NOT NULL later may hold nulls before") {
  source s;
  s.table("a", "id int primary key, n int");
  read_and_close(s);
  s.run("insert into a values (1, null)");
  s.run("update a set n = 0; alter table a alter n set not null");
  s.run("insert into a values (2, 2)");
  REQUIRE(!s.open());
  CHECK(s.drained().at(0) == "1 i a.0 id=1 n=NULL");
  CHECK(batch_of(s, "1").schema->fields.at(4).nullable);
}

TEST_CASE("a type that was dropped since is read as what it was") {
  source s;
  s.run("create domain small as int; create domain smaller as small; create type mood as enum "
        "('ok')");
  s.table("a", "id int primary key, v smaller, m mood");
  read_and_close(s);
  s.run("insert into a values (1, 5, 'ok')");
  s.run("alter table a alter v type text, drop m; drop domain smaller; drop domain small; "
        "drop type mood");
  s.run("insert into a values (2, 'z')");
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i a.0 id=1 v=5 m=ok", "2 - a.0", "3 i a.1 id=2 v=z"});
  const auto& old = batch_of(s, "1").schema->fields;
  CHECK(old.at(4).type == ums::type::int_);
  CHECK(old.at(4).native == "int4");
  CHECK(old.at(5).native == s.schema + ".mood");
}

TEST_CASE("a renamed table stops the source, and goes on under its new name") {
  source s;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.run("insert into a values (1)");
  s.drained();
  s.run("alter table a rename to b; insert into b values (2)");
  auto why = failure_of(s);
  CHECK(why == ec::rejected);
  CHECK(has(why.text(), "is called \"" + s.schema + "\".\"b\" now"));
  CHECK(has(s.open().text(), "is called"));
  s.settings.values["tables"] = config::sections();
  s.capture(s.schema + ".b");
  s.run("insert into b values (3)");
  REQUIRE(!s.open());
  auto got = s.drained();
  REQUIRE(!got.empty());
  CHECK(has(got.back(), " i b.0 id=3"));
  for (const auto& l : got)
    CHECK_FALSE(has(l, " i b.0 id=1"));
}

TEST_CASE("a table that was dropped and made anew is read from its beginning, and swept") {
  source s;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.run("insert into a values (1)");
  s.drained();
  s.run("drop table a; create table a (id int primary key, n int); insert into a values (7, 7)");
  auto why = failure_of(s);
  CHECK(why == ec::unavailable);
  CHECK(has(why.text(), "was made anew"));
  REQUIRE(!s.open());
  auto got = s.drained();
  s.run("insert into a values (8, 8)");
  s.drain();
  CHECK(batch_of(s, "7").kind == ums::protocol::initial_data);
  CHECK(batch_of(s, "8").kind == ums::protocol::increment_data);
  CHECK(std::any_of(s.batches.begin(), s.batches.end(),
                    [](auto& b) { return b.kind == ums::protocol::increment_sweep; }));
}

TEST_CASE("tables that swap their names are told apart") {
  source s;
  s.table("a", "id int primary key");
  s.run("insert into a values (1)");
  read_and_close(s);
  s.run("create table a_new (id int primary key, n int); insert into a_new values (1, 1), (2, 2)");
  s.run("insert into a values (3)");
  s.run("alter table a rename to a_old; alter table a_new rename to a");
  s.run("insert into a_old values (4); insert into a values (5, 5)");
  REQUIRE(!s.open());
  auto before = s.batches.size();
  s.drain();
  list last;
  for (auto i = before; i < s.batches.size(); ++i)
    for (size_t row = 0; s.batches[i].carries_rows() && row < s.batches[i].rows(); ++row)
      last.push_back(line(s.batches[i], row).substr(line(s.batches[i], row).find(" i ")));
  CHECK(std::count(last.begin(), last.end(), " i a.1 id=2 n=2") == 1);
  CHECK(std::count(last.begin(), last.end(), " i a.1 id=5 n=5") == 1);
  for (const auto& l : last)
    CHECK_FALSE(has(l, "id=4"));
}

TEST_CASE("a table that is gone stops the source and is named") {
  source s;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  s.run("drop table a");
  auto why = failure_of(s);
  CHECK(why == ec::rejected);
  CHECK(has(why.text(), "\"a\" does not exist"));
}
