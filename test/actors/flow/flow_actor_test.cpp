#include "actors/flow/flow_actor.hpp"
#include "runtime/ums/codec.hpp"
#include "test/actors/flow/memory_bus.hpp"
#include "test/actors/flow/neighbours.hpp"
#include "test/actors/flow/rows.hpp"
#include "test/actors/flow/stateful_flow.hpp"
#include "test/support/probe.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace rtdp::flow;
using namespace rtdp::test;
using namespace std::chrono_literals;
namespace atom = rtdp::runtime::atom;

namespace {

std::shared_ptr<pipeline> no_steps() {
  return std::make_shared<pipeline>(pipeline_settings{}, std::vector<std::unique_ptr<step>>{});
}

/// One that counts rows by id.
std::shared_ptr<pipeline> counting(const temp_folder& folder) {
  shelf nothing_left;
  std::vector<std::unique_ptr<step>> steps;
  steps.push_back(step_of("aggregate", "{by: [id], count: n}"));
  return std::make_shared<pipeline>(
      pipeline_settings{}, std::move(steps),
      step_state::take_or_make({.flow = "f", .data_dir = folder.path()},
                               std::make_shared<memory_bus>(), nothing_left));
}

/// So many new orders in one batch, the first one with this id.
ums::batch_ptr many_orders(int64_t first, int64_t count) {
  std::vector<row> rows;
  for (auto id = first; id < first + count; ++id)
    rows.push_back({id, 'i', id, "1"});
  return orders(rows);
}

/// A FLOW between a STREAM and a SINK that the test plays.
struct fixture {
  explicit fixture(bool sink_opens = true, int64_t dead_letters_max = 10, int32_t partitions = 1,
                   std::shared_ptr<pipeline> work = no_steps()) {
    sink_told->opens = sink_opens;
    state::progress p;
    // Rows that were applied without a state say that it is lost.
    if (!work->stateful()) {
      p.offsets["rtdp.shop/0"] = 3;
      p.ids[orders_name().text()] = 10;
    }
    sink_told->stored = p.text();
    sink = system.spawn(scripted_sink, sink_told);
    stream = system.spawn(scripted_stream, stream_told);
    flow_settings settings;
    settings.name = "f";
    settings.pattern = "sqlite.shop.main.orders";
    settings.topics = {"rtdp.shop"};
    settings.partitions["rtdp.shop"] = partitions;
    settings.credit = 2;
    settings.dead_letters_max = dead_letters_max;
    settings.heartbeats["shop"] = system.spawn(scripted_heartbeat, marks);
    flow = system.spawn(flow_actor, around.env, settings, work, sink, stream);
    end = watch(system, flow);
  }

  void deliver(ums::batch_ptr b, int64_t next) {
    system.send(flow, atom::deliver_v, delivered(std::move(b), next));
  }
  void answer() { system.send(sink, atom::retry_v); }
  bool idle() { return system.ask<bool>(flow, atom::idle_v)->value.value_or(false); }
  std::string told(const std::string& what) { return around.last("flow", "f").texts[what]; }

  std::shared_ptr<sink_script> sink_told = std::make_shared<sink_script>();
  std::shared_ptr<stream_script> stream_told = std::make_shared<stream_script>();
  std::shared_ptr<marks_script> marks = std::make_shared<marks_script>();
  deterministic system;
  surroundings around{system};
  runtime::sink_actor sink;
  runtime::stream_actor stream;
  runtime::flow_actor flow;
  std::shared_ptr<ending> end;
};

} // namespace

TEST_CASE("a flow joins its stream where its sink stands, for its credit") {
  fixture f;
  REQUIRE(f.stream_told->joined.size() == 1);
  const auto& wish = f.stream_told->joined[0];
  CHECK(wish.flow == "f");
  CHECK(wish.offsets.at("rtdp.shop/0") == 3);
  CHECK(wish.credit == 2);
  CHECK(f.idle());
  CHECK(f.around.states("flow", "f") == std::vector<std::string>{"starting", "running"});
}

TEST_CASE("credit is given back when a batch is written, not before") {
  fixture f;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  CHECK(f.sink_told->written.size() == 2);
  CHECK(f.stream_told->credit == 0);
  CHECK(!f.idle());
  f.answer();
  CHECK(f.stream_told->credit == 1);
  f.answer();
  CHECK(f.stream_told->credit == 2);
  CHECK(f.idle());
}

