/// Statements that change tables, followed in the order of the log.
#include "test/actors/extract/mysql_fixture.hpp"

#include <algorithm>

using namespace rtdp;
using namespace rtdp::extract::test;
using lines_t = std::vector<std::string>;

namespace {

void begin_small(source& s) {
  REQUIRE(!s.open());
  s.drain();
  s.got.clear();
  s.batches.clear();
}

/// As after a restart, with everything below done meanwhile.
void while_down(source& s, const std::string& sql) {
  s.close();
  s.run(sql);
  REQUIRE(!s.open());
  s.drain();
}

} // namespace

TEST_CASE("two ALTERs and a reorder while the source is down put no value in a wrong column") {
  source s;
  s.table("t", "id int primary key, a int, b int");
  begin_small(s);
  while_down(s, "insert into t values (1, 10, 20); alter table t modify b int first, add c int "
                "default 7 after id; insert into t (id, a, b) values (2, 11, 21); alter table t drop "
                "column a, change b bb bigint unsigned after c, add column if not exists d "
                "varchar(10); insert into t values (3, 5, 18446744073709551615, 'd')");
  CHECK(s.fresh() ==
        lines_t{"i t.0 id=1 a=10 b=20", "data_increment_termination t.0", "i t.1 b=21 id=2 c=7 a=11",
                "data_increment_termination t.1", "i t.2 id=3 c=5 bb=18446744073709551615 d=d"});
  CHECK(s.batches.back().schema->fields.back().native == "varchar(10)");
  CHECK(s.batches.back().schema->fields[ums::system_columns].key);
}

TEST_CASE("all forms of ALTER TABLE leave the history as the server's own catalog") {
  source s;
  s.table("t", "id int primary key, a int, b varchar(10) character set latin1, c text character set "
               "latin1, `odd name` int");
  begin_small(s);
  for (std::string sql : {
           "alter table t add (n1 int unsigned not null, n2 decimal(12,3)), add index i (n1)",
           "alter table t rename column n2 to n3, alter column a set default 5",
           "alter table t add e enum('x','y''z') not null default 'x' comment 'a, b' after id",
           "alter table t change `odd name` even tinyint(1) null default null",
           "alter online table t add f double precision, add g boolean, add h datetime(6) default "
           "current_timestamp(6) on update current_timestamp(6)",
           "alter table t drop primary key, add primary key (id, n1)",
           "alter table t convert to character set utf8mb4",
           "alter table t engine = InnoDB row_format = dynamic, comment = 'drop column a, x'",
           "alter table t add j json, add k bit(3), add l year, add m set('p','q')",
           "alter table t /*!50000 add o1 int */ /*M!100000 , add o2 smallint */ /* , add p int */",
           "alter table t add v int generated always as (a + 1) virtual, add constraint ck check "
           "(a < 1000000), add unique key u (even)",
           "alter table t drop index u, drop constraint ck, drop if exists nothing",
           "alter table t modify b national character varying(30), add i6 inet6, add u uuid",
           "alter table t default charset latin1, add q varchar(5)",
           "alter ignore table t add r char(4) byte, add real_one real, add s long varchar",
       }) {
    CAPTURE(sql);
    s.run(sql);
    s.run("insert into t (id, n1) values (floor(rand() * 1e9), 0)");
    s.drain();
    CHECK(s.bad.empty());
    lines_t seen, expected;
    for (auto& f : s.batches.back().schema->fields)
      if (!ums::is_system(f.name))
        seen.push_back(f.name + " " + f.native + (f.nullable ? "" : " required") +
                       (f.key ? " key" : ""));
    for (auto& r : s.db.run("select column_name, column_type, is_nullable, column_key from "
                            "information_schema.columns where table_schema = database() and "
                            "table_name = 't' order by ordinal_position"))
      expected.push_back(r[0] + " " + r[1] + (r[2] == "NO" ? " required" : "") +
                         (r[3] == "PRI" ? " key" : ""));
    CHECK(seen.size() == expected.size());
    for (size_t i = 0; i < std::min(seen.size(), expected.size()); ++i)
      CHECK(seen[i] == expected[i]);
  }
}

TEST_CASE("TRUNCATE goes out in its place, a table that is dropped and made again is read anew") {
  source s;
  s.table("t", "id int primary key, a int");
  begin_small(s);
  s.run("insert into t values (1, 1); truncate table t; insert into t values (2, 2)");
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 id=1 a=1", "data_increment_truncate t.0", "i t.0 id=2 a=2"});
  while_down(s, "drop table t; create table t (id int primary key, b varchar(5)); insert into t "
                "values (3, 'x')");
  auto got = s.fresh();
  CHECK(std::count(got.begin(), got.end(), "i t.1 id=3 b=x") == 1);
  CHECK(got.back().find("sweep") != std::string::npos);
}

TEST_CASE("a table that takes the name of a captured one, as online changes do, is read anew") {
  source s;
  s.table("t", "id int primary key, a int");
  s.run("insert into t values (1, 1)");
  begin_small(s);
  s.run("create table t_new like t; alter table t_new add b int; insert into t_new select id, a, 5 "
        "from t; rename table t to t_old, t_new to t; insert into t values (2, 2, 2)");
  s.drain();
  auto got = s.fresh();
  CHECK(std::count(got.begin(), got.end(), "i t.1 id=1 a=1 b=5") == 1);
  CHECK(std::count(got.begin(), got.end(), "i t.1 id=2 a=2 b=2") == 1);
  CHECK(std::none_of(got.begin(), got.end(), [](auto& l) { return l.find(" t_") != l.npos; }));
}

TEST_CASE("a statement that cannot be followed fails the source, with its place and what to do") {
  source s;
  s.table("t", "id int primary key, a int");
  begin_small(s);
  s.run("alter table t add system versioning; insert into t (id) values (1)");
  auto failed = s.failure();
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("ALTER TABLE at binlog.") != std::string::npos);
  CHECK(failed.text().find("binlog_row_metadata = 'FULL'") != std::string::npos);
  SUBCASE("and is read anew when the settings say so") {
    s.settings.values["on_lost"] = std::string("resnapshot");
    REQUIRE(!s.open());
    s.drain();
    CHECK(s.fresh().back().find("sweep") != std::string::npos);
  }
}

TEST_CASE("the log's own names win over a history that lost the columns") {
  source s;
  s.table("t", "id int primary key, a int unsigned, e enum('x','y')");
  begin_small(s);
  s.run("set global binlog_row_metadata = 'FULL'; alter table t add system versioning; insert into t "
        "(id, a, e) values (1, 4294967295, 'y')");
  s.drain();
  s.run("set global binlog_row_metadata = 'NO_LOG'");
  auto got = s.fresh();
  CHECK(got.back().find("i t.1 id=1 a=4294967295 e=y row_start=") == 0);
}

TEST_CASE("CREATE TABLE … SELECT and statements of other tables change nothing of ours") {
  source s;
  s.table("t", "id int primary key, a int");
  begin_small(s);
  s.run("create table other as select 1 as x; alter table other add y int; drop table other; create "
        "table if not exists t (id int); create temporary table t2 (id int); drop temporary table t2;"
        "insert into t values (1, 1)");
  s.drain();
  CHECK(s.fresh() == lines_t{"i t.0 id=1 a=1"});
}
