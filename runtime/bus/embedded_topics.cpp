#include "runtime/bus/embedded_topics.hpp"

#include "runtime/bus/refusals.hpp"
#include "runtime/state/store.hpp"

namespace rtdp::bus {
namespace {

constexpr int64_t topics_layout_version = 1;
constexpr const char* topics_layout =
    "CREATE TABLE topic(name TEXT PRIMARY KEY, partitions INTEGER NOT NULL,"
    "  retention_ms INTEGER, retention_bytes INTEGER, compact INTEGER NOT NULL)";

} // namespace

error embedded_topics::open() {
  std::lock_guard lock(guard_);
  if (is_open_)
    return {};
  auto db = state::open_store(folder_ + "/topics.db", topics_layout_version, topics_layout);
  if (!db)
    return db.error();
  db_ = std::move(*db);
  is_open_ = true;
  return {};
}

error embedded_topics::create(const std::string& name, const topic_options& options) {
  if (auto failed = check_topic_name(name))
    return failed;
  if (options.partitions < 1)
    return rejected("topic " + name + " must have at least 1 partition, found " +
                    std::to_string(options.partitions));
  if (find(name))
    return {};
  auto log = defaults_;
  log.compact = options.compact;
  // The files first: whoever finds the topic finds its partitions.
  for (partition p{name, 0}; p.index < options.partitions; ++p.index)
    if (auto made = log_writer::open(path_of(p), log); !made)
      return made.error();
  std::lock_guard lock(guard_);
  if (!is_open_)
    return unavailable("the embedded bus is not open");
  auto put = db_.prepare("INSERT INTO topic VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING");
  if (!put)
    return put.error();
  put->bind(1, name).bind(2, int64_t{options.partitions}).bind(5, int64_t{options.compact});
  if (options.retention)
    put->bind(3, int64_t{options.retention->count()});
  if (options.retention_bytes)
    put->bind(4, *options.retention_bytes);
  return put->run();
}

result<embedded_topics::topic> embedded_topics::find(const std::string& name) {
  std::lock_guard lock(guard_);
  if (!is_open_)
    return unavailable("the embedded bus is not open");
  if (auto known = known_.find(name); known != known_.end())
    return known->second;
  auto found = read(name);
  if (found)
    known_.emplace(name, *found);
  return found;
}

result<embedded_topics::topic> embedded_topics::read(const std::string& name) {
  auto query = db_.prepare(
      "SELECT partitions, retention_ms, retention_bytes, compact FROM topic WHERE name = ?1");
  if (!query)
    return query.error();
  query->bind(1, name);
  auto row = query->step();
  if (!row)
    return row.error();
  if (!*row)
    return rejected("there is no topic \"" + name + "\" on the embedded bus in " + folder_);
  topic found{int32_t(query->integer(0)), defaults_};
  if (!query->is_null(1))
    found.options.retention = std::chrono::milliseconds(query->integer(1));
  if (!query->is_null(2))
    found.options.retention_bytes = query->integer(2);
  found.options.compact = query->integer(3) != 0;
  return found;
}

result<log_options> embedded_topics::find(const partition& p) {
  auto found = find(p.topic);
  if (!found)
    return found.error();
  if (p.index < 0 || p.index >= found->partitions)
    return no_partition(p, found->partitions);
  return found->options;
}

} // namespace rtdp::bus
