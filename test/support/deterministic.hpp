/// An actor system on a simulated clock: nothing runs unless the test says so, and time passes only
/// in `advance`. Owned by the test case; one thread. All actors that it spawned end with it.
#pragma once

#include "runtime/caf_error.hpp"
#include "runtime/system.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace rtdp::test {

/// What came back from `deterministic::ask`; filled when the actor answers, now or later.
template<class T>
struct answer {
  std::optional<T> value;
  rtdp::error error;
  bool arrived() const { return value || error; }
};

template<class T>
using answer_ptr = std::shared_ptr<answer<T>>;

class deterministic {
public:
  deterministic() = default;
  deterministic(const deterministic&) = delete;
  deterministic& operator=(const deterministic&) = delete;
  /// A live actor with a timer would keep the system for ever.
  ~deterministic() {
    for (const auto& each : spawned_)
      caf::anon_send_exit(caf::actor_cast<caf::actor>(each), caf::exit_reason::kill);
    run();
  }

  /// Never detached: a thread of its own would not follow the simulated clock.
  template<class F, class... Ts>
  auto spawn(F behaviour, Ts&&... xs) {
    return keep(system_.spawn(behaviour, std::forward<Ts>(xs)...));
  }
  /// Ends `actor`, which another actor spawned, with the test.
  template<class Handle>
  Handle keep(Handle actor) {
    spawned_.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor));
    return actor;
  }

  caf::actor_registry& registry() { return system_.registry(); }
  caf::scheduler::test_coordinator& scheduler() { return scheduler_; }

  template<class Handle, class... Ts>
  void send(const Handle& to, Ts&&... xs) {
    caf::anon_send(to, std::forward<Ts>(xs)...);
    run();
  }

  template<class T, class Handle, class... Ts>
  answer_ptr<T> ask(const Handle& to, Ts... xs) {
    auto into = std::make_shared<answer<T>>();
    spawn([=](caf::event_based_actor* self) {
      self->request(to, caf::infinite, xs...)
          .then([into](T& x) { into->value = std::move(x); },
                [into](caf::error& e) { into->error = runtime::from_caf(e); });
    });
    run();
    return into;
  }

  /// Ends `actor` from outside, as a crash does.
  template<class Handle>
  void kill(const Handle& actor) {
    caf::anon_send_exit(actor, caf::exit_reason::kill);
    run();
  }

  /// Runs until nobody has a message left. A SOURCE always has one, since it tells itself to read
  /// on, so there is an end: far more messages than any test needs.
  void run(size_t messages_max = 2000) {
    // The coordinator puts an actor that has more to do back in front; every second turn is for the
    // one at the back, so that SOURCE does not starve the others.
    bool more = true;
    for (size_t i = 0; i < messages_max && more; ++i)
      more = i % 2 == 0 ? scheduler_.try_run_once() : scheduler_.try_run_once_lifo();
  }

  /// Lets `time` pass in steps of `step`: a timer that arms itself again fires once a step at most.
  void advance(std::chrono::milliseconds time,
               std::chrono::milliseconds step = std::chrono::milliseconds{100}) {
    for (auto left = time; left.count() > 0; left -= step) {
      scheduler_.advance_time(std::min(left, step));
      run();
    }
  }

private:
  struct settings : runtime::system_config {
    settings() {
      set("scheduler.policy", caf::atom("testing"));
      set("logger.inline-output", true);
    }
  };

  settings settings_;
  caf::actor_system system_{settings_};
  caf::scheduler::test_coordinator& scheduler_ =
      dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  std::vector<caf::strong_actor_ptr> spawned_;
};

} // namespace rtdp::test
