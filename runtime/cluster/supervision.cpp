#include "runtime/cluster/supervision.hpp"

namespace rtdp::cluster {

std::optional<moment> supervision::died(const error& why, bool crashed, moment now, uint64_t seed) {
  if (why == ec::rejected || why == ec::fenced)
    return {};
  for (auto* times : {&deaths_, &crashes_})
    while (!times->empty() && now - times->front() > limits_.window)
      times->pop_front();
  deaths_.push_back(now);
  if (crashed)
    crashes_.push_back(now);
  if (crashed && crashes_.size() > limits_.crashes_max)
    return {};
  return now + limits_.wait.delay(uint32_t(deaths_.size() - 1), seed);
}

} // namespace rtdp::cluster
