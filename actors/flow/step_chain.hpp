/// Whether the steps of a flow work on a table, before its first row is there. Pure.
#pragma once

#include "actors/flow/step.hpp"
#include "runtime/core/error.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::flow {

struct step_chain {
  /// What comes out of the last step.
  ums::schema schema;
  /// Each row that comes out is one of the source's: a delete brings that one's key, and no column
  /// that a step makes.
  bool keeps_rows = true;
  /// What is wrong, and at which step, from 0.
  error failed;
  size_t step = 0;
};

/// Names with commas between them, for a message; "none" when there are none.
std::string joined(const std::vector<std::string>& names);

step_chain prepare_chain(const std::vector<std::unique_ptr<step>>& steps, const ums::schema& input);

} // namespace rtdp::flow
