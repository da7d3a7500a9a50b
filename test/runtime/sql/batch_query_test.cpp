#include "test/runtime/sql/fixture.hpp"

using namespace rtdp;
using namespace rtdp::sql;
using namespace rtdp::sql::test;

namespace {

const auto orders =
    schema_of({{.name = "id", .type = ums::type::long_, .key = true},
               {.name = "customer_id", .type = ums::type::long_},
               {.name = "qty", .type = ums::type::int_},
               {.name = "price", .type = ums::type::decimal, .native = "numeric(12,2)"},
               {.name = "note", .type = ums::type::string}});

ums::batch_ptr three_orders() {
  return batch_of(orders, {{"7", "70", "2", "1.50", "first"},
                           {"8", "80", "0", "2.50", std::nullopt},
                           {"9", "70", "3", "0.10", "a note of more than twelve bytes"}});
}

} // namespace

TEST_CASE("a select with a filter gives the system columns and then its own") {
  auto out = ran("select id, customer_id, qty * price as amount from orders where qty > 0",
                 three_orders());
  CHECK(cells_of(*out) == "7,70,3.00;9,70,0.30");
  CHECK(fields_of(*out->schema) == "id long, customer_id long, amount decimal");
  CHECK(std::vector(out->ids().begin(), out->ids().end()) == std::vector<int64_t>{1, 3});
  CHECK(out->timestamps()[1] == 1'000'003);
  CHECK(out->op(1) == 'i');
  CHECK(out->schema->name == orders->name);
  CHECK(out->schema->fields[3].key);
}

TEST_CASE("rows keep their order, over many vectors and with every kind of plain select") {
  constexpr int64_t count = 100'000;
  auto input = std::make_shared<ums::batch>(orders);
  for (int64_t i = 0; i < count; ++i) {
    append_system(*input, i);
    input->columns[3].append_int(i);
    input->columns[4].append_int(i % 7);
    input->columns[5].append_int(i % 5);
    input->columns[6].append_text("1.25");
    if (i % 3 == 0)
      input->columns[7].append_null();
    else
      input->columns[7].append_text("order number " + std::to_string(i));
  }
  for (std::string text :
       {"select * from orders where qty > 0",
        "select id, coalesce(note, 'none') as note from orders where qty <> 0",
        "with big as (select * from batch where qty > 0) select * from big",
        "select b.* from batch b left join (values (1), (2)) v(x) on b.qty = x "
        "where b.qty > 0",
        "select *, row_number() over (partition by customer_id) as n from batch "
        "where qty > 0",
        "select * exclude (note), any_value(note) as note from batch where qty > 0 group by all"}) {
    auto out = ran(text, input);
    REQUIRE(out->rows() == count / 5 * 4);
    bool rises = true;
    for (size_t i = 1; i < out->rows(); ++i)
      rises &= out->ids()[i] > out->ids()[i - 1];
    CHECK_MESSAGE(rises, text);
    const auto& notes = *out->find("note");
    bool same = true;
    for (size_t i = 0; i < out->rows(); ++i) {
      auto id = out->ids()[i];
      if (id % 3 != 0)
        same &= notes.text(i) == "order number " + std::to_string(id);
    }
    CHECK_MESSAGE(same, text);
  }
}

TEST_CASE("a batch of one row, one without rows, and a filter that removes all") {
  auto query = opened("select id, note from orders where qty > 0");
  CHECK(cells_of(*ran(*query, batch_of(orders, {{"1", "2", "3", "4", "five"}}))) == "1,five");
  CHECK(ran(*query, batch_of(orders, {}))->rows() == 0);
  auto out =
      ran(*query, batch_of(orders, {{"1", "2", "0", "4", "five"}, {"1", "2", "-3", "4", ""}}));
  CHECK(out->rows() == 0);
  CHECK(fields_of(*out->schema) == "id long, note string");
}

TEST_CASE("a batch that carries no rows of data goes through untouched") {
  auto mark = std::make_shared<ums::batch>(schema_of({}), ums::protocol::increment_heartbeat);
  append_system(*mark, 1);
  CHECK(ran("select id from orders", mark) == mark);
}

