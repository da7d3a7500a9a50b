#include "actors/extract/routing.hpp"

#include "actors/extract/driver.hpp"
#include "actors/extract/log_events.hpp"
#include "runtime/bus/refusals.hpp"
#include "runtime/ums/codec.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace rtdp::extract {

namespace {

constexpr uint64_t fnv_basis = 0xcbf29ce484222325, fnv_prime = 0x100000001b3;

void mix(uint64_t& hash, std::string_view bytes) {
  for (char c : bytes)
    hash = (hash ^ uint8_t(c)) * fnv_prime;
}

void end(uint64_t& hash) { hash *= fnv_prime; }

uint32_t partition_of(uint64_t hash, uint32_t count) {
  return uint32_t((hash ^ hash >> 32) & UINT32_MAX) % count;
}

uint64_t hash_of(const ums::ns& table) {
  auto hash = fnv_basis;
  for (auto part : {ums::ns::datastore, ums::ns::instance, ums::ns::database, ums::ns::table}) {
    mix(hash, table[part]);
    end(hash);
  }
  return hash;
}

void mix_cell(uint64_t& hash, const ums::column& c, size_t row, std::string& text) {
  if (c.is_null(row)) {
    mix(hash, "\x01");
  } else if (c.type() == ums::type::long_ || c.type() == ums::type::int_) {
    char digits[24];
    auto stop = std::to_chars(digits, digits + sizeof digits, c.ints()[row]).ptr;
    mix(hash, {digits, size_t(stop - digits)});
  } else {
    text.clear();
    ums::append_cell(c, row, text);
    mix(hash, text);
  }
  end(hash);
}

/// Whether some table may match both.
bool overlap(const ums::ns& a, const ums::ns& b) {
  // Parts behind the table come and go with its versions.
  for (auto part : {ums::ns::datastore, ums::ns::instance, ums::ns::database, ums::ns::table})
    if (a[part].find('*') == std::string::npos && b[part].find('*') == std::string::npos &&
        a[part] != b[part])
      return false;
  return true;
}

error check(const route& to, bool compact) {
  if (auto failed = bus::check_topic_name(to.topic))
    return failed;
  if (compact && to.rows_per_message != 1)
    return rejected("topic " + to.topic + ": compact: true needs rows_per_message: 1, or the bus "
                    "would drop messages that hold several rows");
  return {};
}

} // namespace

config::spec with_source_options(config::spec own) {
  using config::field;
  own.add(field("topic", std::string(),
                "Topic of the source's tables on the bus; `rtdp.<source>` when empty. Two sources "
                "never share one.")
              .sample("rtdp.shop"))
      .add(field("partitions", int64_t{1},
                 "Partitions of each topic. The changes of one row keep their order: its key "
                 "chooses the partition. A topic that is there already must have as many.")
               .range(1, 1000))
      .add(field("rows_per_message", int64_t{0},
                 "Rows of a message, at most; 0 is as many as fit. With 1 each row is a message "
                 "whose key ends with the row's own, as compaction needs it.")
               .range(0, 1'000'000))
      .add(field("compact", false,
                 "Topics keep the last message of each row, whatever its age; needs "
                 "rows_per_message: 1. Counts when a topic is created.")
               .advanced())
      .add(field("strict", false,
                 "A row that cannot be decoded, masked or sent stops the source; else it becomes a "
                 "dead letter and the source goes on"));
  return own;
}

std::vector<config::field> route_fields() {
  using config::field;
  return {field("topic", std::string(), "Topic of these tables; the source's when empty.")
              .sample("rtdp.shop.orders"),
          field("rows_per_message", int64_t{-1},
                "Rows of a message of these tables, at most; -1 is what the source says.")
              .range(-1, 1'000'000)
              .advanced()};
}

result<routing> routing::read(const kind& k, const std::string& source,
                              const config::section& settings) {
  auto topic = settings.text("topic");
  routing out({topic.empty() ? "rtdp." + source : topic, settings.integer("rows_per_message")},
              {.partitions = int32_t(settings.integer("partitions")),
               .compact = settings.flag("compact")},
              source);
  auto tables = read_table_options(k, source, settings);
  if (!tables)
    return tables.error();
  for (auto& t : *tables) {
    auto to = out.all_;
    if (const auto& own = t.settings.text("topic"); !own.empty())
      to.topic = own;
    if (auto rows = t.settings.integer("rows_per_message"); rows >= 0)
      to.rows_per_message = rows;
    if (auto failed = check(to, out.options_.compact))
      return failed;
    out.items_.push_back({std::move(t), std::move(to)});
  }
  // What no table of a log source takes goes where the source's tables go by default.
  if (auto unmatched = logs::unmatched_pattern(k, source))
    out.items_.push_back({{.pattern = std::move(*unmatched), .settings = {}}, out.all_});
  if (auto failed = out.items_.empty() ? check(out.all_, out.options_.compact) : error{})
    return failed;
  return out;
}

const route& routing::of(const ums::ns& table) const {
  auto at = std::find_if(items_.begin(), items_.end(), [&](const item& i) {
    return i.table.merge ? i.table.merge->stands_for(i.table.pattern, table)
                         : i.table.pattern.matches(table);
  });
  return at == items_.end() ? all_ : at->to;
}

std::set<std::string> routing::topics() const {
  if (items_.empty())
    return {all_.topic};
  std::set<std::string> out;
  for (const auto& i : items_)
    out.insert(i.to.topic);
  return out;
}

std::set<std::string> routing::topics_for(const ums::ns& pattern) const {
  std::set<std::string> out;
  const auto& instance = pattern[ums::ns::instance];
  if (items_.empty() && (instance == source_ || instance.find('*') != std::string::npos))
    out.insert(all_.topic);
  for (const auto& i : items_)
    if (i.table.merge || overlap(i.table.pattern, pattern))
      out.insert(i.to.topic);
  return out;
}

std::vector<uint32_t> partitions_of(const ums::batch& b, uint32_t count) {
  std::vector<size_t> keys;
  for (size_t i = ums::system_columns; i < b.schema->fields.size(); ++i)
    if (b.schema->fields[i].key)
      keys.push_back(i);
  if (keys.empty() || count == 1)
    return std::vector<uint32_t>(b.rows(),
                                 count == 1 ? 0 : partition_of(hash_of(b.schema->name), count));
  std::vector<uint64_t> hashes(b.rows(), fnv_basis);
  std::string text;
  for (auto key : keys)
    for (size_t row = 0; row < hashes.size(); ++row)
      mix_cell(hashes[row], b.columns[key], row, text);
  std::vector<uint32_t> out(hashes.size());
  for (size_t row = out.size(); row-- > 0;)
    out[row] = b.op(row) == 'b' && row + 1 < out.size() ? out[row + 1]
                                                        : partition_of(hashes[row], count);
  return out;
}

std::string row_key(const ums::batch& b, size_t row) {
  auto values = nlohmann::json::array();
  for (size_t i = ums::system_columns; i < b.schema->fields.size(); ++i) {
    if (!b.schema->fields[i].key)
      continue;
    std::string text;
    if (!b.columns[i].is_null(row))
      ums::append_cell(b.columns[i], row, text);
    values.push_back(b.columns[i].is_null(row) ? nlohmann::json() : nlohmann::json(text));
  }
  return values.empty() ? ""
                        : values.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace rtdp::extract
