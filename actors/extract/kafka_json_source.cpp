/// Reads topics that other programs write. Its position is the next offset of each partition. What
/// was published since the last stored position is published again after a crash, under ids of its
/// own: partitions are not read in the same order twice.
#include "actors/extract/log_events.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace rtdp::extract {
namespace {

using namespace std::chrono;
using steady = steady_clock;

/// What one turn takes from the client's queue.
constexpr size_t poll_bytes = 4 << 20;
/// How often the ends of the partitions are asked for, and new partitions are looked for.
constexpr auto look_interval = 1s;
/// A partition may end with records that no reader gets (those of transactions): nothing for so
/// long is the end, too.
constexpr auto silence = 3s;

struct kafka_json_options {
  std::string source;
  config::texts topics;
  bool from_end = false, lost_is_fine = false, tombstones_are_rows = false;
};

using offsets = std::map<bus::partition, int64_t>;

std::string text_of(const offsets& all) {
  std::string out;
  for (const auto& [p, offset] : all)
    out += (out.empty() ? "" : " ") + p.text() + "=" + std::to_string(offset);
  return out;
}

/// `orders/0=17 orders/1=4`; a topic's name has neither blank nor `/` nor `=`.
result<offsets> parse(std::string_view text) {
  offsets out;
  auto whole = text;
  while (!text.empty()) {
    auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    auto slash = word.find('/'), equals = word.find('=');
    bus::partition p;
    int64_t offset = -1;
    auto end = word.data() + word.size();
    bool good =
        slash != word.npos && equals != word.npos && slash < equals &&
        std::from_chars(word.data() + slash + 1, end, p.index).ptr == word.data() + equals &&
        std::from_chars(word.data() + equals + 1, end, offset).ptr == end && offset >= 0;
    if (!good)
      return rejected("the stored position is no list of offsets: " + std::string(whole));
    p.topic = word.substr(0, slash);
    out[p] = offset;
  }
  return out;
}

class kafka_json_driver final : public driver {
public:
  kafka_json_driver(kafka_json_options o, std::unique_ptr<bus::bus> from,
                    const config::section& settings)
      : options_(std::move(o)), from_(std::move(from)), events_(options_.source, settings) {}

  error open(const std::string& position) override;
  error read(collector& out, milliseconds wait) override;
  error confirm(const std::string&) override { return {}; }
  bool replays() const override { return false; }
  source_progress progress() const override;

private:
  error look(bool is_first);
  void add(const bus::message& m, collector& out);

