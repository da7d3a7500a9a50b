// Connections break off and come back within less than a node needs to count as lost.
#include "test/runtime/cluster/three_members.hpp"

#include <algorithm>
#include <memory>
#include <string>

using namespace rtdp;
using namespace rtdp::simulation;

namespace {

/// The beats that came over one connection: "f" for a full one, "s" for a short one.
using beats = std::shared_ptr<std::string>;

/// Has connected to n1 as n2, and hands everything on to that.
beats listen(members& c) {
  auto seen = std::make_shared<std::string>();
  auto n2 = c.clock.spawn(
      nowhere, [seen, to = c.actors.at("n2")](caf::event_based_actor*) -> caf::behavior {
        return {[seen, to](runtime::atom::beat, const runtime::beat& b) {
          *seen += b.version.empty() ? "s" : "f";
          caf::anon_send(to, runtime::atom::beat_v, b);
        }};
      });
  caf::anon_send(c.actors.at("n1"), runtime::atom::peer_v, std::string("n2"),
                 caf::actor_cast<caf::strong_actor_ptr>(n2));
  return seen;
}

} // namespace

TEST_CASE("a beat tells of components that have changed and to who has connected, else it is short") {
  three c;
  auto seen = listen(c);
  c.run(4s);
  // Four a second; f1 on n1 has nothing to do.
  CHECK(seen->starts_with("f"));
  auto full = [&seen] { return std::count(seen->begin(), seen->end(), 'f'); };
  CHECK_MESSAGE(full() <= 2, *seen);
  CHECK_MESSAGE(seen->size() >= 15, *seen);
  CHECK_MESSAGE(seen->size() <= 17, *seen);
  seen->clear();
  c.nodes["n1"]->rows_each_look = 100;
  c.run(4s);
  CHECK_MESSAGE(full() >= 2, *seen);
  CHECK_MESSAGE(full() <= 5, *seen);
  auto again = listen(c);
  c.run(500ms);
  CHECK_MESSAGE(again->starts_with("f"), *again);
}

TEST_CASE("trouble does not wait for the next look at the components") {
  three c;
  c.measured["n2"] = "its disk is full";
  c.run(300ms);
  CHECK(c.shown("n3", "n2").state == "trouble");
  CHECK(c.shown("n3", "n2").version == "1.0.0");
}

TEST_CASE("a drift whose target does not answer since the connection broke off is undone at once") {
  three c;
  c.nodes["n2"]->warm_answers = false;
  CHECK(c.drift("f1", "n2") == "flow f1 drifts to n2");
  c.run(50ms);
  CHECK(c.drift_shown() == "prepare: asked for");
  c.disconnect("n1", "n2");
  c.run(200ms);
  c.reconnect("n1", "n2");
  c.run(50ms);
  // Nobody has answered, and the question would time out after 60 s.
  CHECK(c.drift_shown() == "failed: the connection to node n2 broke off");
  CHECK(c.nodes["n2"]->calls.back() == "drop f1");
  CHECK(c.owner("f1") == "n1 1");
  c.nodes["n2"]->warm_answers = true;
  CHECK(c.drift("f1", "n2") == "flow f1 drifts to n2");
  c.run(500ms);
  CHECK(c.owner("f1") == "n2 2");
}

TEST_CASE("a flow whose leader asks it to freeze over a connection that breaks off goes on at once") {
  three c;
  c.drift_to_freeze();
  c.disconnect("n1", "n2");
  c.run(60ms);
  CHECK(c.drift_shown() == "failed: the connection to node n2 broke off");
  // It cannot be told, and would thaw by itself after 5 s.
  c.check_thawed();
}

TEST_CASE("a flow that is frozen goes on when the connection to the other node breaks off") {
  three c;
  c.drift_to_freeze();
  c.disconnect("n1", "n3");
  c.run(60ms);
  CHECK(c.drift_shown() == "failed: the connection to node n3 broke off");
  c.check_thawed();
}

TEST_CASE("a drift that is committed goes on whatever connection breaks off") {
  three c;
  CHECK(c.drift("f2", "n3") == "flow f2 drifts to n3");
  while (c.drift_shown() != "resume: asked for")
    REQUIRE(c.drift_shown() != "done: ");
  c.disconnect("n1", "n2");
  c.disconnect("n1", "n3");
  c.run(200ms);
  c.reconnect("n1", "n2");
  c.reconnect("n1", "n3");
  c.run(500ms);
  CHECK(c.drift_shown() == "done: ");
  CHECK(c.owner("f2") == "n3 2");
  CHECK(c.nodes["n2"]->calls.back() == "drop f2");
  CHECK(c.nodes["n3"]->runs == std::map<std::string, int64_t>{{"f2", 2}});
}
