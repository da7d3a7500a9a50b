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

  publisher make(size_t message_bytes, size_t most = 1 << 20, route to = {"t"},
                 bus::topic_options options = {}, bus_tail held = {}) {
    REQUIRE_FALSE(bus.open());
    REQUIRE_FALSE(bus.create_topic("t", options));
    auto producer = bus.make_producer("test");
    REQUIRE(producer);
    return {std::move(*producer), routing(std::move(to), options), {message_bytes, most},
            std::move(held)};
  }
};

std::vector<bad_row> published(publisher& to, const ums::batch& b) {
  std::vector<bad_row> bad;
  auto failed = to.publish(ums::slice::all(b), bad);
  REQUIRE_MESSAGE(!failed, failed.text());
  return bad;
}

/// A table with the key `id`; op and text of each row. Ids and keys count from 1.
ums::batch upserts(const std::vector<std::pair<char, std::string>>& rows) {
  auto schema = std::make_shared<ums::schema>();
  schema->name = ums::ns("generator", "shop", "main", "t");
  schema->fields = {{.name = "ums_id_", .type = ums::type::long_},
                    {.name = "ums_ts_", .type = ums::type::datetime},
                    {.name = "ums_op_", .type = ums::type::string},
                    {.name = "id", .type = ums::type::long_, .key = true},
                    {.name = "text", .type = ums::type::string}};
  ums::batch b{schema};
  int64_t id = 0;
  for (const auto& [op, text] : rows) {
    b.columns[0].append_int(op == 'u' && id > 0 && b.op(b.rows() - 1) == 'b' ? id : ++id);
    b.columns[1].append_int(0);
    b.columns[2].append_text({&op, 1});
    b.columns[3].append_int(id);
    b.columns[4].append_text(text);
  }
  return b;
}

} // namespace

