/// The part of the sink contract about tables and ownership: creating, evolving, names, the fence.
#pragma once

#include "test/actors/sink/contract.hpp"

namespace rtdp::sink::test {

TEST_CASE("an older epoch writes nothing") {
  auto s = the_store();
  writer old(*s, to_orders(), 1);
  ok(old.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}}), "p1"));
  writer fresh(*s, to_orders(), 2);
  CHECK(fresh.progress() == "p1");
  refused(old.write(batch_of(orders(), {{'i', 2, {"2", "bob", "5"}}}), "p2"), ec::fenced,
          {"orders"});
  refused(old->advance({"orders", 1, "p2"}), ec::fenced);
  auto taken = old->take("orders", 1);
  REQUIRE(!taken);
  refused(taken.error(), ec::fenced);
  CHECK(s->query("SELECT id FROM orders") == lines{"1"});
  CHECK(s->query("SELECT epoch, progress FROM rtdp_fence") == lines{"2|p1"});
}

TEST_CASE("progress is stored with the rows or not at all") {
  auto s = the_store();
  {
    writer w(*s, to_orders());
    CHECK(w.progress().empty());
    ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}}), "it's p1"));
    ok(w.write(batch_of(orders(), {{'i', 2, {"2", "bob", "5"}}})));
    refused(w.write(batch_of(orders(), {{'i', 3, {{}, "cy", "5"}}}), "p3"), ec::rejected);
  }
  writer again(*s, to_orders());
  CHECK(again.progress() == "it's p1");
  ok(again->advance({"orders", 1, "p4"}));
  CHECK(writer(*s, to_orders()).progress() == "p4");
}

TEST_CASE("flows do not share a fence") {
  auto s = the_store();
  writer w(*s, to_orders(), 5);
  auto other = (*w).take("customers", 1);
  REQUIRE(other);
  CHECK(other->empty());
}

TEST_CASE("a missing table is made only when asked") {
  auto s = the_store();
  auto to = to_orders();
  to.create = false;
  {
    writer w(*s, to);
    refused(w->prepare(*orders()), ec::rejected, {"orders", "create: true", "CREATE TABLE"});
  }
  writer w(*s, to_orders());
  ok(w->prepare(*orders()));
  CHECK(s->query("SELECT id FROM orders").empty());
}

TEST_CASE("a table dropped under a running flow is not silently made again") {
  auto s = the_store();
  writer w(*s, to_orders());
  ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}})));
  s->run("DROP TABLE orders");
  refused(w.write(batch_of(orders(), {{'i', 2, {"2", "bob", "5"}}})), ec::rejected);
  refused(w->prepare(*orders()), ec::rejected, {"orders", "dropped"});
}

TEST_CASE("a new column is added, ignored or refused as the flow says") {
  auto wider = schema_of({column("id", ums::type::long_, true), column("name"),
                          column("qty", ums::type::int_), column("note")});
  for (auto m : {mutation::insert, mutation::iud, mutation::iud_clean}) {
    auto s = the_store();
    auto to = to_orders(m);
    ok(writer(*s, to).write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}})));
    to.create = false;

    to.evolve = evolve::fail;
    refused(writer(*s, to)->prepare(*wider), ec::rejected, {"\"note\"", "ALTER TABLE", "evolve"});
    to.evolve = evolve::ignore;
    ok(writer(*s, to).write(batch_of(wider, {{'i', 2, {"2", "bob", "5", "hi"}}})));
    to.evolve = evolve::add;
    ok(writer(*s, to).write(batch_of(wider, {{'i', 3, {"3", "cy", "5", "ho"}}})));
    CHECK(s->query("SELECT id, note FROM orders ORDER BY id") == lines{"1|NULL", "2|NULL", "3|ho"});
  }
}

TEST_CASE("a table of somebody else gets the system columns only with create") {
  auto s = the_store();
  s->run("CREATE TABLE orders (id bigint PRIMARY KEY, name text, qty integer)");
  s->run("INSERT INTO orders VALUES (1, 'old', 1), (2, 'old', 2)");
  auto to = to_orders();
  to.create = false;
  refused(writer(*s, to)->prepare(*orders()), ec::rejected,
          {"ALTER TABLE \"orders\" ADD COLUMN \"ums_id_\"", "\"ums_active_\"", "iud_clean"});
  writer w(*s, to_orders());
  ok(w.write(batch_of(orders(), {{'u', 5, {"1", "new", "7"}}})));
  CHECK(live_rows(*s, mutation::iud) == lines{"1|new|7", "2|old|2"});
}

