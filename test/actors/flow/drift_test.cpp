/// Two nodes, one bus, one target: a flow goes from the one to the other while rows come, with every
/// order of the steps of that, and with the steps at every distance from each other in messages.
#include "actors/flow/flow_actor.hpp"
#include "actors/flow/stream_actor.hpp"
#include "actors/sink/sink_actor.hpp"
#include "runtime/ums/codec.hpp"
#include "test/actors/flow/memory_bus.hpp"
#include "test/actors/flow/neighbours.hpp"
#include "test/actors/flow/rows.hpp"
#include "test/support/flaky_sink.hpp"
#include "test/support/probe.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

using namespace rtdp;
using namespace rtdp::flow;
using namespace rtdp::test;
using namespace std::chrono_literals;
namespace atom = rtdp::runtime::atom;

namespace {

constexpr int64_t old_epoch = 4, new_epoch = 5;

/// A node with the flow: its STREAM, its SINK before the shared store, its FLOW.
struct node {
  runtime::stream_actor stream;
  runtime::flow_actor flow;
};

struct two_nodes {
  explicit two_nodes(const temp_folder& folder) : around(system, folder.path()) {
    send(6);
    a = spawn({});
    settle();
    send(3);
    auto progress = ask<std::string>(a.flow, atom::progress_v);
    REQUIRE(progress->value);
    b = spawn(*progress->value);
    REQUIRE(ask<bool>(b.flow, atom::warm_v)->value == true);
  }

  node spawn(std::optional<std::string> warm) {
    node n;
    auto work = std::make_shared<reading>(reading_settings{.name = "main"}, bus,
                                          around.env.data_dir);
    n.stream = system.spawn(stream_actor, around.env, "main", work);
    auto writer = std::make_shared<sink::writer>(sink::writer_settings{"f", around.env.data_dir},
                                                 store.make());
    auto sink = system.spawn(sink::sink_actor, around.env, std::string("f"),
                             std::string("dw.orders"), std::string("flaky"), writer);
    flow_settings settings;
    settings.name = "f";
    settings.pattern = "sqlite.shop.main.orders";
    settings.topics = {"rtdp.shop"};
    settings.epoch = old_epoch;
    settings.warm = std::move(warm);
    auto steps = std::make_shared<pipeline>(pipeline_settings{},
                                            std::vector<std::unique_ptr<flow::step>>{});
    n.flow = system.spawn(flow_actor, around.env, settings, steps, sink, n.stream);
    return n;
  }

  void send(int64_t count) {
    for (auto last = sent + count; sent < last;) {
      ++sent;
      std::string value;
      REQUIRE(!ums::write(*orders({{sent, 'i', sent, "1"}}), value));
      bus->send(ums::message_key(ums::protocol::increment_data, orders_name()), value);
    }
  }
  /// A stream whose flows have room reads on for ever.
  void settle() { system.run(300); }
  template<class T, class Handle, class... Ts>
  answer_ptr<T> ask(const Handle& to, Ts... xs) {
    auto answer = system.ask<T>(to, xs...);
    settle();
    return answer;
  }
  /// One step of the drift, without its consequences: these come with the messages run after it.
  void step(char which) {
    if (which == 'f')
      caf::anon_send(a.flow, atom::freeze_v);
    else if (which == 't')
      caf::anon_send(a.flow, atom::thaw_v);
    else if (which == 's')
      caf::anon_send(a.flow, atom::stop_v);
    else if (which == 'r')
      caf::anon_send(b.flow, atom::resume_v, new_epoch);
    else
      send(2);
  }
  void finish() {
    settle();
    // SINK tries again, and a frozen flow thaws.
    system.advance(1s, 500ms);
    system.advance(6s, 6s);
    send(2);
    // The call that fails may be one of these rows: a step of time for the write, and one for SINK's
    // back-off (100 ms) behind it.
    system.advance(1s, 250ms);
  }
  /// Each row once, in order, and none under the old epoch behind the first under the new one.
  bool exactly_once() const {
    std::vector<int64_t> all(size_t(sent), 0);
    for (size_t i = 0; i < all.size(); ++i)
      all[i] = int64_t(i) + 1;
    return store.rows == all && std::is_sorted(store.written_by.begin(), store.written_by.end());
  }

