/// The mysql source against a real MariaDB: snapshot, changes, positions, what is refused.
#include "test/actors/extract/mysql_fixture.hpp"

#include <algorithm>

using namespace rtdp;
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
