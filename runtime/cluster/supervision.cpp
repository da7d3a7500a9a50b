#include "runtime/cluster/supervision.hpp"

namespace rtdp::cluster {

std::optional<moment> supervision::died(const error& why, bool crashed, moment now,
                                        uint64_t seed) {
  if (why == ec::rejected || why == ec::fenced)
    return {};
  while (!deaths_.empty() && now - deaths_.front() > limits_.window)
    deaths_.pop_front();
  deaths_.push_back(now);
  if (crashed && deaths_.size() > limits_.deaths_max)
    return {};
  return now + limits_.wait.delay(uint32_t(deaths_.size() - 1), seed);
}

} // namespace rtdp::cluster
