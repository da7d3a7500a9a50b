#include "runtime/bus/kafka_endpoints.hpp"
#include "runtime/bus/refusals.hpp"

#include <algorithm>

namespace rtdp::bus {

using namespace std::chrono;

namespace {

/// Copies the message into librdkafka's queue.
rd_kafka_resp_err_t enqueue(rd_kafka_t* handle, const partition& to, std::string_view key,
                            std::string_view value) {
  rd_kafka_vu_t parts[5]{};
  parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  parts[0].u.cstr = to.topic.c_str();
  parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  parts[1].u.i32 = to.index;
  parts[2].vtype = RD_KAFKA_VTYPE_KEY;
  parts[2].u.mem = {key.empty() ? nullptr : const_cast<char*>(key.data()), key.size()};
  parts[3].vtype = RD_KAFKA_VTYPE_VALUE;
  // An empty value is a value: a null one would delete the key from a compacted topic.
  parts[3].u.mem = {const_cast<char*>(value.empty() ? "" : value.data()), value.size()};
  parts[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[4].u.i = RD_KAFKA_MSG_F_COPY;
  auto refused = rd_kafka_produceva(handle, parts, 5);
  if (refused == nullptr)
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  auto code = rd_kafka_error_code(refused);
  rd_kafka_error_destroy(refused);
  return code;
}

} // namespace

/// How long `send` waits for room in the queue.
constexpr milliseconds send_wait{5000};

kafka_options kafka_producer::options(const kafka_settings& settings) {
  return {{"enable.idempotence", "true"},
          {"acks", "all"},
          {"message.timeout.ms", "0"},
          {"linger.ms", std::to_string(settings.linger.count())},
          {"compression.codec", settings.compression},
          {"queue.buffering.max.kbytes", std::to_string(settings.queue_bytes / 1024)}};
}

result<std::unique_ptr<producer>> kafka_producer::make(const kafka_settings& settings,
                                                       const std::string& name,
                                                       std::shared_ptr<kafka_client> asking) {
  auto client = kafka_client::make(settings, RD_KAFKA_PRODUCER, name, options(settings));
  if (!client)
    return client.error();
  return std::unique_ptr<producer>(new kafka_producer(std::move(*client), std::move(asking)));
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
  auto until = steady_clock::now() + send_wait;
  for (;;) {
    auto code = enqueue(client_->handle(), to, key, value);
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
