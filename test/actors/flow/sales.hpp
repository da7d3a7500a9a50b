/// A table `sales` whose rows come and go at random, what its log says of that, and the figures that
/// a plain recomputation gives, for the tests of stateful steps.
#pragma once

#include "runtime/protocol.hpp"
#include "runtime/ums/codec.hpp"

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace rtdp::test {

struct sale {
  int64_t customer = 0;
  /// Hundredths; nothing is null.
  std::optional<int64_t> total;
  std::optional<int64_t> pieces;
};

inline ums::ns sales_name() { return {"sqlite", "shop", "main", "sales"}; }

inline ums::schema sales_schema(bool with_total = true) {
  using ums::type;
  ums::schema s{sales_name(),
                0,
                {{.name = "ums_id_", .type = type::long_, .nullable = false},
                 {.name = "ums_ts_", .type = type::datetime, .nullable = false},
                 {.name = "ums_op_", .type = type::string, .nullable = false},
                 {.name = "id", .type = type::long_, .nullable = false, .key = true},
                 {.name = "customer", .type = type::long_, .nullable = false},
                 {.name = "pieces", .type = type::int_}}};
  if (with_total)
    s.fields.push_back({.name = "total", .type = type::decimal, .native = "decimal(12,2)"});
  return s;
}

inline std::string hundredths(int64_t n) {
  auto text = std::to_string(n < 0 ? -n : n);
  while (text.size() < 3)
    text.insert(0, "0");
  return (n < 0 ? "-" : "") + text.substr(0, text.size() - 2) + '.' + text.substr(text.size() - 2);
}

class sales_log {
public:
  explicit sales_log(std::mt19937& random) : random_(random) {}

  std::map<int64_t, sale> table;
  /// What a flow is handed, one batch an offset.
  std::vector<ums::batch_ptr> batches;

  /// A batch of changes, or now and then a truncate.
  void go_on() {
    if (random_() % 60 == 0)
      return truncate();
    // The log of some tables leaves out a large value that did not change.
    bool with_total = random_() % 5 != 0;
    auto b = std::make_shared<ums::batch>(
        std::make_shared<const ums::schema>(sales_schema(with_total)));
    for (auto n = 1 + random_() % 12; n > 0; --n)
      change(*b, with_total);
    if (b->rows() > 0)
      batches.push_back(b);
  }

  /// What `visible` of a target must say: customer, then rows, sum, sum of pieces, min and max.
  std::map<std::string, std::string> figures() const {
    struct figure {
      int64_t rows = 0, totals = 0, pieces = 0, sum = 0, sum_pieces = 0;
      std::optional<int64_t> min, max;
    };
    std::map<int64_t, figure> all;
    for (const auto& [id, s] : table) {
      auto& f = all[s.customer];
      ++f.rows;
      if (s.pieces)
        ++f.pieces, f.sum_pieces += *s.pieces;
      if (!s.total)
        continue;
      ++f.totals;
      f.sum += *s.total;
      f.min = f.min ? std::min(*f.min, *s.total) : *s.total;
      f.max = f.max ? std::max(*f.max, *s.total) : *s.total;
    }
    std::map<std::string, std::string> out;
    for (const auto& [customer, f] : all) {
      auto money = [](bool there, int64_t n) { return there ? hundredths(n) : std::string("null"); };
      out[std::to_string(customer) + '|'] =
          std::to_string(f.rows) + '|' + money(f.totals > 0, f.sum) + '|' +
          (f.pieces > 0 ? std::to_string(f.sum_pieces) : "null") + '|' +
          money(f.min.has_value(), f.min.value_or(0)) + '|' +
          money(f.max.has_value(), f.max.value_or(0)) + '|';
    }
    return out;
  }

private:
  void change(ums::batch& b, bool with_total) {
    auto id = int64_t(random_() % 60);
    auto at = table.find(id);
    if (at == table.end()) {
      // An insert carries every column.
      if (!with_total)
        return;
      table[id] = drawn();
      return row(b, 'i', id, table[id], with_total);
    }
    if (random_() % 4 == 0) {
      auto old = at->second;
      table.erase(at);
      return row(b, 'd', id, old, with_total);
    }
    auto next = drawn();
    if (!with_total)
      next.total = at->second.total;
    at->second = next;
    row(b, 'u', id, next, with_total);
  }

  sale drawn() {
    sale s;
    s.customer = int64_t(random_() % 8);
    if (random_() % 8 != 0)
      s.total = int64_t(random_() % 2000) - 500;
    if (random_() % 8 != 0)
      s.pieces = int64_t(random_() % 10);
    return s;
  }

  void row(ums::batch& b, char op, int64_t id, const sale& s, bool with_total) {
    system(b, op);
    b.columns[3].append_int(id);
    b.columns[4].append_int(s.customer);
    if (s.pieces)
      b.columns[5].append_int(*s.pieces);
    else
      b.columns[5].append_null();
    if (with_total && s.total)
      b.columns[6].append_text(hundredths(*s.total));
    else if (with_total)
      b.columns[6].append_null();
  }

  void truncate() {
    auto schema = sales_schema();
    schema.fields.resize(ums::system_columns);
    auto b = std::make_shared<ums::batch>(std::make_shared<const ums::schema>(schema),
                                          ums::protocol::increment_truncate);
    system(*b, 'i');
    batches.push_back(b);
    table.clear();
  }

  void system(ums::batch& b, char op) {
    ++id_;
    b.columns[0].append_int(id_);
    b.columns[1].append_int(id_ * 1000);
    b.columns[2].append_text({&op, 1});
  }

  std::mt19937& random_;
  int64_t id_ = 0;
};

} // namespace rtdp::test
