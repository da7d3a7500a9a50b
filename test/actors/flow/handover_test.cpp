#include "actors/flow/flow_actor.hpp"
#include "runtime/ums/codec.hpp"
#include "test/actors/flow/neighbours.hpp"
#include "test/actors/flow/rows.hpp"
#include "test/support/probe.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace rtdp::flow;
using namespace rtdp::test;
using namespace std::chrono_literals;
namespace atom = rtdp::runtime::atom;

namespace {

state::progress progress_at(int64_t offset, int64_t id) {
  state::progress p;
  p.offsets["rtdp.shop/0"] = offset;
  p.apply(orders_name().text(), "rtdp.shop/0", id);
  return p;
}

/// A FLOW between a STREAM and a SINK that the test plays; the target stands at offset 3, id 10.
struct handover_fixture {
  explicit handover_fixture(std::optional<std::string> warm = {}, bool connects = true) {
    sink_told->connects = connects;
    sink_told->stored = progress_at(3, 10).text();
    sink = system.spawn(scripted_sink, sink_told);
    stream = system.spawn(scripted_stream, stream_told);
    flow_settings settings;
    settings.name = "f";
    settings.pattern = "sqlite.shop.main.orders";
    settings.topics = {"rtdp.shop"};
    settings.warm = std::move(warm);
    auto work =
        std::make_shared<pipeline>(pipeline_settings{}, std::vector<std::unique_ptr<step>>{});
    flow = system.spawn(flow_actor, around.env, settings, work, sink, stream);
    end = watch(system, flow);
  }

  void deliver(ums::batch_ptr b, int64_t next, uint32_t ticket = 0, int64_t first = -1) {
    auto d = delivered(std::move(b), next);
    d.first_offset = first < 0 ? next - 1 : first;
    d.ticket = ticket;
    system.send(flow, atom::deliver_v, d);
  }
  void answer() { system.send(sink, atom::retry_v); }
  auto freeze() { return system.ask<std::string>(flow, atom::freeze_v); }
  auto resume(int64_t epoch = 7) { return system.ask<bool>(flow, atom::resume_v, epoch); }
  std::string state() const { return around.last("flow", "f").state; }
  /// Ids that SINK was given, in order.
  std::string written() const {
    std::string out;
    for (const auto& o : sink_told->written)
      out += (out.empty() ? "" : "; ") + shown(o.data);
    return out;
  }

  std::shared_ptr<sink_script> sink_told = std::make_shared<sink_script>();
  std::shared_ptr<stream_script> stream_told = std::make_shared<stream_script>();
  deterministic system;
  surroundings around{system};
  runtime::sink_actor sink;
  runtime::stream_actor stream;
  runtime::flow_actor flow;
  std::shared_ptr<ending> end;
};

} // namespace

TEST_CASE("a warm flow connects its sink and reads ahead, but takes no fence and writes nothing") {
  handover_fixture f(progress_at(3, 10).text());
  CHECK(f.sink_told->epochs.empty());
  REQUIRE(f.stream_told->joined.size() == 1);
  CHECK(f.stream_told->joined[0].offsets.at("rtdp.shop/0") == 3);
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  CHECK(f.written().empty());
  CHECK(f.stream_told->credit == 0);
  CHECK(f.state() == "suspended");
  CHECK(f.around.last("flow", "f").reason == "warm: ready to take over");
  CHECK(f.system.ask<bool>(f.flow, atom::warm_v)->value == true);
  CHECK(f.system.ask<bool>(f.flow, atom::idle_v)->value == false);
  f.system.advance(10s);
  CHECK(f.sink_told->advanced.empty());
  CHECK(f.state() == "suspended");
}

TEST_CASE("a warm flow is ready when its sink is connected") {
  handover_fixture f(progress_at(3, 10).text(), false);
  auto ready = f.system.ask<bool>(f.flow, atom::warm_v);
  f.system.advance(3s);
  CHECK(!ready->arrived());
  CHECK(f.state() == "starting");
}

TEST_CASE("a warm flow that cannot read its progress fails, as one whose sink fails") {
  handover_fixture f("{what");
  REQUIRE(f.end->ended);
  CHECK(f.end->why == ec::rejected);
  CHECK(f.end->why.text().find("the progress to get ready behind: ") == 0);
}

