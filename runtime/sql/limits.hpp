/// What one query may use.
#pragma once

#include <chrono>
#include <cstdint>

namespace rtdp::sql {

struct limits {
  /// What its database may hold at a time; a query that needs more fails, it does not spill.
  int64_t memory_mb = 256;
  /// How long one execution may take.
  std::chrono::milliseconds time{30'000};
};

} // namespace rtdp::sql
