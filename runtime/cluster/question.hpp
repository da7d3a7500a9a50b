/// What was asked of whom, to say so when no answer comes. Pure.
#pragma once

#include "runtime/core/error.hpp"

#include <caf/fwd.hpp>

#include <chrono>
#include <string>

namespace rtdp::cluster {

struct question {
  /// "node n1"
  std::string whom;
  /// "to freeze flow orders"
  std::string what;
  /// How long was waited.
  std::chrono::milliseconds limit;
};

/// The lack of an answer in words, with what to do; an answer that is an error as it is.
error answer_to(const question& asked, const caf::error& e);

/// The same, and an answer has in front whose it is.
error answer_from(const question& asked, const caf::error& e);

} // namespace rtdp::cluster
