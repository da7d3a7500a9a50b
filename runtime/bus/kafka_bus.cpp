/// The bus of a cluster: Apache Kafka through librdkafka. Settings are an allow-list: nothing that
/// a config file says reaches librdkafka unchecked.
#include "runtime/bus/kafka_endpoints.hpp"
#include "runtime/bus/refusals.hpp"

#include <algorithm>
#include <chrono>

namespace rtdp::bus {
namespace {

using namespace std::chrono;

template<class T, void (*destroy)(T*)>
struct destroyer {
  void operator()(T* p) const { destroy(p); }
};
template<class T, void (*destroy)(T*)>
using owned = std::unique_ptr<T, destroyer<T, destroy>>;
using new_topic_ptr = owned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using admin_options_ptr = owned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using queue_ptr = owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using event_ptr = owned<rd_kafka_event_t, rd_kafka_event_destroy>;
using offsets_ptr = owned<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;

constexpr int64_t mib = int64_t{1} << 20;

/// Kafka writes "keep for ever" as -1.
std::string limit(int64_t n) { return std::to_string(n == 0 ? -1 : n); }

class kafka_bus_ : public bus {
public:
  explicit kafka_bus_(kafka_settings s) : settings_(std::move(s)) {}

  error open() override {
    auto client = asking();
    return client ? (*client)->reach() : client.error();
  }

  error create_topic(const std::string& name, const topic_options& options) override {
    if (auto failed = check_topic_name(name))
      return failed;
    auto client = asking();
    if (!client)
      return client.error();
    auto known = (*client)->partitions_of(name);
    if (known || known.error() != ec::rejected)
      return known ? error{} : known.error();
    if (auto failed = create(**client, name, options))
      return failed;
    // The controller has it; the brokers hear of it, and lead it, a moment later.
    for (auto until = steady_clock::now() + milliseconds(kafka_timeout_ms);;) {
      auto held = ranges(name);
      if (held)
        return {};
      if (steady_clock::now() >= until)
        return held.error();
      (*client)->serve(milliseconds(10));
    }
  }

  result<std::vector<range>> ranges(const std::string& topic) override {
    auto client = asking();
    if (!client)
      return client.error();
    auto count = (*client)->partitions_of(topic);
    if (!count)
      return count.error();
    std::vector<range> all;
    for (partition p{topic, 0}; p.index < *count; ++p.index) {
      auto held = (*client)->held(p);
      if (!held)
        return held.error();
      all.push_back(*held);
    }
    return all;
  }