TEST_CASE("a flow with state writes a large batch in pieces; its credit comes back behind the last") {
  temp_folder folder;
  fixture f(true, 10, 1, counting(folder));
  f.deliver(many_orders(11, 2500), 4);
  REQUIRE(f.sink_told->written.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(f.stream_told->credit == 0);
    const auto& order = f.sink_told->written[i];
    CHECK(order.data->rows() == std::vector<size_t>{1024, 1024, 452}[i]);
    CHECK(order.after.offsets.at("rtdp.shop/0") == (i < 2 ? 3 : 4));
    CHECK(order.after.state.version == int64_t(i + 1));
    f.answer();
  }
  CHECK(f.stream_told->credit == 1);
  CHECK(f.idle());
}

TEST_CASE("a flow with state freezes when no more than one write is under way, in however many pieces") {
  temp_folder folder;
  fixture f(true, 10, 1, counting(folder));
  f.deliver(many_orders(11, 1024), 4);
  f.deliver(orders({{2000, 'i', 1, "1"}}), 5);
  f.deliver(orders({{2001, 'i', 2, "1"}}), 6);
  auto frozen = f.system.ask<std::string>(f.flow, atom::freeze_v);
  CHECK(f.around.last("flow", "f").state == "running");
  f.answer();
  CHECK(f.around.last("flow", "f").state == "drifting");
  f.answer();
  f.answer();
  CHECK(frozen->arrived());
}

TEST_CASE("what the sink need not write is acknowledged in order, behind what it still writes") {
  fixture f;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.deliver(sign(ums::protocol::increment_heartbeat, 12), 5);
  f.deliver(orders({{9, 'i', 2, "1"}}), 6);
  CHECK(f.sink_told->written.size() == 1);
  CHECK(f.stream_told->credit == 0);
  CHECK(f.marks->seen.empty());
  f.answer();
  CHECK(f.stream_told->credit == 3);
  CHECK(f.marks->seen == std::vector<std::string>{"f " + orders_name().text() + " 12000"});
}

