/// When a child that died is started again, and when it is given up. Pure: time is handed in.
/// Owned by NODE, one per child.
#pragma once

#include "runtime/core/backoff.hpp"
#include "runtime/core/error.hpp"

#include <chrono>
#include <deque>
#include <optional>

namespace rtdp::cluster {

using moment = std::chrono::steady_clock::time_point;

struct restart_limits {
  /// More crashes than this within `window` and the child is failed until a person starts it again.
  size_t crashes_max = 5;
  std::chrono::minutes window{10};
  backoff wait{std::chrono::milliseconds{200}, std::chrono::milliseconds{10'000}};
};

class supervision {
public:
  explicit supervision(restart_limits limits = {}) : limits_(limits) {}

  /// The child died. Returns when to start it again, or nothing when it is given up: at once for
  /// what a retry cannot help (`rejected`, `fenced`), at the limit when it crashed, never while
  /// something outside is `unavailable`.
  std::optional<moment> died(const error& why, bool crashed, moment now, uint64_t seed);
  /// A person starts it again: the past is forgotten.
  void forgive() {
    deaths_.clear();
    crashes_.clear();
  }

private:
  restart_limits limits_;
  /// Within the window. The back-off grows with each death, the limit counts crashes only.
  std::deque<moment> deaths_, crashes_;
};

} // namespace rtdp::cluster
