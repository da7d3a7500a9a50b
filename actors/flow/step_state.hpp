/// The state of a flow's steps with all that keeps it: the file, the changelog, the ids. Owned by
/// the FLOW's pipeline; one thread. It blocks on a disk and on the bus, so such a FLOW is detached.
#pragma once

#include "actors/flow/stateful_step.hpp"
#include "runtime/bus/changelog_reader.hpp"
#include "runtime/core/shelf.hpp"
#include "runtime/state/changelog_encoder.hpp"
#include "runtime/state/keyed_state.hpp"
#include "runtime/state/progress.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace rtdp::flow {

struct step_state_settings {
  std::string flow;
  std::string data_dir;
  state::changelog_limits limits = {};
  /// But for the path, which is made of the above.
  state::keyed_state_settings keyed = {};
  /// Of the changelog, in memory.
  size_t recent_bytes = 16 << 20;
};

class step_state {
public:
  step_state(step_state_settings settings, std::shared_ptr<bus::bus> bus)
      : settings_(std::move(settings)), log_(std::move(bus), settings_.flow, settings_.recent_bytes) {}

  /// The one that the flow left behind when it went to another node, not long ago, or a new one.
  static std::shared_ptr<step_state> take_or_make(step_state_settings settings,
                                                  std::shared_ptr<bus::bus> bus, shelf& from);
  /// The flow goes on elsewhere, and may come back: what is in memory then has only to follow. Not
  /// used any more by who had it.
  static void leave_behind(std::shared_ptr<step_state> left, shelf& on);

  /// `layout`: of all steps with state.
  void set_layout(std::string layout) { layout_ = std::move(layout); }

  /// While another node runs the flow: takes in what its target is known to have, for about
  /// `limit`. True when there is nothing more for now.
  result<bool> catch_up(std::chrono::milliseconds limit);

  /// Restores the state at `wanted`, for about `limit`. True when it is there and a new incarnation
  /// goes on from it. `rejected`: it cannot be had, with what to do.
  result<bool> restore(state::state_point wanted, std::chrono::milliseconds limit);

  /// REQUIRES from here on: `restore` was true.
  step_place place(uint8_t number);
  state::state_point point() const { return data_->point(); }
  /// Ends a batch; its records, for the changelog, or null when it changed nothing.
  std::shared_ptr<const state::log_records> commit();
  void rollback();
  /// The target has it.
  error committed(state::state_point stored);

private:
  error open();
  result<bool> open_and_load(std::chrono::steady_clock::time_point until);
  error check_layout();
  error start();

  const step_state_settings settings_;
  std::string layout_;
  bus::changelog_reader log_;
  std::unique_ptr<state::keyed_state> data_;
  std::unique_ptr<state::changelog_encoder> encoder_;
  int64_t incarnation_ = 0;
  int64_t last_id_ = 0, last_id_before_ = 0;
  /// The state was empty, and no batch has changed it.
  bool is_fresh_ = false;
  /// Where the way leads that `catch_up` is on.
  std::optional<state::state_point> catching_up_;
  std::chrono::steady_clock::time_point flushed_{};
};

} // namespace rtdp::flow
