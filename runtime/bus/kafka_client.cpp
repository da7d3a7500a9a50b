#include "runtime/bus/kafka_client.hpp"

#include <algorithm>
#include <syslog.h>

namespace rtdp::bus {
namespace {

constexpr size_t text_bytes = 512;

/// Wrong for good; everything else may pass: a broker restarts, a leader moves.
bool is_rejected(rd_kafka_resp_err_t code) {
  switch (code) {
  case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
  case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
  case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
  case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
  case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
  case RD_KAFKA_RESP_ERR_INVALID_RECORD:
  case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
  case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
  case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
  case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
  case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
  case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
  case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
  case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
  case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
  case RD_KAFKA_RESP_ERR__AUTHENTICATION:
  case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
  case RD_KAFKA_RESP_ERR__INVALID_ARG:
  case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    return true;
  default:
    return false;
  }
}

kafka_options common_options(const kafka_settings& s, const std::string& name) {
  kafka_options o{
      {"bootstrap.servers", s.brokers},
      {"client.id", "rtdp-" + name},
      {"security.protocol", s.security},
      // A dead connection is noticed and built again within seconds; the defaults are 30 s to 60 s.
      {"socket.connection.setup.timeout.ms", "5000"},
      {"socket.timeout.ms", "10000"},
      {"reconnect.backoff.ms", "100"},
      {"reconnect.backoff.max.ms", "1000"},
      {"socket.keepalive.enable", "true"},
      // A small message goes at once.
      {"socket.nagle.disable", "true"},
      {"message.max.bytes", std::to_string(s.message_bytes_max)},
      {"log.connection.close", "false"},
  };
  if (s.security == "ssl" || s.security == "sasl_ssl") {
    o["ssl.endpoint.identification.algorithm"] = "https";
    if (!s.ca_file.empty())
      o["ssl.ca.location"] = s.ca_file;
  }
  if (s.security.starts_with("sasl")) {
    o["sasl.mechanisms"] = s.sasl_mechanism;
    o["sasl.username"] = s.username;
    o["sasl.password"] = s.password.reveal();
  }
  return o;
}

using conf_ptr = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

error set_all(rd_kafka_conf_t* conf, const kafka_options& options) {
  char text[text_bytes];
  for (const auto& [name, value] : options)
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof text) != RD_KAFKA_CONF_OK)
      // The words of librdkafka may repeat the value, and that may be the password.
      return rejected("librdkafka does not take the option " + name +
                      (name == "sasl.password" ? std::string() : std::string(": ") + text));
  return {};
}

} // namespace

result<std::unique_ptr<kafka_client>> kafka_client::make(const kafka_settings& settings,
                                                         rd_kafka_type_t type,
                                                         const std::string& name,
                                                         const kafka_options& own) {
  std::unique_ptr<kafka_client> client(new kafka_client);
  client->brokers_ = settings.brokers;
  client->username_ = settings.username;
  client->password_ = settings.password;
  conf_ptr conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
  for (const auto& options : {common_options(settings, name), own})
    if (auto failed = set_all(conf.get(), options))
      return failed;
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  if (type == RD_KAFKA_PRODUCER)
    rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
  char text[text_bytes];
  client->handle_ = rd_kafka_new(type, conf.get(), text, sizeof text);
  if (client->handle_ == nullptr)
    return rejected(std::string("librdkafka does not start: ") + text);
  (void)conf.release(); // it belongs to the handle now
  return client;
}

kafka_client::~kafka_client() {
  if (handle_ == nullptr)
    return;
  // Whoever drops a producer sends again from the last flushed position: nothing is waited for.
  if (rd_kafka_type(handle_) == RD_KAFKA_PRODUCER)
    rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                RD_KAFKA_PURGE_F_NON_BLOCKING);
  rd_kafka_destroy(handle_);
}

// -- callbacks ----------------------------------------------------------------

void kafka_client::say(const std::string& text) {
  std::lock_guard lock(guard_);
  words_ = text.substr(0, text_bytes);
}

void kafka_client::on_log(const rd_kafka_t* handle, int level, const char*, const char* text) {
  if (level <= LOG_WARNING)
    static_cast<kafka_client*>(rd_kafka_opaque(handle))->say(text);
}

