/// A sink driver for tests: refuses connections and rows as the test says, and remembers what it
/// took, as a table without keys would: a row that is written twice is there twice.
#pragma once

#include "actors/sink/driver.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace rtdp::test {

/// The store behind the driver: lives on when the driver and its writer are gone.
struct flaky_store {
  /// So many more connections are refused.
  int failing_connects = 0;
  /// The write, advance or take with this number from now on fails with `failure`; 0: none does.
  int failing_call = 0;
  error failure = unavailable("the store is gone");
  /// The failing write was applied all the same: only its answer was lost.
  bool applied_anyway = false;
  /// Ids that do not fit.
  std::set<int64_t> bad;
  /// What `prepare` answers.
  error table;
  bool transactional = true;

  int connects = 0, prepares = 0, writes = 0;
  /// By flow: the newest epoch seen and the progress stored with the data.
  std::map<std::string, int64_t> epochs;
  std::map<std::string, std::string> progress;
  /// ums_id_ of each row, in the order of writing.
  std::vector<int64_t> rows;
  /// Epoch that each of them was written under.
  std::vector<int64_t> written_by;
  /// Every call in order: "connect", "take 1", "write 1..4", "advance".
  std::vector<std::string> calls;

  std::unique_ptr<sink::driver> make();
};

class flaky_sink final : public sink::driver {
public:
  explicit flaky_sink(flaky_store& store) : store_(store) {}

  error connect() override {
    store_.calls.push_back("connect");
    ++store_.connects;
    if (store_.failing_connects == 0)
      return {};
    --store_.failing_connects;
    return unavailable("connection refused");
  }
  result<std::string> take(const std::string& flow, int64_t epoch) override {
    store_.calls.push_back("take " + std::to_string(epoch));
    if (auto e = checked({flow, epoch, {}}))
      return e;
    store_.epochs[flow] = epoch;
    return store_.transactional ? store_.progress[flow] : std::string{};
  }
  error prepare(const ums::schema&) override {
    ++store_.prepares;
    return store_.table;
  }
  error write(const ums::slice& rows, const sink::fence& f) override {
    ++store_.writes;
    auto ids = rows.data->ids().subspan(rows.first, rows.count);
    store_.calls.push_back("write " + std::to_string(ids.front()) + ".." +
                           std::to_string(ids.back()));
    auto e = checked(f);
    if (e && !(store_.applied_anyway && e == ec::unavailable))
      return e;
    for (auto id : ids)
      if (store_.bad.contains(id))
        return rejected("row " + std::to_string(id) + " does not fit");
    store_.rows.insert(store_.rows.end(), ids.begin(), ids.end());
    store_.written_by.insert(store_.written_by.end(), ids.size(), f.epoch);
    keep(f);
    return e;
  }
  error advance(const sink::fence& f) override {
    store_.calls.push_back("advance");
    if (auto e = checked(f))
      return e;
    keep(f);
    return {};
  }
  bool transactional() const override { return store_.transactional; }

private:
  error checked(const sink::fence& f) {
    if (store_.failing_call > 0 && --store_.failing_call == 0)
      return store_.failure;
    if (f.epoch < store_.epochs[f.flow])
      return fenced("epoch " + std::to_string(store_.epochs[f.flow]) + " owns the table");
    return {};
  }
  void keep(const sink::fence& f) {
    if (store_.transactional && !f.progress.empty())
      store_.progress[f.flow] = f.progress;
  }

  flaky_store& store_;
};

inline std::unique_ptr<sink::driver> flaky_store::make() {
  return std::make_unique<flaky_sink>(*this);
}

} // namespace rtdp::test
