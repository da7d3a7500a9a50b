/// Reads from a row of a batch what it adds to its group. Pure.
#pragma once

#include "actors/flow/aggregate_plan.hpp"
#include "actors/flow/aggregate_state.hpp"

#include <string>

namespace rtdp::flow {

struct row_to_read {
  const aggregate_settings& settings;
  const aggregate_plan& plan;
  const ums::batch& batch;
  size_t row = 0;
  /// What the row added before; null when it is new.
  const contribution* old = nullptr;
};

/// Of a column that the log did not carry, `fresh` has what the row added before. False: the row
/// cannot be taken, and `why`.
bool read_row(const row_to_read& r, contribution& fresh, std::string& why);

} // namespace rtdp::flow
