/// What every sink that stores rows must do. A test file includes this, names its store by defining
/// `the_store`, and gets the tests below for it.
#pragma once

#include "actors/sink/driver.hpp"
#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::sink::test {

/// One store to test against: makes drivers for it and looks into it past them.
class store {
public:
  virtual ~store() = default;
  virtual std::unique_ptr<driver> make(const target& to) = 0;
  virtual void run(const std::string& sql) = 0;
  /// Each row as its cells with `|` between, null as `NULL`.
  virtual std::vector<std::string> query(const std::string& sql) = 0;
};

/// Empty at each call.
std::unique_ptr<store> the_store();

using cells = std::vector<std::optional<std::string>>;

struct row {
  char op;
  int64_t id;
  cells values;
};

inline ums::field column(std::string name, ums::type type = ums::type::string, bool key = false,
                         std::string native = "") {
  ums::field f;
  f.name = std::move(name);
  f.type = type;
  f.nullable = !key;
  f.key = key;
  f.native = std::move(native);
  return f;
}

inline ums::schema_ptr schema_of(std::vector<ums::field> columns,
                                 const std::string& datastore = "generator") {
  auto s = std::make_shared<ums::schema>();
  s->name = ums::ns(datastore, "test", "public", "orders");
  s->fields = {column("ums_id_", ums::type::long_), column("ums_ts_", ums::type::datetime),
               column("ums_op_")};
  s->fields.insert(s->fields.end(), columns.begin(), columns.end());
  return s;
}

/// id (key), name, qty.
inline ums::schema_ptr orders() {
  return schema_of(
      {column("id", ums::type::long_, true), column("name"), column("qty", ums::type::int_)});
}

inline ums::batch batch_of(ums::schema_ptr schema, const std::vector<row>& rows,
                           ums::protocol kind = ums::protocol::increment_data) {
  ums::batch b(std::move(schema), kind);
  for (const auto& r : rows) {
    b.columns[0].append_int(r.id);
    b.columns[1].append_int(1'700'000'000'000'000 + r.id);
    if (b.columns.size() > 2)
      b.columns[2].append_text(std::string(1, r.op));
    for (size_t i = 0; i < r.values.size(); ++i)
      if (auto& c = b.columns[i + 3]; !r.values[i])
        c.append_null();
      else if (storage_of(c.type()) == ums::storage::texts)
        c.append_text(*r.values[i]);
      else
        REQUIRE_MESSAGE(append_parsed(c, *r.values[i]), *r.values[i]);
  }
  return b;
}

inline ums::batch truncate_of(int64_t id) {
  auto s = std::make_shared<ums::schema>();
  s->name = ums::ns("generator", "test", "public", "orders");
  s->fields = {column("ums_id_", ums::type::long_), column("ums_ts_", ums::type::datetime)};
  return batch_of(s, {{'d', id, {}}}, ums::protocol::increment_truncate);
}

/// A snapshot began with id `before` and ended with `id`.
inline ums::batch sweep_of(int64_t id, int64_t before) {
  auto s = std::make_shared<ums::schema>();
  s->name = ums::ns("generator", "test", "public", "orders");
  s->fields = {column("ums_id_", ums::type::long_), column("ums_ts_", ums::type::datetime),
               column("before", ums::type::long_)};
  ums::batch b{s, ums::protocol::increment_sweep};
  b.columns[0].append_int(id);
  b.columns[1].append_int(1'700'000'000'000'000 + id);
  b.columns[2].append_int(before);
  return b;
}

/// Compares an error with none and shows its text.
inline void ok(const error& e) { CHECK_MESSAGE(!e, e.text()); }

/// Expects the code, and that the text names each of `words`.
inline void refused(const error& e, ec code, const std::vector<std::string>& words = {}) {
  CHECK_MESSAGE(e == code, to_string(e.code()), ": ", e.text());
  for (const auto& word : words)
    CHECK_MESSAGE(e.text().find(word) != std::string::npos, "no '", word, "' in: ", e.text());
}

/// A driver that is connected and owns the fence, with the bookkeeping of its flow.
class writer {
public:
  writer(store& s, const target& to, int64_t epoch = 1) : epoch_(epoch), driver_(s.make(to)) {
    ok(driver_->connect());
    auto taken = driver_->take("orders", epoch);
    REQUIRE_MESSAGE(taken, taken.error().text());
    progress_ = *taken;
  }

  error write(const ums::batch& b, const std::string& progress = "") {
    return write(ums::slice::all(b), progress);
  }
  error write(const ums::slice& rows, const std::string& progress = "") {
    if (auto e = rows.data->carries_rows() ? driver_->prepare(*rows.data->schema) : error{})
      return e;
    return driver_->write(rows, {"orders", epoch_, progress});
  }
  driver& operator*() { return *driver_; }
  driver* operator->() { return driver_.get(); }
  const std::string& progress() const { return progress_; }

private:
  int64_t epoch_;
  std::unique_ptr<driver> driver_;
  std::string progress_;
};

inline target to_orders(mutation m = mutation::iud) {
  target to;
  to.table = "orders";
  to.keys = {"id"};
  to.mutation = m;
  to.create = true;
  return to;
}

using lines = std::vector<std::string>;

/// The rows a reader of the target sees, of the columns id, name, qty.
inline lines live_rows(store& s, mutation m) {
  return s.query(std::string("SELECT id, name, qty FROM orders") +
                 (m == mutation::iud ? " WHERE ums_active_ = 1" : "") + " ORDER BY id");
}

} // namespace rtdp::sink::test
