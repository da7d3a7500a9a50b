#include "actors/extract/postgres_driver.hpp"

namespace rtdp::extract::pg {

using namespace std::chrono_literals;

/// A source must not run while it misses changes for longer than 10 s (DESIGN §5): half of that.
constexpr auto check_every = 5s;

error postgres_driver::check_now_and_then() {
  if (clock::now() - checked_at_ < check_every)
    return {};
  checked_at_ = clock::now();
  return check_tables(*catalog_, set_.tables, set_.publication, at_.tables);
}

error postgres_driver::explained(error failed) {
  if (!(failed == ec::rejected))
    return failed;
  // A publication or table that was taken away is told by `open`, and what to do about it.
  auto changed = check_tables(*catalog_, set_.tables, set_.publication, at_.tables);
  return changed ? changed : failed;
}

} // namespace rtdp::extract::pg
