/// One partition of the embedded bus: an SQLite file that is appended to in groups and loses its
/// oldest messages to retention. Writers in several processes exclude each other by SQLite's lock;
/// readers never wait for a writer. Each object belongs to one thread at a time.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/state/sqlite.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::bus {

struct log_options {
  state::database::durability durability = state::database::durability::full;
  std::chrono::milliseconds retention{0};
  int64_t retention_bytes = 0;
  bool compact = false;
};

/// A message that waits for its group.
struct queued {
  int64_t timestamp_ms = 0;
  std::string key;
  std::string value;
};

class log_writer {
public:
  static result<log_writer> open(const std::string& path, const log_options& options);

  /// Appends all or none and returns the new end; durable as the options say. Waits up to `wait`
  /// for another writer. In the same transaction goes what retention no longer keeps, in a bounded
  /// step: about twice as much as comes, so that a lowered limit is reached without a stall.
  /// REQUIRES: the group is not empty.
  result<int64_t> append(const std::vector<queued>& group, std::chrono::milliseconds wait);

private:
  /// The one row of `span`: what the log holds.
  struct span {
    int64_t first = 0, end = 0, bytes = 0, newest_ms = 0;
  };

  error load(span& held);
  error store(const span& held);
  error insert(const std::vector<queued>& group, span& held);
  error drop_older_of(const std::string& key, span& held);
  error trim(const std::vector<queued>& coming, span& held);

  log_options options_;
  state::database db_;
  state::statement load_, store_, insert_, drop_key_, oldest_, drop_;
};

class log_reader {
public:
  static result<log_reader> open(const std::string& path);

  result<range> held();
  /// Appends messages from offset `from` on, at least one if there is one, about `bytes_max` of
  /// them. `rejected` when `from` is not within what the log holds.
  error read(int64_t from, size_t bytes_max, const std::shared_ptr<const std::string>& topic,
             int32_t index, std::vector<message>& out);
  /// First offset whose message is not older; the end if there is none.
  result<int64_t> offset_at(int64_t time_ms);

private:
  result<int64_t> time_at(int64_t offset);

  state::database db_;
  state::statement held_, read_, time_at_;
};

} // namespace rtdp::bus
