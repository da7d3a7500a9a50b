/// Positions of a mysql source, table names and URLs. No server.
#include "actors/extract/mysql_connection.hpp"
#include "actors/extract/mysql_position.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract::my {

TEST_CASE("a position beyond 2^31 and 2^32 is read back as it was written") {
  position p;
  p.at = {"mysql-bin.000123", 5'000'000'000};
  p.events = 4'294'967'297;
  p.changes = 7;
  p.file_made = 4'000'000'000;
  p.gtid = {{0, "0-1-18446744073709551615"}, {7, "7-4294967295-3"}};
  p.tables.push_back({.name = {"shop", "we\"i}d ["}, .version = 3, .shape = ~uint64_t{0}, .begun = true,
                      .charset = "utf8mb4",
                      .columns = {{.name = "ä", .type = "enum('a','} [')", .charset = "latin1",
                                   .nullable = false, .key = true}}});
  p.plan.add({.table = "`shop`.`x`", .last = {"'k'", "1"}});
  auto back = parse_position(p.text(p.tables_text()));
  REQUIRE(back);
  CHECK(back->at == p.at);
  CHECK(back->events == p.events);
  CHECK(back->changes == 7);
  CHECK(back->gtid == p.gtid);
  CHECK(back->plan == p.plan);
  REQUIRE(back->tables.size() == 1);
  CHECK(back->tables[0].columns == p.tables[0].columns);
  CHECK(back->text(back->tables_text()) == p.text(p.tables_text()));
}

TEST_CASE("log files are ordered by their numbers, not by their letters") {
  CHECK(log_place{"b.999999", 9}.before({"b.1000000", 4}));
  CHECK(!log_place{"b.000002", 4}.before({"b.000001", 9}));
  CHECK(log_place{"b.000002", 4'294'967'295}.before({"b.000002", 4'294'967'296}));
}

TEST_CASE("what is no position, table name or URL is refused without its secrets") {
  for (auto text : {"", "binlog.000001", "binlog.1:x 0 0 {} []", "binlog.1:4 0 0 {} []", "b:4 0 0 []"})
    CHECK(!parse_position(text));
  for (auto text : {"a.b.c", "\"a", "a..b", "*.b", "a b"})
    CHECK(!parse_table_name(text, "db"));
  CHECK(*parse_table_name("\"My Shop\".\"we.ird\"", "") == table_name{"My Shop", "we.ird"});
  CHECK(*parse_table_name("Orders", "db") == table_name{"db", "Orders"});
  CHECK(!parse_table_name("orders", ""));
  for (auto url : {"http://u:secret@h/d", "mysql://u:secret", "mysql://u:secret@h:0/d",
                   "mysql://u:secret@h/d?nothing=1", "mysql://u:sec%zzret@h/d"}) {
    auto parsed = parse_url(url);
    REQUIRE(!parsed);
    CHECK(parsed.error().text().find("secret") == std::string::npos);
  }
  auto good = parse_url("mysql://u%40x:p%3a%2f@[::1]:3307/d%20b?tls=verify&ca=/x");
  REQUIRE(good);
  CHECK(good->user == "u@x");
  CHECK(good->password == "p:/");
  CHECK(good->host == "::1");
  CHECK(good->port == 3307);
  CHECK(good->database == "d b");
}

} // namespace rtdp::extract::my
