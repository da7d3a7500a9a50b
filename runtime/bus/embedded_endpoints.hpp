/// Producers and reader of the embedded bus. Private to the bus.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/bus/embedded_log.hpp"
#include "runtime/bus/embedded_owners.hpp"
#include "runtime/bus/embedded_topics.hpp"

#include <condition_variable>
#include <mutex>

namespace rtdp::bus {

/// Tells readers of this process what was committed, so that an idle one need not ask the disk.
class commit_signal {
public:
  void tell(const partition& p, int64_t end);
  uint64_t commits();
  /// 0 when nobody wrote to it in this process.
  int64_t end_of(const partition& p);
  /// Returns at `until`, or as soon as there are more commits than `seen`.
  void wait(uint64_t seen, std::chrono::steady_clock::time_point until);

private:
  std::mutex guard_;
  std::condition_variable committed_;
  uint64_t commits_ = 0;
  std::map<partition, int64_t> ends_;
};

/// What bus, producers and readers share; lives as long as any of them.
struct embedded_shared {
  embedded_shared(std::string folder, const log_options& defaults)
      : topics(std::move(folder), defaults) {}
  embedded_topics topics;
  commit_signal signal;
};
using embedded_shared_ptr = std::shared_ptr<embedded_shared>;

/// Messages on their way into the logs of their partitions.
class embedded_lanes {
public:
  explicit embedded_lanes(embedded_shared_ptr s) : shared_(std::move(s)) {}

  error add(const partition& to, std::string_view key, std::string_view value);
  /// Appends what waits: a partition's part all or none, the partitions in the order of their first
  /// message.
  error write(std::chrono::steady_clock::time_point until);
  size_t bytes() const { return bytes_; }
  size_t messages() const { return messages_; }

private:
  struct lane {
    log_writer log;
    std::vector<queued> group;
  };
  result<lane*> lane_of(const partition& p);

  embedded_shared_ptr shared_;
  std::map<partition, lane> lanes_;
  std::vector<partition> waiting_;
  size_t bytes_ = 0, messages_ = 0;
};

class embedded_producer : public producer {
public:
  explicit embedded_producer(embedded_shared_ptr s) : lanes_(std::move(s)) {}

  error send(const partition& to, std::string_view key, std::string_view value) override;
  error flush(std::chrono::milliseconds timeout) override;

private:
  embedded_lanes lanes_;
  error dead_;
};

/// Holds a transaction back until `flush`. Its partitions are files of their own: when the process
/// dies between two of them, those with the earlier first messages have it and the others have not.
class embedded_fenced_producer : public producer {
public:
  embedded_fenced_producer(embedded_shared_ptr s, std::unique_ptr<embedded_owner> owner)
      : lanes_(std::move(s)), owner_(std::move(owner)) {}

  error send(const partition& to, std::string_view key, std::string_view value) override;
  error flush(std::chrono::milliseconds timeout) override;

private:
  error write(std::chrono::milliseconds timeout);

  embedded_lanes lanes_;
  std::unique_ptr<embedded_owner> owner_;
  error dead_;
};

class embedded_reader : public reader {
public:
  explicit embedded_reader(embedded_shared_ptr s) : shared_(std::move(s)) {}

  error assign(const std::map<partition, int64_t>& from) override;
  error poll(std::chrono::milliseconds wait, size_t bytes_max, std::vector<message>& out) override;
  int64_t position(const partition& p) const override;

private:
  struct followed {
    partition p;
    std::shared_ptr<const std::string> topic;
    log_reader log;
    /// Next offset to read.
    int64_t position = 0;
  };
  error take(size_t bytes_max, std::vector<message>& out);

  embedded_shared_ptr shared_;
  std::vector<followed> followed_;
  size_t turn_ = 0;
  std::chrono::steady_clock::time_point next_look_;
};

} // namespace rtdp::bus
