/// How long to wait before the next try. Pure: the caller keeps the attempt number.
#pragma once

#include <chrono>
#include <cstdint>

namespace rtdp {

struct backoff {
  std::chrono::milliseconds first{100};
  std::chrono::milliseconds most{30'000};

  /// Doubles from `first` up to `most`, then takes off up to a quarter, chosen by `seed`, so that
  /// components which failed together do not come back together. `attempt` counts from 0.
  std::chrono::milliseconds delay(uint32_t attempt, uint64_t seed) const {
    auto wait = attempt > 20 ? most : std::min(most, first * (int64_t{1} << attempt));
    auto mixed = (seed + attempt) * 0x9E3779B97F4A7C15ULL;
    return wait - std::chrono::milliseconds(wait.count() * int64_t(mixed >> 56) / 1024);
  }
};

} // namespace rtdp