void kafka_client::on_error(rd_kafka_t*, int code, const char* text, void* self) {
  auto client = static_cast<kafka_client*>(self);
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    client->all_down_ = true; // its text only counts brokers; the error before it says why
    return;
  }
  if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION)
    client->refused_ = true;
  client->say(text);
}

void kafka_client::on_delivery(rd_kafka_t*, const rd_kafka_message_t* m, void* self) {
  if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
    return;
  auto client = static_cast<kafka_client*>(self);
  ++client->undelivered_;
  if (!client->delivery_)
    client->delivery_ = client->failed(
        m->err, "writing to " + partition{rd_kafka_topic_name(m->rkt), m->partition}.text());
}

// -- asking -------------------------------------------------------------------

error kafka_client::failed(rd_kafka_resp_err_t code, const std::string& doing) const {
  std::string text = doing + ": " + rd_kafka_err2str(code) + " (bus.brokers " + brokers_ + ")";
  std::lock_guard lock(guard_);
  if (!words_.empty())
    text += "; last heard: " + words_;
  return {is_rejected(code) || refused_ ? ec::rejected : ec::unavailable, std::move(text)};
}

void kafka_client::serve(std::chrono::milliseconds wait) {
  rd_kafka_poll(handle_, int(wait.count()));
}

void kafka_client::wake() {
  // Without SASL nobody reads them, but they must not be null.
  if (auto refused =
          rd_kafka_sasl_set_credentials(handle_, username_.c_str(), password_.reveal().c_str()))
    rd_kafka_error_destroy(refused);
}

error kafka_client::take_delivery_error() {
  if (!delivery_)
    return {};
  auto taken = std::exchange(delivery_, {});
  auto count = std::exchange(undelivered_, 0);
  return {taken.code(), taken.text() + " (" + std::to_string(count) + " messages not delivered)"};
}

result<int32_t> kafka_client::metadata(const std::string* topic, int timeout_ms) {
  auto destroy = [](rd_kafka_topic_t* t) { rd_kafka_topic_destroy(t); };
  std::unique_ptr<rd_kafka_topic_t, decltype(destroy)> asked(
      topic == nullptr ? nullptr : rd_kafka_topic_new(handle_, topic->c_str(), nullptr), destroy);
  const rd_kafka_metadata_t* answer = nullptr;
  auto doing = topic == nullptr ? "reaching a broker" : "asking for topic " + *topic;
  auto code = rd_kafka_metadata(handle_, 0, asked.get(), &answer, timeout_ms);
  serve(std::chrono::milliseconds(0));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failed(code, doing);
  std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> owned(
      answer, rd_kafka_metadata_destroy);
  if (topic == nullptr)
    return 0;
  if (answer->topic_cnt != 1)
    return failed(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, doing);
  const auto& found = answer->topics[0];
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failed(found.err, doing);
  for (int i = 0; i < found.partition_cnt; ++i)
    if (found.partitions[i].leader < 0)
      return failed(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, doing);
  return found.partition_cnt;
}

error kafka_client::reach(int timeout_ms) {
  using namespace std::chrono;
  auto until = steady_clock::now() + milliseconds(timeout_ms);
  // In steps of a second, so that a wrong password is told at once.
  for (;;) {
    auto left = duration_cast<milliseconds>(until - steady_clock::now()).count();
    auto answer = metadata(nullptr, int(std::clamp<int64_t>(left, 1, 1000)));
    if (answer)
      return {};
    if (answer.error() == ec::rejected || left <= 1000)
      return answer.error();
  }
}

result<int32_t> kafka_client::partitions_of(const std::string& topic) {
  return metadata(&topic, kafka_timeout_ms);
}

result<range> kafka_client::held(const partition& p) {
  range r;
  auto code = rd_kafka_query_watermark_offsets(handle_, p.topic.c_str(), p.index, &r.first, &r.end,
                                               kafka_timeout_ms);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failed(code, "asking what " + p.text() + " holds");
  return r;
}

} // namespace rtdp::bus
