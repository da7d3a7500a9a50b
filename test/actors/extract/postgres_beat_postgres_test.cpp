#include "test/actors/extract/postgres_fixture.hpp"

namespace rtdp::extract {

using test::client;

namespace {

struct beaten : test::source {
  beaten() {
    table("orders", "id int primary key");
    settings.values["heartbeat_table"] = schema + ".heartbeat";
  }
  /// Reads until our row came back.
  void await(int64_t us) {
    auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (driver->beaten_us() < us) {
      step();
      REQUIRE(std::chrono::steady_clock::now() < give_up);
    }
  }
};

} // namespace

TEST_CASE("a row of the heartbeat table comes back through the log, behind what was before it") {
  beaten t;
  REQUIRE_FALSE(t.open());
  CHECK(t.driver->beaten_us() == 0);
  t.drain();
  t.got.clear();
  t.run("insert into orders values (1)");
  REQUIRE_FALSE(t.driver->beat(1000));
  t.await(1000);
  CHECK(t.driver->beaten_us() == 1000);
  REQUIRE(t.got.size() == 1);
  CHECK(t.got[0].find(" i orders.0 id=1") != std::string::npos);
  // It is an update from now on, and never a row of ours.
  for (int64_t us : {2000, 3000}) {
    REQUIRE_FALSE(t.driver->beat(us));
    t.await(us);
  }
  CHECK(t.got.size() == 1);
  CHECK(t.driver->progress().tables.size() == 1);
  CHECK(t.db.value("select count(*) || ' ' || max(marked_us) from " + t.schema + ".heartbeat") ==
        "1 3000");
}

TEST_CASE("rows of other sources in the heartbeat table are passed over") {
  beaten t;
  REQUIRE_FALSE(t.open());
  t.drain();
  t.run("insert into heartbeat values ('crm', 5000), ('shopping', 6000)");
  REQUIRE_FALSE(t.driver->beat(1000));
  t.await(1000);
  CHECK(t.driver->beaten_us() == 1000);
}

TEST_CASE("the heartbeat goes on after a restart, with the table that is there") {
  beaten t;
  REQUIRE_FALSE(t.open());
  t.drain();
  REQUIRE_FALSE(t.driver->beat(1000));
  t.await(1000);
  REQUIRE_FALSE(t.open());
  REQUIRE_FALSE(t.driver->beat(2000));
  t.await(2000);
}

TEST_CASE("a heartbeat table that cannot be one is refused with what to do") {
  beaten t;
  t.settings.values["create"] = false;
  t.run("create publication " + t.slot + " for table orders");
  t.db.run("select pg_create_logical_replication_slot('" + t.slot + "', 'pgoutput')");
  auto failed = t.open();
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("create table") != std::string::npos);
  t.run("create table heartbeat (source text primary key)");
  failed = t.open();
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("marked_us") != std::string::npos);
  t.settings.values["create"] = true;
  t.settings.values["heartbeat_table"] = t.schema + ".orders";
  failed = t.open();
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("also one of `tables:`") != std::string::npos);
}

} // namespace rtdp::extract