TEST_CASE("resume takes the fence and goes on with what was read ahead") {
  handover_fixture f(progress_at(3, 10).text());
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  auto resumed = f.resume();
  CHECK(resumed->value == true);
  CHECK(f.sink_told->epochs == std::vector<int64_t>{7});
  CHECK(f.written() == "i 11 1; i 12 1");
  CHECK(f.stream_told->joined.size() == 1);
  CHECK(f.state() == "running");
  f.answer();
  f.answer();
  CHECK(f.stream_told->credit == 2);
  CHECK(f.resume(8)->error == ec::rejected);
}

TEST_CASE("a target that is ahead of what was read leaves that out and gives its credit back") {
  handover_fixture f(progress_at(3, 10).text());
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  // Its first row is applied, its second one is not.
  f.deliver(orders({{12, 'i', 2, "1"}, {13, 'i', 3, "1"}}), 6, 0, 4);
  f.sink_told->stored = progress_at(5, 12).text();
  CHECK(f.resume()->value == true);
  CHECK(f.written() == "i 13 1");
  CHECK(f.sink_told->written[0].after.offsets.at("rtdp.shop/0") == 6);
  CHECK(f.stream_told->joined.size() == 1);
  CHECK(f.stream_told->credit == 1);
}

TEST_CASE("an old delivery does not move an offset back") {
  handover_fixture f(progress_at(3, 10).text());
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.sink_told->stored = progress_at(9, 20).text();
  CHECK(f.resume()->value == true);
  CHECK(f.written().empty());
  auto told = f.system.ask<std::string>(f.flow, atom::progress_v);
  REQUIRE(told->value);
  CHECK(state::progress::parse(*told->value)->offsets.at("rtdp.shop/0") == 9);
}

TEST_CASE("rows behind a batch's offset are not lost: batches of other tables may pass it") {
  // Of one read, 3 to 9: what is not the last batch of it completes nothing. The target stands in
  // the middle of what was read here.
  handover_fixture f(progress_at(3, 10).text());
  f.deliver(orders({{11, 'i', 1, "1"}, {14, 'i', 4, "1"}}), 3, 0, 3);
  f.sink_told->stored = progress_at(5, 12).text();
  CHECK(f.resume()->value == true);
  CHECK(f.written() == "i 14 1");
  CHECK(f.sink_told->written[0].after.offsets.at("rtdp.shop/0") == 5);
}

TEST_CASE("a target that is behind what was read has the flow join again where it stands") {
  handover_fixture f(progress_at(3, 10).text());
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  SUBCASE("by its offsets") { f.sink_told->stored = progress_at(2, 10).text(); }
  SUBCASE("by its ids") { f.sink_told->stored = progress_at(3, 9).text(); }
  SUBCASE("without any") { f.sink_told->stored.clear(); }
  SUBCASE("with a partition that was not joined") {
    auto p = progress_at(3, 10);
    p.offsets["rtdp.shop/1"] = 1;
    f.sink_told->stored = p.text();
  }
  CHECK(f.resume()->value == true);
  CHECK(f.written().empty());
  REQUIRE(f.stream_told->joined.size() == 2);
  auto stored = *state::progress::parse(f.sink_told->stored);
  CHECK(f.stream_told->joined[1].offsets == stored.offsets);
  CHECK(f.stream_told->joined[1].ticket == 1);
  // Was on its way when the flow joined again.
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  CHECK(f.written().empty());
  f.deliver(orders({{11, 'i', 1, "1"}}), 4, 1);
  CHECK(f.written() == "i 11 1");
  CHECK(f.stream_told->credit == 0);
}

TEST_CASE("a warm flow is stopped without a word to its sink") {
  handover_fixture f(progress_at(3, 10).text());
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.system.send(f.flow, atom::stop_v);
  CHECK(f.end->normally);
  CHECK(f.sink_told->advanced.empty());
  CHECK(f.sink_told->epochs.empty());
}

TEST_CASE("freeze answers with the progress when what is in flight is written") {
  handover_fixture f;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  auto frozen = f.freeze();
  CHECK(f.state() == "drifting");
  CHECK(!frozen->arrived());
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  f.answer();
  CHECK(frozen->value == progress_at(4, 11).text());
  CHECK(f.written() == "i 11 1");
  CHECK(f.sink_told->advanced.empty());
  // Who asks again is answered at once.
  CHECK(f.freeze()->value == progress_at(4, 11).text());
}

