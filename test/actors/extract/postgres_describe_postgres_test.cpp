#include "test/actors/extract/postgres_fixture.hpp"

#include <doctest/doctest.h>

using namespace rtdp;
using namespace rtdp::extract;
using extract::test::source;

namespace {

result<std::vector<ums::schema>> described(const source& s) {
  return postgres_source().describe("shop", s.settings);
}

} // namespace

TEST_CASE("a table is described as its first batch will have it, and nothing is left behind") {
  source s;
  s.table("orders", "id bigint primary key, price numeric(12,2) not null, note text");
  auto schemas = described(s);
  REQUIRE_MESSAGE(bool(schemas), schemas.error().text());
  std::vector<ums::field> columns{
      {.name = "id", .type = ums::type::long_, .nullable = false, .key = true, .native = "bigint"},
      {.name = "price", .type = ums::type::decimal, .nullable = false, .native = "numeric(12,2)"},
      {.name = "note", .type = ums::type::string, .native = "text"}};
  REQUIRE(schemas->size() == 1);
  CHECK(schemas->at(0) == schema_of({"postgres", "shop", s.schema, "orders"}, columns));
  CHECK(s.db.value("select count(*) from pg_replication_slots where slot_name = '" + s.slot +
                   "'") == "0");
  CHECK(s.db.value("select count(*) from pg_publication where pubname = '" + s.slot + "'") == "0");
}

TEST_CASE("a publication that leaves columns out is described without them") {
  source s;
  s.table("orders", "id bigint primary key, price numeric(12,2), note text");
  s.db.run("create publication " + s.slot + " for table " + s.schema + ".orders (id, note)");
  auto schemas = described(s);
  REQUIRE_MESSAGE(bool(schemas), schemas.error().text());
  REQUIRE(schemas->at(0).fields.size() == ums::system_columns + 2);
  CHECK(schemas->at(0).fields.back().name == "note");
}

TEST_CASE("what cannot be described says why") {
  source s;
  s.capture(s.schema + ".nothing");
  CHECK(described(s).error() == ec::rejected);
  s.settings.values["url"] = config::secret("postgresql://app@127.0.0.1:1/shop");
  CHECK(described(s).error() == ec::unavailable);
}
