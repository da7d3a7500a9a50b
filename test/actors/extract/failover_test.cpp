/// A source that goes from node to node of a cluster, over an embedded bus that the nodes share.
#include "actors/extract/bus_parts.hpp"
#include "actors/extract/history_stage.hpp"
#include "actors/extract/source_actor.hpp"
#include "test/actors/extract/stepping.hpp"
#include "test/support/deterministic.hpp"
#include "test/support/leaky_bus.hpp"
#include "test/support/probe.hpp"
#include "test/support/scripted_source.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
using ids = std::vector<int64_t>;
using words = std::vector<std::string>;

/// What the nodes share: the source and the bus.
struct shared_things {
  test::temp_folder folder;
  test::scripted_source source;
  std::shared_ptr<test::leaky_bus> bus = std::make_shared<test::leaky_bus>(folder.path());

  ids published() { return test::ids_in(bus->held("rtdp.shop")); }
  /// The position that the bus holds of the source.
  std::string place() {
    bus::partition p{"_rtdp.sources", 0};
    auto held = this->bus->ranges(p.topic);
    REQUIRE(held);
    std::string last;
    auto failed = read_parts(*bus, "test", {{p, held->at(0)}},
                             [&](const auto&, const bus::message& m) { last = m.value; });
    REQUIRE_MESSAGE(!failed, failed.text());
    return last.substr(last.find('\n') + 1);
  }
};

struct node {
  node(shared_things& s, std::string node_name) : shared(s), name(std::move(node_name)) {}

  extraction_settings settings(int64_t epoch) const {
    extraction_settings s;
    s.name = "shop";
    s.to = routing({"rtdp.shop"});
    s.data_dir = folder.path();
    s.clustered = true;
    s.self = {name, epoch};
    s.make_stages = [dir = folder.path()]() -> result<std::vector<std::unique_ptr<stage>>> {
      auto history = state::schema_history::open(dir);
      if (!history)
        return history.error();
      std::vector<std::unique_ptr<stage>> stages;
      stages.push_back(std::make_unique<history_stage>(std::move(*history), "shop",
                                                       std::vector<table_options>{}));
      return stages;
    };
    return s;
  }
  extraction make(int64_t epoch) const {
    return {settings(epoch), shared.bus, [this] { return shared.source.make(); }};
  }
  std::vector<state::table_version> versions() const {
    auto history = state::schema_history::open(folder.path());
    REQUIRE(history);
    return *history->versions(state::schema_history::table_of(test::scripted_source::table()));
  }

  shared_things& shared;
  const std::string name;
  test::temp_folder folder;
};

} // namespace

TEST_CASE("a source goes on on a node that has never run it, and the former one publishes nothing") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4, 5, 6, 7, 8};
  node one(s, "n1"), two(s, "n2");
  auto former = one.make(1), next = two.make(2);
  ok(former.open());
  stepped(former);
  ok(next.open());
  CHECK(s.source.opened == words{"", "3"});
  CHECK(next.next_id() == 4);
  auto fenced = former.step(0ms);
  REQUIRE_FALSE(fenced);
  CHECK(fenced.error() == ec::fenced);
  CHECK(s.published() == ids{1, 2, 3});
  stepped(next);
  CHECK(former.mark() == ec::fenced);
  CHECK(former.finish() == ec::fenced);
  auto why = former.open();
  CAPTURE(why.text());
  CHECK(why == ec::fenced);
  CHECK(why.text().find("node n2 runs source shop") != std::string::npos);
  stepped(next);
  CHECK(s.published() == ids{1, 2, 3, 4, 5, 6, 7, 8});
  // The versions of the table came along.
  REQUIRE(two.versions().size() == 1);
  CHECK(two.versions()[0].at_us == one.versions()[0].at_us);
}

