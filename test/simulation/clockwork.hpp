/// Simulated time and a scheduler that a seed drives: which actor has the next turn is random, and
/// the same seed gives the same turns. An actor belongs to a machine; the actors of a frozen one
/// have no turns, as behind SIGSTOP, while messages and timers pile up in front of them. Owned by
/// the world of one seed; one thread.
#pragma once

#include "test/support/deterministic.hpp"

#include <caf/actor_cast.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace rtdp::simulation {

using namespace std::chrono_literals;
/// Since the start of the seed.
using moment = std::chrono::microseconds;

/// What belongs to no machine: the network, people, the test itself.
inline constexpr int nowhere = -1;

class clockwork {
public:
  explicit clockwork(uint64_t seed) : random_(seed) {}
  ~clockwork() { end_all(); }
  /// Whoever is left ends here: a live actor would keep the system for ever. Called while everything
  /// is there that the actors point to.
  void end_all() {
    for (const auto& [machine, actors] : actors_)
      for (const auto& each : actors)
        caf::anon_send_exit(caf::actor_cast<caf::actor>(each), caf::exit_reason::kill);
    while (jobs_.try_run_once()) {
    }
  }

  moment now() const {
    return std::chrono::duration_cast<moment>(jobs_.clock().now() - start_);
  }
  /// One turn so far is one job that ran.
  uint64_t turns() const { return turns_; }

  // -- chance ----

  uint64_t below(uint64_t n) { return random_() % n; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  moment between(moment least, moment most) {
    return least + moment{int64_t(below(uint64_t((most - least).count()) + 1))};
  }

  // -- actors ----

  template<class F, class... Ts>
  auto spawn(int machine, F behaviour, Ts&&... xs) {
    return belongs(machine, system_.spawn(behaviour, std::forward<Ts>(xs)...));
  }
  /// For an actor that another one has spawned. REQUIRES: it had no turn yet.
  template<class Handle>
  Handle belongs(int machine, Handle actor) {
    auto pointer = caf::actor_cast<caf::strong_actor_ptr>(actor);
    if (owner_.size() <= pointer->id())
      owner_.resize(pointer->id() + 64, nowhere);
    owner_[pointer->id()] = machine;
    actors_[machine].push_back(std::move(pointer));
    return actor;
  }
  /// Ends every actor of a machine where it stands, as SIGKILL does.
  void kill(int machine) {
    frozen_.erase(machine);
    do {
      // Again before each turn: who reads of its end late may still spawn others.
      for (const auto& each : std::exchange(actors_[machine], {}))
        caf::anon_send_exit(caf::actor_cast<caf::actor>(each), caf::exit_reason::kill);
    } while (run_one([&](caf::actor_id id) { return owner(id) == machine; }));
  }
  void freeze(int machine) { frozen_.insert(machine); }
  void thaw(int machine) { frozen_.erase(machine); }
  bool frozen(int machine) const { return frozen_.contains(machine); }

  /// The actor whose turn it is has no other turn before `wait` has passed: it blocks in a call.
  void block(moment wait) { blocked_[current_] = now() + wait; }
  caf::actor_id current() const { return current_; }
  void wake(caf::actor_id id) { blocked_.erase(id); }

  // -- time ----

  void after(moment wait, std::function<void()> what) {
    agenda_.emplace(now() + wait, std::move(what));
  }

  /// One thing happens: what is due on the agenda, a turn of some actor, or time passes.
  void step(moment until) {
    if (!agenda_.empty() && agenda_.begin()->first <= now()) {
      auto what = std::move(agenda_.begin()->second);
      agenda_.erase(agenda_.begin());
      return what();
    }
    if (run_one([&](caf::actor_id id) { return may_run(id); }))
      // A turn takes 5 to 35 us.
      return pass(moment{int64_t(5 + below(30))});
    pass(std::max(moment{1}, next(until) - now()));
  }

private:
  int owner(caf::actor_id id) const { return id < owner_.size() ? owner_[id] : nowhere; }

  bool may_run(caf::actor_id id) {
    if (frozen_.contains(owner(id)))
      return false;
    auto at = blocked_.find(id);
    if (at == blocked_.end())
      return true;
    if (at->second > now())
      return false;
    blocked_.erase(at);
    return true;
  }

  template<class Predicate>
  bool run_one(Predicate may) {
    auto& jobs = jobs_.jobs;
    auto first = jobs.empty() ? 0 : below(jobs.size());
    for (size_t i = 0; i < jobs.size(); ++i) {
      auto at = (first + i) % jobs.size();
      auto id = dynamic_cast<caf::scheduled_actor&>(*jobs[at]).id();
      if (!may(id))
        continue;
      std::swap(jobs[0], jobs[at]);
      current_ = id;
      ++turns_;
      jobs_.try_run_once();
      return true;
    }
    return false;
  }

  moment next(moment until) const {
    auto at = until;
    if (!agenda_.empty())
      at = std::min(at, agenda_.begin()->first);
    const auto& timers = jobs_.clock().schedule();
    if (!timers.empty())
      at = std::min(at, std::chrono::ceil<moment>(timers.begin()->first - start_));
    for (const auto& [id, end] : blocked_)
      if (end > now())
        at = std::min(at, end);
    return at;
  }

  void pass(moment wait) { jobs_.advance_time(wait); }

  std::mt19937_64 random_;
  rtdp::test::deterministic system_;
  caf::scheduler::test_coordinator& jobs_ = system_.scheduler();
  std::chrono::steady_clock::time_point start_ = jobs_.clock().now();
  std::vector<int> owner_;
  std::map<int, std::vector<caf::strong_actor_ptr>> actors_;
  std::set<int> frozen_;
  std::map<caf::actor_id, moment> blocked_;
  std::multimap<moment, std::function<void()>> agenda_;
  caf::actor_id current_ = 0;
  uint64_t turns_ = 0;
};

} // namespace rtdp::simulation
