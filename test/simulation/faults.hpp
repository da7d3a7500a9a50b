/// What goes wrong in a simulated cluster: now and then anywhere, and more often just behind a step
/// of a drift, between any two turns of the actors. Counts which fault met which step. Owned by the
/// world of one seed.
#pragma once

#include "test/simulation/parts.hpp"

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::simulation {

/// How often each fault came while a drift was at each step.
using fault_table = std::map<std::pair<std::string, std::string>, uint64_t>;

class troublemaker {
public:
  explicit troublemaker(parts& all) : all_(all) {
    // Some seeds are rough, some let most drifts pass.
    auto mood = 1 + all_.clock.below(4);
    random_each_ = 900 * mood;
    step_each_ = 2 * mood;
    if (all_.clock.one_in(2))
      all_.log.fails_each = 10 + all_.clock.below(60);
    if (all_.clock.one_in(2))
      for (auto& [flow, store] : all_.stores)
        store.fails_each = 20 + all_.clock.below(200);
    all_.on_step = [this](const char* step) { came_to(step); };
  }

  /// Called before each turn.
  void look() {
    if (!on_)
      return;
    if (all_.clock.turns() == turn_)
      return;
    turn_ = all_.clock.turns();
    if (due_ == turn_ || all_.clock.one_in(random_each_))
      strike();
  }

  /// Everything is well from now on, but for these: a node that stays down, one whose disk is full.
  void end(int down, int full);

  const fault_table& met() const { return met_; }

private:
  void came_to(const char* step) {
    step_ = step;
    step_until_ = all_.clock.now() + 1500ms;
    // Within the next turns: of MEMBERs, the network, FLOW and SINK.
    if (on_ && due_ <= turn_ && all_.clock.one_in(step_each_))
      due_ = turn_ + 1 + all_.clock.below(30);
  }

  void strike();
  void crash(int i);
  void freeze(int i);
  void cut(int i);
  void target_away();
  void catalog_away();
  void bus_fails(int i);
  void trouble(int i);

  parts& all_;
  bool on_ = true;
  uint64_t random_each_, step_each_, turn_ = 0, due_ = 0;
  std::string step_;
  moment step_until_{};
  fault_table met_;
};

inline void troublemaker::strike() {
  auto i = int(all_.clock.below(machines));
  if (!all_.up(i))
    return;
  constexpr std::array names = {"crash",  "freeze",        "cut",          "cut",
                                "freeze", "target away",   "catalog away", "crash",
                                "bus fails", "disk full"};
  std::string kind = names[all_.clock.below(names.size())];
  ++met_[{all_.clock.now() < step_until_ ? step_ : "no drift", kind}];
  if (kind == "crash")
    crash(i);
  else if (kind == "freeze")
    freeze(i);
  else if (kind == "cut")
    cut(i);
  else if (kind == "target away")
    target_away();
  else if (kind == "catalog away")
    catalog_away();
  else if (kind == "bus fails")
    bus_fails(i);
  else
    trouble(i);
}

inline void troublemaker::crash(int i) {
  all_.crash(i);
  auto wait = all_.clock.one_in(2) ? all_.clock.between(50ms, 900ms)
                                   : all_.clock.between(900ms, 6s);
  all_.clock.after(wait, [this, i] {
    if (on_ && !all_.up(i))
      all_.start(i);
  });
}

inline void troublemaker::freeze(int i) {
  if (all_.clock.frozen(i))
    return;
  all_.events.note("{} freezes", all_.nodes[size_t(i)].process);
  all_.clock.freeze(i);
  auto wait = all_.clock.one_in(2) ? all_.clock.between(5ms, 1s) : all_.clock.between(1s, 8s);
  all_.clock.after(wait, [this, i] {
    if (all_.clock.frozen(i))
      all_.events.note("{} thaws", all_.nodes[size_t(i)].process);
    all_.clock.thaw(i);
  });
}

inline void troublemaker::cut(int i) {
  // From one other node or from both; to it, from it, or both ways.
  auto first = int(all_.clock.below(machines)), ways = 1 + int(all_.clock.below(3));
  std::vector<std::pair<int, int>> lines;
  for (int other = 0; other < machines; ++other) {
    if (other == i || (first != i && other != first))
      continue;
    if (ways & 1)
      lines.emplace_back(i, other);
    if (ways & 2)
      lines.emplace_back(other, i);
  }
  for (auto [from, to] : lines)
    all_.net.cut(from, to);
  all_.clock.after(all_.clock.between(100ms, 6s), [this, lines] {
    for (auto [from, to] : lines)
      all_.net.heal(from, to);
  });
}

inline void troublemaker::target_away() {
  auto& [flow, store] = *std::next(all_.stores.begin(), int(all_.clock.below(flows.size())));
  all_.events.note("the target of {} is away", flow);
  store.away = true;
  all_.clock.after(all_.clock.between(50ms, 3s), [&gone = store] { gone.away = false; });
}

inline void troublemaker::catalog_away() {
  all_.events.note("the catalog's broker is away");
  all_.log.away = true;
  all_.clock.after(all_.clock.between(50ms, 4s), [this] { all_.log.away = false; });
}

inline void troublemaker::bus_fails(int i) {
  all_.events.note("{} loses the bus", all_.nodes[size_t(i)].process);
  all_.nodes[size_t(i)].bus->failing_polls = 1;
}

inline void troublemaker::trouble(int i) {
  all_.events.note("the disk of {} is full", all_.nodes[size_t(i)].process);
  all_.nodes[size_t(i)].trouble = "its disk is full";
  all_.clock.after(all_.clock.between(300ms, 4s),
                   [this, i] {
                     if (on_)
                       all_.nodes[size_t(i)].trouble.clear();
                   });
}

inline void troublemaker::end(int down, int full) {
  on_ = false;
  all_.log.away = false;
  all_.log.fails_each = 0;
  for (auto& [flow, store] : all_.stores) {
    store.away = false;
    store.fails_each = 0;
  }
  all_.net.heal_all();
  if (down != nowhere && all_.up(down))
    all_.crash(down);
  for (int i = 0; i < machines; ++i) {
    all_.clock.thaw(i);
    all_.nodes[size_t(i)].trouble = i == full ? "its disk is full" : "";
    all_.nodes[size_t(i)].cpu_permille = 100;
    if (i != down && !all_.up(i))
      all_.start(i);
  }
}

} // namespace rtdp::simulation
