/// A step that remembers rows of earlier batches. Owned by the FLOW's pipeline, which gives it its
/// part of the flow's state and makes one call at a time.
#pragma once

#include "actors/flow/step.hpp"
#include "runtime/state/keyed_state.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace rtdp::flow {

/// What a stateful step works with: its tables and the flow's own ids.
struct step_place {
  state::keyed_state* data = nullptr;
  /// The first byte of all its keys.
  uint8_t number = 0;
  /// The next ums_id_ for a row that the step makes itself: above every one that this flow gave
  /// before, in any of its lives.
  std::function<int64_t()> next_id;
};

/// A row that the step cannot take, by its ums_id_.
struct refused_row {
  int64_t ums_id = 0;
  std::string reason;
};

using batches = std::vector<ums::batch_ptr>;

class stateful_step : public step {
public:
  /// Before the first batch, and again when the state was restored.
  virtual void attach(step_place place) = 0;

  /// What its state depends on. A state that was made with another layout is of no use.
  virtual std::string layout() const = 0;

  /// True when it must see that a row is gone, as a delete that carries the row's key: whatever the
  /// target does with deletes. The steps before it must then be row by row.
  virtual bool counts_rows() const = 0;

  /// Takes the batches of one delivery: rows, or one truncate or sweep. The rows of one key come in
  /// any order; the highest ums_id_ counts. Appends what comes out.
  virtual error take(const batches& in, batches& out, std::vector<refused_row>& refused) = 0;

  stateful_step* with_state() final { return this; }
  result<ums::batch_ptr> apply(const ums::batch_ptr&, bad_rows&) final {
    return rejected("a step with state takes whole deliveries");
  }
};

} // namespace rtdp::flow
