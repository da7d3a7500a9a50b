/// The work of one FLOW, without an actor around it: leaves out what was applied already, runs the
/// steps, and knows the progress before and after each batch. Owned by the FLOW actor; one thread.
#pragma once

#include "actors/flow/step.hpp"
#include "runtime/core/error.hpp"
#include "runtime/protocol.hpp"
#include "runtime/state/progress.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::flow {

class pipeline {
public:
  explicit pipeline(std::vector<std::unique_ptr<step>> steps) : steps_(std::move(steps)) {}

  /// Where the flow stands; what `process` builds on.
  void restore(state::progress p) { progress_ = std::move(p); }
  const state::progress& progress() const { return progress_; }

  /// What SINK has to do for a delivery; nothing for a mark or rows that were applied before.
  /// An error means that a step cannot work on this schema: the flow must stop.
  result<std::optional<runtime::write_order>> process(const runtime::delivery& d);

private:
  result<ums::batch_ptr> run_steps(const ums::batch_ptr& rows, std::vector<runtime::unfit_row>& unfit);

  std::vector<std::unique_ptr<step>> steps_;
  state::progress progress_;
};

/// Position of the row of `origin` with the same ums_id_ as row `index` of `b`; `index` itself when
/// there is none. For dead letters, which keep rows as they came off the bus.
size_t row_of_origin(const ums::batch& origin, const ums::batch& b, size_t index);

} // namespace rtdp::flow
