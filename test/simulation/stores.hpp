/// The targets of a simulated cluster: a table of each flow, in memory, that lives on when its
/// writers die. It says at once when a write is not what has to come next. Only a write whose
/// answer was lost may come again, from the same process, and changes nothing then: so much every
/// driver promises. Owned by the world of one seed.
#pragma once

#include "actors/sink/driver.hpp"
#include "runtime/state/progress.hpp"
#include "test/simulation/shared_log.hpp"
#include "test/simulation/topics.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::simulation {

class target_store {
public:
  target_store(std::string flow, bool both_tables, clockwork& clock, journal& events,
               const shared_log& log, const topics& source)
      : flow_(std::move(flow)), both_tables_(both_tables), clock_(clock), events_(events),
        log_(log), source_(source) {}

  bool away = false;
  /// One call of so many breaks off; 0: none.
  uint64_t fails_each = 0;

  int64_t epoch() const { return epoch_; }
  const std::string& writer() const { return writer_; }
  /// Every row that was published is there.
  bool complete() const { return missing() == 0; }
  size_t missing() const {
    size_t n = 0;
    for (int p = 0; p < partitions; ++p)
      for (int t = 0; t < (both_tables_ ? 2 : 1); ++t)
        n += source_.ids(p, t).size() - written_[size_t(p)][size_t(t)];
    return n;
  }
  bool takes(int table) const { return both_tables_ || table == 0; }

  /// `process` told that it is frozen: until then it writes nothing. Told again, the first time
  /// counts.
  void expect_silence(const std::string& process, moment until) {
    auto [at, is_new] = silent_.try_emplace(process, until);
    if (!is_new && at->second <= clock_.now())
      at->second = until;
  }
  void allow(const std::string& process) { silent_.erase(process); }

  // -- what drivers call ----

  error connect() { return away ? unavailable("connection refused") : error{}; }
  result<std::string> take(const std::string& process, int64_t epoch);
  error write(const std::string& process, const ums::slice& rows, const sink::fence& f);
  error advance(const std::string& process, const sink::fence& f);

private:
  enum class fate : uint8_t { good, lost, done_but_lost };
  fate draw() {
    if (away)
      return fate::lost;
    if (fails_each == 0 || !clock_.one_in(fails_each))
      return fate::good;
    return clock_.one_in(2) ? fate::lost : fate::done_but_lost;
  }
  error checked(const std::string& process, int64_t epoch);
  void check_row(const ums::slice& rows, size_t row);
  bool comes_again(const std::string& process, const ums::slice& rows);
  void check_progress();

  std::string flow_;
  bool both_tables_;
  clockwork& clock_;
  journal& events_;
  const shared_log& log_;
  const topics& source_;
  int64_t epoch_ = 0;
  std::string writer_, progress_, progress_before_;
  std::array<std::array<size_t, tables.size()>, partitions> written_{};
  std::map<std::string, moment> silent_;
  /// The last write whose answer was lost.
  std::string unanswered_by_;
  std::vector<int64_t> unanswered_;
};

/// What is refused, and what may never come: a process that the catalog does not name, or one that
/// said that it is at rest.
inline error target_store::checked(const std::string& process, int64_t epoch) {
  if (epoch < epoch_ && log_.planted != bug::fence_not_checked)
    return fenced("epoch " + std::to_string(epoch_) + " owns the table");
  if (epoch < epoch_)
    events_.broke("{} writes to {} with epoch {} behind epoch {}", process, flow_, epoch, epoch_);
  auto owner = log_.owner("flow." + flow_, epoch);
  if (owner != process)
    events_.broke("{} writes to {} with epoch {}, which the catalog gave to {}", process, flow_,
                  epoch, owner.empty() ? "nobody" : owner);
  if (epoch == epoch_ && !writer_.empty() && writer_ != process)
    events_.broke("{} writes to {} with the epoch {} of {}", process, flow_, epoch, writer_);
  return {};
}

inline result<std::string> target_store::take(const std::string& process, int64_t epoch) {
  auto how = draw();
  if (how == fate::lost)
    return unavailable("the target does not answer");
  if (auto e = checked(process, epoch))
    return e;
  allow(process);
  if (epoch != epoch_)
    events_.note("store {}: {} takes epoch {} at {}", flow_, process, epoch, progress_);
  epoch_ = epoch;
  writer_ = process;
  if (how == fate::done_but_lost)
    return unavailable("the connection broke");
  return log_.planted == bug::stale_progress ? progress_before_ : progress_;
}