  result<int64_t> offset_at(const partition& p, int64_t time_ms) override {
    auto client = asking();
    if (!client)
      return client.error();
    auto count = (*client)->partitions_of(p.topic);
    if (!count)
      return count.error();
    if (p.index < 0 || p.index >= *count)
      return no_partition(p, *count);
    offsets_ptr asked(rd_kafka_topic_partition_list_new(1));
    auto one = rd_kafka_topic_partition_list_add(asked.get(), p.topic.c_str(), p.index);
    one->offset = time_ms;
    auto code = rd_kafka_offsets_for_times((*client)->handle(), asked.get(), kafka_timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
      code = one->err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return (*client)->failed(code, "asking " + p.text() + " for an offset by time");
    if (one->offset >= 0)
      return one->offset;
    auto held = (*client)->held(p);
    return held ? result<int64_t>(held->end) : held.error();
  }

  result<std::unique_ptr<producer>> make_producer(const std::string& name) override {
    auto client = asking();
    if (!client)
      return client.error();
    return kafka_producer::make(settings_, name, *client);
  }
  result<std::unique_ptr<producer>> make_fenced_producer(const std::string& id) override {
    auto client = asking();
    if (!client)
      return client.error();
    return kafka_fenced_producer::make(settings_, id, *client);
  }
  result<std::unique_ptr<reader>> make_reader(const std::string& name) override {
    return kafka_reader::make(settings_, name);
  }

private:
  /// The handle for questions; of the consumer kind, because asking never creates a topic there.
  result<std::shared_ptr<kafka_client>> asking() {
    std::lock_guard lock(guard_);
    if (asking_)
      return asking_;
    if (settings_.security.starts_with("sasl") && settings_.username.empty())
      return rejected("bus.security is " + settings_.security + ", which needs bus.username");
    auto made = kafka_client::make(settings_, RD_KAFKA_CONSUMER, "bus",
                                   // The end of a log is behind what was committed.
                                   {{"isolation.level", "read_committed"}});
    if (!made)
      return made.error();
    asking_ = std::move(*made);
    return asking_;
  }

  error create(kafka_client& client, const std::string& name, const topic_options& options) {
    char text[512];
    new_topic_ptr topic(rd_kafka_NewTopic_new(name.c_str(), options.partitions,
                                              int(settings_.replication), text, sizeof text));
    if (!topic)
      return rejected("topic " + name + ": " + text);
    kafka_options config{
        {"cleanup.policy", options.compact ? "compact" : "delete"},
        // Room for the header of a batch around the largest message.
        {"max.message.bytes", std::to_string(settings_.message_bytes_max + 65'536)}};
    if (options.compact) {
      // A segment is compacted when it is full: with Kafka's own 1 GiB a reader would have to go
      // through all of that first.
      config["segment.bytes"] =
          std::to_string(std::max(16 * mib, 2 * settings_.message_bytes_max));
    } else {
      config["retention.ms"] = limit(options.retention.value_or(settings_.retention).count());
      config["retention.bytes"] =
          limit(options.retention_bytes.value_or(settings_.retention_bytes));
    }
    for (const auto& [key, value] : config)
      rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str());
    queue_ptr answers(rd_kafka_queue_new(client.handle()));
    admin_options_ptr limits(
        rd_kafka_AdminOptions_new(client.handle(), RD_KAFKA_ADMIN_OP_CREATETOPICS));
    rd_kafka_AdminOptions_set_request_timeout(limits.get(), kafka_timeout_ms, text, sizeof text);
    rd_kafka_AdminOptions_set_operation_timeout(limits.get(), kafka_timeout_ms, text, sizeof text);
    auto asked = topic.get();
    rd_kafka_CreateTopics(client.handle(), &asked, 1, limits.get(), answers.get());
    event_ptr answer(rd_kafka_queue_poll(answers.get(), kafka_timeout_ms + 1000));
    return outcome(client, name, answer.get());
  }

  static error outcome(kafka_client& client, const std::string& name, rd_kafka_event_t* answer) {
    auto doing = "creating topic " + name;
    if (answer == nullptr)
      return client.failed(RD_KAFKA_RESP_ERR__TIMED_OUT, doing);
    if (auto code = rd_kafka_event_error(answer))
      return client.failed(code, doing + ": " + rd_kafka_event_error_string(answer));
    size_t count = 0;
    auto results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer), &count);
    auto code = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
      return {};
    const char* words = count == 1 ? rd_kafka_topic_result_error_string(results[0]) : nullptr;
    return client.failed(code, doing + (words == nullptr ? "" : std::string(": ") + words));
  }

  const kafka_settings settings_;
  std::mutex guard_;
  std::shared_ptr<kafka_client> asking_;
};

std::unique_ptr<bus> make_kafka(const config::section& settings, const std::string&) {
  kafka_settings s;
  s.brokers = settings.text("brokers");
  s.security = settings.text("security");
  s.sasl_mechanism = settings.text("sasl_mechanism");
  s.username = settings.text("username");
  s.password = settings.get<config::secret>("password");
  s.ca_file = settings.text("ca_file");
  s.compression = settings.text("compression");
  s.linger = settings.duration("linger");
  s.message_bytes_max = settings.integer("message_bytes_max");
  s.queue_bytes = settings.integer("queue_bytes");
  s.fetch_bytes = settings.integer("fetch_bytes");
  s.replication = settings.integer("replication");
  s.retention = settings.duration("retention");
  s.retention_bytes = settings.integer("retention_bytes");
  return std::make_unique<kafka_bus_>(std::move(s));
}

} // namespace

kind kafka_bus() {
  using config::field;
  config::spec spec{"kafka", "Apache Kafka, for one node or a cluster."};
  spec.add(field{"brokers", std::string(), "Brokers to begin with: host:port, by commas."}
               .required())
      .add(field{"security", std::string("plaintext"), "How connections are protected."}.one_of(
          {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"}))
      .add(field{"sasl_mechanism", std::string("SCRAM-SHA-512"), "How the user logs in."}.one_of(
          {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}))
      .add(field{"username", std::string(), "User, for `security: sasl_…`."})
      .add(field{"password", config::secret(), "Password of that user; by ${env:…} or ${file:…}."})
      .add(field{"ca_file", std::string(),
                 "PEM file of the authority that signed the brokers' certificates; default: the "
                 "system's."})
      .add(field{"compression", std::string("lz4"), "Of what is written."}.one_of(
          {"none", "lz4", "zstd"}))
      .add(field{"retention", milliseconds(hours(24 * 7)),
                 "Messages older than this may go; 0 keeps them. Counts when a topic is created."}
               .range(0, INT64_MAX))
      .add(field{"retention_bytes", int64_t{0},
                 "The oldest messages of a partition may go when it is larger; 0 keeps all. Counts "
                 "when a topic is created."}
               .range(0, INT64_MAX))
      .add(field{"replication", int64_t{-1},
                 "Copies of each partition of a new topic; -1 is the brokers' own default."}
               .range(-1, 100))
      .add(field{"linger", milliseconds(0),
                 "How long a message may wait for others to share a request with."}
               .range(0, 1000)
               .advanced())
      .add(field{"message_bytes_max", mib,
                 "Largest message; a row that needs more goes to the dead letters. The brokers' "
                 "own limit counts for topics that rtdp did not create."}
               .range(64 << 10, 64 * mib)
               .advanced())
      .add(field{"queue_bytes", 64 * mib, "What a producer holds back at most."}
               .range(mib, 1024 * mib)
               .advanced())
      .add(field{"fetch_bytes", 16 * mib, "What a reader holds at most of each partition."}
               .range(mib, 512 * mib)
               .advanced());
  return {std::move(spec), true, make_kafka};
}

} // namespace rtdp::bus
