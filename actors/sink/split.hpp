/// Writes a slice through a driver and, when the driver rejects it, halves it until the bad rows
/// stand alone, so that one poison value does not hold up the good rows around it. Plain; called by
/// the `writer`, one call at a time.
#pragma once

#include "actors/sink/driver.hpp"

#include <functional>
#include <string>

namespace rtdp::sink {

struct bad_row {
  /// Position in the batch.
  size_t row = 0;
  /// The driver's words.
  std::string reason;
};

struct split_result {
  /// None: every row is written or kept, and the progress behind the last is stored. `rejected`
  /// means that the table is wrong, not a row; the others are the driver's or those of `keep_bad`.
  rtdp::error error;
  /// Rows from the front of the slice that are written or kept; after `unavailable` the caller goes
  /// on behind them, with an empty slice when only the progress is missing.
  size_t done = 0;
  /// How many of them were kept.
  size_t bad = 0;
};

/// The fence for the time when the rows in front of `end`, a position in the batch, are done.
using fence_at = std::function<fence(size_t end)>;

/// Makes a bad row durable as a dead letter. Its error ends the split.
using keep_bad = std::function<error(const bad_row&)>;

/// More bad rows than this without a good one between them are taken for a wrong table: no row of
/// it would ever fit, and all of them would end in the dead letters.
constexpr size_t bad_in_a_row_max = 100;

/// Keeps the order of rows. Each piece stores the progress that `f` gives for its end in the
/// transaction of its rows, so that a crash between two pieces neither loses a row nor writes one
/// twice. A bad row is kept before anything behind it is written: no stored progress covers a row
/// that is nowhere. (A store of letters syncs once a bad row; finding the row cost more.)
///
/// After the first rejection the driver's `prepare` looks at the table again; what it rejects is
/// returned as it is and no row is blamed. A slice without rows of data (a truncate) is not split:
/// what the driver says is the result.
split_result write_split(driver& to, const ums::slice& rows, const fence_at& f,
                         const keep_bad& keep, size_t bad_max = bad_in_a_row_max);

} // namespace rtdp::sink
