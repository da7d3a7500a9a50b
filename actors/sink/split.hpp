/// Writes a slice through a driver and, when the driver rejects it, halves it until the bad rows
/// stand alone, so that one poison value does not hold up the good rows around it. Plain; called by
/// the SINK actor's writer, one call at a time.
#pragma once

#include "actors/sink/driver.hpp"

#include <functional>
#include <string>
#include <vector>

namespace rtdp::sink {

struct bad_row {
  /// Position in the batch.
  size_t row = 0;
  /// The driver's words.
  std::string reason;
};

struct split_result {
  /// None: every row is written or in `bad`, and the progress is stored. `unavailable` and `fenced`
  /// are the driver's; `rejected` means that the table is wrong, not a row.
  rtdp::error error;
  /// Rows from the front of the slice that are written or in `bad`; after `unavailable` the caller
  /// goes on behind them.
  size_t done = 0;
  /// All of them, kept already unless `error` is `rejected` or `fenced`.
  std::vector<bad_row> bad;
};

/// Makes bad rows durable as dead letters. Its error ends the split.
using keep_bad = std::function<error(const std::vector<bad_row>&)>;

/// More bad rows than this without a good one between them are taken for a wrong table: no row of
/// it would ever fit, and all of them would end in the dead letters.
constexpr size_t bad_in_a_row_max = 100;

/// Keeps the order of rows. `f.progress` is stored with the last piece only, and `keep` is called
/// before that, so that a crash cannot leave a bad row behind the progress and out of the dead
/// letters. After the first rejection the driver's `prepare` looks at the table again; what it
/// rejects is returned as it is and no row is blamed.
/// With mutation `insert` the pieces before the last are durable without progress: a crash in
/// between appends them again.
split_result write_split(driver& to, const ums::slice& rows, const fence& f, const keep_bad& keep,
                         size_t bad_max = bad_in_a_row_max);

} // namespace rtdp::sink
