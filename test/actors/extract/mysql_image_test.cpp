/// Decoders of the log against bytes as a MariaDB 10.11 wrote them, and against bytes that nobody
/// wrote. No server.
#include "actors/extract/mysql_image.hpp"

#include <doctest/doctest.h>

#include <random>

namespace rtdp::extract::my {

namespace {

std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    out += char(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

// create table t (id int primary key, v varchar(10)); insert into t values (1, 'a'), (2, null)
const auto map_bytes = from_hex("df7b036b13010000002f000000ab0400000000150000000000010004746573740001"
                                "740002030f022800024f1ed746");
const auto rows_bytes = from_hex("df7b036b17010000002d000000d8040000000015000000000001000203fc01000000"
                                 "0161fe02000000068538c5");

} // namespace

TEST_CASE("a table map and its rows are read as the server wrote them") {
  auto map_event = parse_event(map_bytes, true);
  REQUIRE(map_event);
  auto map = parse_table_map(*map_event);
  REQUIRE(map);
  CHECK(map->database == "test");
  CHECK(map->table == "t");
  REQUIRE(map->columns.size() == 2);
  CHECK(describe_stored(map->columns[0]) == "int");
  CHECK(fits({.name = "v", .type = "varchar(10)", .charset = "utf8mb4"}, map->columns[1]));
  CHECK(!fits({.name = "v", .type = "varchar(10)", .charset = "latin1"}, map->columns[1]));
  auto rows_event = parse_event(rows_bytes, true);
  REQUIRE(rows_event);
  auto frame = parse_rows(*rows_event);
  REQUIRE(frame);
  CHECK(frame->op == 'i');
  CHECK(frame->whole);
  image row;
  REQUIRE(take_image(frame->images, map->columns, row));
  CHECK(row[1] == "a");
  REQUIRE(take_image(frame->images, map->columns, row));
  CHECK(row[1].data() == nullptr);
  CHECK(frame->images.empty());
}

TEST_CASE("packed decimals of every width") {
  CHECK(decimal_text(from_hex("80000000"), 9, 0) == "0");
  CHECK(decimal_text(from_hex("7fffffff"), 9, 0) == "0");
  CHECK(decimal_text(from_hex("810d"), 3, 0) == "269");
  CHECK(decimal_text(from_hex("810d"), 4, 2).empty() == false);
  CHECK(decimal_text(from_hex("800104"), 4, 0).empty());
}

TEST_CASE("events that are cut or changed anywhere never read behind their end") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  size_t good = 0;
  for (int n = 0; n < 20'000; ++n) {
    auto bytes = n % 2 == 0 ? map_bytes : rows_bytes;
    for (auto k = random() % 4; k > 0; --k)
      bytes[random() % bytes.size()] = char(random());
    bytes.resize(random() % 3 == 0 ? random() % bytes.size() : bytes.size());
    // On the heap and exactly as long, for the sanitizers.
    std::vector<char> exact(bytes.begin(), bytes.end());
    auto e = parse_event({exact.data(), exact.size()}, true);
    if (!e)
      continue;
    if (auto map = parse_table_map(*e); map && e->type == event_type::table_map) {
      image row;
      auto rest = e->body;
      good += take_image(rest, map->columns, row);
    }
    if (is_rows(e->type))
      if (auto frame = parse_rows(*e)) {
        image row;
        while (!frame->images.empty() && take_image(frame->images, {{3, 0}, {15, 40}}, row))
          ++good;
      }
  }
  CHECK(good > 0);
}

} // namespace rtdp::extract::my
