/// What every sink that stores rows must do with the shards of a merged table; part of the contract
/// (contract.hpp).
#pragma once

#include "test/actors/sink/contract.hpp"

namespace rtdp::sink::test {

/// id and shard (keys), name.
inline ums::schema_ptr shards() {
  return schema_of({column("id", ums::type::long_, true), column("name"),
                    column("shard", ums::type::string, true)});
}

inline ums::batch truncate_of_shard(int64_t id, const std::string& shard) {
  auto b = truncate_of(id);
  auto s = std::make_shared<ums::schema>(*b.schema);
  s->fields.push_back(column("shard", ums::type::string, true));
  b.schema = s;
  b.columns.emplace_back(ums::type::string).append_text(shard);
  return b;
}

TEST_CASE("a truncate of one shard empties its rows only, and spares what came after it") {
  auto s = the_store();
  for (auto m : {mutation::insert, mutation::iud, mutation::iud_clean}) {
    s->run("DROP TABLE IF EXISTS orders");
    s->run("DROP TABLE IF EXISTS orders_ums_");
    auto to = to_orders(m);
    to.keys = {"id", "shard"};
    writer w(*s, to);
    ok(w.write(batch_of(shards(), {{'i', 2, {"1", "ann", "o'0"}}, {'i', 3, {"1", "bob", "o1"}}})));
    ok(w.write(truncate_of_shard(4, "o'0")));
    CHECK(s->query("SELECT id, name FROM orders") == lines{"1|bob"});
    ok(w.write(batch_of(shards(), {{'i', 5, {"1", "eve", "o'0"}}})));
    ok(w.write(truncate_of_shard(4, "o'0")));
    CHECK(s->query("SELECT name FROM orders ORDER BY name") == lines{"bob", "eve"});
  }
}

TEST_CASE("a truncate of one shard is refused where no column tells its rows") {
  auto s = the_store();
  writer w(*s, to_orders());
  ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}})));
  refused(w.write(truncate_of_shard(2, "o1")), ec::rejected, {"shard o1", "has no column"});
  CHECK(s->query("SELECT id FROM orders") == lines{"1"});
}

} // namespace rtdp::sink::test
