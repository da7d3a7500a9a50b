/// A source driver for tests: a table "t" with one number a row. Its position is how many rows were
/// read; the rows themselves are the script's, so that a driver which is opened again reads the
/// same.
#pragma once

#include "actors/extract/driver.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::test {

struct scripted_source {
  /// What the source holds; -1 is a row that cannot be decoded.
  std::vector<int64_t> rows;
  /// Rows of one read.
  size_t rows_a_read = 3;
  int failing_opens = 0;
  error open_error = unavailable("connection refused");
  /// The next read fails with it, once.
  error read_error;
  bool snapshot_done = true;
  int64_t retained_bytes = -1;
  std::string place;
  /// Behind the number in each position: moves it on without a row.
  std::string moved;
  /// As of a heartbeat table; -1: it has none. And the times that were written to it.
  int64_t beaten_us = -1;
  std::vector<int64_t> beats;
  /// Positions: of each open, and of each confirm.
  std::vector<std::string> opened, confirmed;
  /// Called at each confirm.
  std::function<void()> at_confirm = [] {};
  /// Called when a snapshot is asked for; it is taken over.
  std::function<void()> on_snapshot = [] {};

  static ums::ns table() { return {"scripted", "shop", "main", "t"}; }
  std::unique_ptr<extract::driver> make();
};

class scripted_driver final : public extract::driver {
public:
  explicit scripted_driver(scripted_source& s) : script_(s) {}

  error open(const std::string& position) override {
    script_.opened.push_back(position);
    if (script_.failing_opens > 0) {
      --script_.failing_opens;
      return script_.open_error;
    }
    at_ = position.empty() ? 0 : std::stoul(position);
    return {};
  }
  error read(extract::collector& out, std::chrono::milliseconds) override {
    if (auto e = std::exchange(script_.read_error, {}))
      return e;
    auto table = out.table(scripted_source::table(), {{.name = "n", .type = ums::type::long_}});
    for (size_t i = 0; i < script_.rows_a_read && at_ < script_.rows.size(); ++i, ++at_) {
      auto& b = out.row(table, 'i', 1'700'000'000'000'000);
      if (script_.rows[at_] < 0)
        out.spoil("not a number", "raw bytes");
      else
        b.columns[3].append_int(script_.rows[at_]);
    }
    out.commit(std::to_string(at_) + script_.moved);
    return {};
  }
  error confirm(const std::string& position) override {
    script_.confirmed.push_back(position);
    script_.at_confirm();
    return {};
  }
  error snapshot(const extract::snapshot_request&) override {
    script_.on_snapshot();
    return {};
  }
  error beat(int64_t now_us) override {
    script_.beats.push_back(now_us);
    return {};
  }
  int64_t beaten_us() const override { return script_.beaten_us; }
  extract::source_progress progress() const override {
    extract::source_progress p;
    p.tables.push_back({.name = scripted_source::table(),
                        .snapshot_done = script_.snapshot_done,
                        .snapshot_rows = int64_t(at_)});
    p.idle = at_ == script_.rows.size();
    p.retained_bytes = script_.retained_bytes;
    p.place = script_.place;
    return p;
  }

private:
  scripted_source& script_;
  size_t at_ = 0;
};

inline std::unique_ptr<extract::driver> scripted_source::make() {
  return std::make_unique<scripted_driver>(*this);
}

} // namespace rtdp::test
