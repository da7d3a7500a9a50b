/// Where UMS messages travel: topics of ordered partitions. Two kinds: Kafka and an embedded log;
/// the same contract test runs over both. Plain classes, no actor; each object belongs to one
/// thread at a time, the bus itself may be used by several.
#pragma once

#include "config/spec.hpp"
#include "runtime/core/error.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::bus {

struct partition {
  std::string topic;
  int32_t index = 0;
  auto operator<=>(const partition&) const = default;
  /// "topic/0", for messages to people and as a key in checkpoints.
  std::string text() const { return topic + "/" + std::to_string(index); }
};

struct message {
  std::shared_ptr<const std::string> topic;
  int32_t index = 0;
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
  std::string key;
  /// Has at least 64 bytes of capacity behind its size, for simdjson.
  std::string value;
};

struct topic_options {
  int32_t partitions = 1;
  /// Messages older than this may go; 0 keeps them. Default: what the bus's settings say.
  std::optional<std::chrono::milliseconds> retention = std::nullopt;
  /// The oldest go when a partition is larger; 0 keeps them. Default: what the bus's settings say.
  std::optional<int64_t> retention_bytes = std::nullopt;
  /// Keeps at least the last message of a key, whatever its age.
  bool compact = false;
};

/// First offset still held and the offset of the next message to come. What is sent in a transaction
/// is behind the end until it is committed.
struct range {
  int64_t first = 0;
  int64_t end = 0;
};

class producer {
public:
  virtual ~producer() = default;

  /// Queues one message; order within a partition is the order of the calls. Waits up to 5 s when
  /// the queue is full, then `unavailable`; the message is then not queued.
  virtual error send(const partition& to, std::string_view key, std::string_view value) = 0;

  /// Returns when everything sent so far is durable, or an error after `timeout`. After an error it
  /// is unknown which of the messages arrived: drop the producer, make a new one and send again
  /// from the last flushed position.
  virtual error flush(std::chrono::milliseconds timeout) = 0;
};

class reader {
public:
  virtual ~reader() = default;

  /// Reads these partitions from these offsets on, and no others. An offset before the first held
  /// one, or behind the end, is an error (`rejected`) at the next `poll`, which names both.
  virtual error assign(const std::map<partition, int64_t>& from) = 0;

  /// Waits up to `wait` for the first message, then takes what is there, up to about `bytes_max`.
  /// Appends to `out`, in offset order per partition. No message is not an error.
  virtual error poll(std::chrono::milliseconds wait, size_t bytes_max,
                     std::vector<message>& out) = 0;

  /// Where the reader stands as of the last `poll`: everything below it was read. It may be ahead
  /// of the offset behind the last message, because some entries of a log are no messages: what a
  /// transaction leaves to mark its end, what was never committed. At rest it reaches the end that
  /// `ranges` names, some 100 ms after the last message. REQUIRES: `p` is assigned.
  virtual int64_t position(const partition& p) const = 0;
};

class bus {
public:
  virtual ~bus() = default;

  /// Reaches the broker or opens the log. Called again after `unavailable`.
  virtual error open() = 0;
  /// Does nothing when the topic exists, whatever its options.
  virtual error create_topic(const std::string& name, const topic_options& options) = 0;
  /// One per partition, by index. An unknown topic is `rejected`.
  virtual result<std::vector<range>> ranges(const std::string& topic) = 0;
  /// The first offset whose message is not older than `time_ms`; the end if there is none.
  virtual result<int64_t> offset_at(const partition& p, int64_t time_ms) = 0;

  virtual result<std::unique_ptr<producer>> make_producer(const std::string& client) = 0;
  /// A producer whose `id` one owner at a time has, in any process: making it takes the id from
  /// whoever had it. The former owner's next `flush` with anything to write, or a `send` before it,
  /// is `fenced`, and nothing more of it is ever seen.
  /// What was sent since the last `flush` is a transaction: readers see all of it, moments after
  /// `flush` has returned, or nothing. It must be flushed within 10 s of its first `send`, or it is
  /// undone; undone by the broker, it looks as if the id were taken. After `unavailable` from
  /// `flush` it is unknown which it was: drop the producer, make a new one and look.
  virtual result<std::unique_ptr<producer>> make_fenced_producer(const std::string& id) = 0;
  virtual result<std::unique_ptr<reader>> make_reader(const std::string& client) = 0;
};

/// What the platform knows about one kind of bus.
struct kind {
  config::spec spec;
  /// Several nodes can use it at a time, as a cluster needs.
  bool shared = false;
  /// `data_dir` is the node's folder, for the embedded log.
  std::unique_ptr<bus> (*make)(const config::section& settings, const std::string& data_dir);
};

/// All kinds, in the order of buses.def.
std::vector<kind> kinds();

} // namespace rtdp::bus
