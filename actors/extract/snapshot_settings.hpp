/// The settings of snapshots that all drivers have in common, and the limit of their rate. Plain
/// values; a driver owns them.
#pragma once

#include "config/spec.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace rtdp::extract {

struct snapshot_settings {
  size_t chunk_rows = 20'000;
  /// Chunks that are read at the same time, each over a connection of its own.
  size_t parallel = 2;
  /// 0: as fast as it goes.
  int64_t rows_per_second = 0;
};

/// `snapshot_chunk_rows`, `snapshot_parallel`, `snapshot_rows_per_second`: for a driver's spec.
std::vector<config::field> snapshot_fields();
/// REQUIRES: the settings were checked against a spec with `snapshot_fields`.
snapshot_settings read_snapshot_settings(const config::section& given);

/// Keeps the rows of all chunks of a source below a rate. The caller gives the time.
class throttle {
public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit throttle(int64_t rows_per_second) : rows_per_second_(rows_per_second) {}
  /// When the next chunk may be begun.
  time_point next() const { return next_; }
  bool ready(time_point now) const { return now >= next_; }
  /// A chunk of so many rows was begun.
  void took(size_t rows, time_point now);

private:
  int64_t rows_per_second_;
  time_point next_{};
};

} // namespace rtdp::extract
