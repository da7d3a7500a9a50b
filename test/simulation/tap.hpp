/// Stands between a MEMBER and its NODE: hands everything on, tells the world what a drift does,
/// and plants what a test wants planted there.
#pragma once

#include "test/simulation/stores.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <map>
#include <string>

namespace rtdp::simulation {

struct tap_plan {
  clockwork* clock = nullptr;
  shared_log* log = nullptr;
  journal* events = nullptr;
  std::map<std::string, target_store>* stores = nullptr;
  std::string process;
  /// A drift came to this step.
  std::function<void(const char* step)> on_step;
};

struct tap_state {
  tap_plan plan;
  runtime::node_actor node;
  /// Counts thaws and drops.
  uint64_t moved = 0;
  static inline constexpr const char* name = "tap";
};
using tap_pointer = runtime::node_actor::stateful_pointer<tap_state>;

inline void tell_step(tap_pointer self, const char* step, const std::string& flow) {
  const auto& p = self->state.plan;
  p.events->note("{}: {} {}", p.process, step, flow);
  p.on_step(step);
}

template<class T, class... Ts>
caf::result<T> hand_on(tap_pointer self, std::function<void(const T&)> seen, Ts... xs) {
  auto promise = self->make_response_promise<T>();
  self->request(self->state.node, caf::infinite, std::move(xs)...)
      .then(
          [promise, seen](T& x) mutable {
            if (seen)
              seen(x);
            promise.deliver(std::move(x));
          },
          [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
  return promise;
}

inline caf::result<bool> tap_warm(tap_pointer self, const std::string& flow,
                                  const std::string& progress) {
  namespace atom = runtime::atom;
  tell_step(self, "prepare", flow);
  return hand_on<bool>(
      self,
      [self, flow](const bool&) {
        tell_step(self, "prepared", flow);
        const auto& p = self->state.plan;
        if (p.log->planted == bug::warm_flow_writes)
          if (const auto* before = p.log->decided().find("flow." + flow))
            caf::anon_send(self->state.node, atom::place_v, std::string("flow"), flow,
                           int64_t{before->epoch + 1});
      },
      atom::warm_v, flow, progress);
}

inline caf::result<std::string> tap_freeze(tap_pointer self, const std::string& flow) {
  namespace atom = runtime::atom;
  const auto& p = self->state.plan;
  tell_step(self, "freeze", flow);
  auto* store = &p.stores->at(flow);
  // It thaws by itself 5 s behind the order.
  auto until = p.clock->now() + 5s;
  std::function<void(const std::string&)> seen = [self, flow, store, until,
                                                  moved = self->state.moved](const std::string&) {
    // It may have been thawed before this answer came through.
    if (self->state.moved == moved)
      store->expect_silence(self->state.plan.process, until);
    tell_step(self, "frozen", flow);
  };
  if (p.log->planted != bug::frozen_too_early)
    return hand_on<std::string>(self, seen, atom::freeze_v, flow);
  auto early = hand_on<std::string>(self, seen, atom::progress_v, flow);
  caf::anon_send(self->state.node, atom::freeze_v, flow);
  return early;
}

inline runtime::node_actor::behavior_type tap(tap_pointer self, tap_plan plan,
                                              runtime::node_actor node) {
  namespace atom = runtime::atom;
  self->state.plan = std::move(plan);
  self->state.node = std::move(node);
  auto moves = [self](const std::string& flow) {
    const auto& p = self->state.plan;
    ++self->state.moved;
    p.stores->at(flow).allow(p.process);
  };
  return {
      [self](atom::start, const std::string& c, const std::string& n) {
        return hand_on<bool>(self, {}, atom::start_v, c, n);
      },
      [self](atom::stop, const std::string& c, const std::string& n) {
        return hand_on<bool>(self, {}, atom::stop_v, c, n);
      },
      [self](atom::replay, const std::string& flow, const std::string& m) {
        return hand_on<bool>(self, {}, atom::replay_v, flow, m);
      },
      [self](atom::snapshot, const runtime::snapshot_order& o) {
        return hand_on<bool>(self, {}, atom::snapshot_v, o);
      },
      [self](atom::idle) { return hand_on<bool>(self, {}, atom::idle_v); },
      [self](atom::place, const std::string& c, const std::string& n, int64_t epoch) {
        self->state.plan.events->note("{}: place {} {}", self->state.plan.process, n, epoch);
        self->state.plan.on_step("resume");
        return hand_on<bool>(self, {}, atom::place_v, c, n, epoch);
      },
      [self, moves](atom::drop, const std::string& c, const std::string& n) -> caf::result<bool> {
        tell_step(self, "drop", n);
        if (self->state.plan.log->planted == bug::drop_ignored)
          return true;
        moves(n);
        return hand_on<bool>(self, {}, atom::drop_v, c, n);
      },
      [self](atom::warm, const std::string& flow, const std::string& progress) {
        return tap_warm(self, flow, progress);
      },
      [self](atom::freeze, const std::string& flow) { return tap_freeze(self, flow); },
      [self, moves](atom::thaw, const std::string& flow) {
        tell_step(self, "thaw", flow);
        moves(flow);
        self->send(self->state.node, atom::thaw_v, flow);
      },
      [self](atom::progress, const std::string& flow) {
        return hand_on<std::string>(self, {}, atom::progress_v, flow);
      },
      [self](atom::apply, const cluster::plan_ptr& next) {
        return hand_on<bool>(self, {}, atom::apply_v, next);
      },
      [self](atom::stop) { self->send(self->state.node, atom::stop_v); },
      [](atom::tick) {},
  };
}

} // namespace rtdp::simulation
