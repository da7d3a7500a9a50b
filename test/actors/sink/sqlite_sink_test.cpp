#include "test/actors/sink/contract.hpp"

namespace rtdp::sink::test {

TEST_CASE("a SQLite target stores cells as a SQLite source held them") {
  auto s = the_store();
  auto schema = schema_of({column("id", ums::type::long_, true, "INTEGER"),
                           column("i", ums::type::long_, false, "INT UNSIGNED"),
                           column("r", ums::type::double_, false, "DOUBLE"),
                           column("t", ums::type::string, false, "VARCHAR(3)"),
                           column("b", ums::type::binary, false, "BLOB"),
                           column("d", ums::type::decimal, false, "DECIMAL(30, 10)"),
                           column("x", ums::type::string, false, "TEXT DEFAULT 'x'")},
                          "sqlite");
  writer w(*s, to_orders(mutation::iud_clean));
  ok(w.write(batch_of(schema, {{'i',
                                1,
                                {"1", "9223372036854775807", "0.1", std::string("lo\0ng", 5),
                                 std::string("\0\xff", 2), "12.50", "y"}},
                               {'i', 2, {"2", {}, {}, {}, {}, {}, {}}}})));
  CHECK(s->query("SELECT typeof(i), i, typeof(r), r, typeof(t), hex(t), typeof(b), hex(b), "
                 "typeof(d), d, x "
                 "FROM orders WHERE id = 1") ==
        lines{"integer|9223372036854775807|real|0.1|text|6C6F006E67|blob|00FF|real|12.5|y"});
  CHECK(s->query("SELECT i, r, t, b, d, x FROM orders WHERE id = 2") ==
        lines{"NULL|NULL|NULL|NULL|NULL|NULL"});
  CHECK(
      s->query("SELECT type FROM pragma_table_info('orders')") ==
      lines{"INTEGER", "INT UNSIGNED", "DOUBLE", "VARCHAR(3)", "BLOB", "DECIMAL(30, 10)", "TEXT"});
}

TEST_CASE("from other stores decimals, dates and NaN stay exact text") {
  auto s = the_store();
  auto schema = schema_of({column("id", ums::type::long_, true, "bigint"),
                           column("d", ums::type::decimal, false, "numeric(12,2)"),
                           column("at", ums::type::datetime), column("r", ums::type::double_),
                           column("f", ums::type::boolean)},
                          "postgres");
  writer w(*s, to_orders());
  ok(w.write(batch_of(
      schema,
      {{'i', 1, {"1", "12345678901234567890.10", "2026-11-22 10:13:24.213456", "NaN", "true"}},
       {'i', 2, {"2", "-0.0", "infinity", "1.5", "false"}}})));
  CHECK(s->query("SELECT typeof(d), d, at, r, f FROM orders ORDER BY id") ==
        lines{"text|12345678901234567890.10|2026-11-22 10:13:24.213456|NaN|1",
              "text|-0.0|infinity|1.5|0"});
}

} // namespace rtdp::sink::test
