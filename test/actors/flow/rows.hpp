/// Batches and deliveries for the tests of flows: rows of a table `orders` with the key `id`.
#pragma once

#include "runtime/protocol.hpp"
#include "runtime/ums/batch.hpp"

#include <optional>
#include <string>
#include <vector>

namespace rtdp::test {

struct row {
  int64_t ums_id = 0;
  char op = 'i';
  int64_t id = 0;
  /// Null when it is empty, as in a delete.
  std::optional<std::string> qty{};
};

inline ums::ns orders_name(const std::string& table = "orders") {
  return {"sqlite", "shop", "main", table};
}

/// `with_qty` false: the log did not carry that column.
inline ums::schema orders_schema(const std::string& table = "orders", bool with_qty = true) {
  using ums::type;
  ums::schema s{orders_name(table),
                0,
                {{.name = "ums_id_", .type = type::long_, .nullable = false},
                 {.name = "ums_ts_", .type = type::datetime, .nullable = false},
                 {.name = "ums_op_", .type = type::string, .nullable = false},
                 {.name = "id", .type = type::long_, .nullable = false, .key = true}}};
  if (with_qty)
    s.fields.push_back({.name = "qty", .type = type::string});
  return s;
}

inline ums::batch_ptr batch_of(const ums::schema& schema, const std::vector<row>& rows,
                               ums::protocol kind = ums::protocol::increment_data) {
  auto made = std::make_shared<ums::batch>(std::make_shared<const ums::schema>(schema), kind);
  for (const auto& r : rows) {
    made->columns[0].append_int(r.ums_id);
    made->columns[1].append_int(r.ums_id * 1000);
    made->columns[2].append_text({&r.op, 1});
    if (made->columns.size() > 3)
      made->columns[3].append_int(r.id);
    if (made->columns.size() > 4) {
      if (r.qty)
        made->columns[4].append_text(*r.qty);
      else
        made->columns[4].append_null();
    }
  }
  return made;
}

inline ums::batch_ptr orders(const std::vector<row>& rows) {
  return batch_of(orders_schema(), rows);
}

/// A mark or a truncate: system columns only.
inline ums::batch_ptr sign(ums::protocol kind, int64_t ums_id,
                           const std::string& table = "orders") {
  auto schema = orders_schema(table, false);
  schema.fields.resize(ums::system_columns);
  return batch_of(schema, {{ums_id, 'i'}}, kind);
}

inline runtime::delivery delivered(ums::batch_ptr data, int64_t next_offset,
                                   std::string partition = "rtdp.shop/0") {
  runtime::delivery d;
  d.data = std::move(data);
  d.partition = std::move(partition);
  d.first_offset = next_offset - 1;
  d.next_offset = next_offset;
  return d;
}

/// "i 10 5, d 11": operation, ums_id_ and, where it is a column, qty.
inline std::string shown(const ums::batch_ptr& b) {
  std::string out;
  for (size_t r = 0; b && r < b->rows(); ++r) {
    out += (out.empty() ? "" : ", ") + std::string(1, b->op(r)) + ' ' + std::to_string(b->ids()[r]);
    if (const auto* qty = b->find("qty"); qty && qty->type() == ums::type::string)
      out += ' ' + (qty->is_null(r) ? "null" : std::string(qty->text(r)));
  }
  return out;
}

} // namespace rtdp::test
