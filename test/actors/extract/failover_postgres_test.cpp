#include "actors/extract/extraction.hpp"
#include "test/actors/extract/postgres_fixture.hpp"
#include "test/support/leaky_bus.hpp"
#include "test/support/temp_folder.hpp"

#include <algorithm>
#include <random>
#include <thread>

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
  /// How often each order is on the bus.
  std::map<int64_t, int> orders() {
    std::map<int64_t, int> out;
    ums::reader decode;
    for (const auto& m : bus->held("rtdp.shop")) {
      std::vector<ums::batch> batches;
      std::vector<ums::bad_row> bad;
      REQUIRE_FALSE(decode.read(m.value, batches, bad));
      for (const auto& b : batches)
        for (size_t row = 0; b.carries_rows() && row < b.rows(); ++row)
          ++out[b.find("id")->ints()[row]];
    }
    return out;
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

/// Inserts orders from 1,000 on until it goes.
class orders_writer {
public:
  explicit orders_writer(const std::string& schema)
      : thread_([this, schema] {
          test::client c;
          for (int id = 1000; !stop_; ++id)
            c.run("insert into " + schema + ".orders values (" + std::to_string(id) + ", 'new')");
        }) {}
  ~orders_writer() {
    stop_ = true;
    thread_.join();
  }

private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
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

TEST_CASE("a source that ends anywhere in its snapshot goes on elsewhere, and no row comes twice") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 4; ++round) {
    CAPTURE(round);
    nodes n;
    temp_folder folders[3];
    n.db.settings.values["snapshot_chunk_rows"] = int64_t{20};
    n.db.run("insert into orders select i, 'old' from generate_series(1, 300) i");
    std::vector<std::unique_ptr<extraction>> runs;
    {
      orders_writer writing(n.db.schema);
      for (int64_t epoch = 1; epoch <= 8; ++epoch) {
        // Killed, or frozen with its session.
        if (random() % 2 == 0)
          runs.clear();
        auto node = random() % 3;
        runs.emplace_back(
            new extraction(n.make("n" + std::to_string(node), folders[node], epoch)));
        auto& now = *runs.back();
        auto failed = now.open();
        REQUIRE_MESSAGE(!failed, failed.text());
        for (auto steps = random() % (epoch == 1 ? 4 : 12); steps > 0; --steps) {
          auto outcome = now.step(5ms);
          REQUIRE_MESSAGE(outcome, outcome.error().text());
        }
        auto fault = random() % 4;
        n.bus->failing_flushes = fault == 0;
        n.bus->answers_lost = fault == 1;
        if (fault < 2)
          for (int i = 0; i < 100 && now.step(5ms); ++i)
            ;
        n.bus->failing_flushes = n.bus->answers_lost = 0;
      }
    }
    std::unique_ptr<extraction> now(new extraction(n.make("n0", folders[0], 9)));
    auto failed = now->open();
    REQUIRE_MESSAGE(!failed, failed.text());
    auto rows = std::stoul(n.db.db.value("select count(*) from " + n.db.schema + ".orders"));
    for (auto until = std::chrono::steady_clock::now() + 30s;
         !(now->idle() && n.orders().size() >= rows) && std::chrono::steady_clock::now() < until;)
      REQUIRE(now->step(50ms));
    auto orders = n.orders();
    CHECK(orders.size() == rows);
    CHECK(std::count_if(orders.begin(), orders.end(), [](auto& o) { return o.second > 1; }) == 0);
    // Each meets the newer owner when it publishes, or the end of its session when it reads.
    for (auto& former : runs) {
      bool ended = false;
      for (int i = 0; i < 200 && !ended; ++i)
        ended = !former->step(5ms);
      CHECK(ended);
    }
    CHECK(n.orders() == orders);
  }
}

} // namespace rtdp::extract
