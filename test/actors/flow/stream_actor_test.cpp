#include "actors/flow/stream_actor.hpp"
#include "test/actors/flow/memory_bus.hpp"
#include "test/actors/flow/neighbours.hpp"
#include "test/actors/flow/rows.hpp"
#include "test/support/probe.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace rtdp::flow;
using namespace rtdp::test;
namespace atom = rtdp::runtime::atom;

namespace {

using taken = std::shared_ptr<std::vector<std::string>>;

/// A FLOW that takes what comes and gives credit back only when the test says so.
runtime::flow_actor::behavior_type scripted_flow(runtime::flow_actor::pointer self, taken into) {
  return {
      [into](atom::deliver, const runtime::delivery& d) { into->push_back(shown(d.data)); },
      [](atom::replay, const std::string&) { return false; },
      [](atom::idle) { return true; },
      [self](atom::stop) { self->quit(); },
      [](atom::join, const std::string&, const caf::strong_actor_ptr&) {},
      [](atom::warm) { return true; },
      [](atom::resume, int64_t) { return true; },
      [](atom::freeze) { return std::string{}; },
      [](atom::thaw) {},
      [](atom::progress) { return std::string{}; },
      [](atom::open) {},
      [](atom::tick) {},
  };
}

struct stream_fixture {
  stream_fixture() {
    work = std::make_shared<reading>(reading_settings{.name = "main", .queue_batches = 2}, bus,
                                     folder.path());
    stream = system.spawn(stream_actor, around.env, "main", work);
    end = watch(system, stream);
  }

  void send(int64_t first, int64_t last) {
    for (auto id = first; id <= last; ++id) {
      std::string value;
      REQUIRE(!ums::write(*orders({{id, 'i', id, "1"}}), value));
      bus->send(ums::message_key(ums::protocol::increment_data, orders_name()), value);
    }
  }
  runtime::flow_actor join(const std::string& name, taken into, uint32_t credit,
                           const std::string& pattern = "sqlite.shop", int64_t from = 0) {
    auto flow = system.spawn(scripted_flow, std::move(into));
    runtime::subscription wish{name, pattern, {"rtdp.shop"}, {{"rtdp.shop/0", from}}, credit};
    system.send(stream, atom::join_v, caf::actor_cast<caf::strong_actor_ptr>(flow), wish);
    settle();
    return flow;
  }
  /// A stream whose flows have room reads on for ever.
  void settle() { system.run(200); }
  bool idle() {
    auto answer = system.ask<bool>(stream, atom::idle_v);
    settle();
    return answer->value.value_or(false);
  }

  temp_folder folder;
  std::shared_ptr<memory_bus> bus = std::make_shared<memory_bus>();
  std::shared_ptr<reading> work;
  deterministic system;
  surroundings around{system, folder.path()};
  runtime::stream_actor stream;
  std::shared_ptr<ending> end;
};

taken none() { return std::make_shared<std::vector<std::string>>(); }

} // namespace

TEST_CASE("a flow is handed no more batches than it has credit, and the queue behind is bounded") {
  stream_fixture f;
  f.send(1, 10);
  auto got = none();
  f.join("f", got, 2);
  CHECK(*got == std::vector<std::string>{"i 1 1", "i 2 1"});
  CHECK(f.work->queued_rows("f") == 2);
  CHECK(*f.work->messages_behind("f") == 6);
  f.system.send(f.stream, atom::credit_v, std::string("f"), uint32_t(1));
  CHECK(got->size() == 3);
  CHECK(f.work->queued_rows("f") == 2);
}

TEST_CASE("a flow without credit does not hold up another one") {
  stream_fixture f;
  f.send(1, 10);
  auto slow = none(), fast = none();
  f.join("slow", slow, 1);
  f.join("fast", fast, 100);
  CHECK(slow->size() == 1);
  CHECK(fast->size() == 10);
}

TEST_CASE("the stream is idle when every flow gave its credit back and nothing is left") {
  stream_fixture f;
  f.send(1, 2);
  auto got = none();
  f.join("f", got, 4);
  CHECK(got->size() == 2);
  CHECK(!f.idle());
  f.system.send(f.stream, atom::credit_v, std::string("f"), uint32_t(2));
  CHECK(f.idle());
  f.send(3, 3);
  CHECK(!f.idle());
}

TEST_CASE("a flow that ended is forgotten; it may come back and go on elsewhere") {
  stream_fixture f;
  f.send(1, 3);
  auto got = none();
  auto flow = f.join("f", got, 1);
  f.system.kill(flow);
  f.settle();
  CHECK(f.work->readers() == 0);
  CHECK(f.idle());
  got->clear();
  f.join("f", got, 4, "sqlite.shop", 1);
  CHECK(*got == std::vector<std::string>{"i 2 1", "i 3 1"});
}

TEST_CASE("a flow that cannot join is told why, and the others go on") {
  stream_fixture f;
  f.send(1, 1);
  auto got = none(), other = none();
  f.join("good", got, 4);
  auto bad = f.system.spawn(scripted_flow, other);
  auto bad_end = watch(f.system, bad);
  runtime::subscription wish{"bad", "sqlite.shop", {"rtdp.shop"}, {{"rtdp.shop/0", 9}}, 4};
  f.system.send(f.stream, atom::join_v, caf::actor_cast<caf::strong_actor_ptr>(bad), wish);
  f.settle();
  REQUIRE(bad_end->ended);
  CHECK(bad_end->why.text().find("stands at offset 9") != std::string::npos);
  CHECK(!f.end->ended);
  f.send(2, 2);
  f.settle();
  CHECK(got->size() == 2);
}

TEST_CASE("a bus that fails ends the stream with its words; a stop ends it normally") {
  stream_fixture f;
  f.join("f", none(), 4);
  SUBCASE("failed") {
    f.bus->failure = unavailable("broker gone");
    f.system.send(f.stream, atom::read_v);
    REQUIRE(f.end->ended);
    CHECK(f.end->why == ec::unavailable);
    CHECK(f.end->why.text() == "broker gone");
  }
  SUBCASE("stopped") {
    f.system.send(f.stream, atom::stop_v);
    CHECK(f.end->normally);
    CHECK(f.around.last("stream", "main").state == "stopped");
  }
}
