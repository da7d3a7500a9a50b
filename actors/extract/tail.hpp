/// What the bus holds of a source behind its stored position: read once when the source opens, so
/// that nothing is published twice. Plain function and values; owned by an `extraction`.
///
/// Why it is enough. A position is stored with the next id N when all rows below N are durable, and
/// rows below it are published before those above it; so in each partition everything with an id
/// from N on stands behind everything below, and the search ends at the first message below N,
/// which may be a mark (a mark has the highest id published so far). Rows of a log have the same
/// ids in the same order when they are read again from the position, and the rows of one table
/// reach one partition in the order of their ids; so what is not above the highest id held of its
/// table there is there already. The rows of a snapshot are not the same when they are read again,
/// but a chunk is settled alone: its ids are a run of which nothing else has any. Some of its rows
/// may be missing at either end, so the whole gap between the ids of the log around it is passed
/// by: a row of the log that would have an id there is not on the bus and gets a new one.
#pragma once

#include "actors/extract/collector.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace rtdp::extract {

struct bus_tail {
  /// Highest id of a row by partition and, within it, by namespace text. Before-images do not
  /// count: their `u` may be missing.
  std::map<bus::partition, std::map<std::string, int64_t>> highest;
  /// Ids that chunks of a snapshot took, first and last, ascending; no row of a log has any.
  std::vector<id_run> chunks;
  /// The highest id of all; 0 when nothing is behind the position.
  int64_t last_id = 0;

  int64_t highest_of(const bus::partition& p, const std::string& ns) const;
};

/// Reads the topics back to the first message whose ids are all below `next_id`. REQUIRES: no
/// other source writes to them.
result<bus_tail> read_tail(bus::bus& bus, const std::string& client,
                           const std::set<std::string>& topics, int64_t next_id);

/// An id above all that the last messages have: where a source begins whose stored state is gone.
/// 1 when the topics have never held anything.
result<int64_t> id_behind(bus::bus& bus, const std::string& client,
                          const std::set<std::string>& topics);

} // namespace rtdp::extract
