#include "runtime/cluster/table_snapshot.hpp"

#include <doctest/doctest.h>

namespace rtdp::cluster {

namespace {

std::vector<runtime::report> tables(const std::vector<std::string>& names) {
  std::vector<runtime::report> out;
  for (const auto& n : names) {
    auto& r = out.emplace_back();
    r.component = "table";
    r.name = n;
    r.state = "running";
  }
  return out;
}

} // namespace

TEST_CASE("a table is found by its name, with its schema, or by its namespace") {
  auto all = tables({"postgres.shop.public.orders.2.0.0", "postgres.shop.public.users.0.0.0",
                     "postgres.crm.public.users.0.0.0"});
  all[0].name = "postgres.shop.public.orders.2.0.0";
  for (const char* name : {"orders", "public.orders", "postgres.shop.public.orders",
                           "postgres.shop.public.orders.2.0.0"}) {
    CAPTURE(name);
    auto found = find_order(all, {.table = name, .source = {}, .verb = "start", .where = "x > 1"});
    REQUIRE(found);
    CHECK(found->first.source == "shop");
    CHECK(found->first.table == "\"public\".\"orders\"");
    CHECK(found->first.where == "x > 1");
    CHECK(found->second == "postgres.shop.public.orders.2.0.0");
  }
  auto two = find_order(all, {.table = "users", .source = {}, .verb = "start", .where = {}});
  REQUIRE(!two);
  CHECK(two.error().text().find("several tables") != std::string::npos);
  CHECK(find_order(all, {.table = "users", .source = "crm", .verb = "start", .where = {}}));
  auto none = find_order(all, {.table = "nothing", .source = {}, .verb = "start", .where = {}});
  REQUIRE(!none);
  CHECK(none.error().text().find("rtdp tables") != std::string::npos);
}

TEST_CASE("a version that ended is not the table") {
  auto all = tables({"postgres.shop.public.orders.0.0.0", "postgres.shop.public.orders.1.0.0"});
  all[0].state = "stopped";
  auto found = find_order(all, {.table = "orders", .source = {}, .verb = "start", .where = {}});
  REQUIRE(found);
  CHECK(found->second == "postgres.shop.public.orders.1.0.0");
}

} // namespace rtdp::cluster
