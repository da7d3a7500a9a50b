#include "runtime/cluster/peers.hpp"

#include "test/support/deterministic.hpp"

#include <doctest/doctest.h>

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;

runtime::beat beat_of(const std::string& node) {
  runtime::beat b;
  b.node = node;
  b.boot = "boot-" + node;
  b.version = "1.0.0";
  return b;
}

} // namespace

TEST_CASE("a peer is alive while its beats come") {
  peers all{1500ms};
  all.add("n2");
  moment at{};
  CHECK_FALSE(all.alive("n2", at));
  CHECK(all.last("n2") == nullptr);
  all.beat(beat_of("n2"), at, 7);
  CHECK(all.alive("n2", at + 1499ms));
  CHECK_FALSE(all.alive("n2", at + 1500ms));
  CHECK(all.living(at) == std::vector<std::string>{"n2"});
  CHECK(all.living(at + 2s).empty());
  REQUIRE(all.last("n2"));
  CHECK(all.last("n2")->boot == "boot-n2");
}

TEST_CASE("a beat of a node that nobody named is kept") {
  peers all;
  all.beat(beat_of("n9"), {}, 7);
  CHECK(all.alive("n9", {}));
  CHECK_FALSE(all.alive("n8", {}));
}

TEST_CASE("a short beat says how a peer is, and that its components are as before") {
  peers all{1500ms};
  moment at{};
  auto full = beat_of("n2");
  full.components["flow.orders"].state = "running";
  auto brief = full;
  brief.version.clear();
  brief.components.clear();
  brief.trouble = "its disk is full";
  // How it is has not been told yet.
  all.beat(brief, at, 6);
  CHECK(all.last("n2") == nullptr);
  CHECK_FALSE(all.alive("n2", at));
  all.beat(full, at, 7);
  all.beat(brief, at + 1s, 8);
  CHECK(all.alive("n2", at + 2s));
  CHECK(all.all().at("n2").heard_us == 8);
  CHECK(all.last("n2")->components.at("flow.orders").state == "running");
  CHECK(all.last("n2")->version == "1.0.0");
  CHECK(all.last("n2")->trouble == "its disk is full");
  // Of a process that has told nothing.
  brief.boot = "boot 2";
  all.beat(brief, at + 2s, 9);
  CHECK_FALSE(all.alive("n2", at + 3s));
}

TEST_CASE("a peer that was heard of is in doubt when it is silent or not connected, until it is lost") {
  rtdp::test::deterministic system;
  auto member = system.spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](runtime::atom::beat, const runtime::beat&) {}};
  });
  peers all{1500ms};
  moment at{};
  all.add("n2");
  CHECK_FALSE(all.in_doubt(at, 500ms));
  all.beat(beat_of("n2"), at, 7);
  CHECK(all.in_doubt(at, 500ms));
  all.connected("n2", caf::actor_cast<caf::strong_actor_ptr>(member), at);
  CHECK_FALSE(all.in_doubt(at + 499ms, 500ms));
  CHECK(all.in_doubt(at + 500ms, 500ms));
  CHECK_FALSE(all.in_doubt(at + 1500ms, 500ms));
  all.connected("n2", nullptr, at + 100ms);
  CHECK(all.in_doubt(at + 200ms, 500ms));
  CHECK_FALSE(all.in_doubt(at + 700ms, 500ms));
}

TEST_CASE("a peer is told anew how this node is when it has connected anew") {
  peers all;
  all.connected("n2", nullptr, {});
  CHECK_FALSE(all.tell("n2"));
  CHECK(all.tell("n2"));
  all.connected("n2", nullptr, {});
  CHECK_FALSE(all.tell("n2"));
}

TEST_CASE("a process that connects before it has said who it is stays connected") {
  rtdp::test::deterministic system;
  auto member = system.spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](runtime::atom::beat, const runtime::beat&) {}};
  });
  auto anew = caf::actor_cast<caf::strong_actor_ptr>(member);
  peers all{1500ms};
  all.beat(beat_of("n2"), {}, 7);
  all.connected("n2", anew, moment{} + 100ms);
  CHECK(all.replaced("n2", "boot 2"));
  // Nobody would connect it again: it would never hear of this node.
  CHECK(all.member("n2") == anew);
}

TEST_CASE("what the former process of a node says does not count any more") {
  peers all{1500ms};
  moment at{};
  all.beat(beat_of("n2"), at, 7);
  CHECK(all.replaced("n2", "boot 2"));
  CHECK(all.last("n2") == nullptr);
  CHECK_FALSE(all.alive("n2", at));
  all.beat(beat_of("n2"), at, 8);
  CHECK(all.last("n2") == nullptr);
  auto anew = beat_of("n2");
  anew.boot = "boot 2";
  all.beat(anew, at, 9);
  CHECK(all.alive("n2", at));
  // The same process greets again after each cut.
  CHECK_FALSE(all.replaced("n2", "boot 2"));
  CHECK(all.alive("n2", at));
}

} // namespace rtdp::cluster
