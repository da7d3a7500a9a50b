#include "actors/extract/merge_stage.hpp"
#include "runtime/state/schema_history.hpp"
#include "test/actors/extract/stage_rig.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

namespace {

using test::staged;
using test::told;
using lines = std::vector<std::string>;

constexpr auto two_shards =
    "CREATE TABLE orders_00(id INTEGER PRIMARY KEY, note TEXT);"
    "CREATE TABLE orders_01(id INTEGER PRIMARY KEY, note TEXT);"
    "CREATE TABLE other(id INTEGER PRIMARY KEY);"
    "INSERT INTO orders_00 VALUES(1, 'a'); INSERT INTO orders_01 VALUES(1, 'b')";
constexpr auto plain = "[{name: 'orders_*', into: orders}]";
constexpr auto keyed = "[{name: 'orders_*', into: orders, shard_column: shard}]";

lines sorted(lines l) {
  std::sort(l.begin(), l.end());
  return l;
}

std::string wrong(const std::string& into, const std::string& shard = "") {
  auto r = read_merge(into, shard);
  return r ? "" : r.error().text();
}

} // namespace

TEST_CASE("shards come out under one name, the physical one as the seventh part") {
  test::temp_folder folder;
  test::sqlite_file file(two_shards);
  staged s(file, folder.path(), plain);
  CHECK(sorted(told(s.read())) ==
        lines{"orders.0/orders_00 i id=1 note=a", "orders.0/orders_01 i id=1 note=b"});
  CHECK(s.published({"sqlite", "shop", "main", "orders_01", "0"}).text() ==
        "sqlite.shop.main.orders.0.0.orders_01");
}

TEST_CASE("the shard is part of the key when it has a column") {
  test::temp_folder folder;
  test::sqlite_file file(two_shards);
  staged s(file, folder.path(), keyed);
  auto batches = s.read();
  CHECK(sorted(told(batches)) == lines{"orders.0/orders_00 i id=1 note=a shard=orders_00",
                                       "orders.0/orders_01 i id=1 note=b shard=orders_01"});
  CHECK(batches[0].schema->keys() == std::vector<std::string>{"id", "shard"});
  file.exec("DELETE FROM orders_01");
  CHECK(told(s.read()) == lines{"orders.0/orders_01 d id=1 note=b shard=orders_01"});
}

TEST_CASE("a shard that appears while the source runs is read too") {
  test::temp_folder folder;
  test::sqlite_file file(two_shards);
  staged s(file, folder.path(), keyed);
  s.read();
  file.exec("CREATE TABLE orders_02(id INTEGER PRIMARY KEY, note TEXT);"
            "INSERT INTO orders_02 VALUES(1, 'c')");
  CHECK(told(s.read()) == lines{"orders.0/orders_02 i id=1 note=c shard=orders_02"});
}

TEST_CASE("shards of one shape have one version whatever each went through") {
  test::temp_folder folder;
  test::sqlite_file file(two_shards);
  staged s(file, folder.path(), plain);
  s.read();
  file.exec("ALTER TABLE orders_01 ADD COLUMN extra TEXT; UPDATE orders_01 SET extra = 'x'");
  auto first = told(s.read());
  CHECK(std::count(first.begin(), first.end(), "orders.0/orders_01 end") == 1);
  CHECK(first.back() == "orders.1/orders_01 i id=1 note=b extra=x");
  file.exec("UPDATE orders_00 SET note = 'still'");
  CHECK(told(s.read()) == lines{"orders.0/orders_00 u id=1 note=still"});
  file.exec("ALTER TABLE orders_00 ADD COLUMN extra TEXT");
  CHECK(told(s.read()).back() == "orders.1/orders_00 i id=1 note=still extra=NULL");
  auto history = state::schema_history::open(folder.path());
  REQUIRE(history);
  CHECK(history->versions("sqlite.shop.main.orders")->size() == 2);
}

TEST_CASE("a truncated shard carries its column, or is a dead letter without one") {
  std::vector<ums::batch> batches;
  auto truncate = [&] {
    auto schema =
        std::make_shared<ums::schema>(schema_of({"sqlite", "shop", "main", "orders_01", "0"}, {}));
    schema->fields.pop_back();
    batches.clear();
    auto& b = batches.emplace_back(schema, ums::protocol::increment_truncate);
    b.columns[0].append_int(7);
    b.columns[1].append_int(0);
  };
  auto options = [](const std::string& shard_column) {
    auto pattern = glob_of("sqlite", "shop", "main", "orders_*");
    REQUIRE(pattern);
    auto merge = read_merge("orders", shard_column);
    REQUIRE(merge);
    return std::vector<table_options>{{*pattern, {}, *merge}};
  };
  std::vector<bad_row> bad;
  truncate();
  merge_stage with(options("shard"));
  REQUIRE_FALSE(with.apply(batches, bad, ""));
  CHECK(told(batches) == lines{"orders.0/orders_01 truncate shard=orders_01"});
  CHECK(bad.empty());
  truncate();
  merge_stage without(options(""));
  REQUIRE_FALSE(without.apply(batches, bad, ""));
  CHECK(told(batches).empty());
  REQUIRE(bad.size() == 1);
  CHECK(bad[0].reason.find("set shard_column") != std::string::npos);
}

TEST_CASE("a column that is there already is no place for the shard") {
  test::temp_folder folder;
  test::sqlite_file file("CREATE TABLE orders_00(id INTEGER PRIMARY KEY, shard TEXT)");
  staged s(file, folder.path(), keyed);
  file.exec("INSERT INTO orders_00 VALUES(1, 'x')");
  s.read();
  CHECK(s.refused.text() == "table orders_00 has a column shard of its own: give shard_column "
                            "another name");
}

TEST_CASE("what the merge replaces of a name is kept in the shard's") {
  auto shard = [](const std::string& into, ums::ns name) {
    auto m = read_merge(into, "shard");
    REQUIRE_MESSAGE(m, m.error().text());
    return (*m)->published(name).text();
  };
  ums::ns physical{"mysql", "eu", "shop_1", "orders_07", "3"};
  CHECK(shard("orders", physical) == "mysql.eu.shop_1.orders.3.0.orders_07");
  CHECK(shard("sales.orders", physical) == "mysql.eu.sales.orders.3.0.\"shop_1.orders_07\"");
  CHECK(shard("shop.sales.orders", physical) ==
        "mysql.shop.sales.orders.3.0.\"eu.shop_1.orders_07\"");
}

TEST_CASE("a wrong name to merge into is told with what is expected") {
  CHECK(wrong("orders").empty());
  CHECK(wrong("a.b.orders").empty());
  CHECK(wrong("\"my orders\"").empty());
  for (const auto* into : {"a.b.c.orders", "orders_*", "*", "a..b", "a.*"})
    CHECK_MESSAGE(wrong(into).find("found " + std::string(into)) != std::string::npos,
                  std::string(into));
  CHECK(wrong("", "shard") ==
        "shard_column: needs into, which names the table that the shards make");
  CHECK(wrong("orders", "ums_id_") == "shard_column: ums_id_ is a name that UMS keeps for itself");
}

} // namespace rtdp::extract
