/// A target in memory with one row per key, that outlives its drivers: keeps the newest row of each
/// key, refuses older epochs, and dies or refuses rows as the test says.
#pragma once

#include "actors/sink/driver.hpp"
#include "runtime/ums/codec.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace rtdp::test {

struct group_store {
  struct row {
    int64_t ums_id = 0;
    bool active = false;
    /// The columns' texts with a bar between.
    std::string values;
  };
  std::map<std::string, row> rows;
  std::map<std::string, int64_t> epochs;
  std::map<std::string, std::string> progress;
  /// Asked before and after each write: true ends the process here.
  std::function<bool()> dies = [] { return false; };
  /// Asked at each write of several rows: true makes the caller try smaller pieces.
  std::function<bool()> rejects = [] { return false; };

  /// The rows that are there, by key.
  std::map<std::string, std::string> visible() const {
    std::map<std::string, std::string> out;
    for (const auto& [key, r] : rows)
      if (r.active)
        out[key] = r.values;
    return out;
  }
  std::unique_ptr<sink::driver> make();
};

class group_sink final : public sink::driver {
public:
  explicit group_sink(group_store& store) : store_(store) {}

  error connect() override { return {}; }
  result<std::string> take(const std::string& flow, int64_t epoch) override {
    if (epoch < store_.epochs[flow])
      return fenced("a newer epoch owns the table");
    store_.epochs[flow] = epoch;
    return store_.progress[flow];
  }
  error prepare(const ums::schema&) override { return {}; }
  error write(const ums::slice& rows, const sink::fence& f) override {
    if (f.epoch < store_.epochs[f.flow])
      return fenced("a newer epoch owns the table");
    if (store_.dies())
      return unavailable("died before");
    if (rows.count > 1 && store_.rejects())
      return rejected("too many at once");
    for (size_t r = rows.first; r < rows.first + rows.count; ++r)
      put(*rows.data, r);
    store_.progress[f.flow] = f.progress;
    return store_.dies() ? unavailable("died behind") : error{};
  }
  error advance(const sink::fence& f) override {
    if (f.epoch < store_.epochs[f.flow])
      return fenced("a newer epoch owns the table");
    store_.progress[f.flow] = f.progress;
    return {};
  }
  bool transactional() const override { return true; }

private:
  void put(const ums::batch& b, size_t r) {
    std::string key, values;
    for (size_t c = ums::system_columns; c < b.columns.size(); ++c) {
      std::string text = "null";
      if (!b.columns[c].is_null(r)) {
        text.clear();
        ums::append_cell(b.columns[c], r, text);
      }
      (b.schema->fields[c].key ? key : values) += text + '|';
    }
    auto& row = store_.rows[key];
    if (b.ids()[r] > row.ums_id)
      row = {b.ids()[r], b.op(r) != 'd', values};
  }

  group_store& store_;
};

inline std::unique_ptr<sink::driver> group_store::make() {
  return std::make_unique<group_sink>(*this);
}

} // namespace rtdp::test