TEST_CASE("a batch goes in messages of about the given size, each with its key") {
  place p;
  auto to = p.make(10'000);
  CHECK(published(to, rows_of(1000, 100)).empty());
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
  CHECK(published(to, rows_of(3, 5000)).empty());
  REQUIRE_FALSE(to.flush(5s));
  CHECK(p.bus.held("t").size() == 3);
}

TEST_CASE("what was not flushed still counts after a failed flush") {
  place p;
  auto to = p.make(1000);
  p.bus.failing_flushes = 1;
  CHECK(published(to, rows_of(1, 10)).empty());
  CHECK(to.flush(5s) == ec::unavailable);
  CHECK(to.unflushed_bytes() > 0);
}

TEST_CASE("a full queue is told to the caller") {
  place p;
  auto to = p.make(1000);
  p.bus.failing_sends = 1;
  std::vector<bad_row> bad;
  CHECK(to.publish(ums::slice::all(rows_of(1, 10)), bad) == ec::unavailable);
}

TEST_CASE("a row larger than the bus takes comes back with its message, the others go on") {
  place p;
  auto to = p.make(4000, 5000);
  auto bad = published(to, upserts({{'i', "a"}, {'i', std::string(6000, 'x')}, {'i', "c"}}));
  REQUIRE_FALSE(to.flush(5s));
  REQUIRE(bad.size() == 1);
  CHECK(bad[0].table == ums::ns("generator", "shop", "main", "t"));
  CHECK(bad[0].reason.find("bus.message_bytes_max") != std::string::npos);
  CHECK(bad[0].reason.find("takes 5000") != std::string::npos);
  ums::reader decode;
  std::vector<ums::batch> rows;
  std::vector<ums::bad_row> none;
  REQUIRE_FALSE(decode.read(bad[0].bytes, rows, none));
  CHECK(rows.at(0).columns[4].text(0).size() == 6000);
  CHECK(test::ids_in(p.bus.held("t")) == std::vector<int64_t>{1, 3});
  CHECK(to.rows_total() == 2);
}

TEST_CASE("a before-image that makes its pair too large stays behind alone") {
  place p;
  auto to = p.make(4000, 5000);
  auto bad = published(to, upserts({{'b', std::string(3000, 'x')}, {'u', std::string(3000, 'y')}}));
  REQUIRE_FALSE(to.flush(5s));
  CHECK(bad.size() == 1);
  CHECK(test::ids_in(p.bus.held("t")) == std::vector<int64_t>{1});
}

TEST_CASE("a row that is not UTF-8 comes back, the others go on") {
  place p;
  auto to = p.make(4000);
  auto bad = published(to, upserts({{'i', "a"}, {'i', "\xff\xfe"}, {'i', "c"}, {'i', "d"}}));
  REQUIRE_FALSE(to.flush(5s));
  REQUIRE(bad.size() == 1);
  CHECK(bad[0].reason.find("UTF-8") != std::string::npos);
  CHECK(bad[0].bytes.find("\xff\xfe") != std::string::npos);
  CHECK(test::ids_in(p.bus.held("t")) == std::vector<int64_t>{1, 3, 4});
}

TEST_CASE("with rows_per_message: 1 the key of a message ends with the key of its row") {
  place p;
  auto to = p.make(4000, 1 << 20, {"t", 1});
  auto b = upserts({{'i', "a"}, {'d', ""}});
  b.kind = ums::protocol::initial_data;
  published(to, b);
  REQUIRE_FALSE(to.flush(5s));
  auto held = p.bus.held("t");
  REQUIRE(held.size() == 2);
  CHECK(held[0].key == R"(data_increment_data.generator.shop.main.t.0.0.0.["1"])");
  CHECK(held[1].key == R"(data_increment_data.generator.shop.main.t.0.0.0.["2"])");
  auto routed = ums::parse_key(held[1].key);
  REQUIRE(routed);
  CHECK(routed->name == ums::ns("generator", "shop", "main", "t"));
}

TEST_CASE("a before-image is in the message of its update, however few rows a message holds") {
  place p;
  auto to = p.make(4000, 1 << 20, {"t", 1});
  published(to, upserts({{'i', "a"}, {'b', "old"}, {'u', "new"}, {'i', "c"}}));
  REQUIRE_FALSE(to.flush(5s));
  auto held = p.bus.held("t");
  REQUIRE(held.size() == 3);
  CHECK(test::ids_in({held[1]}) == std::vector<int64_t>{2, 2});
}

TEST_CASE("what the bus holds of a table in a partition is left out there, and only there") {
  place p;
  bus::topic_options options{.partitions = 2};
  auto name = ums::ns("generator", "shop", "main", "t").text();
  bus_tail held;
  held.highest[{"t", 1}][name] = 60;
  auto to = p.make(4000, 1 << 20, {"t"}, options, held);
  auto rows = std::vector<std::pair<char, std::string>>(100, {'i', "x"});
  auto b = upserts(rows);
  auto at = partitions_of(b, 2);
  published(to, b);
  REQUIRE_FALSE(to.flush(5s));
  std::vector<int64_t> first, second;
  for (size_t row = 0; row < at.size(); ++row)
    if (at[row] == 0)
      first.push_back(int64_t(row) + 1);
    else if (row + 1 > 60)
      second.push_back(int64_t(row) + 1);
  CHECK(test::ids_in(p.bus.held("t", 0)) == first);
  CHECK(test::ids_in(p.bus.held("t", 1)) == second);
  CHECK(to.rows_total() == first.size() + second.size());
  // Marks, truncates and the like belong into every partition.
  auto schema = std::make_shared<ums::schema>();
  schema->name = b.schema->name;
  schema->fields = {{.name = "ums_id_", .type = ums::type::long_},
                    {.name = "ums_ts_", .type = ums::type::datetime}};
  ums::batch truncate{schema, ums::protocol::increment_truncate};
  truncate.columns[0].append_int(101);
  truncate.columns[1].append_int(0);
  published(to, truncate);
  REQUIRE_FALSE(to.flush(5s));
  for (int32_t i : {0, 1})
    CHECK(test::ids_in(p.bus.held("t", i), ums::protocol::increment_truncate).size() == 1);
}

} // namespace rtdp::extract