  flaky_store store;
  std::shared_ptr<memory_bus> bus = std::make_shared<memory_bus>();
  deterministic system;
  surroundings around;
  int64_t sent = 0;
  node a, b;
};

constexpr int distances[] = {0, 1, 3, 5, 9};

std::string name_of(const std::string& steps, const std::array<int, 3>& apart) {
  return steps + " at " + std::to_string(apart[0]) + ", " + std::to_string(apart[1]) + ", " +
         std::to_string(apart[2]) + " messages from each other";
}

/// Takes up to four steps, so many messages apart. False when fewer calls of the store were made.
bool check_drift(const temp_folder& folder, const std::string& steps,
                 const std::array<int, 3>& apart, int failing_call = 0) {
  two_nodes t(folder);
  t.store.failing_call = failing_call;
  for (size_t i = 0; i < steps.size(); ++i) {
    t.step(steps[i]);
    if (i < apart.size())
      t.system.run(size_t(apart[i]));
  }
  t.finish();
  std::string rows;
  for (size_t i = 0; i < t.store.rows.size(); ++i)
    rows += std::to_string(t.store.rows[i]) + "/" + std::to_string(t.store.written_by[i]) + " ";
  INFO(name_of(steps, apart), ", failing call ", failing_call, "; rows: ", rows);
  CHECK(t.exactly_once());
  return t.store.failing_call == 0;
}

void check_all(const std::string& steps) {
  temp_folder folder;
  for (int first : distances)
    for (int second : distances)
      for (int third : distances)
        check_drift(folder, steps, {first, second, third});
}

} // namespace

TEST_CASE("a flow that freezes here and is resumed there writes each row once") { check_all("fprs"); }

TEST_CASE("a flow that is resumed elsewhere while it runs writes nothing any more") {
  check_all("prps");
}

TEST_CASE("a frozen flow that thaws late is fenced, whatever it held back") { check_all("fprt"); }

TEST_CASE("a flow that thaws before the other one takes over loses and doubles nothing") {
  check_all("ftpr");
}

TEST_CASE("a hand-over goes on when the store fails at any call of it") {
  temp_folder folder;
  for (const auto* steps : {"fprs", "prps", "fprt", "ftpr"})
    for (int apart : {0, 2, 8}) {
      int call = 1;
      while (check_drift(folder, steps, {apart, 3, apart}, call))
        ++call;
      // The fence and two batches at least.
      CHECK(call > 3);
    }
}

TEST_CASE("a hand-over behind a progress that is not the data's is not taken for exact") {
  temp_folder folder;
  two_nodes t(folder);
  auto frozen = t.ask<std::string>(t.a.flow, atom::freeze_v);
  REQUIRE(frozen->value);
  t.send(2);
  auto stored = *state::progress::parse(t.store.progress["f"]);
  int64_t moved = 0;
  SUBCASE("nothing is wrong with it") {}
  SUBCASE("a row is lost") { moved = 1; }
  SUBCASE("a row comes twice") { moved = -1; }
  stored.offsets["rtdp.shop/0"] += moved;
  stored.ids.begin()->second += moved;
  t.store.progress["f"] = stored.text();
  t.step('r');
  t.finish();
  CHECK(t.exactly_once() == (moved == 0));
}

TEST_CASE("the pause of a hand-over is one take of the fence: rows are there already") {
  temp_folder folder;
  two_nodes t(folder);
  auto frozen = t.ask<std::string>(t.a.flow, atom::freeze_v);
  REQUIRE(frozen->value);
  t.send(1);
  t.settle();
  t.store.calls.clear();
  CHECK(t.ask<bool>(t.b.flow, atom::resume_v, new_epoch)->value == true);
  CHECK(t.store.calls == std::vector<std::string>{"take 5", "write 10..10"});
}
