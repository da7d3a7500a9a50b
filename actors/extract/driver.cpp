#include "actors/extract/driver.hpp"

namespace rtdp::extract {

error driver::beat(int64_t) { return {}; }

error driver::snapshot(const snapshot_request&) {
  return rejected("this kind of source takes no snapshot while it runs");
}

} // namespace rtdp::extract