TEST_CASE("a mark counts when the slowest partition has brought one") {
  fixture f(true, 10, 2);
  auto deliver = [&](int64_t id, int64_t next, const char* partition) {
    f.system.send(f.flow, atom::deliver_v,
                  delivered(sign(ums::protocol::increment_heartbeat, id), next, partition));
  };
  auto seen = [](int64_t us) { return "f " + orders_name().text() + " " + std::to_string(us); };
  deliver(12, 4, "rtdp.shop/0");
  deliver(13, 5, "rtdp.shop/0");
  CHECK(f.marks->seen.empty());
  deliver(12, 4, "rtdp.shop/1");
  CHECK(f.marks->seen == std::vector<std::string>{seen(12'000)});
  deliver(15, 5, "rtdp.shop/1");
  CHECK(f.marks->seen == std::vector<std::string>{seen(12'000), seen(13'000)});
}

TEST_CASE("offsets that moved without rows are stored within a second") {
  fixture f;
  f.deliver(sign(ums::protocol::increment_heartbeat, 12), 5);
  CHECK(f.sink_told->advanced.empty());
  f.system.advance(1s);
  REQUIRE(f.sink_told->advanced.size() == 1);
  CHECK(state::progress::parse(f.sink_told->advanced[0])->offsets.at("rtdp.shop/0") == 5);
  f.system.advance(3s);
  CHECK(f.sink_told->advanced.size() == 1);
}

TEST_CASE("a stop waits for what is under way, stores the progress, and ends flow and sink") {
  fixture f;
  auto sink_end = watch(f.system, f.sink);
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.system.send(f.flow, atom::stop_v);
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  f.system.advance(3s);
  CHECK(!f.end->ended);
  CHECK(f.sink_told->written.size() == 1);
  f.answer();
  CHECK(f.end->ended);
  CHECK(f.end->normally);
  CHECK(sink_end->ended);
  REQUIRE(f.sink_told->advanced.size() == 1);
  CHECK(state::progress::parse(f.sink_told->advanced[0])->offsets.at("rtdp.shop/0") == 4);
  CHECK(f.around.last("flow", "f").state == "stopped");
}

TEST_CASE("a stop before the sink is open stores nothing: no progress is known yet") {
  fixture f(false);
  CHECK(f.stream_told->joined.empty());
  CHECK(!f.idle());
  f.system.send(f.flow, atom::stop_v);
  CHECK(f.end->normally);
  CHECK(f.sink_told->advanced.empty());
}

TEST_CASE("more dead letters than dead_letters_max fail the flow with the reason") {
  fixture f(true, 3);
  f.sink_told->dead_letters = 2;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.answer();
  CHECK(!f.end->ended);
  f.deliver(orders({{12, 'i', 1, "1"}}), 5);
  f.answer();
  REQUIRE(f.end->ended);
  CHECK(f.end->why == ec::rejected);
  CHECK(f.end->why.text().find("4 rows went to the dead letters") == 0);
}

TEST_CASE("a sink that ends takes its flow along, with its reason") {
  fixture f;
  fail(f.system, f.sink, rejected("no such table"));
  REQUIRE(f.end->ended);
  CHECK(f.end->why == ec::rejected);
  CHECK(f.end->why.text() == "no such table");
}

TEST_CASE("a flow that fails ends behind its sink: the next one must not meet a write of it") {
  fixture f;
  f.sink_told->lingers = true;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  fail(f.system, f.stream, unavailable("broker gone"));
  CHECK(!f.end->ended);
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  f.answer();
  f.system.advance(3s);
  CHECK(f.sink_told->written.size() == 1);
  CHECK(f.around.last("flow", "f").state == "stopping");
  CHECK(!f.end->ended);
  f.system.kill(f.sink);
  REQUIRE(f.end->ended);
  CHECK(f.end->why == ec::unavailable);
  CHECK(f.end->why.text() == "the stream it reads from ended");
}

TEST_CASE("an unreadable progress fails the flow") {
  fixture f(false);
  f.sink_told->opens = true;
  f.sink_told->stored = "{what";
  f.system.send(f.flow, atom::open_v);
  REQUIRE(f.end->ended);
  CHECK(f.end->why.text().find("stored progress: ") == 0);
}

TEST_CASE("a stream that failed ends the flow, one that was stopped does not") {
  fixture f;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  SUBCASE("failed") {
    fail(f.system, f.stream, unavailable("broker gone"));
    REQUIRE(f.end->ended);
    CHECK(f.end->why == ec::unavailable);
  }
  SUBCASE("stopped") {
    f.system.send(f.stream, atom::stop_v);
    CHECK(!f.end->ended);
    f.answer();
    f.system.send(f.flow, atom::stop_v);
    CHECK(f.end->normally);
  }
}

namespace {

std::string message_of(const std::vector<row>& rows) {
  std::string text;
  REQUIRE(!ums::write(*orders(rows), text));
  return text;
}

} // namespace

TEST_CASE("a replayed row is written whatever its id, answered when it is, and costs no credit") {
  fixture f;
  auto reply = f.system.ask<bool>(f.flow, atom::replay_v, message_of({{2, 'i', 1, "1"}}));
  CHECK(!reply->arrived());
  REQUIRE(f.sink_told->written.size() == 1);
  CHECK(shown(f.sink_told->written[0].data) == "i 2 1");
  f.answer();
  CHECK(reply->value == true);
  CHECK(f.stream_told->credit == 0);
}

TEST_CASE("a replay that ends in the dead letters again says so") {
  fixture f;
  f.sink_told->dead_letters = 1;
  auto reply = f.system.ask<bool>(f.flow, atom::replay_v, message_of({{2, 'i', 1, "1"}}));
  f.answer();
  CHECK(reply->value == false);
}

TEST_CASE("a replay that cannot be carried out is refused, and the flow goes on") {
  fixture f;
  auto reply = f.system.ask<bool>(f.flow, atom::replay_v, std::string("{poison"));
  CHECK(reply->error == ec::rejected);
  CHECK(!f.end->ended);
  fixture closed(false);
  reply = closed.system.ask<bool>(closed.flow, atom::replay_v, message_of({{2, 'i', 1, "1"}}));
  CHECK(reply->error == ec::unavailable);
  CHECK(closed.sink_told->written.empty());
}
