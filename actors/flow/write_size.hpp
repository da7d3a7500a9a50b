/// How many rows a flow with state hands to its target at once. What changes the state together is
/// one transaction of the target, which cannot be cut afterwards: behind a drift a backlog of some
/// ten thousand rows was one, and the target stood still for 0.4 s. Owned by FLOW.
#pragma once

#include "runtime/protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rtdp::flow {

/// Follows what the target can do: half as many rows when about so many take longer than 50 ms,
/// twice as many when they take less than 25 ms.
class write_size {
public:
  size_t rows() const { return rows_; }

  /// A write of `rows` rows was handed over at `begun_us` and done at `done_us`. Writes are done in
  /// the order in which they began.
  void done(size_t rows, int64_t begun_us, int64_t done_us);

private:
  size_t rows_ = 1024;
  int64_t last_done_us_ = 0;
};

/// The delivery in pieces of `rows` rows at most. Only the last one completes its offsets; should
/// the flow die in between, the ids tell which rows were applied.
std::vector<runtime::delivery> cut(const runtime::delivery& d, size_t rows);

} // namespace rtdp::flow
