#include "runtime/cluster/catalog.hpp"

#include <doctest/doctest.h>

namespace rtdp::cluster {

TEST_CASE("the last record of a key counts") {
  catalog c;
  REQUIRE_FALSE(c.learn(leader_record("n1", "b1", 1)));
  REQUIRE_FALSE(c.learn(placement_record("flow.orders", {"n1", "b1", 1, false})));
  REQUIRE_FALSE(c.learn(placement_record("flow.orders", {"n2", "b2", 2, true})));
  REQUIRE_FALSE(c.learn(leader_record("n2", "b2", 2)));
  CHECK(c.leader() == "n2");
  CHECK(c.leader_boot() == "b2");
  CHECK(c.term() == 2);
  REQUIRE(c.find("flow.orders"));
  CHECK(*c.find("flow.orders") == placement{"n2", "b2", 2, true});
  CHECK(c.find("flow.other") == nullptr);
}

TEST_CASE("settings keep every byte of their file") {
  catalog c;
  const std::string text = "node: {}\n# \"quoted\" \t 'ümlaut'\nsinks: {dw: {url: ${env:URL}}}\n";
  REQUIRE_FALSE(c.learn(settings_record(text, 7)));
  CHECK(c.settings() == text);
  CHECK(c.revision() == 7);
}

TEST_CASE("a component that is gone has no place") {
  catalog c;
  REQUIRE_FALSE(c.learn(placement_record("flow.orders", {"n1", "b1", 1, false})));
  REQUIRE_FALSE(c.learn(gone_record("flow.orders", 1)));
  CHECK(c.placements().empty());
}

TEST_CASE("a component that comes back goes on behind the epoch that it had") {
  catalog c;
  CHECK(c.epoch("flow.orders") == 0);
  REQUIRE_FALSE(c.learn(placement_record("flow.orders", {"n1", "b1", 7, false})));
  CHECK(c.epoch("flow.orders") == 7);
  // Of a compacted log only the last record is left.
  catalog later;
  REQUIRE_FALSE(later.learn(gone_record("flow.orders", 7)));
  CHECK(later.find("flow.orders") == nullptr);
  CHECK(later.epoch("flow.orders") == 7);
}

TEST_CASE("draining is told of a node and taken back") {
  catalog c;
  CHECK_FALSE(c.draining("n1"));
  REQUIRE_FALSE(c.learn(draining_record("n1", true)));
  CHECK(c.draining("n1"));
  REQUIRE_FALSE(c.learn(draining_record("n1", false)));
  CHECK_FALSE(c.draining("n1"));
}

TEST_CASE("a leader that shows that it leads on changes nothing") {
  catalog c;
  CHECK_FALSE(c.learn(leader_record("n1", "boot 1", 1)));
  auto before = c.changes();
  CHECK_FALSE(c.learn(leader_record("n1", "boot 1", 1)));
  CHECK(c.changes() == before);
  CHECK_FALSE(c.learn(leader_record("n1", "boot 2", 1)));
  CHECK_FALSE(c.learn(leader_record("n1", "boot 2", 2)));
  CHECK(c.changes() == before + 2);
  CHECK(c.term() == 2);
}

TEST_CASE("what is no record changes nothing and is told") {
  catalog c;
  REQUIRE_FALSE(c.learn(leader_record("n1", "b1", 1)));
  CHECK(c.learn("no key") == ec::rejected);
  CHECK(c.learn("leader\n[1]") == ec::rejected);
  CHECK(c.learn("leader\n{\"node\": 5}") == ec::rejected);
  CHECK(c.leader() == "n1");
  // Of a newer version.
  CHECK_FALSE(c.learn("colour\n{\"red\": 1}"));
}

} // namespace rtdp::cluster
