#include "runtime/bus/kafka_endpoints.hpp"
#include "runtime/bus/refusals.hpp"

#include <algorithm>

namespace rtdp::bus {

using namespace std::chrono;

/// How long `send` waits for room in the queue.
constexpr milliseconds send_wait{5000};

result<std::unique_ptr<producer>> kafka_producer::make(const kafka_settings& settings,
                                                       const std::string& name,
                                                       std::shared_ptr<kafka_client> asking) {
  auto client = kafka_client::make(
      settings, RD_KAFKA_PRODUCER, name,
      {{"enable.idempotence", "true"},
       {"acks", "all"},
       {"message.timeout.ms", "0"},
       {"linger.ms", std::to_string(settings.linger.count())},
       {"compression.codec", settings.compression},
       {"queue.buffering.max.kbytes", std::to_string(settings.queue_bytes / 1024)}});
  if (!client)
    return client.error();
  auto made = std::make_unique<kafka_producer>();
  made->client_ = std::move(*client);
  made->asking_ = std::move(asking);
  return std::unique_ptr<producer>(std::move(made));
}

error kafka_producer::check(const partition& to) {
  auto found = known_.find(to.topic);
  if (found == known_.end()) {
    auto count = asking_->partitions_of(to.topic);
    if (!count)
      return count.error();
    // The producer itself looks for a new topic only once a second: asking makes it look now.
    if (auto own = client_->partitions_of(to.topic); !own)
      return own.error();
    found = known_.emplace(to.topic, *count).first;
  }
  if (to.index >= 0 && to.index < found->second)
    return {};
  return no_partition(to, found->second);
}

error kafka_producer::die(const error& why) {
  dead_ = why.in("this producer has failed before, make a new one");
  return why;
}

error kafka_producer::send(const partition& to, std::string_view key, std::string_view value) {
  if (dead_)
    return dead_;
  if (auto failed = check(to))
    return failed;
  // An empty value is a value: a null one would delete the key from a compacted topic.
  const char* data = value.empty() ? "" : value.data();
  auto until = steady_clock::now() + send_wait;
  for (;;) {
    auto code = rd_kafka_producev(client_->handle(), RD_KAFKA_V_TOPIC(to.topic.c_str()),
                                  RD_KAFKA_V_PARTITION(to.index),
                                  RD_KAFKA_V_KEY(key.empty() ? nullptr : key.data(), key.size()),
                                  RD_KAFKA_V_VALUE(const_cast<char*>(data), value.size()),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    bool full = code == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    client_->serve(milliseconds(full ? 50 : 0));
    if (auto undelivered = client_->take_delivery_error())
      return die(undelivered);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
      return {};
    if (code == RD_KAFKA_RESP_ERR__FATAL)
      return die(client_->failed(code, "writing to " + to.text()));
    if (!full || steady_clock::now() >= until)
      return client_->failed(code, "queueing a message of " + std::to_string(value.size()) +
                                       " bytes for " + to.text());
  }
}

error kafka_producer::flush(milliseconds timeout) {
  if (dead_)
    return dead_;
  auto code = rd_kafka_flush(client_->handle(), int(timeout.count()));
  if (auto undelivered = client_->take_delivery_error())
    return die(undelivered);
  char text[512];
  if (auto fatal = rd_kafka_fatal_error(client_->handle(), text, sizeof text))
    return die(client_->failed(RD_KAFKA_RESP_ERR__FATAL,
                               std::string(rd_kafka_err2name(fatal)) + ", " + text));
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
    return {};
  return die(client_->failed(code, "waiting " + std::to_string(timeout.count()) + " ms for " +
                                       std::to_string(rd_kafka_outq_len(client_->handle())) +
                                       " messages to be acknowledged"));
}

} // namespace rtdp::bus
