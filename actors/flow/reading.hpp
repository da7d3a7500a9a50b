/// The work of one STREAM, without an actor around it: reads the bus, decodes each message once,
/// and queues the batches for every flow that wants them. Owned by the STREAM actor; one thread.
///
/// Flows at the same place share a reader. A flow whose queue is full while another one waits gets
/// a reader of its own, so that a slow sink slows its own flow only; readers that meet again merge.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"
#include "runtime/state/dead_letters.hpp"
#include "runtime/ums/codec.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace rtdp::flow {

/// A batch of one partition, on its way to one flow.
struct batch_in_order {
  ums::batch_ptr data;
  std::string partition;
  int64_t first_offset = 0;
  /// Everything before it has been handed out once this batch is applied.
  int64_t next_offset = 0;
  /// When the bus took its last message, in whole milliseconds, and when that was read.
  int64_t bus_us = 0;
  int64_t read_us = 0;
};

struct reading_settings {
  std::string name;
  size_t fetch_bytes = 8 << 20;
  size_t batch_rows = 65'536;
  /// A flow's queue is full at so many batches, or so many bytes.
  size_t queue_batches = 8;
  size_t queue_bytes = 64 << 20;
  /// How a topic is made that a flow needs before its source has made it.
  std::map<std::string, bus::topic_options> topics = {};
};

class reading {
public:
  /// Dead letters go to the store in `data_dir`.
  reading(reading_settings settings, std::shared_ptr<bus::bus> bus, std::string data_dir);
  ~reading();

  /// Adds a flow at the given offsets ("topic/partition"; what is missing begins at the first one
  /// held; one that the bus no longer holds is `rejected`). A flow of that name that is there
  /// already is replaced, with its queue.
  error join(const std::string& flow, const ums::ns& pattern,
             const std::vector<std::string>& topics, const std::map<std::string, int64_t>& offsets);
  void leave(const std::string& flow);

  /// Reads once where there is room, waiting up to `wait` in all for something to come.
  error read(std::chrono::milliseconds wait);
  /// True when `read` would read: every queue of some reader has room, or a flow of it waits for
  /// another one and is to have a reader of its own.
  bool wants_to_read() const;

  /// The next batch for a flow, or null data. Small batches that have piled up come as one.
  batch_in_order next(const std::string& flow);
  /// True when nothing is queued for the flow and its reader stands at the end of every partition.
  result<bool> at_end(const std::string& flow);
  size_t queued_rows(const std::string& flow) const;
  /// Messages behind the flow's reader that the bus holds.
  result<int64_t> messages_behind(const std::string& flow);
  /// Rows queued for the flow, and an estimate of those that its reader has not read yet: messages
  /// by the rows that a message has held so far.
  result<int64_t> rows_behind(const std::string& flow);

  size_t readers() const { return groups_.size(); }
  uint64_t dead_letters() const { return dead_letter_count_; }
  uint64_t rows() const { return rows_; }

private:
  struct follower;
  struct group;
  using decoded = std::vector<std::pair<ums::ns, std::vector<ums::batch>>>;

  follower* find(const std::string& flow) const;
  /// Takes `f` only when it succeeds.
  error open_group(std::unique_ptr<follower>& f, std::map<bus::partition, int64_t> from);
  bool wanted(group& g, const std::string& key) const;
  error poll(group& g, std::chrono::milliseconds wait);
  error decode(group& g, const std::vector<const bus::message*>& messages, decoded& out);
  void queue(group& g, const bus::partition& from, int64_t first, int64_t next, int64_t bus_us,
             decoded batches);
  error keep(const bus::message& m, const std::string& reason, const std::string& bytes);
  void split_full();
  void merge_equal();

  reading_settings settings_;
  std::shared_ptr<bus::bus> bus_;
  std::string data_dir_;
  std::optional<state::dead_letter_store> dead_letters_;
  std::vector<std::unique_ptr<group>> groups_;
  uint64_t dead_letter_count_ = 0;
  uint64_t rows_ = 0;
  uint64_t messages_ = 0;
};

} // namespace rtdp::flow