  kafka_json_options options_;
  std::unique_ptr<bus::bus> from_;
  std::unique_ptr<bus::reader> reader_;
  logs::events events_;
  offsets next_, ends_;
  std::vector<bus::message> messages_;
  bool left_out_ = false, idle_ = false;
  int64_t complete_until_us_ = 0;
  steady::time_point next_look_{}, last_message_ = steady::now();
};

error kafka_json_driver::open(const std::string& position) {
  auto stored = parse(position);
  if (!stored)
    return stored.error();
  next_ = std::move(*stored);
  if (auto failed = from_->open())
    return failed;
  auto made = from_->make_reader("rtdp-" + options_.source);
  if (!made)
    return made.error();
  reader_ = std::move(*made);
  return look(position.empty());
}

/// Learns the ends of all partitions, and reads those that are new. Only at the very first start
/// is there anything to pass over: what comes later was not there to be seen.
error kafka_json_driver::look(bool is_first) {
  next_look_ = steady::now() + look_interval;
  bool assign = is_first || ends_.empty();
  for (const auto& topic : options_.topics) {
    auto ranges = from_->ranges(topic);
    if (!ranges)
      return ranges.error();
    for (size_t i = 0; i < ranges->size(); ++i) {
      bus::partition p{topic, int32_t(i)};
      auto [first, end] = (*ranges)[i];
      ends_[p] = end;
      auto [at, is_new] = next_.try_emplace(p, is_first && options_.from_end ? end : first);
      if (!is_new && at->second < first && options_.lost_is_fine)
        at->second = first;
      assign = assign || is_new;
    }
  }
  // A topic that is no longer named keeps its offset, should it come back, but is not read.
  offsets wanted;
  for (const auto& [p, offset] : next_)
    if (ends_.count(p) != 0)
      wanted[p] = offset;
  return assign ? reader_->assign(wanted) : error{};
}

error kafka_json_driver::read(collector& out, milliseconds wait) {
  if (!std::exchange(left_out_, true))
    out.skip_ids(collector::ids_left_out);
  auto before = now_us();
  messages_.clear();
  if (auto failed = reader_->poll(wait, poll_bytes, messages_))
    return failed;
  for (const auto& m : messages_) {
    add(m, out);
    next_[{*m.topic, m.index}] = m.offset + 1;
  }
  auto now = steady::now();
  if (!messages_.empty()) {
    last_message_ = now;
    idle_ = false;
    out.commit(text_of(next_));
    return {};
  }
  if (now >= next_look_)
    if (auto failed = look(false))
      return failed;
  idle_ = now - last_message_ >= silence ||
          std::all_of(ends_.begin(), ends_.end(),
                      [&](const auto& end) {
                        // An offset behind the last message may be a mark of a transaction.
                        return std::max(next_[end.first], reader_->position(end.first)) >=
                               end.second;
                      });
  if (idle_)
    complete_until_us_ = before;
  return {};
}

void kafka_json_driver::add(const bus::message& m, collector& out) {
  auto partition = std::to_string(m.index), offset = std::to_string(m.offset);
  std::string timestamp;
  ums::append_datetime(m.timestamp_ms * 1000, timestamp);
  bool is_tombstone = m.value.empty();
  const logs::cell facts[] = {{.name = "@topic", .text = *m.topic},
                              {.name = "@partition", .text = partition},
                              {.name = "@offset", .text = offset},
                              {.name = "@timestamp", .text = timestamp},
                              {.name = "@key", .text = m.key, .null = m.key.empty()},
                              {.name = "@tombstone", .text = is_tombstone ? "true" : "false"}};
  logs::origin from{.ts_us = m.timestamp_ms * 1000, .facts = facts};
  if (!is_tombstone)
    events_.add(m.value, from, out);
  else if (options_.tombstones_are_rows)
    events_.add("{}", from, out);
}

source_progress kafka_json_driver::progress() const {
  return {.tables = events_.tables(""),
          .idle = idle_,
          .complete_until_us = complete_until_us_,
          .place = text_of(next_)};
}

// -- settings -----------------------------------------------------------------

bus::kind kafka() {
  auto all = bus::kinds();
  return *std::find_if(all.begin(), all.end(),
                       [](const bus::kind& k) { return k.spec.name == "kafka"; });
}

/// Of the settings of the Kafka bus.
bool is_for_reading(const std::string& name) {
  constexpr std::string_view names[] = {"brokers",  "security", "sasl_mechanism",    "username",
                                        "password", "ca_file",  "message_bytes_max", "fetch_bytes"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

config::spec kafka_json_spec() {
  using config::field;
  config::spec spec(
      "kafka_json",
      "Reads topics that other programs write, one event a message. Rules and columns find `@key`, "
      "`@timestamp`, `@topic`, `@partition`, `@offset` and `@tombstone`. After a crash the "
      "messages "
      "since the last stored position come again, as rows with new ids: give the flow keys, such "
      "as `@topic`, `@partition` and `@offset`, where that matters. Namespaces are "
      "`log.<source>.main.<table>`.");
  auto connection = kafka().spec.fields;
  spec.add(connection.front());
  spec.add(field("topics", config::texts{}, "Topics to read, by name.").required());
  logs::add_event_settings(spec);
  spec.add(field("from", std::string("beginning"), "Where the very first start begins.")
               .one_of({"beginning", "end"}));
  spec.add(field("on_lost", std::string("fail"),
                 "When the topic no longer holds the stored offset: fail, or go on with the first "
                 "message that it does hold.")
               .one_of({"fail", "skip"}));
  spec.add(field("tombstones", std::string("skip"),
                 "Messages without a value: pass over, or take as the event `{}` with its `@key`; "
                 "`@tombstone` is then true.")
               .one_of({"skip", "row"}));
  for (auto& f : connection)
    if (f.name != "brokers" && is_for_reading(f.name))
      spec.add(f.advanced());
  return spec;
}

std::unique_ptr<driver> make_kafka_json(const std::string& name, const config::section& s) {
  kafka_json_options o{.source = name,
            .topics = s.get<config::texts>("topics"),
            .from_end = s.text("from") == "end",
            .lost_is_fine = s.text("on_lost") == "skip",
            .tombstones_are_rows = s.text("tombstones") == "row"};
  auto kind = kafka();
  auto connection = kind.spec.defaults();
  for (auto& [setting, value] : connection.values)
    if (is_for_reading(setting))
      value = s.values.at(setting);
  return std::make_unique<kafka_json_driver>(std::move(o), kind.make(connection, {}), s);
}

std::vector<config::problem> check_kafka_json(const config::section& s) {
  auto problems = logs::check_events(s);
  auto topics = s.get<config::texts>("topics");
  for (const auto& topic : topics)
    if (topic.empty() || topic.find_first_of(" /=,") != topic.npos)
      problems.push_back({s.lines.contains("topics") ? s.lines.at("topics") : s.line, "topics",
                          "a topic's name has letters, digits, `.`, `_` and `-`; found " + topic});
  if (s.text("tombstones") == "row" && s.text("format") != "json")
    problems.push_back({s.lines.contains("tombstones") ? s.lines.at("tombstones") : s.line,
                        "tombstones", "row needs format: json"});
  return problems;
}

} // namespace

kind kafka_json_source() {
  return {kafka_json_spec(), &make_kafka_json, &logs::describe_events, &logs::event_pattern,
          &check_kafka_json};
}

} // namespace rtdp::extract