TEST_CASE("what a node has stored itself counts when it is newer than what the bus holds") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  node one(s, "n1"), two(s, "n2");
  auto first = one.make(1), second = two.make(2), third = one.make(3);
  ok(first.open());
  stepped(first);
  ok(second.open());
  stepped(second);
  ok(third.open());
  CHECK(s.source.opened == words{"", "3", "6"});
  SUBCASE("a run outside of the cluster came in between") {
    auto settings = one.settings(0);
    settings.clustered = false;
    extraction alone(settings, s.bus, [&] { return s.source.make(); });
    // It does not know of the others' place; its own is that of its last run.
    ok(alone.open());
    stepped(alone);
    stepped(alone);
    auto back = one.make(4);
    ok(back.open());
    CHECK(s.source.opened.back() == "9");
  }
  SUBCASE("none did") { stepped(third); }
  CHECK(s.published() == ids{1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("a place without new rows goes along with the source, to another node and back") {
  shared_things s;
  s.source.rows = {1, 2, 3};
  node one(s, "n1"), two(s, "n2");
  auto first = one.make(1);
  ok(first.open());
  stepped(first);
  stepped(first);
  // As a database whose log grows by what is not captured: the place moves on, the ids do not.
  auto second = two.make(2);
  ok(second.open());
  s.source.moved = " later";
  stepped(second);
  CHECK(s.source.confirmed.back() == "3 later");
  auto third = one.make(3);
  ok(third.open());
  CHECK(s.source.opened == words{"", "3", "3 later"});
  SUBCASE("a run outside of the cluster moved it, too") {
    auto settings = one.settings(0);
    settings.clustered = false;
    extraction alone(settings, s.bus, [&] { return s.source.make(); });
    ok(alone.open());
    s.source.moved = " latest";
    stepped(alone);
    CHECK(s.source.confirmed.back() == "3 latest");
    auto fourth = one.make(4);
    ok(fourth.open());
    CHECK(s.source.opened.back() == "3 latest");
    // From here on the bus has it.
    auto fifth = two.make(5);
    ok(fifth.open());
    s.source.moved = " again";
    stepped(fifth);
    auto sixth = one.make(6);
    ok(sixth.open());
    CHECK(s.source.opened.back() == "3 again");
  }
}

TEST_CASE("the place is on the bus before the source may forget its log") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4};
  node one(s, "n1");
  words places;
  s.source.at_confirm = [&] { places.push_back(s.place()); };
  auto e = one.make(1);
  ok(e.open());
  stepped(e);
  stepped(e);
  CHECK(places == words{"3", "4"});
  CHECK(s.source.confirmed == words{"3", "4"});
}

TEST_CASE("rows whose flush failed are read again by the next node, with the same ids") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4, 5, 6};
  node one(s, "n1"), two(s, "n2");
  auto first = one.make(1);
  ok(first.open());
  stepped(first);
  SUBCASE("nothing was written") { s.bus->failing_flushes = 1; }
  SUBCASE("all was written, and the answer was lost") { s.bus->answers_lost = 1; }
  CHECK(first.step(0ms).error() == ec::unavailable);
  auto second = two.make(2);
  ok(second.open());
  stepped(second);
  stepped(second);
  CHECK(s.published() == ids{1, 2, 3, 4, 5, 6});
}

TEST_CASE("the first rows of a source are on the bus with their place, or not at all") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4, 5, 6};
  node one(s, "n1"), two(s, "n2");
  auto first = one.make(1);
  ok(first.open());
  CHECK(s.place() == "");
  words places{""};
  SUBCASE("nothing was written") { s.bus->failing_flushes = 1; }
  SUBCASE("all was written, and the answer was lost") {
    s.bus->answers_lost = 1;
    places = {"3"};
  }
  CHECK(first.step(0ms).error() == ec::unavailable);
  CHECK(s.source.confirmed.empty());
  CHECK(words{s.place()} == places);
  auto second = two.make(2);
  ok(second.open());
  CHECK(s.source.opened.back() == places[0]);
  stepped(second);
  stepped(second);
  CHECK(s.published() == ids{1, 2, 3, 4, 5, 6});
}