TEST_CASE("a table without a constraint over the keys is refused with the statement to run") {
  auto s = the_store();
  s->run("CREATE TABLE orders (id bigint, name text, qty integer)");
  for (auto m : {mutation::iud, mutation::iud_clean})
    refused(writer(*s, to_orders(m))->prepare(*orders()), ec::rejected,
            {"CREATE UNIQUE INDEX \"orders_key\" ON \"orders\" (\"id\")"});
}

TEST_CASE("a NOT NULL column that a mark cannot fill is refused with iud, fine with iud_clean") {
  auto s = the_store();
  s->run("CREATE TABLE orders (id bigint PRIMARY KEY, name text NOT NULL, qty integer)");
  refused(writer(*s, to_orders())->prepare(*orders()), ec::rejected, {"\"name\"", "NOT NULL"});
  writer w(*s, to_orders(mutation::iud_clean));
  ok(w.write(batch_of(orders(), {{'i', 1, {"1", "ann", "5"}}, {'i', 2, {"2", "bob", "5"}}})));
  auto partial = schema_of({column("id", ums::type::long_, true), column("qty", ums::type::int_)});
  ok(w.write(batch_of(partial, {{'u', 3, {"1", "6"}}, {'d', 4, {"2", {}}}})));
  CHECK(live_rows(*s, mutation::iud_clean) == lines{"1|ann|6"});
  refused(w.write(batch_of(partial, {{'u', 5, {"3", "6"}}})), ec::rejected, {"name"});
}

TEST_CASE("odd names are taken as they are") {
  auto s = the_store();
  auto to = to_orders();
  to.table = R"("Odd ""T"".ä; --")";
  to.keys = {"K.1", "select"};
  for (auto m : {mutation::iud, mutation::iud_clean}) {
    s->run(R"(DROP TABLE IF EXISTS "Odd ""T"".ä; --")");
    to.mutation = m;
    writer w(*s, to);
    auto schema =
        schema_of({column("K.1"), column("select"), column("a\"b'\\c;--"), column("Größe")});
    ok(w.write(batch_of(schema, {{'i', 1, {"k", "s", "x", "y"}}, {'i', 2, {"k", "t", "x", "y"}}})));
    ok(w.write(batch_of(schema, {{'u', 3, {"k", "s", "z", "Ö"}}, {'d', 4, {"k", "t", {}, {}}}})));
    CHECK(s->query(R"(SELECT "K.1", "select", "a""b'\c;--", "Größe" FROM "Odd ""T"".ä; --" )"
                   R"(WHERE "select" = 's')") == lines{"k|s|z|Ö"});
    ok(w.write(truncate_of(9)));
    CHECK(s->query(R"(SELECT * FROM "Odd ""T"".ä; --")").empty());
  }
}

TEST_CASE("names that no store can hold are refused") {
  auto s = the_store();
  auto with_nul = schema_of({column("id", ums::type::long_, true), column(std::string("a\0b", 3))});
  refused(writer(*s, to_orders())->prepare(*with_nul), ec::rejected, {"NUL"});
  for (auto table : {"", ".", "a.", "a.b.c", "\"open", "a\"b"}) {
    auto to = to_orders();
    to.table = table;
    refused(writer(*s, to)->prepare(*orders()), ec::rejected, {"SCHEMA.TABLE"});
  }
}

TEST_CASE(
    "rows without keys, ids or with a column of the sink are refused before a table is made") {
  auto s = the_store();
  auto to = to_orders();
  to.keys.clear();
  refused(writer(*s, to)->prepare(*schema_of({column("a")})), ec::rejected, {"keys:"});
  auto active = schema_of({column("id", ums::type::long_, true), column("ums_active_")});
  refused(writer(*s, to)->prepare(*active), ec::rejected, {"ums_active_"});
  auto bare = std::make_shared<ums::schema>();
  bare->fields = {column("id", ums::type::long_, true)};
  refused(writer(*s, to)->prepare(*bare), ec::rejected, {"ums_id_"});
  auto twice = schema_of({column("id", ums::type::long_, true), column("a"), column("a")});
  refused(writer(*s, to)->prepare(*twice), ec::rejected, {"two columns"});
  CHECK(s->query("SELECT * FROM rtdp_fence").size() == 1);
  to.create = false;
  refused(writer(*s, to)->prepare(*orders()), ec::rejected, {"does not exist"});
}

} // namespace rtdp::sink::test
