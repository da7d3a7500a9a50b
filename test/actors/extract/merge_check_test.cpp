#include "actors/extract/merge_check.hpp"

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include <deque>

namespace rtdp::extract {

namespace {

/// Sources of one file, each a SQLite file with these `tables:`.
struct file {
  std::vector<kind> all = kinds();
  std::deque<config::section> settings;
  std::vector<configured_source> sources;

  void add(const std::string& name, const std::string& tables) {
    for (const auto& k : all)
      if (k.spec.name == "sqlite") {
        for (const auto& p : k.spec.parse(YAML::Load("{path: x, tables: " + tables + "}"),
                                          "sources." + name, settings.emplace_back()))
          FAIL(p.path << " " << p.text);
        sources.push_back({name, &k, &settings.back()});
      }
  }
  std::vector<std::string> problems() {
    std::vector<std::string> out;
    for (const auto& p : check_merges(sources).problems)
      out.push_back(p.path + ": " + p.text);
    return out;
  }
};

} // namespace

TEST_CASE("shards of one source need no column, their ids are comparable") {
  file f;
  f.add("shop", "[{name: 'orders_*', into: orders}]");
  CHECK(f.problems().empty());
  CHECK(check_merges(f.sources).shared.empty());
}

TEST_CASE("where several sources make one table, each must tell its shard by the same column") {
  file f;
  f.add("eu", "[{name: 'orders_*', into: shop.main.orders, shard_column: shard}]");
  f.add("us", "[{name: 'orders_*', into: shop.main.orders}]");
  CHECK(f.problems() ==
        std::vector<std::string>{
            "sources.us.tables.0.shard_column: sources eu, us make one table, "
            "sqlite.shop.main.orders.*.*.*, and their ids cannot be compared: each needs "
            "shard_column: shard, which belongs to the key"});
  file g;
  g.add("eu", "[{name: 'orders_*', into: shop.main.orders, shard_column: shard}]");
  g.add("us", "[{name: 'orders_*', into: shop.main.orders, shard_column: shard}]");
  CHECK(g.problems().empty());
  REQUIRE(check_merges(g.sources).shared.size() == 1);
  CHECK(check_merges(g.sources).shared[0].shard_column == "shard");
  CHECK(instances_of(g.sources[0]) == std::vector<std::string>{"eu", "shop"});
}

TEST_CASE("a source that merges into another one's own table is refused") {
  file f;
  f.add("shop", "[orders]");
  f.add("eu", "[{name: orders, into: shop.main.orders, shard_column: shard}]");
  REQUIRE(f.problems().size() == 1);
  CHECK(f.problems()[0].starts_with("sources.shop.tables.0.shard_column: sources shop, eu"));
}

TEST_CASE("what cannot be read is a problem at its line") {
  file f;
  f.add("shop", "[{name: a, into: a.b.c.d}, {name: b, shard_column: shard}]");
  REQUIRE(f.problems().size() == 2);
  CHECK(f.problems()[0].starts_with("sources.shop.tables.0.into: into: expected table"));
  CHECK(f.problems()[1].starts_with("sources.shop.tables.1.into: shard_column: needs into"));
}

TEST_CASE("schemas that are described before the start have their names behind the merge") {
  file f;
  f.add("shop", "[{name: 'orders_*', into: orders, shard_column: shard}]");
  ums::field id{.name = "id", .type = ums::type::long_, .key = true};
  std::vector<ums::schema> all = {schema_of({"sqlite", "shop", "main", "orders_7"}, {id})};
  merge_schemas(f.sources[0], all);
  CHECK(all[0].name.text() == "sqlite.shop.main.orders.0.0.orders_7");
  CHECK(all[0].keys() == std::vector<std::string>{"id", "shard"});
}

} // namespace rtdp::extract