TEST_CASE("a flow with a backlog freezes when it has worked it off, or after a second") {
  for (bool keeps_up : {true, false}) {
    handover_fixture f;
    f.deliver(orders({{11, 'i', 1, "1"}}), 4);
    f.deliver(orders({{12, 'i', 2, "1"}}), 5);
    auto frozen = f.freeze();
    CHECK(f.state() == "running");
    f.deliver(orders({{13, 'i', 3, "1"}}), 6);
    CHECK(f.written() == "i 11 1; i 12 1; i 13 1");
    for (int i = 0; i < 2 && keeps_up; ++i)
      f.answer();
    if (!keeps_up)
      f.system.advance(2s);
    CHECK(f.state() == "drifting");
    // It takes nothing more.
    f.deliver(orders({{14, 'i', 4, "1"}}), 7);
    for (int i = keeps_up ? 2 : 0; i < 3; ++i)
      f.answer();
    CHECK(frozen->value == progress_at(6, 13).text());
    CHECK(f.written() == "i 11 1; i 12 1; i 13 1");
  }
}

TEST_CASE("a flow that is thawed before it has worked off its backlog runs on") {
  handover_fixture f;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  auto frozen = f.freeze();
  f.system.send(f.flow, atom::thaw_v);
  CHECK(frozen->error == ec::unavailable);
  f.answer();
  f.answer();
  f.deliver(orders({{13, 'i', 3, "1"}}), 6);
  CHECK(f.state() == "running");
  CHECK(f.written() == "i 11 1; i 12 1; i 13 1");
}

TEST_CASE("freeze stores what marks have moved") {
  handover_fixture f;
  f.deliver(sign(ums::protocol::increment_heartbeat, 12), 5);
  auto frozen = f.freeze();
  REQUIRE(f.sink_told->advanced.size() == 1);
  CHECK(frozen->value == f.sink_told->advanced[0]);
  CHECK(state::progress::parse(*frozen->value)->offsets.at("rtdp.shop/0") == 5);
}

TEST_CASE("thaw goes on with what was held back, in order") {
  handover_fixture f;
  CHECK(f.freeze()->value);
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  CHECK(f.written().empty());
  f.system.send(f.flow, atom::thaw_v);
  CHECK(f.written() == "i 11 1; i 12 1");
  CHECK(f.state() == "running");
  f.answer();
  CHECK(f.stream_told->credit == 1);
}

TEST_CASE("a frozen flow thaws by itself when nobody comes back for it") {
  handover_fixture f;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  auto frozen = f.freeze();
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  f.system.advance(4s);
  CHECK(f.written() == "i 11 1");
  CHECK(!frozen->arrived());
  f.system.advance(2s);
  CHECK(f.written() == "i 11 1; i 12 1");
  // Its sink did not answer in all that time: nobody may rely on a progress.
  CHECK(frozen->error == ec::unavailable);
}

TEST_CASE("a frozen flow stops: without a word to its sink once it is at rest") {
  handover_fixture f;
  f.deliver(orders({{11, 'i', 1, "1"}}), 4);
  auto frozen = f.freeze();
  f.deliver(orders({{12, 'i', 2, "1"}}), 5);
  SUBCASE("at rest") {
    f.answer();
    CHECK(frozen->value);
    f.system.send(f.flow, atom::stop_v);
    // The fence may be another node's by now.
    CHECK(f.sink_told->advanced.empty());
  }
  SUBCASE("with a write in flight") {
    f.system.send(f.flow, atom::stop_v);
    CHECK(!f.end->ended);
    f.answer();
  }
  CHECK(f.end->normally);
  CHECK(f.written() == "i 11 1");
  CHECK(f.state() == "stopped");
}

TEST_CASE("a flow that does not run is not frozen, and tells no progress") {
  handover_fixture f(progress_at(3, 10).text());
  CHECK(f.freeze()->error == ec::rejected);
  CHECK(f.system.ask<std::string>(f.flow, atom::progress_v)->error == ec::rejected);
  handover_fixture running;
  CHECK(running.system.ask<std::string>(running.flow, atom::progress_v)->value ==
        progress_at(3, 10).text());
  CHECK(running.system.ask<bool>(running.flow, atom::warm_v)->error == ec::rejected);
  CHECK(running.resume()->error == ec::rejected);
}

TEST_CASE("a dead letter is not replayed into a frozen flow: its progress is told already") {
  handover_fixture f;
  CHECK(f.freeze()->value);
  std::string message;
  REQUIRE(!ums::write(*orders({{2, 'i', 1, "1"}}), message));
  CHECK(f.system.ask<bool>(f.flow, atom::replay_v, message)->error == ec::unavailable);
  CHECK(f.written().empty());
}
