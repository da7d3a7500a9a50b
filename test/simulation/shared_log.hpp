/// The catalog's log as Kafka keeps it: ordered, shared by all nodes, with one owner at a time who
/// may append. It checks every record that becomes durable, and says who owns what under which
/// epoch. `catalog_on_log` is the CATALOG actor over it. Owned by the world of one seed.
#pragma once

#include "runtime/caf_error.hpp"
#include "runtime/cluster/catalog.hpp"
#include "runtime/protocol.hpp"
#include "test/simulation/bugs.hpp"
#include "test/simulation/journal.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::simulation {

class shared_log {
public:
  shared_log(clockwork& clock, journal& events, bug b)
      : planted(b), clock_(clock), events_(events) {}

  const bug planted;
  /// Kafka cannot be reached.
  bool away = false;
  /// One call of so many breaks off, half of them when it is done already; 0: none.
  uint64_t fails_each = 0;
  /// One call of 20 takes up to 1.5 s.
  bool hesitates = true;
  /// Called with what became durable.
  std::function<void(const std::string& record)> on_durable;

  const std::vector<std::string>& records() const { return records_; }
  /// What the log says by now.
  const cluster::catalog& decided() const { return decided_; }
  /// The process ("n1#2") that owns the component under this epoch; empty: nobody.
  std::string owner(const std::string& component, int64_t epoch) const {
    auto at = owners_.find({component, epoch});
    return at == owners_.end() ? std::string{} : at->second;
  }

  /// How a call of Kafka ends.
  enum class fate : uint8_t { good, lost, done_but_lost };
  fate draw() {
    if (away)
      return fate::lost;
    if (fails_each == 0 || !clock_.one_in(fails_each))
      return fate::good;
    return clock_.one_in(2) ? fate::lost : fate::done_but_lost;
  }

  /// Returns the right to append; whoever had it has lost it.
  int64_t claim() { return planted == bug::claim_without_fence ? right_ : ++right_; }
  bool may_append(int64_t right) const { return right == right_; }

  void append(const std::vector<std::string>& records, const std::string& process) {
    for (const auto& r : records) {
      auto kept = planted == bug::epoch_not_raised ? without_raise(r) : r;
      check(kept, process);
      bool renews = key(kept) == "leader" && decided_.leader_boot() == process;
      records_.push_back(kept);
      if (auto e = decided_.learn(kept))
        events_.broke("a record of the catalog cannot be read: {}", e.text());
      if (!renews)
        events_.note("log {}: {} by {}", records_.size(), shown(kept), process);
      if (on_durable)
        on_durable(kept);
    }
  }

  /// What a reader that begins anew finds: of each key in front of `end` only the last record.
  std::vector<std::string> compacted() const {
    std::set<std::string_view> seen;
    std::vector<std::string> out;
    for (auto r = records_.rbegin(); r != records_.rend(); ++r)
      if (seen.insert(key(*r)).second)
        out.push_back(*r);
    std::reverse(out.begin(), out.end());
    return out;
  }

  static std::string_view key(std::string_view record) {
    return record.substr(0, record.find('\n'));
  }
  static std::string shown(std::string record) {
    std::replace(record.begin(), record.end(), '\n', ' ');
    return record;
  }

private:
  static constexpr std::string_view placement = "placement/";

  const cluster::placement* placed(const cluster::catalog& c, const std::string& record) const {
    auto name = key(record);
    return name.starts_with(placement) ? c.find(std::string(name.substr(placement.size())))
                                       : nullptr;
  }

  std::string without_raise(const std::string& record) const {
    cluster::catalog alone;
    const auto* before = placed(decided_, record);
    if (!before || alone.learn(record))
      return record;
    const auto* next = placed(alone, record);
    if (!next)
      return record;
    auto same = *next;
    same.epoch = before->epoch;
    return cluster::placement_record(std::string(key(record).substr(placement.size())), same);
  }

  void check(const std::string& record, const std::string& process) {
    cluster::catalog alone;
    if (alone.learn(record))
      return;
    if (key(record) == "leader") {
      bool renewed = alone.term() == decided_.term() && process == decided_.leader_boot();
      if (alone.term() <= decided_.term() && !renewed)
        events_.broke("{} leads with term {}, but term {} was there before", process, alone.term(),
                      decided_.term());
      if (alone.leader_boot() != process)
        events_.broke("{} says that {} leads", process, alone.leader_boot());
      return;
    }
    if (decided_.leader_boot() != process)
      events_.broke("{} appends {}, but {} leads", process, shown(record), decided_.leader_boot());
    if (const auto* next = placed(alone, record))
      check(std::string(key(record).substr(placement.size())), *next);
  }

