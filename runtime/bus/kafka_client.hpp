/// One librdkafka handle with its settings, its callbacks and its last words. Nothing of librdkafka
/// is printed: what it says about its connections goes into the texts of our errors.
#pragma once

#include "runtime/bus/bus.hpp"

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>

namespace rtdp::bus {

/// Every call to a broker that has no time-out of its own ends after this.
constexpr int kafka_timeout_ms = 5000;

/// The settings of a Kafka bus, as declared in kafka_bus.cpp; the only ones that reach librdkafka.
struct kafka_settings {
  std::string brokers;
  std::string security, sasl_mechanism, username, ca_file;
  config::secret password;
  std::string compression;
  std::chrono::milliseconds linger{0};
  int64_t message_bytes_max = 0;
  int64_t queue_bytes = 0;
  int64_t fetch_bytes = 0;
  int64_t replication = -1;
  std::chrono::milliseconds retention{0};
  int64_t retention_bytes = 0;
};

/// Options of librdkafka by name.
using kafka_options = std::map<std::string, std::string>;

/// The handle may be used by several threads; `failed` and `words` too.
class kafka_client {
public:
  /// Connects in the background. `own` is what this producer or consumer needs beside the common
  /// options.
  static result<std::unique_ptr<kafka_client>> make(const kafka_settings& settings,
                                                    rd_kafka_type_t type, const std::string& name,
                                                    const kafka_options& own);
  ~kafka_client();
  kafka_client(const kafka_client&) = delete;
  kafka_client& operator=(const kafka_client&) = delete;

  rd_kafka_t* handle() const { return handle_; }

  /// The error for `code`, with what librdkafka said last.
  error failed(rd_kafka_resp_err_t code, const std::string& doing) const;
  /// Runs callbacks; waits up to `wait` for one.
  void serve(std::chrono::milliseconds wait);
  /// Makes librdkafka look at its queues now. Up to 2.1 a thread of its own that found a queue
  /// full, or a partition not ready, sleeps a whole second before it looks again (measured: 33 MB/s
  /// instead of 500), and nothing but a change of credentials wakes it: these stay the same.
  void wake();
  /// True once after the connections to all brokers were lost.
  bool take_all_down() { return all_down_.exchange(false); }

  /// Asks a broker; returns when it answers, at most after `timeout_ms`.
  error reach(int timeout_ms = kafka_timeout_ms);
  /// Number of partitions; an unknown topic is `rejected`.
  result<int32_t> partitions_of(const std::string& topic);
  result<range> held(const partition& p);

  /// Producers: what became of messages since the last call, empty if all arrived. Called by the
  /// thread that serves.
  error take_delivery_error();

private:
  kafka_client() = default;
  static void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text);
  static void on_error(rd_kafka_t* handle, int code, const char* text, void* self);
  static void on_delivery(rd_kafka_t* handle, const rd_kafka_message_t* m, void* self);
  void say(const std::string& text);
  result<int32_t> metadata(const std::string* topic, int timeout_ms);

  rd_kafka_t* handle_ = nullptr;
  std::string brokers_;
  std::string username_;
  config::secret password_;
  mutable std::mutex guard_;
  std::string words_;
  std::atomic<bool> all_down_{false};
  /// The broker does not know this user: trying again does not help.
  std::atomic<bool> refused_{false};
  error delivery_;
  int64_t undelivered_ = 0;
};

} // namespace rtdp::bus
