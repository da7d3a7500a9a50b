#include "actors/extract/publisher.hpp"
#include "test/support/leaky_bus.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;

ums::batch rows_of(int64_t count, size_t text_bytes) {
  auto schema = std::make_shared<ums::schema>();
  schema->name = ums::ns("generator", "shop", "main", "t");
  schema->fields = {{.name = "ums_id_", .type = ums::type::long_},
                    {.name = "ums_ts_", .type = ums::type::datetime},
                    {.name = "ums_op_", .type = ums::type::string},
                    {.name = "text", .type = ums::type::string}};
  ums::batch b{schema};
  for (int64_t i = 0; i < count; ++i) {
    b.columns[0].append_int(i + 1);
    b.columns[1].append_int(0);
    b.columns[2].append_text("i");
    b.columns[3].append_text(std::string(text_bytes, 'x'));
  }
  return b;
}

struct place {
  test::temp_folder folder;
  test::leaky_bus bus{folder.path()};

  publisher make(size_t message_bytes) {
    REQUIRE_FALSE(bus.open());
    REQUIRE_FALSE(bus.create_topic("t", {}));
    auto producer = bus.make_producer("test");
    REQUIRE(producer);
    return {std::move(*producer), {"t", 0}, message_bytes};
  }
};

} // namespace

TEST_CASE("a batch goes in messages of about the given size, each with its key") {
  place p;
  auto to = p.make(10'000);
  REQUIRE_FALSE(to.publish(rows_of(1000, 100)));
  CHECK(to.unflushed_bytes() > 100'000);
  REQUIRE_FALSE(to.flush(5s));
  CHECK(to.unflushed_bytes() == 0);
  auto held = p.bus.held("t");
  CHECK(held.size() > 10);
  size_t bytes = 0;
  for (const auto& m : held) {
    CHECK(m.value.size() <= 10'000);
    CHECK(m.key == "data_increment_data.generator.shop.main.t.0.0.0");
    bytes += m.value.size();
  }
  CHECK(to.bytes_total() == bytes);
  auto ids = test::ids_in(held);
  REQUIRE(ids.size() == 1000);
  CHECK(std::is_sorted(ids.begin(), ids.end()));
}

TEST_CASE("a row that is larger than a message goes alone") {
  place p;
  auto to = p.make(1000);
  REQUIRE_FALSE(to.publish(rows_of(3, 5000)));
  REQUIRE_FALSE(to.flush(5s));
  CHECK(p.bus.held("t").size() == 3);
}

TEST_CASE("what was not flushed still counts after a failed flush") {
  place p;
  auto to = p.make(1000);
  p.bus.failing_flushes = 1;
  REQUIRE_FALSE(to.publish(rows_of(1, 10)));
  CHECK(to.flush(5s) == ec::unavailable);
  CHECK(to.unflushed_bytes() > 0);
}

TEST_CASE("a full queue is told to the caller") {
  place p;
  auto to = p.make(1000);
  p.bus.failing_sends = 1;
  CHECK(to.publish(rows_of(1, 10)) == ec::unavailable);
}

} // namespace rtdp::extract
