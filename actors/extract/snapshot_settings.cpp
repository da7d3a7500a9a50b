#include "actors/extract/snapshot_settings.hpp"

#include <algorithm>

namespace rtdp::extract {

std::vector<config::field> snapshot_fields() {
  using config::field;
  return {field("snapshot_chunk_rows", int64_t(20'000),
                "Rows that a snapshot reads at once, between two places of the log; fewer where "
                "rows are wide")
              .range(1, 1'000'000)
              .advanced(),
          field("snapshot_parallel", int64_t(2),
                "Chunks of snapshots that are read at the same time, each over a connection")
              .range(1, 16)
              .advanced(),
          field("snapshot_rows_per_second", int64_t(0),
                "Most rows that snapshots read a second, to spare the source; 0: no limit")
              .range(0, 1'000'000'000)};
}

snapshot_settings read_snapshot_settings(const config::section& given) {
  return {.chunk_rows = size_t(given.integer("snapshot_chunk_rows")),
          .parallel = size_t(given.integer("snapshot_parallel")),
          .rows_per_second = given.integer("snapshot_rows_per_second")};
}

void throttle::took(size_t rows, time_point now) {
  if (rows_per_second_ <= 0)
    return;
  auto cost = std::chrono::nanoseconds(int64_t(double(rows) * 1e9 / double(rows_per_second_)));
  next_ = std::max(next_, now) + cost;
}

} // namespace rtdp::extract
