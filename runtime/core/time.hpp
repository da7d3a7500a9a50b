/// Wall-clock time as UMS counts it: microseconds since 1970-01-01 UTC.
#pragma once

#include <chrono>
#include <cstdint>

namespace rtdp {

/// For ums_ts_ and for what people read; never for ids, leases or time-outs.
inline int64_t now_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

} // namespace rtdp