TEST_CASE("a fence without another node, as after a transaction that took too long, ends nothing") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4, 5, 6};
  node one(s, "n1");
  auto e = one.make(1);
  ok(e.open());
  stepped(e);
  REQUIRE(s.bus->make_fenced_producer("rtdp.source.shop"));
  CHECK(e.step(0ms).error() == ec::fenced);
  ok(e.open());
  stepped(e);
  CHECK(s.published() == ids{1, 2, 3, 4, 5, 6});
}

TEST_CASE("a node that is fenced while it opens its source tries again, and gets it") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4, 5, 6};
  node one(s, "n1"), two(s, "n2");
  auto owner = one.make(2), late = two.make(1);
  // It was frozen, and does not know yet that it is not its source any more.
  s.bus->at_flush = [&] { CHECK_FALSE(late.open()); };
  auto why = owner.open();
  CAPTURE(why.text());
  CHECK(why == ec::unavailable);
  ok(owner.open());
  stepped(owner);
  CHECK(late.step(0ms).error() == ec::fenced);
  CHECK(late.open() == ec::fenced);
  stepped(owner);
  CHECK(s.published() == ids{1, 2, 3, 4, 5, 6});
}

TEST_CASE("without epochs the source is whose who took it last") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4, 5, 6};
  node one(s, "n1"), two(s, "n2");
  auto first = one.make(0), second = two.make(0);
  ok(first.open());
  ok(second.open());
  CHECK(first.step(0ms).error() == ec::fenced);
  CHECK(first.open() == ec::fenced);
  stepped(second);
  CHECK(s.published() == ids{1, 2, 3});
}

TEST_CASE("a node that was placed before the owner gives way, and the owner takes the id back") {
  shared_things s;
  s.source.rows = {1, 2, 3, 4, 5, 6};
  node one(s, "n1"), two(s, "n2");
  auto late = one.make(1), owner = two.make(2);
  ok(owner.open());
  stepped(owner);
  CHECK(late.open() == ec::fenced);
  CHECK(owner.step(0ms).error() == ec::fenced);
  ok(owner.open());
  stepped(owner);
  CHECK(s.published() == ids{1, 2, 3, 4, 5, 6});
}

TEST_CASE("a source outside of a cluster writes nothing for other nodes") {
  shared_things s;
  s.source.rows = {1, 2, 3};
  node one(s, "n1");
  auto settings = one.settings(1);
  settings.clustered = false;
  extraction e(settings, s.bus, [&] { return s.source.make(); });
  ok(e.open());
  stepped(e);
  CHECK(s.published() == ids{1, 2, 3});
  CHECK_FALSE(s.bus->ranges("_rtdp.sources"));
  CHECK_FALSE(s.bus->ranges("_rtdp.schemas"));
}

TEST_CASE("SOURCE ends for good when another node runs the source, and says which") {
  shared_things s;
  s.source.rows = {1, 2, 3};
  node one(s, "n1"), two(s, "n2");
  test::deterministic system;
  test::surroundings around{system, one.folder.path()};
  auto work = std::make_shared<extraction>(one.make(1));
  auto source = system.spawn(source_actor, around.env, work, std::string("scripted"));
  auto why = std::make_shared<error>();
  system.spawn([source, why](caf::event_based_actor* self) -> caf::behavior {
    self->monitor(source);
    self->set_down_handler(
        [why](caf::down_msg& down) { *why = runtime::from_caf(down.reason); });
    return {[](int) {}};
  });
  system.run();
  CHECK(s.published() == ids{1, 2, 3});
  auto next = two.make(2);
  ok(next.open());
  s.source.rows.push_back(4);
  system.run();
  system.advance(200ms);
  CAPTURE(why->text());
  CHECK(*why == ec::fenced);
  CHECK(why->text().find("node n2 runs source shop") != std::string::npos);
  CHECK(s.published() == ids{1, 2, 3});
}

} // namespace rtdp::extract
