/// One seed: a cluster of three nodes works for some seconds of simulated time while everything
/// goes wrong that can; then it is left alone and comes to rest with every row in its place.
#pragma once

#include "test/simulation/checks.hpp"
#include "test/simulation/faults.hpp"
#include "test/simulation/people.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::simulation {

struct outcome {
  /// The rule that was broken; empty: none.
  std::string broken;
  /// The last things that happened.
  std::vector<std::string> events;
  fault_table met;
  std::map<std::string, uint64_t> drifts;
  uint64_t turns = 0, asked = 0, answered = 0;
  /// From the end of the faults until the cluster was at rest.
  moment recovery{};
};

class world {
public:
  world(const surroundings& around, uint64_t seed, bug planted = bug::none, bool trace = false)
      : all_(around, seed, planted, trace), faults_(all_), people_(all_), observer_(all_) {
    if (all_.clock.one_in(3))
      all_.placement = config::placement_mode::on;
    work_for_ = all_.clock.between(8s, 16s);
  }

  outcome run();

private:
  bool broken() const { return !all_.events.broken().empty(); }
  void run_until(moment end);
  void publish();
  void talk();
  void look();
  void change_load();
  void come_to_rest();

  parts all_;
  troublemaker faults_;
  people people_;
  observer observer_;
  moment work_for_{}, recovery_{};
  bool publishing_ = true, talking_ = true;
};

inline void world::run_until(moment end) {
  while (all_.clock.now() < end && !broken()) {
    faults_.look();
    all_.clock.step(end);
  }
}

/// Some rows of either table, ten times a second.
inline void world::publish() {
  if (!publishing_)
    return;
  for (auto n = all_.clock.below(5); n > 0; --n)
    all_.source.publish(int(all_.clock.below(partitions)), int(all_.clock.below(tables.size())));
  all_.clock.after(all_.clock.between(20ms, 180ms), [this] { publish(); });
}

inline void world::talk() {
  if (!talking_)
    return;
  people_.ask_for_anything();
  all_.clock.after(all_.clock.between(100ms, 1400ms), [this] { talk(); });
}

inline void world::look() {
  observer_.look();
  all_.clock.after(400ms, [this] { look(); });
}

inline void world::change_load() {
  if (!talking_)
    return;
  for (auto& m : all_.nodes)
    m.cpu_permille = int64_t(all_.clock.below(900));
  all_.clock.after(all_.clock.between(3s, 20s), [this] { change_load(); });
}

inline outcome world::run() {
  for (int i = 0; i < machines; ++i)
    all_.clock.after(all_.clock.between(0ms, 3s), [this, i] {
      if (!all_.up(i))
        all_.start(i);
    });
  publish();
  change_load();
  all_.clock.after(2500ms, [this] { talk(); });
  look();
  run_until(3s + work_for_);
  if (!broken())
    come_to_rest();
  outcome out{all_.events.broken(), {}, faults_.met(), observer_.ended, all_.clock.turns(),
              people_.asked, people_.answered, recovery_};
  out.events.assign(all_.events.lines().begin(), all_.events.lines().end());
  return out;
}

/// Nobody needs longer than that: SINK's back-off behind a target that was away, the wait before a
/// failed flow starts again, a claim and an append that time out.
inline constexpr moment rest_limit = 30s;

inline void world::come_to_rest() {
  // Half of the seeds end with one node that is gone, or has a full disk, or drains.
  auto dice = all_.clock.below(6);
  auto one = int(all_.clock.below(machines));
  all_.events.note("all is well from now on");
  faults_.end(dice == 0 ? one : nowhere, dice == 1 ? one : nowhere);
  people_.drained = dice == 2 ? one : nowhere;
  talking_ = false;
  auto since = all_.clock.now();
  auto at_rest = 0;
  std::string why;
  while (all_.clock.now() - since < rest_limit && !broken()) {
    run_until(all_.clock.now() + 500ms);
    if (all_.clock.now() - since > 1s)
      publishing_ = false;
    if (!people_.all_started())
      people_.put_right();
    why = observer_.unsettled();
    if (people_.all_started() && !publishing_ && why.empty()) {
      // Twice, so that it is no passing moment.
      if (++at_rest == 2) {
        recovery_ = all_.clock.now() - since;
        return;
      }
    } else {
      at_rest = 0;
    }
  }
  if (!broken())
    all_.events.broke("not at rest after {} s: {}", rest_limit.count() / 1'000'000, why);
}

} // namespace rtdp::simulation
