/// The bugs that a test can plant in the simulated parts of a cluster. Each breaks a promise that
/// the real parts rely on.
#pragma once

#include <cstdint>

namespace rtdp::simulation {

enum class bug : uint8_t {
  none,
  /// The target takes rows and fences of any epoch.
  fence_not_checked,
  /// Taking the fence answers with the progress before the last.
  stale_progress,
  /// A write that breaks off has stored its progress, but not its rows.
  progress_without_rows,
  /// A write that breaks off has stored its rows, but not its progress.
  rows_without_progress,
  /// CATALOG answers that a record is durable when it is not.
  answered_not_durable,
  /// CATALOG answers before MEMBER has learned what was appended.
  answered_not_learned,
  /// A claim leaves the former leader its right to append.
  claim_without_fence,
  /// A placement keeps the epoch of the one before.
  epoch_not_raised,
  /// A node that was started again calls itself by the boot id that it had.
  boot_reused,
  /// A flow tells that it is frozen while rows are in flight.
  frozen_too_early,
  /// A flow takes the fence as soon as it is warm.
  warm_flow_writes,
  /// A flow that another node has got is not let go.
  drop_ignored,
};

inline constexpr int bugs = int(bug::drop_ignored);

inline const char* to_string(bug b) {
  constexpr const char* names[] = {"none",
                                   "fence_not_checked",
                                   "stale_progress",
                                   "progress_without_rows",
                                   "rows_without_progress",
                                   "answered_not_durable",
                                   "answered_not_learned",
                                   "claim_without_fence",
                                   "epoch_not_raised",
                                   "boot_reused",
                                   "frozen_too_early",
                                   "warm_flow_writes",
                                   "drop_ignored"};
  return names[int(b)];
}

} // namespace rtdp::simulation
