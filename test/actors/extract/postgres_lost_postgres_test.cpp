/// Positions that cannot be gone on from: the source says why, or begins anew when it is told to.
#include "test/actors/extract/postgres_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract::test;

using list = std::vector<std::string>;

namespace {

void drop_slot(source& s) {
  for (int i = 0; i < 200 && !s.db.try_run("select pg_drop_replication_slot('" + s.slot + "')");
       ++i)
    s.db.run("select pg_sleep(0.02)");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  auto at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

/// Opened, read and closed; its position has a place in the log.
void read_some(source& s) {
  s.table("a", "id int primary key");
  s.run("insert into a values (1), (2)");
  REQUIRE(!s.open());
  s.drained();
  s.run("insert into a values (3)");
  s.drained();
  s.close();
}

struct loss {
  std::string what, reason;
  void (*happens)(source&);
};

const loss losses[] = {
    {"the slot was dropped", "is gone", [](source& s) { drop_slot(s); }},
    {"the slot was made anew", "was confirmed up to",
     [](source& s) {
       drop_slot(s);
       s.run("insert into a values (4)");
       s.db.run("select pg_create_logical_replication_slot('" + s.slot + "', 'pgoutput')");
     }},
    {"another server", "is another server",
     [](source& s) {
       auto id = s.db.value("select system_identifier from pg_control_system()");
       s.position = replaced(s.position, id, "1" + id);
     }},
    {"an older timeline", "restored to a time before",
     [](source& s) { s.position = replaced(s.position, "\"timeline\":1", "\"timeline\":7"); }},
    {"a log that ends before the position", "log ends at",
     [](source& s) { s.position = "FFFF/0" + s.position.substr(s.position.find(' ')); }},
    {"the publication was dropped", "was dropped",
     [](source& s) { s.db.run("drop publication " + s.slot); }},
};

} // namespace

TEST_CASE("changes that are lost are told with the reason and the way out") {
  for (const auto& l : losses) {
    CAPTURE(l.what);
    source s;
    read_some(s);
    l.happens(s);
    auto why = s.open();
    CHECK(why == ec::rejected);
    CHECK_MESSAGE(has(why.text(), l.reason), why.text());
    CHECK(has(why.text(), "on_lost: resnapshot"));
  }
}

TEST_CASE("with on_lost: resnapshot a lost position begins anew, with higher ids and a sweep") {
  for (const auto& l : losses) {
    CAPTURE(l.what);
    source s;
    s.settings.values["on_lost"] = std::string("resnapshot");
    read_some(s);
    auto next = s.next_id;
    l.happens(s);
    s.run("delete from a where id = 1; insert into a values (9)");
    s.batches.clear();
    auto failed = s.open();
    REQUIRE_MESSAGE(!failed, failed.text());
    s.drain();
    std::vector<int64_t> rows;
    int64_t swept_below = 0;
    for (const auto& b : s.batches) {
      for (auto id : b.columns[0].ints())
        CHECK(id > next);
      if (b.kind == ums::protocol::increment_sweep)
        swept_below = b.columns[2].ints()[0];
      for (size_t i = 0; b.carries_rows() && i < b.rows(); ++i)
        rows.push_back(b.find("id")->ints()[i]);
    }
    std::sort(rows.begin(), rows.end());
    CHECK(std::count(rows.begin(), rows.end(), 1) == 0);
    for (int id : {2, 3, 9})
      CHECK(std::count(rows.begin(), rows.end(), id) == 1);
    CHECK(swept_below > next);
    s.got.clear();
    s.run("insert into a values (10)");
    CHECK(has(s.drained().at(0), " i a.0 id=10"));
  }
}

TEST_CASE("a publication that is dropped while changes flow is told at the next change") {
  source s;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  s.db.run("drop publication " + s.slot);
  s.run("insert into a values (1)");
  error failed;
  for (int i = 0; i < 400 && !failed; ++i)
    failed = s.driver->read(*s.collected, 50ms);
  CHECK(failed == ec::unavailable);
  CHECK(has(failed.text(), "is published otherwise than before"));
  auto why = s.open();
  CHECK(why == ec::rejected);
  CHECK(has(why.text(), "was dropped"));
}

TEST_CASE("a slot whose log the server removed is lost, and says so") {
  source s;
  read_some(s);
  s.db.run("alter system set max_slot_wal_keep_size = '1MB'");
  s.db.run("select pg_reload_conf()");
  for (int i = 0; i < 4; ++i) {
    s.run("create table filler as select generate_series(1, 1000); drop table filler");
    s.db.run("select pg_switch_wal()");
  }
  s.db.run("checkpoint");
  CHECK(s.db.value("select wal_status from pg_replication_slots where slot_name = '" + s.slot +
                   "'") == "lost");
  auto why = s.open();
  s.db.run("alter system reset max_slot_wal_keep_size");
  s.db.run("select pg_reload_conf()");
  CHECK(why == ec::rejected);
  CHECK(has(why.text(), "max_slot_wal_keep_size"));
  s.settings.values["on_lost"] = std::string("resnapshot");
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.got.size() >= 3);
}

TEST_CASE("a slot that another client reads is waited for, and who it is is told") {
  source s;
  s.table("a", "id int primary key");
  REQUIRE(!s.open());
  s.drained();
  s.run("insert into a values (1)");
  auto other = extract::postgres_source().make("shop", s.settings);
  auto why = other->open(s.position);
  auto pid =
      s.db.value("select active_pid from pg_replication_slots where slot_name = '" + s.slot + "'");
  CHECK(why == ec::unavailable);
  CHECK_MESSAGE(has(why.text(), "active for PID " + pid + ", rtdp shop at 127.0.0.1"), why.text());
  REQUIRE(!s.open());
  CHECK(s.drained() == list{"1 i a.0 id=1"});
}
