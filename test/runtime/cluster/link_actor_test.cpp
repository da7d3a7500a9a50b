#include "runtime/cluster/link_actor.hpp"

#include "runtime/cluster/handshake.hpp"
#include "test/runtime/cluster/member_stub.hpp"
#include "test/support/deterministic.hpp"

#include <doctest/doctest.h>

namespace rtdp::cluster::test {

namespace {

using namespace std::chrono_literals;

/// How the way to the peer is.
struct way {
  /// Null: nobody answers.
  caf::strong_actor_ptr to;
  /// The request is never answered.
  bool stuck = false;
  int spawned = 0;
  std::vector<std::string> asked;
  runtime::connector_actor connector;
};
using way_ptr = std::shared_ptr<way>;

runtime::connector_actor::behavior_type connector_stub(runtime::connector_actor::pointer self,
                                                       way_ptr w) {
  return {
      [self, w](atom::open, const std::string& address) -> caf::result<caf::strong_actor_ptr> {
        w->asked.push_back(address);
        if (w->stuck)
          return self->make_response_promise<caf::strong_actor_ptr>();
        if (!w->to)
          return runtime::to_caf(unavailable(address + ": Connection refused"));
        return w->to;
      },
  };
}

/// A LINK of n1 to n2.
struct around_link {
  rtdp::test::deterministic system;
  member_script_ptr mine = std::make_shared<member_script>();
  member_script_ptr theirs = std::make_shared<member_script>();
  way_ptr to_peer = std::make_shared<way>();
  runtime::member_actor member, peer;
  runtime::link_actor link;

  around_link() {
    mine->me = current_hello("n1", "0.1.0", "boot 1");
    theirs->me = current_hello("n2", "0.1.0", "boot 2");
    member = system.spawn(member_stub, mine);
    begin();
  }
  /// The peer begins, or begins anew, and can be reached.
  void begin() {
    peer = system.spawn(member_stub, theirs);
    to_peer->to = caf::actor_cast<caf::strong_actor_ptr>(peer);
  }
  void end() {
    to_peer->to = nullptr;
    system.kill(peer);
  }
  void start() {
    link_plan plan{"n2", "10.0.0.2:7001", [this](caf::local_actor& parent, caf::actor_addr) {
                     ++to_peer->spawned;
                     to_peer->connector = system.keep(parent.spawn(connector_stub, to_peer));
                     return to_peer->connector;
                   }};
    link = system.spawn(link_actor, mine->me, member, std::move(plan));
    system.advance(100ms);
  }
  /// Whether MEMBER has the handle of the peer that lives now.
  bool is_open() const {
    return !mine->peers.empty() && mine->peers.back().first == "n2" &&
           mine->peers.back().second == caf::actor_cast<caf::strong_actor_ptr>(peer);
  }
  size_t tries() const { return to_peer->asked.size(); }
};

} // namespace

TEST_CASE("LINK hands the peer that it greeted to MEMBER") {
  around_link t;
  t.start();
  CHECK(t.is_open());
  CHECK(t.mine->peers.size() == 1);
  CHECK(t.to_peer->asked == std::vector<std::string>{"10.0.0.2:7001"});
  REQUIRE(t.theirs->greetings.size() == 1);
  CHECK(t.theirs->greetings[0].node == "n1");
  CHECK(t.theirs->greetings[0].boot == "boot 1");
  // It is not greeted again while it is there.
  t.system.advance(60s);
  CHECK(t.theirs->greetings.size() == 1);
}

TEST_CASE("LINK tells MEMBER of the loss and connects to the peer that came back") {
  around_link t;
  t.start();
  t.end();
  REQUIRE(t.mine->peers.size() == 2);
  CHECK(t.mine->peers.back().first == "n2");
  CHECK(t.mine->peers.back().second == nullptr);
  t.system.advance(60s);
  CHECK(t.mine->peers.size() == 2);
  t.begin();
  t.system.advance(2s);
  CHECK(t.mine->peers.size() == 3);
  CHECK(t.is_open());
  CHECK(t.to_peer->spawned == 1);
}

TEST_CASE("LINK tries a peer that is away with growing pauses, up to two seconds") {
  around_link t;
  t.to_peer->to = nullptr;
  t.start();
  CHECK(t.tries() == 1);
  t.system.advance(200ms);
  CHECK(t.tries() == 2);
  t.system.advance(60s);
  auto before = t.tries();
  t.system.advance(60s);
  // A quarter of the two seconds is jitter.
  CHECK(t.tries() - before >= 29);
  CHECK(t.tries() - before <= 41);
  CHECK(t.mine->peers.empty());
}

TEST_CASE("LINK gives a connector that does not answer a limit in time") {
  around_link t;
  t.to_peer->stuck = true;
  t.start();
  t.system.advance(14s);
  CHECK(t.tries() == 1);
  t.system.advance(2s);
  CHECK(t.tries() == 2);
}

TEST_CASE("LINK begins anew when the peer does not answer its greeting") {
  around_link t;
  t.theirs->silent = true;
  t.start();
  t.system.advance(1800ms);
  CHECK(t.theirs->greetings.size() == 1);
  t.system.advance(500ms);
  CHECK(t.theirs->greetings.size() == 2);
  CHECK(t.mine->peers.empty());
  t.theirs->silent = false;
  t.system.advance(5s);
  CHECK(t.is_open());
}

TEST_CASE("a peer that dies while it is greeted was never there") {
  around_link t;
  t.theirs->silent = true;
  t.start();
  t.end();
  t.system.advance(1s);
  CHECK(t.mine->peers.empty());
  t.theirs->silent = false;
  t.begin();
  t.system.advance(5s);
  CHECK(t.is_open());
  CHECK(t.mine->peers.size() == 1);
}

TEST_CASE("LINK does not hand over a node of another name") {
  around_link t;
  t.theirs->me.node = "n3";
  t.start();
  t.system.advance(10s);
  CHECK(t.mine->peers.empty());
  CHECK(t.theirs->greetings.size() >= 2);
}

TEST_CASE("LINK does not hand over a node that speaks another version") {
  around_link t;
  t.theirs->me.protocol_min = t.theirs->me.protocol_max = protocol_max + 1;
  t.start();
  t.system.advance(10s);
  CHECK(t.mine->peers.empty());
}

TEST_CASE("a refusal is tried again slowly, but at once when the peer began anew") {
  around_link t;
  t.theirs->refusal = rejected("two nodes are named n1; give one of them another name");
  t.theirs->refusals = 1000;
  t.start();
  t.system.advance(120s);
  auto before = t.tries();
  t.system.advance(60s);
  CHECK(t.tries() - before >= 2);
  CHECK(t.tries() - before <= 3);
  CHECK(t.mine->peers.empty());
  t.theirs->refusals = 0;
  t.system.kill(t.peer);
  t.begin();
  t.system.advance(200ms);
  CHECK(t.is_open());
  // Timers of the refusals that are still under way open nothing twice.
  t.system.advance(60s);
  CHECK(t.mine->peers.size() == 1);
}

TEST_CASE("a connector that died is replaced") {
  around_link t;
  t.to_peer->to = nullptr;
  t.start();
  t.system.kill(t.to_peer->connector);
  t.begin();
  t.system.advance(5s);
  CHECK(t.to_peer->spawned == 2);
  CHECK(t.is_open());
}

TEST_CASE("LINK ends with its MEMBER") {
  around_link t;
  t.start();
  t.system.send(t.member, atom::stop_v);
  t.end();
  t.begin();
  t.system.advance(10s);
  CHECK(t.theirs->greetings.size() == 1);
}

} // namespace rtdp::cluster::test
