#include "actors/extract/routing.hpp"

#include "actors/extract/driver.hpp"
#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>

namespace rtdp::extract {

namespace {

using strings = std::set<std::string>;

result<routing> read(const std::string& yaml, const std::string& name = "sqlite") {
  for (const auto& k : kinds())
    if (k.spec.name == name) {
      config::section settings;
      for (const auto& p : k.spec.parse(YAML::Load(yaml), "sources.shop", settings))
        FAIL(p.path << " " << p.text);
      return routing::read(k, "shop", settings);
    }
  return rejected("no such kind");
}

ums::batch rows(std::vector<ums::field> fields, const std::vector<std::vector<std::string>>& cells,
                const std::string& ops = "") {
  auto schema = std::make_shared<ums::schema>(schema_of({"sqlite", "shop", "main", "t"}, fields));
  ums::batch b{schema};
  for (size_t i = 0; i < cells.size(); ++i) {
    b.columns[0].append_int(int64_t(i) + 1);
    b.columns[1].append_int(0);
    b.columns[2].append_text(ops.empty() ? "i" : ops.substr(i, 1));
    for (size_t c = 0; c < cells[i].size(); ++c)
      if (auto& column = b.columns[c + ums::system_columns]; cells[i][c] == "NULL")
        column.append_null();
      else if (storage_of(column.type()) == ums::storage::texts)
        column.append_text(cells[i][c]);
      else
        REQUIRE(ums::append_parsed(column, cells[i][c]));
  }
  return b;
}

} // namespace

TEST_CASE("every kind of source has the settings of its topic") {
  for (const auto& k : kinds()) {
    CAPTURE(k.spec.name);
    auto settings = k.spec.defaults();
    CHECK(settings.text("topic").empty());
    CHECK(settings.integer("partitions") == 1);
    CHECK(settings.integer("rows_per_message") == 0);
    CHECK_FALSE(settings.flag("compact"));
  }
}

TEST_CASE("a source has one topic, and a table may have another") {
  auto all = read("{path: x, tables: [a, {name: b, topic: other, rows_per_message: 1}]}");
  REQUIRE_MESSAGE(all, all.error().text());
  CHECK(all->topics() == strings{"rtdp.shop", "other"});
  CHECK(all->of({"sqlite", "shop", "main", "a", "7"}).topic == "rtdp.shop");
  CHECK(all->of({"sqlite", "shop", "main", "b", "7"}).topic == "other");
  CHECK(all->of({"sqlite", "shop", "main", "b"}).rows_per_message == 1);
  auto asked = [&](const char* pattern) { return all->topics_for(*ums::ns::parse(pattern)); };
  CHECK(asked("sqlite.shop.main.b") == strings{"other"});
  CHECK(asked("sqlite.shop.main.a.3") == strings{"rtdp.shop"});
  CHECK(asked("sqlite.shop") == strings{"rtdp.shop", "other"});
  CHECK(asked("*.*.main.b") == strings{"other"});
  CHECK(asked("sqlite.else") == strings{});
  auto generated = read("{partitions: 8, topic: made}", "generator");
  REQUIRE_MESSAGE(generated, generated.error().text());
  CHECK(generated->options().partitions == 8);
  CHECK(generated->topics_for(*ums::ns::parse("generator.shop")) == strings{"made"});
  CHECK(generated->topics_for(*ums::ns::parse("generator.else")).empty());
}

TEST_CASE("a topic that Kafka would refuse is refused, and so is compacting several rows away") {
  auto wrong = read("{path: x, tables: [{name: a, topic: 'my topic'}]}");
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().text().find("my topic") != std::string::npos);
  auto many = read("{path: x, compact: true, tables: [a]}");
  REQUIRE_FALSE(many);
  CHECK(many.error().text().find("rows_per_message: 1") != std::string::npos);
  CHECK(read("{path: x, compact: true, rows_per_message: 1, tables: [a]}"));
}

