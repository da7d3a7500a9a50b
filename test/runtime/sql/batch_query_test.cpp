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
