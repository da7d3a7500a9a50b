#include "runtime/bus/kafka_endpoints.hpp"
#include "runtime/bus/refusals.hpp"

#include <algorithm>

namespace rtdp::bus {

using namespace std::chrono;

result<std::unique_ptr<reader>> kafka_reader::make(const kafka_settings& settings,
                                                   const std::string& name) {
  auto fetch_bytes = std::max(settings.fetch_bytes, settings.message_bytes_max);
  auto client = kafka_client::make(
      settings, RD_KAFKA_CONSUMER, name,
      {{"enable.auto.commit", "false"},
       {"enable.auto.offset.store", "false"},
       // A gap is an error to be told, never a jump.
       {"auto.offset.reset", "error"},
       {"queued.max.messages.kbytes", std::to_string(settings.fetch_bytes / 1024)},
       {"fetch.message.max.bytes", std::to_string(settings.message_bytes_max)},
       {"fetch.max.bytes", std::to_string(fetch_bytes)},
       // Data ends the broker's wait at once; a partition that is added waits for it.
       {"fetch.wait.max.ms", "100"},
       {"fetch.error.backoff.ms", "100"},
       // Only what was committed, and where the log ends: its last entries may be no messages.
       {"isolation.level", "read_committed"},
       {"enable.partition.eof", "true"},
       {"check.crcs", "true"}});
  if (!client)
    return client.error();
  std::unique_ptr<kafka_reader> made(new kafka_reader);
  made->client_ = std::move(*client);
  made->queue_ = rd_kafka_queue_new(made->client_->handle());
  made->wake_bytes_ = size_t(settings.fetch_bytes) / 4;
  return std::unique_ptr<reader>(std::move(made));
}

kafka_reader::~kafka_reader() {
  stop();
  rd_kafka_queue_destroy(queue_);
}

void kafka_reader::stop() {
  for (auto& [p, f] : followed_) {
    rd_kafka_consume_stop(f.handle, p.index);
    rd_kafka_topic_destroy(f.handle);
  }
  followed_.clear();
}

error kafka_reader::assign(const std::map<partition, int64_t>& from) {
  stop();
  broken_ = {};
  // A queue of its own for each assignment: nothing of the old one is left in it.
  rd_kafka_queue_destroy(std::exchange(queue_, rd_kafka_queue_new(client_->handle())));
  std::map<std::string, int32_t> counts;
  for (const auto& [p, offset] : from) {
    auto known = counts.find(p.topic);
    if (known == counts.end()) {
      auto count = client_->partitions_of(p.topic);
      if (!count)
        return count.error();
      known = counts.emplace(p.topic, *count).first;
    }
    if (p.index < 0 || p.index >= known->second)
      return no_partition(p, known->second);
    if (auto failed = start(p, offset))
      return failed;
  }
  settled_ = steady_clock::now() + seconds(1);
  return {};
}

error kafka_reader::start(const partition& p, int64_t offset) {
  // librdkafka gives negative numbers a meaning (the end, the stored offset): not ours.
  if (offset < 0)
    return rejected("offset " + std::to_string(offset) + " of " + p.text() + " is below 0");
  auto handle = rd_kafka_topic_new(client_->handle(), p.topic.c_str(), nullptr);
  if (rd_kafka_consume_start_queue(handle, p.index, offset, queue_) != 0) {
    auto code = rd_kafka_last_error();
    rd_kafka_topic_destroy(handle);
    return client_->failed(code, "reading " + p.text());
  }
  followed_[p] = {handle, std::make_shared<const std::string>(p.topic), offset};
  return {};
}

rd_kafka_message_t* kafka_reader::next(milliseconds wait) {
  auto until = steady_clock::now() + wait;
  for (;;) {
    auto now = steady_clock::now();
    auto left = ceil<milliseconds>(until - now);
    bool settling = now < settled_;
    if (settling)
      client_->wake();
    auto slice = settling ? std::min(left, milliseconds(10)) : left;
    auto m = rd_kafka_consume_queue(queue_, int(std::max(slice, milliseconds(0)).count()));
    if (m != nullptr || slice >= left)
      return m;
  }
}

error kafka_reader::poll(milliseconds wait, size_t bytes_max, std::vector<message>& out) {
  if (broken_)
    return broken_;
  client_->serve(milliseconds(0));
  size_t bytes = 0, before = out.size();
  auto until = steady_clock::now() + wait;
  while (bytes < bytes_max || out.size() == before) {
    auto left = ceil<milliseconds>(until - steady_clock::now());
    auto m = next(out.size() == before ? std::max(left, milliseconds(0)) : milliseconds(0));
    if (m == nullptr)
      break;
    bool good = m->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    bytes += good ? m->len + m->key_len : 0;
    auto failed = good ? take(*m, out) : refused(*m);
    rd_kafka_message_destroy(m);
    if (failed)
      return broken_ = failed;
  }
  taken_bytes_ += bytes;
  if (taken_bytes_ >= wake_bytes_ && bytes > 0) {
    taken_bytes_ = 0;
    client_->wake();
  }
  return out.size() == before ? check_brokers() : error{};
}

kafka_reader::followed* kafka_reader::followed_by(const rd_kafka_message_t& m) {
  auto found = followed_.find(partition{rd_kafka_topic_name(m.rkt), m.partition});
  return found == followed_.end() ? nullptr : &found->second;
}

error kafka_reader::take(const rd_kafka_message_t& m, std::vector<message>& out) {
  auto from = followed_by(m);
  if (from == nullptr)
    return {};
  auto& into = out.emplace_back();
  into.topic = from->topic;
  into.index = m.partition;
  into.offset = m.offset;
  into.timestamp_ms = rd_kafka_message_timestamp(&m, nullptr);
  into.key.assign(static_cast<const char*>(m.key), m.key_len);
  into.value.reserve(m.len + 64);
  into.value.assign(static_cast<const char*>(m.payload), m.len);
  from->position = m.offset + 1;
  return {};
}

error kafka_reader::refused(const rd_kafka_message_t& m) {
  if (m.rkt == nullptr)
    return client_->failed(m.err, "reading");
  auto from = followed_by(m);
  if (m.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    if (from != nullptr)
      from->position = std::max(from->position, m.offset);
    return {};
  }
  partition p{rd_kafka_topic_name(m.rkt), m.partition};
  bool is_gone = m.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                 m.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
  if (!is_gone || from == nullptr)
    return client_->failed(m.err, "reading " + p.text());
  auto held = client_->held(p);
  if (!held)
    return held.error();
  return out_of_range(p, from->position, *held);
}

int64_t kafka_reader::position(const partition& p) const {
  auto found = followed_.find(p);
  return found == followed_.end() ? 0 : found->second.position;
}

error kafka_reader::check_brokers() {
  // An idle connection that a broker closed looks the same for a moment: ask before crying.
  return client_->take_all_down() ? client_->reach(1000) : error{};
}

} // namespace rtdp::bus