  void check(const std::string& component, const cluster::placement& next) {
    auto& highest = highest_[component];
    const auto* before = decided_.find(component);
    if (before && *before == next)
      events_.broke("the placement of {} is decided twice with nothing changed", component);
    auto [at, is_new] = owners_.try_emplace({component, next.epoch}, next.boot);
    if (!is_new && at->second != next.boot)
      events_.broke("epoch {} of {} goes to {}, but {} has it", next.epoch, component, next.boot,
                    at->second);
    if (next.epoch < highest)
      events_.broke("{} gets epoch {} behind epoch {}", component, next.epoch, highest);
    highest = std::max(highest, next.epoch);
  }

  clockwork& clock_;
  journal& events_;
  std::vector<std::string> records_;
  cluster::catalog decided_;
  int64_t right_ = 0;
  std::map<std::pair<std::string, int64_t>, std::string> owners_;
  std::map<std::string, int64_t> highest_;
};

inline constexpr int64_t no_right = -1;

struct log_reader_state {
  /// Records that MEMBER was sent.
  size_t next = 0;
  bool begun = false;
  int64_t right = no_right;
  static inline constexpr const char* name = "catalog";
};

using log_reader = runtime::catalog_actor::stateful_pointer<log_reader_state>;

/// Sends MEMBER what is new, up to `most` records.
inline void tell_new(log_reader self, const shared_log& log, const runtime::member_actor& member,
                     size_t most) {
  auto& s = self->state;
  const auto& all = log.records();
  std::vector<std::string> news;
  if (!s.begun) {
    news = log.compacted();
    s.next = all.size();
    s.begun = true;
  } else {
    auto end = s.next + std::min(most, all.size() - s.next);
    news.assign(all.begin() + int64_t(s.next), all.begin() + int64_t(end));
    s.next = end;
  }
  if (!news.empty())
    self->send(member, runtime::atom::learn_v, std::move(news));
}

/// CATALOG of the process `boot`.
inline runtime::catalog_actor::behavior_type catalog_on_log(log_reader self, clockwork* clock,
                                                            shared_log* log,
                                                            runtime::member_actor member,
                                                            std::string boot) {
  using fate = shared_log::fate;
  constexpr size_t all = SIZE_MAX;
  self->send(self, runtime::atom::read_v);
  auto gone = [] { return runtime::to_caf(unavailable("the broker does not answer")); };
  // A call takes its time, and the next one waits for it.
  auto takes_time = [clock, log] {
    bool slow = log->hesitates && clock->one_in(20);
    clock->block(slow ? clock->between(50ms, 1500ms) : clock->between(1ms, 20ms));
  };
  return {
      [=](runtime::atom::claim) -> caf::result<bool> {
        takes_time();
        auto how = log->draw();
        self->state.right = no_right;
        if (how == fate::lost)
          return gone();
        auto right = log->claim();
        if (how == fate::done_but_lost)
          return gone();
        self->state.right = right;
        tell_new(self, *log, member, all);
        return true;
      },
      [=](runtime::atom::append, const std::vector<std::string>& records) -> caf::result<bool> {
        takes_time();
        auto how = log->draw();
        if (!log->may_append(self->state.right))
          return runtime::to_caf(fenced("another node leads"));
        // Behind a failure it is not known what was appended: nothing more without a claim.
        if (how != fate::good)
          self->state.right = no_right;
        if (how == fate::lost)
          return gone();
        if (log->planted == bug::answered_not_durable && clock->one_in(8))
          return true;
        log->append(records, boot);
        if (how == fate::done_but_lost)
          return gone();
        if (log->planted != bug::answered_not_learned)
          tell_new(self, *log, member, all);
        return true;
      },
      [=](runtime::atom::read) {
        self->delayed_send(self, std::chrono::duration_cast<caf::timespan>(
                                     clock->between(5ms, 60ms)),
                           runtime::atom::read_v);
        if (!log->away)
          tell_new(self, *log, member, size_t(1 + clock->below(4)));
      },
  };
}

} // namespace rtdp::simulation
