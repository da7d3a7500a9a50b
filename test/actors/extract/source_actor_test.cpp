#include "actors/extract/source_actor.hpp"
#include "test/support/deterministic.hpp"
#include "test/support/leaky_bus.hpp"
#include "test/support/probe.hpp"
#include "test/support/scripted_source.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
namespace atom = runtime::atom;
using words = std::vector<std::string>;

struct around_source {
  test::temp_folder folder;
  test::scripted_source script;
  std::shared_ptr<test::leaky_bus> bus = std::make_shared<test::leaky_bus>(folder.path());
  test::deterministic system;
  test::surroundings around{system, folder.path()};
  runtime::source_actor source;
  std::shared_ptr<caf::error> end = std::make_shared<caf::error>();
  std::shared_ptr<bool> ended = std::make_shared<bool>(false);

  void start() {
    extraction_settings s;
    s.name = "shop";
    s.to = routing({"rtdp.shop"});
    s.data_dir = folder.path();
    auto work = std::make_shared<extraction>(s, bus, [this] { return script.make(); });
    source = system.spawn(source_actor, around.env, work, std::string("scripted"));
    system.spawn(
        [source_ = source, e = end, d = ended](caf::event_based_actor* self) -> caf::behavior {
          self->monitor(source_);
          self->set_down_handler([e, d](caf::down_msg& down) {
            *e = down.reason;
            *d = true;
          });
          return {[](int) {}};
        });
    system.run();
  }
  runtime::report told() const { return around.last("source", "shop"); }
};

} // namespace

TEST_CASE("SOURCE tries again with growing back-off while unavailable, and says so") {
  around_source t;
  t.script.failing_opens = 5;
  t.start();
  CHECK(t.script.opened.size() == 1);
  CHECK(t.told().state == "starting");
  CHECK(t.told().reason == "connection refused");
  std::vector<int64_t> tried_at = {0};
  for (int64_t ms = 10; tried_at.size() < 6 && ms < 10'000; ms += 10) {
    auto before = t.script.opened.size();
    t.system.advance(10ms, 10ms);
    if (t.script.opened.size() > before)
      tried_at.push_back(ms);
  }
  REQUIRE(tried_at.size() == 6);
  for (size_t i = 1; i < tried_at.size(); ++i) {
    auto waited = tried_at[i] - tried_at[i - 1], most = int64_t{100} << (i - 1);
    CHECK(waited <= most + 10);
    CHECK(waited >= most * 3 / 4 - 10);
  }
  CHECK(t.told().state == "running");
  CHECK(t.told().reason.empty());
  CHECK(t.around.env.metrics->retries({.source = "shop"}).Value() == 5);
}

TEST_CASE("SOURCE ends with the error when it is rejected") {
  around_source t;
  t.script.failing_opens = 1;
  t.script.open_error = rejected("password authentication failed");
  t.start();
  REQUIRE(*t.ended);
  auto why = runtime::from_caf(*t.end);
  CHECK(why == ec::rejected);
  CHECK(why.text() == "password authentication failed");
}

TEST_CASE("SOURCE reads again from the stored position after a broken read") {
  around_source t;
  t.script.rows = {1, 2, 3, 4};
  t.start();
  CHECK(t.system.ask<bool>(t.source, atom::idle_v)->value == true);
  t.script.rows = {1, 2, 3, 4, 5};
  t.script.read_error = unavailable("connection lost");
  t.system.run();
  CHECK(t.told().reason == "connection lost");
  CHECK(t.system.ask<bool>(t.source, atom::idle_v)->value == false);
  t.system.advance(200ms);
  CHECK(t.script.opened == words{"", "4"});
  CHECK(test::ids_in(t.bus->held("rtdp.shop")) == std::vector<int64_t>{1, 2, 3, 4, 5});
  CHECK(t.told().state == "running");
}

TEST_CASE("rows that are lost on the way while a snapshot is asked for are read again") {
  around_source t;
  t.script.rows = {1, 2, 3, 4};
  t.start();
  runtime::snapshot_order order{.source = "shop", .table = "t", .verb = "start", .where = ""};
  CHECK(t.system.ask<bool>(t.source, atom::snapshot_v, order)->value == true);
  t.script.on_snapshot = [&t] {
    t.script.rows.push_back(5);
    t.bus->failing_sends = 1;
  };
  auto answer = t.system.ask<bool>(t.source, atom::snapshot_v, order);
  t.system.advance(1s);
  CHECK(answer->error == ec::unavailable);
  CHECK(answer->error.text().find("queue full") != std::string::npos);
  CHECK(test::ids_in(t.bus->held("rtdp.shop")) == std::vector<int64_t>{1, 2, 3, 4, 5});
  CHECK(t.told().state == "running");
}

TEST_CASE("stop stores what was read and ends SOURCE normally") {
  around_source t;
  t.script.rows = {1, 2};
  t.start();
  t.system.send(t.source, atom::stop_v);
  REQUIRE(*t.ended);
  CHECK(*t.end == caf::exit_reason::normal);
  CHECK(t.told().state == "stopped");
  auto store = state::checkpoint_store::open(t.folder.path());
  REQUIRE(store);
  CHECK((*store->load("source.shop"))["position"] == "2");
}

TEST_CASE("stop ends a SOURCE that cannot reach its database") {
  around_source t;
  t.script.failing_opens = 1000;
  t.start();
  t.system.send(t.source, atom::stop_v);
  REQUIRE(*t.ended);
  CHECK(*t.end == caf::exit_reason::normal);
}

TEST_CASE("a mark is published and the figures are told with it") {
  around_source t;
  t.script.rows = {1, 2, 3, -1};
  t.script.retained_bytes = 4096;
  t.start();
  t.system.send(t.source, atom::mark_v);
  auto marks = test::ids_in(t.bus->held("rtdp.shop"), ums::protocol::increment_heartbeat);
  CHECK(marks.size() == 1);
  CHECK(t.told().figures["rows_out"] == 3);
  CHECK(t.told().figures["dead_letters"] == 1);
  CHECK(t.told().figures["retained_bytes"] == 4096);
  CHECK(t.told().texts["position"] == "4");
  CHECK(t.around.env.metrics->rows_out({.source = "shop"}).Value() == 3);
}

TEST_CASE("TABLE adds up its rows and tells its columns and snapshot") {
  around_source t;
  t.script.rows = {1, 2, 3, 4, 5};
  t.start();
  t.system.send(t.source, atom::mark_v);
  auto table = t.around.last("table", test::scripted_source::table().text());
  CHECK(table.state == "running");
  CHECK(table.figures["rows_in"] == 5);
  CHECK(table.figures["snapshot_rows_done"] == 5);
  CHECK(table.texts["columns"] == "n long");
  CHECK(table.texts["snapshot"] == "done");
  CHECK(table.texts["source"] == "shop");
}

} // namespace rtdp::extract
