/// Turns batches into UMS messages, each on the topic and the partition of its rows, and leaves out
/// what the bus holds already. Owned by an `extraction`; one thread.
///
/// Rows of one table reach each partition in the order of their ids. Marks, truncates, sweeps and
/// terminations go to every partition of their table's topic, behind the rows before them.
#pragma once

#include "actors/extract/collector.hpp"
#include "actors/extract/routing.hpp"
#include "actors/extract/tail.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace rtdp::extract {

struct publisher_settings {
  /// About how large one message gets.
  size_t message_bytes = 256 * 1024;
  /// A row that is larger, with the message's key, cannot travel.
  size_t message_bytes_max = 1 << 20;
};

class publisher {
public:
  /// `held` is what was read back of the topics that `to` names.
  publisher(std::unique_ptr<bus::producer> producer, routing to, publisher_settings settings,
            bus_tail held = {})
      : producer_(std::move(producer)), to_(std::move(to)), settings_(settings),
        held_(std::move(held)) {}

  /// Encodes and queues `rows`, in one or several messages. A row that cannot travel is added to
  /// `bad`, with its message as far as there is one, so that a replay can apply it.
  error publish(const ums::slice& rows, std::vector<bad_row>& bad);

  /// Queues a message that is no row, with the rows before it.
  error put(const bus::partition& to, std::string_view key, std::string_view value);

  /// Returns when everything queued is durable.
  error flush(std::chrono::milliseconds timeout);

  /// Queued since the last flush.
  size_t unflushed_bytes() const { return unflushed_bytes_; }
  uint64_t bytes_total() const { return bytes_total_; }
  /// Rows queued; what the bus held already does not count.
  uint64_t rows_total() const { return rows_total_; }
  const routing& to() const { return to_; }

private:
  /// Where the rows of one namespace go.
  struct stream {
    route to;
    std::vector<bus::partition> partitions;
    /// By partition: rows up to this id are held.
    std::vector<int64_t> held;
    /// The key of each message of one row, in front of the row's own.
    std::string row_prefix;
  };
  stream& stream_of(const ums::ns& name);
  error publish_part(const stream& s, size_t partition, ums::slice rows,
                     std::vector<bad_row>& bad);
  error publish_split(const stream& s, const ums::slice& rows, std::vector<bad_row>& bad);
  error send(const stream& s, size_t partition, const ums::slice& rows, std::vector<bad_row>& bad);
  error send_parts(const stream& s, size_t partition, const ums::slice& rows,
                   const std::string& why, std::vector<bad_row>& bad);

  std::unique_ptr<bus::producer> producer_;
  routing to_;
  publisher_settings settings_;
  bus_tail held_;
  std::unordered_map<std::string, stream> streams_;
  size_t unflushed_bytes_ = 0;
  uint64_t bytes_total_ = 0, rows_total_ = 0;
  std::string text_;
};

} // namespace rtdp::extract
