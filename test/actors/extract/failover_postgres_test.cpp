#include "actors/extract/extraction.hpp"
#include "test/actors/extract/postgres_fixture.hpp"
#include "test/support/leaky_bus.hpp"
#include "test/support/temp_folder.hpp"

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;
using rtdp::test::leaky_bus;
using rtdp::test::temp_folder;

struct nodes {
  nodes() { db.table("orders", "id int primary key, name text"); }

  extraction make(const std::string& node, const temp_folder& own, int64_t epoch) {
    extraction_settings s;
    s.name = "shop";
    s.to = routing({"rtdp.shop"});
    s.data_dir = own.path();
    s.clustered = true;
    s.self = {node, epoch};
    return {s, bus, [this] { return postgres_source().make("shop", db.settings); }};
  }
  size_t published() {
    auto held = bus->held("rtdp.shop");
    return rtdp::test::ids_in(held).size() +
           rtdp::test::ids_in(held, ums::protocol::initial_data).size();
  }
  /// Reads until so many rows are on the bus, at most 30 s.
  void read_up_to(extraction& e, size_t rows) {
    for (auto until = std::chrono::steady_clock::now() + 30s;
         published() < rows && std::chrono::steady_clock::now() < until;) {
      auto outcome = e.step(50ms);
      REQUIRE_MESSAGE(outcome, outcome.error().text());
    }
    CHECK(published() == rows);
  }

  test::source db;
  temp_folder shared;
  std::shared_ptr<leaky_bus> bus = std::make_shared<leaky_bus>(shared.path());
};

} // namespace

TEST_CASE("a node that takes a source over ends the session of the one that had its slot") {
  nodes n;
  temp_folder one, two;
  n.db.run("insert into orders select i, 'row ' || i from generate_series(1, 3) i");
  auto first = n.make("n1", one, 1), second = n.make("n2", two, 2);
  REQUIRE_FALSE(first.open());
  n.read_up_to(first, 3);
  n.db.run("insert into orders values (4, 'four')");
  n.read_up_to(first, 4);
  // Frozen from here on: its session keeps the slot.
  n.db.run("insert into orders values (5, 'five')");
  auto failed = second.open();
  REQUIRE_MESSAGE(!failed, failed.text());
  n.read_up_to(second, 5);
  n.db.run("update orders set name = 'neo' where id = 5");
  n.read_up_to(second, 6);
  auto late = first.step(50ms);
  CHECK_FALSE(late);
  CHECK(first.open() == ec::fenced);
  CHECK(n.published() == 6);
}

} // namespace rtdp::extract
