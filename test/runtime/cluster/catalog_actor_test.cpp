#include "runtime/cluster/catalog_actor.hpp"
#include "test/runtime/cluster/catalog_topic_cases.hpp"
#include "test/support/deterministic.hpp"
#include "test/support/leaky_bus.hpp"
#include "test/support/temp_folder.hpp"

namespace rtdp::cluster::test {

namespace {

namespace atom = runtime::atom;

const std::string& data_dir() {
  static rtdp::test::temp_folder folder;
  return folder.path();
}

/// A MEMBER that only remembers what it learned.
runtime::member_actor::behavior_type learning_member(std::shared_ptr<texts> learned) {
  return {
      [](atom::greet, const runtime::hello& h) { return h; },
      [](atom::beat, const runtime::beat&) {},
      [](atom::progress, const std::string&) { return std::string(); },
      [](atom::warm, const std::string&, const std::string&) { return true; },
      [](atom::freeze, const std::string&) { return std::string(); },
      [](atom::thaw, const std::string&) {},
      [](atom::drop, const std::string&) {},
      [](atom::ask, const runtime::command&) { return std::string(); },
      [](atom::list) { return runtime::cluster_report{}; },
      [](atom::status) { return std::vector<runtime::report>{}; },
      [](atom::status, const std::string&) { return std::vector<runtime::report>{}; },
      [](atom::list, const std::string&) { return runtime::cluster_report{}; },
      [](atom::peer, const std::string&, const caf::strong_actor_ptr&) {},
      [learned](atom::learn, const texts& records) {
        learned->insert(learned->end(), records.begin(), records.end());
      },
      [](atom::stop) {},
      [](atom::tick) {},
  };
}

/// A node's CATALOG and its MEMBER.
struct pair {
  pair(rtdp::test::deterministic& s, std::shared_ptr<bus::bus> bus)
      : system(s), member(s.spawn(learning_member, learned)),
        catalog(s.spawn(catalog_actor, std::move(bus), std::string("n1"), member)) {
    system.run();
  }
  error append(const texts& records) {
    auto answer = system.ask<bool>(catalog, atom::append_v, records);
    REQUIRE(answer->arrived());
    return answer->error;
  }
  error claim() {
    auto answer = system.ask<bool>(catalog, atom::claim_v);
    REQUIRE(answer->arrived());
    return answer->error;
  }

  rtdp::test::deterministic& system;
  std::shared_ptr<texts> learned = std::make_shared<texts>();
  runtime::member_actor member;
  runtime::catalog_actor catalog;
};

} // namespace

std::shared_ptr<bus::bus> open_bus() {
  auto made = std::make_shared<rtdp::test::leaky_bus>(data_dir());
  require_ok(made->open());
  return made;
}

TEST_CASE("CATALOG tells its MEMBER what is appended, before it answers, and the others later") {
  rtdp::test::temp_folder folder;
  rtdp::test::deterministic system;
  pair one(system, std::make_shared<rtdp::test::leaky_bus>(folder.path()));
  pair two(system, std::make_shared<rtdp::test::leaky_bus>(folder.path()));
  CHECK(one.append({"x\n0"}) == ec::fenced);
  require_ok(one.claim());
  require_ok(one.append({"x\n1", "y\n1"}));
  CHECK(*one.learned == texts{"x\n1", "y\n1"});
  system.advance(200ms, 10ms);
  CHECK(*two.learned == texts{"x\n1", "y\n1"});
  require_ok(two.claim());
  CHECK(one.append({"x\n2"}) == ec::fenced);
  require_ok(two.append({"x\n3"}));
  system.advance(200ms, 10ms);
  CHECK(*one.learned == texts{"x\n1", "y\n1", "x\n3"});
  CHECK(*two.learned == *one.learned);
  pair late(system, std::make_shared<rtdp::test::leaky_bus>(folder.path()));
  system.advance(100ms, 10ms);
  // The topic is compacted: of a key at least the last value.
  CHECK(*late.learned == texts{"y\n1", "x\n3"});
}

TEST_CASE("a bus that is away at the start is tried again until it is there") {
  rtdp::test::temp_folder folder;
  auto bus = std::make_shared<rtdp::test::leaky_bus>(folder.path());
  bus->failing_opens = 3;
  rtdp::test::deterministic system;
  pair one(system, bus);
  CHECK(one.claim() == ec::unavailable);
  system.advance(5s);
  CHECK(bus->opens == 4);
  require_ok(one.claim());
  require_ok(one.append({"x\n1"}));
  CHECK(*one.learned == texts{"x\n1"});
}

TEST_CASE("after an append of which nobody knows, a claim learns what became of it") {
  rtdp::test::temp_folder folder;
  auto bus = std::make_shared<rtdp::test::leaky_bus>(folder.path());
  rtdp::test::deterministic system;
  pair one(system, bus);
  require_ok(one.claim());
  bool arrives = false;
  SUBCASE("it was appended, and only the answer was lost") {
    bus->answers_lost = 1;
    arrives = true;
  }
  SUBCASE("it was not appended") { bus->failing_flushes = 1; }
  CHECK(one.append({"x\n1"}) == ec::unavailable);
  CHECK(one.append({"x\n2"}) == ec::fenced);
  require_ok(one.claim());
  CHECK(*one.learned == (arrives ? texts{"x\n1"} : texts{}));
  require_ok(one.append({"x\n3"}));
  CHECK(one.learned->back() == "x\n3");
}

TEST_CASE("CATALOG ends with its MEMBER") {
  rtdp::test::temp_folder folder;
  rtdp::test::deterministic system;
  pair one(system, std::make_shared<rtdp::test::leaky_bus>(folder.path()));
  system.kill(one.member);
  auto answer = system.ask<bool>(one.catalog, atom::claim_v);
  CHECK(answer->error == ec::unavailable);
}

} // namespace rtdp::cluster::test
