#include "runtime/state/schema_history.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

namespace rtdp::state {

namespace {

constexpr auto orders = "postgres.shop.public.orders";

std::vector<ums::field> columns(std::initializer_list<const char*> names) {
  std::vector<ums::field> out;
  for (const auto* name : names)
    out.push_back({.name = name, .key = out.empty(), .native = "text"});
  return out;
}

schema_history opened(const test::temp_folder& folder) {
  auto h = schema_history::open(folder.path());
  REQUIRE_MESSAGE(h, h.error().text());
  return std::move(*h);
}

table_version met(schema_history& h, int64_t number, std::vector<ums::field> fields,
                  const std::string& line = "shop", bool merged = false) {
  auto v = h.meet({.table = orders,
                   .line = line,
                   .number = number,
                   .merged = merged,
                   .fields = std::move(fields),
                   .place = "0/" + std::to_string(number),
                   .at_us = 1000 + number});
  REQUIRE_MESSAGE(v, v.error().text());
  return *v;
}

} // namespace

TEST_CASE("a version is kept with its place, time and columns, and is there after a restart") {
  test::temp_folder folder;
  {
    auto h = opened(folder);
    CHECK(met(h, 0, columns({"id"})).previous == -1);
    CHECK(met(h, 1, columns({"id", "a"})).previous == 0);
    REQUIRE_FALSE(h.decide(orders, 1, version_decision::ignored, 0));
  }
  auto h = opened(folder);
  auto all = *h.versions(orders);
  REQUIRE(all.size() == 2);
  CHECK(all[1].version == 1);
  CHECK(all[1].place == "0/1");
  CHECK(all[1].at_us == 1001);
  CHECK(all[1].fields == columns({"id", "a"}));
  CHECK(all[1].decision == version_decision::ignored);
  CHECK(all[1].published_as == 0);
  CHECK(*h.tables() == std::vector<std::string>{orders});
  CHECK(h.versions("postgres.shop.public.other")->empty());
}

TEST_CASE("a version that is met again is the same one, also in the middle") {
  test::temp_folder folder;
  auto h = opened(folder);
  met(h, 0, columns({"id"}));
  met(h, 1, columns({"id", "a"}));
  CHECK(met(h, 0, columns({"id"})).version == 0);
  auto relaxed = columns({"id", "a"});
  relaxed[1].nullable = false;
  CHECK(met(h, 1, relaxed).version == 1);
  CHECK(h.versions(orders)->size() == 2);
  CHECK((*h.successor(orders, "shop", 0))->version == 1);
  CHECK_FALSE(h.successor(orders, "shop", 1)->has_value());
}

TEST_CASE("a driver that counts anew gives no version another meaning") {
  test::temp_folder folder;
  auto h = opened(folder);
  met(h, 0, columns({"id"}));
  met(h, 1, columns({"id", "a"}));
  auto v = met(h, 0, columns({"id", "b"}));
  CHECK(v.version == 2);
  CHECK(v.previous == 1);
  CHECK((*h.find_met(orders, "shop", 0))->version == 2);
  CHECK_FALSE(h.find_met(orders, "shop", 1)->has_value());
  CHECK(met(h, 1, columns({"id", "b", "c"})).version == 3);
}

TEST_CASE("a table that goes back to older columns has a new version of its own") {
  test::temp_folder folder;
  auto h = opened(folder);
  met(h, 0, columns({"id"}));
  met(h, 1, columns({"id", "a"}));
  CHECK(met(h, 2, columns({"id"})).version == 2);
}

TEST_CASE("shards of one shape share a version, whatever their numbers and their order") {
  test::temp_folder folder;
  auto h = opened(folder);
  CHECK(met(h, 3, columns({"id"}), "shop/orders_00", true).version == 0);
  CHECK(met(h, 0, columns({"id"}), "shop/orders_01", true).version == 0);
  CHECK(met(h, 4, columns({"id", "a"}), "shop/orders_00", true).version == 1);
  auto other = met(h, 0, columns({"id", "z"}), "shop/orders_02", true);
  CHECK(other.version == 2);
  CHECK(other.previous == -1);
  auto same = met(h, 1, columns({"id", "a"}), "eu/orders_01", true);
  CHECK(same.version == 1);
  CHECK(met(h, 1, columns({"id", "a", "b"}), "shop/orders_01", true).previous == 0);
}

TEST_CASE("the first four parts of a name are the table, odd names too") {
  CHECK(schema_history::table_of({"postgres", "s", "p", "t", "3", "0", "x"}) == "postgres.s.p.t");
  CHECK(schema_history::table_of({"postgres", "s", "p", "a.b", "3", "0", "x.y"}) ==
        "postgres.s.p.\"a.b\"");
}

TEST_CASE("a copy makes another node's history the same, and takes away what only that one had") {
  test::temp_folder one, two;
  auto from = opened(one), to = opened(two);
  met(from, 0, columns({"id"}));
  met(from, 1, columns({"id", "a"}));
  REQUIRE_FALSE(from.decide(orders, 1, version_decision::ignored, 0));
  met(from, 0, columns({"id"}), "shop/eu");
  met(from, 7, columns({"id", "other"}), "shop2");
  met(to, 0, columns({"id", "old"}));
  met(to, 3, columns({"id", "older"}));
  met(to, 5, columns({"id"}), "shop2");
  auto copy = from.copy_of("shop");
  REQUIRE(copy);
  for (const auto& [key, text] : *copy)
    CHECK(key.starts_with("shop\n"));
  auto failed = to.adopt("shop", *copy);
  REQUIRE_MESSAGE(!failed, failed.text());
  CHECK(*to.copy_of("shop") != std::map<std::string, std::string>{});
  for (int64_t number : {0, 1}) {
    auto original = *from.find_met(orders, "shop", number);
    auto copied = *to.find_met(orders, "shop", number);
    REQUIRE(copied);
    CHECK(copied->version == original->version);
    CHECK(copied->decision == original->decision);
    CHECK(copied->published_as == original->published_as);
    CHECK(copied->previous == original->previous);
    CHECK(copied->place == original->place);
    CHECK(copied->at_us == original->at_us);
    CHECK(copied->fields == original->fields);
  }
  CHECK(!*to.find_met(orders, "shop", 3));
  CHECK(*to.find_met(orders, "shop/eu", 0));
  // Another source's own is left alone.
  CHECK(*to.find_met(orders, "shop2", 5));
  // It goes on as the original does.
  CHECK(met(to, 2, columns({"id", "a", "b"})).previous == 1);
  CHECK(to.adopt("shop", {{"shop\nv\nx", "no text of ours"}}) == ec::rejected);
  CHECK(*to.find_met(orders, "shop", 1));
}

} // namespace rtdp::state
