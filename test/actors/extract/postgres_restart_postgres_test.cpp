/// Restarts in the middle of what the server sends as one: a COPY, a large transaction.
#include "test/actors/extract/postgres_fixture.hpp"

using namespace rtdp;
using namespace rtdp::extract::test;

using list = std::vector<std::string>;

namespace {

/// Stops at a stored position in the middle of what comes, and gives all of it: what was read
/// before, and what a driver opened there reads.
list read_in_two(source& s) {
  auto had = s.stored.size();
  while (s.stored.size() < had + 3)
    s.step();
  auto middle = s.stored.back();
  CHECK(middle.lines > 0);
  s.got.resize(middle.lines);
  REQUIRE(!s.open());
  s.drain();
  return std::exchange(s.got, {});
}

} // namespace

TEST_CASE("rows of one COPY, which share their place in the log, survive a restart in its middle") {
  source s;
  s.rows_max = 700;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  auto first = s.collected->next_id();
  s.run("copy a from program 'seq 1 5000'");
  auto got = read_in_two(s);
  REQUIRE(got.size() == 5000);
  for (size_t i = 0; i < got.size(); ++i)
    REQUIRE(got[i] == std::to_string(first + int64_t(i)) + " i a.0 id=" + std::to_string(i + 1));
}

TEST_CASE("a large transaction cut off in its middle goes on there, without what it took back") {
  source s;
  s.rows_max = 1000;
  s.table("a", "id int primary key, note text");
  s.table("b", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  client other;
  s.run("begin; insert into a select i, repeat('x', 100) from generate_series(1, 20000) i; "
        "savepoint s; insert into a select i from generate_series(30001, 50000) i; rollback to s; "
        "delete from a where id > 19000");
  other.run("insert into " + s.schema + ".b values (1)");
  CHECK(s.drained().at(0).find(" i b.0 id=1") != std::string::npos);
  s.run("commit");
  other.run("insert into " + s.schema + ".b values (2)");
  auto got = read_in_two(s);
  REQUIRE(got.size() == 21'001);
  CHECK(got.back().find(" i b.0 id=2") != std::string::npos);
  auto first = std::stoll(got.front());
  for (size_t i = 0; i < got.size(); ++i) {
    REQUIRE(std::stoll(got[i]) == first + int64_t(i));
    REQUIRE(std::stoll(got[i].substr(got[i].find("id=") + 3)) <= 20'000);
  }
}

TEST_CASE("bytes that are no text, in a database that takes any, are dead letters") {
  source s;
  client admin;
  auto name = s.slot + "_ascii";
  admin.run("create database " + name + " encoding 'SQL_ASCII' locale 'C' template template0");
  {
    auto url = server_url();
    url.replace(url.rfind('/') + 1, std::string::npos, name);
    client db(url);
    db.run("create table public.a (id int primary key, t text); set client_encoding = 'SQL_ASCII'; "
           "insert into public.a values (1, E'\\xff'), (2, 'ok')");
    s.settings.values["url"] = config::secret(url);
    s.capture("public.a");
    REQUIRE(!s.open());
    for (auto& l : s.drained())
      CHECK_MESSAGE(l.find("id=2 t=ok") != std::string::npos, l);
    db.run("update public.a set t = E'o\\xc3' where id = 2; update public.a set t = 'ok' where id "
           "= 1");
    CHECK(s.drained().size() == 1);
    REQUIRE(s.bad.size() == 2);
    CHECK(s.bad[1].reason.find("column t: expected a text") == 0);
    s.close();
    for (int i = 0; i < 200 && !db.try_run("select pg_drop_replication_slot('" + s.slot + "')");
         ++i)
      db.run("select pg_sleep(0.02)");
  }
  admin.run("drop database " + name + " with (force)");
}