TEST_CASE("the partition of a key is the documented one, for ever") {
  // Computed by hand from the definition in routing.hpp: other values would part the changes of
  // rows that are on a topic already.
  std::vector<ums::field> key{{.name = "id", .type = ums::type::long_, .key = true}};
  auto fnv = [](std::initializer_list<std::string> texts) {
    uint64_t hash = 14695981039346656037u;
    for (auto text : texts) {
      text += '\0';
      for (char c : text)
        hash = (hash ^ uint8_t(c)) * 1099511628211u;
    }
    return uint32_t(hash >> 32 ^ hash);
  };
  auto one = rows(key, {{"1"}, {"-42"}, {"9223372036854775807"}});
  CHECK(partitions_of(one, 7) == std::vector<uint32_t>{fnv({"1"}) % 7, fnv({"-42"}) % 7,
                                                       fnv({"9223372036854775807"}) % 7});
  CHECK(fnv({"1"}) == 0xb3429833u);
  // The text counts, not the type: an int that became a long stays where it was.
  key[0].type = ums::type::int_;
  CHECK(partitions_of(rows(key, {{"1"}, {"-42"}}), 7) ==
        std::vector<uint32_t>{fnv({"1"}) % 7, fnv({"-42"}) % 7});
  std::vector<ums::field> two{{.name = "a", .type = ums::type::string, .key = true},
                              {.name = "text", .type = ums::type::string},
                              {.name = "b", .type = ums::type::date, .key = true}};
  CHECK(partitions_of(rows(two, {{"x", "?", "2026-11-22"}, {"NULL", "?", "2026-11-22"}}), 1000) ==
        std::vector<uint32_t>{fnv({"x", "2026-11-22"}) % 1000,
                              fnv({"\x01", "2026-11-22"}) % 1000});
}

TEST_CASE("a table without a key goes through one partition, whatever its version") {
  std::vector<ums::field> none{{.name = "n", .type = ums::type::long_}};
  auto b = rows(none, {{"1"}, {"2"}, {"3"}});
  auto at = partitions_of(b, 5);
  CHECK(std::count(at.begin(), at.end(), at[0]) == 3);
  auto schema = std::make_shared<ums::schema>(*b.schema);
  schema->name.set(ums::ns::version, "9");
  b.schema = schema;
  CHECK(partitions_of(b, 5) == at);
}

TEST_CASE("keys spread over the partitions") {
  std::vector<ums::field> key{{.name = "id", .type = ums::type::long_, .key = true}};
  std::vector<std::vector<std::string>> cells;
  for (int i = 0; i < 10'000; ++i)
    cells.push_back({std::to_string(i)});
  for (uint32_t count : {2u, 3u, 8u, 10u}) {
    std::map<uint32_t, int> hits;
    for (auto p : partitions_of(rows(key, cells), count))
      ++hits[p];
    CHECK(hits.size() == count);
    for (const auto& [p, n] : hits) {
      CAPTURE(p);
      CHECK(n > 10'000 / int(count) * 8 / 10);
    }
  }
}

TEST_CASE("a before-image goes where its update goes") {
  std::vector<ums::field> key{{.name = "id", .type = ums::type::long_, .key = true}};
  auto at = partitions_of(rows(key, {{"1"}, {"2"}, {"3"}, {"4"}, {"5"}, {"6"}}, "bububu"), 64);
  CHECK(at[0] == at[1]);
  CHECK(at[2] == at[3]);
  CHECK(at[4] == at[5]);
}

TEST_CASE("the key of a row is a JSON array of its texts") {
  std::vector<ums::field> two{{.name = "a", .type = ums::type::string, .key = true},
                              {.name = "n", .type = ums::type::long_, .key = true},
                              {.name = "rest", .type = ums::type::string}};
  auto b = rows(two, {{"o\"ne", "2", "x"}, {"NULL", "-1", "x"}});
  CHECK(row_key(b, 0) == R"(["o\"ne","2"])");
  CHECK(row_key(b, 1) == R"([null,"-1"])");
  CHECK(row_key(rows({{.name = "n", .type = ums::type::long_}}, {{"1"}}), 0).empty());
}

} // namespace rtdp::extract
