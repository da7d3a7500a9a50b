/// Producer and reader of a Kafka bus. Private to the bus.
#pragma once

#include "runtime/bus/kafka_client.hpp"

#include <vector>

namespace rtdp::bus {

/// Idempotent, acknowledged by all in-sync replicas, and never giving up by itself: with a finite
/// message time-out librdkafka was measured to lose messages in the middle and to append later
/// ones.
class kafka_producer : public producer {
public:
  /// `asking` answers what topics there are; a producer's own handle would create them.
  static result<std::unique_ptr<producer>> make(const kafka_settings& settings,
                                                const std::string& name,
                                                std::shared_ptr<kafka_client> asking);

  error send(const partition& to, std::string_view key, std::string_view value) override;
  error flush(std::chrono::milliseconds timeout) override;

protected:
  kafka_producer(std::unique_ptr<kafka_client> client, std::shared_ptr<kafka_client> asking)
      : client_(std::move(client)), asking_(std::move(asking)) {}
  static kafka_options options(const kafka_settings& settings);

  std::unique_ptr<kafka_client> client_;
  /// What every call answers once one has failed.
  error dead_;

private:
  error check(const partition& to);
  error die(const error& why);

  std::shared_ptr<kafka_client> asking_;
  /// Partitions of each topic that was sent to.
  std::map<std::string, int32_t, std::less<>> known_;
};

/// A transaction from the first `send` to the next `flush`, under a transactional id. Kafka's epoch
/// of the producer keeps former owners out. What was sent and not flushed is undone at the end.
class kafka_fenced_producer final : public kafka_producer {
public:
  /// Waits up to 10 s, in which Kafka ends what the former owner had begun.
  static result<std::unique_ptr<producer>> make(const kafka_settings& settings,
                                                const std::string& id,
                                                std::shared_ptr<kafka_client> asking);
  ~kafka_fenced_producer() override;

  error send(const partition& to, std::string_view key, std::string_view value) override;
  error flush(std::chrono::milliseconds timeout) override;

private:
  using kafka_producer::kafka_producer;
  error take_id(std::chrono::milliseconds timeout);
  error begin();
  error commit(std::chrono::milliseconds timeout);
  void abort();
  error give_up(const error& why);

  std::string id_;
  bool begun_ = false;
};

/// Reads partitions by offset, without a consumer group: positions live with the data.
class kafka_reader : public reader {
public:
  static result<std::unique_ptr<reader>> make(const kafka_settings& settings,
                                              const std::string& name);
  ~kafka_reader() override;

  error assign(const std::map<partition, int64_t>& from) override;
  error poll(std::chrono::milliseconds wait, size_t bytes_max, std::vector<message>& out) override;
  int64_t position(const partition& p) const override;

private:
  struct followed {
    rd_kafka_topic_t* handle = nullptr;
    std::shared_ptr<const std::string> topic;
    int64_t position = 0;
  };

  kafka_reader() = default;
  void stop();
  error start(const partition& p, int64_t offset);
  error refused(const rd_kafka_message_t& m);
  error take(const rd_kafka_message_t& m, std::vector<message>& out);
  followed* followed_by(const rd_kafka_message_t& m);
  error check_brokers();
  rd_kafka_message_t* next(std::chrono::milliseconds wait);

  std::unique_ptr<kafka_client> client_;
  rd_kafka_queue_t* queue_ = nullptr;
  /// librdkafka is woken after this many bytes, and while an assignment is younger than a second.
  size_t wake_bytes_ = 0, taken_bytes_ = 0;
  std::chrono::steady_clock::time_point settled_;
  std::map<partition, followed> followed_;
  /// Of the assignment that failed; the next `assign` ends it.
  error broken_;
};

} // namespace rtdp::bus