inline void target_store::check_row(const ums::slice& rows, size_t row) {
  auto id = rows.data->ids()[row];
  int partition = int(id % partitions);
  int table = rows.data->schema->name[ums::ns::table] == tables[0] ? 0 : 1;
  auto& done = written_[size_t(partition)][size_t(table)];
  const auto& ids = source_.ids(partition, table);
  if (done < ids.size() && ids[done] == id) {
    ++done;
    return;
  }
  bool known = std::find(ids.begin(), ids.begin() + int64_t(done), id) !=
               ids.begin() + int64_t(done);
  const auto* what = known ? "again" : "early";
  events_.broke("row {} of {}/{} comes {} into {}: {} rows are there, by epoch {}", id,
                tables[size_t(table)], partition, what, flow_, done, epoch_);
}

inline error target_store::write(const std::string& process, const ums::slice& rows,
                                 const sink::fence& f) {
  auto how = draw();
  if (how == fate::lost)
    return unavailable("the target does not answer");
  if (auto e = checked(process, f.epoch))
    return e;
  auto silent = silent_.find(process);
  if (silent != silent_.end() && clock_.now() < silent->second)
    events_.broke("{} writes rows of {} though it said that it is frozen", process, flow_);
  bool half = (log_.planted == bug::progress_without_rows ||
               log_.planted == bug::rows_without_progress) &&
              clock_.one_in(30);
  bool again = comes_again(process, rows);
  if (!again && !(half && log_.planted == bug::progress_without_rows))
    for (size_t r = rows.first; r < rows.first + rows.count; ++r)
      check_row(rows, r);
  if (!(half && log_.planted == bug::rows_without_progress))
    progress_before_ = std::exchange(progress_, f.progress);
  check_progress();
  if (!half && how == fate::good)
    return {};
  auto ids = rows.data->ids().subspan(rows.first, rows.count);
  unanswered_by_ = process;
  unanswered_.assign(ids.begin(), ids.end());
  return unavailable("the connection broke");
}

inline bool target_store::comes_again(const std::string& process, const ums::slice& rows) {
  auto ids = rows.data->ids().subspan(rows.first, rows.count);
  bool again = unanswered_by_ == process && std::equal(ids.begin(), ids.end(), unanswered_.begin(),
                                                       unanswered_.end());
  unanswered_by_.clear();
  return again;
}

inline error target_store::advance(const std::string& process, const sink::fence& f) {
  auto how = draw();
  if (how == fate::lost)
    return unavailable("the target does not answer");
  if (auto e = checked(process, f.epoch))
    return e;
  progress_before_ = std::exchange(progress_, f.progress);
  check_progress();
  return how == fate::done_but_lost ? unavailable("the connection broke") : error{};
}

/// The progress is what the rows say: the ids are those of the last ones, and no row in front of an
/// offset is missing.
inline void target_store::check_progress() {
  auto p = state::progress::parse(progress_);
  if (!p)
    return events_.broke("{} stores {}, which is no progress", flow_, progress_);
  for (int i = 0; i < partitions; ++i) {
    auto name = topic + "/" + std::to_string(i);
    const auto& done = written_[size_t(i)];
    for (int t = 0; t < int(tables.size()); ++t) {
      auto ns = test::orders_schema(tables[size_t(t)]).name.text();
      auto last = done[size_t(t)] == 0 ? 0 : source_.ids(i, t)[done[size_t(t)] - 1];
      if (auto id = p->applied(ns, name); id != last)
        events_.broke("{} stores id {} of {} {}, but its last row is {}", flow_, id, ns, name,
                      last);
    }
    auto at = p->offsets.find(name);
    if (at == p->offsets.end() || at->second == 0)
      continue;
    const auto& log = source_.log(i);
    const auto& m = log[size_t(at->second) - 1];
    for (int t = 0; t < int(tables.size()); ++t)
      if (takes(t) && m.before[size_t(t)] + (m.table == t) > done[size_t(t)])
        events_.broke("{} stores offset {} of {}, ahead of its rows", flow_, at->second, name);
  }
}

/// The driver of one SINK.
class store_driver final : public sink::driver {
public:
  store_driver(target_store& store, clockwork& clock, std::string process)
      : store_(store), clock_(clock), process_(std::move(process)) {}

  error connect() override {
    takes_time();
    return store_.connect();
  }
  result<std::string> take(const std::string&, int64_t epoch) override {
    takes_time();
    return store_.take(process_, epoch);
  }
  error prepare(const ums::schema&) override { return {}; }
  error write(const ums::slice& rows, const sink::fence& f) override {
    takes_time();
    return store_.write(process_, rows, f);
  }
  error advance(const sink::fence& f) override {
    takes_time();
    return store_.advance(process_, f);
  }
  bool transactional() const override { return true; }

private:
  /// SINK blocks in the call: what comes next waits.
  void takes_time() {
    clock_.block(clock_.one_in(50) ? clock_.between(20ms, 800ms) : clock_.between(200us, 5ms));
  }

  target_store& store_;
  clockwork& clock_;
  std::string process_;
};

} // namespace rtdp::simulation
