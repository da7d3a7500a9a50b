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

TEST_CASE("a process that connects before it has said who it is stays connected") {
  test::deterministic system;
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
