/// What is refused, and what happens when the server no longer has what we need.
#include "test/actors/extract/mysql_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract;
using namespace rtdp::extract::test;

namespace {

void refuses(source& s, const std::string& word) {
  auto failed = s.open();
  CHECK(failed == ec::rejected);
  CHECK_MESSAGE(failed.text().find(word) != std::string::npos, failed.text());
  CHECK(failed.text().find("rtdp:rtdp") == std::string::npos);
}

/// A source that read one row, closed.
void begin(source& s) {
  s.table("t", "id int primary key");
  s.run("insert into t values (1)");
  REQUIRE(!s.open());
  s.drain();
  s.close();
  s.got.clear();
}

} // namespace

TEST_CASE("a server whose log does not hold whole rows is refused, with what to set") {
  source s;
  s.table("t", "id int primary key");
  struct wrong_setting {
    std::string name, wrong, right;
  };
  for (const auto& w : {wrong_setting{"binlog_format", "'MIXED'", "'ROW'"},
                        {"binlog_row_image", "'MINIMAL'", "'FULL'"},
                        {"log_bin_compress", "1", "0"}}) {
    s.run("set global " + w.name + " = " + w.wrong);
    refuses(s, w.name + ": expected");
    s.run("set global " + w.name + " = " + w.right);
  }
  CHECK(!s.open());
}

TEST_CASE("rows without all their columns, from a session of its own mind, fail the source") {
  source s;
  s.table("t", "id int primary key, v int, w int");
  REQUIRE(!s.open());
  s.drain();
  s.run("insert into t values (1, 1, 1); set session binlog_row_image = 'MINIMAL'; update t set v = 2");
  auto failed = s.failure();
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("binlog_row_image") != std::string::npos);
}

TEST_CASE("a user without rights, a wrong password, a table that is not there are refused") {
  source s;
  s.table("t", "id int primary key");
  s.run("create or replace user poor identified by 'pw'; grant select on *.* to poor");
  auto url = server_url();
  auto host = url.substr(url.find('@'));
  s.settings.values["url"] = config::secret("mysql://poor:pw" + host);
  refuses(s, "REPLICATION SLAVE");
  s.settings.values["url"] = config::secret("mysql://poor:wrong" + host);
  refuses(s, "Access denied");
  s.settings.values["url"] = config::secret(url);
  s.capture(s.database + ".nothing");
  refuses(s, "nothing");
  s.run("drop user poor");
}

TEST_CASE("a log that was purged while the source was down fails it, or all rows are read anew") {
  source s;
  begin(s);
  s.run("flush binary logs; insert into t values (2)");
  // The server keeps what a reader has open, also for a moment after that is gone.
  for (int i = 0; i < 200 && s.db.run("show binary logs").size() > 1; ++i)
    s.run("purge binary logs to '" + s.db.run("show master status")[0][0] + "'; do sleep(0.05)");
  refuses(s, "no such log file");
  s.settings.values["on_lost"] = std::string("resnapshot");
  auto id = s.next_id;
  REQUIRE(!s.open());
  s.drain();
  auto got = s.fresh();
  CHECK(std::count(got.begin(), got.end(), "i t.0 id=1") == 1);
  CHECK(std::count(got.begin(), got.end(), "i t.0 id=2") == 1);
  CHECK(got.back().find("sweep") != std::string::npos);
  CHECK(s.next_id > id + 1'000'000);
}

TEST_CASE("a log that was begun anew is not taken for the old one, however alike its names are") {
  source s;
  begin(s);
  auto offset = std::stoll(s.position.substr(s.position.find(':') + 1));
  s.run("reset master");
  REQUIRE(s.position.find("binlog.00000") == 0);
  // As long as before, with the same file's name.
  for (int i = 2; std::stoll(s.db.run("show master status")[0][1]) <= offset + 1000; ++i)
    s.run("insert into t values (" + std::to_string(i) + ")");
  s.position.replace(0, s.position.find(':'), "binlog.000001");
  refuses(s, "stored position");
  s.settings.values["on_lost"] = std::string("resnapshot");
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.fresh().size() > 2);
}

TEST_CASE("two replicas of one number are told so") {
  source a, b;
  for (auto* s : {&a, &b}) {
    s->settings.values["server_id"] = int64_t{4711};
    s->table("t", "id int primary key");
  }
  REQUIRE(!a.open());
  a.drain();
  REQUIRE(!b.open());
  b.drain();
  auto failed = a.failure();
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("server_id") != std::string::npos);
}

TEST_CASE("a connection that breaks is an error that a retry helps, and nothing is lost") {
  source s;
  begin(s);
  REQUIRE(!s.open());
  s.drain();
  for (auto& r : s.db.run("select id from information_schema.processlist where command like 'Binlog "
                          "Dump%'"))
    s.db.try_run("kill " + r[0]);
  auto failed = s.failure();
  CHECK(failed == ec::unavailable);
  s.run("insert into t values (2)");
  REQUIRE(!s.open());
  s.drain();
  CHECK(s.fresh().back() == "i t.0 id=2");
}