TEST_CASE("the kind, namespace and batch id of the input go over to the output") {
  auto query = opened("select id from batch");
  auto schema = *orders;
  for (int64_t id : {0, 5, 6}) {
    schema.batch_id = id;
    schema.name.set(ums::ns::table_partition, std::to_string(id));
    auto input = std::make_shared<ums::batch>(std::make_shared<const ums::schema>(schema),
                                              ums::protocol::initial_data);
    append_system(*input, 1);
    for (const char* cell : {"1", "2", "3", "4", "5"})
      append(input->columns[size_t(*cell - '1') + 3], cell);
    auto out = ran(*query, input);
    CHECK(out->kind == ums::protocol::initial_data);
    CHECK(out->schema->batch_id == id);
    CHECK(out->schema->name == schema.name);
  }
}

TEST_CASE("the schema may change between any two batches, and back") {
  auto query = opened("select * from orders");
  for (int round = 0; round < 3; ++round)
    for (size_t extra = 0; extra < 20; ++extra) {
      std::vector<ums::field> fields = {{.name = "id", .type = ums::type::long_}};
      std::vector<cell> cells = {"1"};
      for (size_t i = 0; i < extra; ++i) {
        fields.push_back({.name = "c" + std::to_string(i), .type = ums::type::string});
        cells.push_back("x");
      }
      auto out = ran(*query, batch_of(schema_of(fields), {cells}));
      CHECK(out->columns.size() == 4 + extra);
      CHECK(out->columns.back().size() == 1);
    }
}

TEST_CASE("a column whose type changes is compiled anew") {
  auto query = opened("select v from batch");
  auto out = ran(*query, batch_of(schema_of({{.name = "v", .type = ums::type::int_}}), {{"1"}}));
  CHECK(fields_of(*out->schema) == "v int");
  out = ran(*query, batch_of(schema_of({{.name = "v", .type = ums::type::string}}), {{"1"}}));
  CHECK(fields_of(*out->schema) == "v string");
}

TEST_CASE("names that need quotes work, and no name can break out of its quotes") {
  for (std::string table : {"Order Details", "select", "a\"b", "x\"; DROP VIEW batch; --",
                            "ünïcode", "Batch", "rtdp_1", "a.b", "'q'"}) {
    auto schema = schema_of({{.name = "the \"id\"; --", .type = ums::type::long_}}, table);
    std::string name = "\"";
    for (char c : table)
      name += c == '"' ? std::string("\"\"") : std::string(1, c);
    auto out = ran("select \"the \"\"id\"\"; --\" + 1 as n from " + name + '"',
                   batch_of(schema, {{"41"}}));
    CHECK_MESSAGE(cells_of(*out) == "42", table);
    CHECK(cells_of(*ran("select * from batch", batch_of(schema, {{"41"}}))) == "41");
  }
}

TEST_CASE("a query over its memory limit fails, and the next batch goes well") {
  auto query = opened("select b.id from batch b, range(50000) r order by hash(r.range)",
                      {.memory_mb = 32, .time = std::chrono::seconds(60)});
  bad_row_map bad;
  rows many(300, {"1", "2", "3", "4", "5"});
  auto out = query->run(batch_of(orders, many), bad);
  REQUIRE(!out);
  CHECK_MESSAGE(out.error().text().find("memory") != std::string::npos, out.error().text());
  CHECK(bad.empty());
  CHECK(ran(*query, batch_of(orders, {{"1", "2", "3", "4", "5"}}))->rows() == 50'000);
}

TEST_CASE("a query that takes too long is stopped, and the next batch goes well") {
  auto query = opened("select id from batch "
                      "where qty = 0 or (select count(*) from range(qty::bigint * 1000000000)) > 0",
                      {.memory_mb = 64, .time = std::chrono::milliseconds(50)});
  bad_row_map bad;
  auto out = query->run(three_orders(), bad);
  REQUIRE(!out);
  CHECK(out.error().text() == "the query took longer than 50 ms");
  CHECK(bad.empty());
  CHECK(ran(*query, batch_of(orders, {{"1", "2", "0", "4", "five"}}))->rows() == 1);
}
