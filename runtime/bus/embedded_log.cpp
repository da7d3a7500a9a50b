#include "runtime/bus/embedded_log.hpp"

#include "runtime/bus/refusals.hpp"
#include "runtime/state/store.hpp"

#include <algorithm>

namespace rtdp::bus {
namespace {

using state::statement;
using state::transaction;

constexpr int64_t log_layout_version = 1;
constexpr int page_bytes = 16'384;
// `at_ms` stands before the blobs, so that a search by time reads no message.
constexpr const char* log_layout =
    "CREATE TABLE log(offset INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, key BLOB NOT NULL,"
    "  value BLOB NOT NULL);"
    // The counters outlive the messages: an offset is never given twice.
    "CREATE TABLE span(id INTEGER PRIMARY KEY CHECK (id = 1), first INTEGER NOT NULL,"
    "  \"end\" INTEGER NOT NULL, bytes INTEGER NOT NULL, newest_ms INTEGER NOT NULL);"
    "INSERT INTO span VALUES (1, 0, 0, 0, 0);";
constexpr const char* key_index = "CREATE INDEX log_key ON log(key);";

/// From here on the write-ahead log goes into the file, as far as readers allow, and from there on
/// the writer waits for them: without that, readers that never pause would let it grow for ever.
constexpr int64_t checkpoint_bytes = int64_t{16} << 20;
constexpr int64_t checkpoint_bytes_most = int64_t{128} << 20;

int checkpoint(void*, sqlite3* db, const char* name, int pages) {
  int64_t bytes = int64_t{pages} * page_bytes;
  // A checkpoint that did not finish is tried again after the next commit.
  if (bytes >= checkpoint_bytes_most)
    sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
  else if (bytes >= checkpoint_bytes)
    sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return SQLITE_OK;
}

error prepare(state::database& db, const char* sql, statement& into) {
  auto made = db.prepare(sql);
  if (!made)
    return made.error();
  into = std::move(*made);
  return {};
}

/// One row or an error; the statement stays on it until it is reset.
error one_row(statement& query) {
  auto row = query.step();
  if (!row)
    return row.error();
  return *row ? error{} : rejected("the embedded log has lost its counters; restore it");
}

int64_t size_of(const queued& m) { return int64_t(m.key.size() + m.value.size()); }

} // namespace

// -- writer -------------------------------------------------------------------

result<log_writer> log_writer::open(const std::string& path, const log_options& options) {
  auto schema = std::string(log_layout) + (options.compact ? key_index : "");
  auto db = state::open_store(path, log_layout_version, schema, options.durability, page_bytes);
  if (!db)
    return db.error();
  log_writer log;
  log.options_ = options;
  log.db_ = std::move(*db);
  // 64 MB: what the write-ahead log shrinks back to after a burst.
  if (auto failed = log.db_.exec("PRAGMA journal_size_limit = 67108864"))
    return failed;
  sqlite3_wal_hook(log.db_.handle(), checkpoint, nullptr);
  auto& d = log.db_;
  for (auto failed :
       {prepare(d, "SELECT first, \"end\", bytes, newest_ms FROM span", log.load_),
        prepare(d, "UPDATE span SET first = ?1, \"end\" = ?2, bytes = ?3, newest_ms = ?4",
                log.store_),
        prepare(d, "INSERT INTO log VALUES (?1, ?2, ?3, ?4)", log.insert_),
        prepare(d, "DELETE FROM log WHERE key = ?1 RETURNING length(key) + length(value)",
                log.drop_key_),
        prepare(d, "SELECT offset, at_ms, length(key) + length(value) FROM log ORDER BY offset",
                log.oldest_),
        prepare(d, "DELETE FROM log WHERE offset < ?1", log.drop_)})
    if (failed)
      return failed;
  return log;
}

result<int64_t> log_writer::append(const std::vector<queued>& group,
                                   std::chrono::milliseconds wait) {
  sqlite3_busy_timeout(db_.handle(), int(wait.count()));
  auto work = transaction::begin(db_);
  if (!work)
    return work.error();
  span held;
  if (auto failed = load(held))
    return failed;
  // Before the insert, so that the pages which become free are used at once.
  if (auto failed = trim(group, held))
    return failed;
  if (auto failed = insert(group, held))
    return failed;
  if (auto failed = store(held))
    return failed;
  if (auto failed = work->commit())
    return failed;
  return held.end;
}

error log_writer::load(span& held) {
  if (auto failed = one_row(load_))
    return failed;
  held = {load_.integer(0), load_.integer(1), load_.integer(2), load_.integer(3)};
  load_.reset();
  return {};
}

error log_writer::store(const span& held) {
  store_.bind(1, held.first).bind(2, held.end).bind(3, held.bytes).bind(4, held.newest_ms);
  return store_.run();
}

error log_writer::insert(const std::vector<queued>& group, span& held) {
  for (const auto& m : group) {
    if (options_.compact && !m.key.empty())
      if (auto failed = drop_older_of(m.key, held))
        return failed;
    // Times never go back within a partition, whatever the clock does, so that they can be
    // searched.
    held.newest_ms = std::max(held.newest_ms, m.timestamp_ms);
    insert_.bind(1, held.end).bind(2, held.newest_ms).bind_blob(3, m.key).bind_blob(4, m.value);
    if (auto failed = insert_.run())
      return failed;
    ++held.end;
    held.bytes += size_of(m);
  }
  return {};
}

error log_writer::drop_older_of(const std::string& key, span& held) {
  drop_key_.bind_blob(1, key);
  for (;;) {
    auto row = drop_key_.step();
    if (!row)
      return row.error();
    if (!*row)
      return {};
    held.bytes -= drop_key_.integer(0);
  }
}

error log_writer::trim(const std::vector<queued>& coming, span& held) {
  bool by_age = options_.retention.count() > 0, by_size = options_.retention_bytes > 0;
  if (options_.compact || (!by_age && !by_size))
    return {};
  int64_t coming_bytes = 0;
  for (const auto& m : coming)
    coming_bytes += size_of(m);
  auto oldest_ms = coming.back().timestamp_ms - options_.retention.count();
  auto cut_most = std::min(held.end, held.first + 2 * int64_t(coming.size()) + 16);
  int64_t freed = 0, freed_most = 2 * coming_bytes + (int64_t{1} << 20);
  auto cut = held.first;
  for (; cut < cut_most && freed < freed_most; ++cut) {
    auto row = oldest_.step();
    if (!row)
      return row.error();
    bool too_old = *row && by_age && oldest_.integer(1) < oldest_ms;
    bool too_much = by_size && held.bytes - freed + coming_bytes > options_.retention_bytes;
    if (!*row || (!too_old && !too_much))
      break;
    freed += oldest_.integer(2);
  }
  oldest_.reset();
  if (cut == held.first)
    return {};
  held.first = cut;
  held.bytes -= freed;
  drop_.bind(1, cut);
  return drop_.run();
}

// -- reader -------------------------------------------------------------------

result<log_reader> log_reader::open(const std::string& path) {
  auto db = state::database::open_read_only(path);
  if (!db)
    return db.error();
  log_reader log;
  log.db_ = std::move(*db);
  auto& d = log.db_;
  for (auto failed :
       {prepare(d, "SELECT first, \"end\" FROM span", log.held_),
        prepare(d, "SELECT offset, at_ms, key, value FROM log WHERE offset >= ?1 ORDER BY offset",
                log.read_),
        prepare(d, "SELECT at_ms FROM log WHERE offset >= ?1 ORDER BY offset LIMIT 1",
                log.time_at_)})
    if (failed)
      return failed;
  return log;
}

result<range> log_reader::held() {
  if (auto failed = one_row(held_))
    return failed;
  range found{held_.integer(0), held_.integer(1)};
  held_.reset();
  return found;
}

error log_reader::read(int64_t from, size_t bytes_max,
                       const std::shared_ptr<const std::string>& topic, int32_t index,
                       std::vector<message>& out) {
  // One snapshot for both queries: retention must not cut between them.
  if (auto failed = db_.exec("BEGIN"))
    return failed;
  auto end_of_snapshot = std::unique_ptr<state::database, void (*)(state::database*)>(
      &db_, [](state::database* db) { (void)db->exec("COMMIT"); });
  auto found = held();
  if (!found)
    return found.error();
  if (from < found->first || from > found->end)
    return out_of_range({*topic, index}, from, *found);
  if (from == found->end)
    return {};
  read_.bind(1, from);
  for (size_t bytes = 0; bytes < bytes_max || bytes == 0;) {
    auto row = read_.step();
    if (!row)
      return row.error();
    if (!*row)
      return {};
    auto& m = out.emplace_back();
    auto key = read_.text(2), value = read_.text(3);
    m.topic = topic;
    m.index = index;
    m.offset = read_.integer(0);
    m.timestamp_ms = read_.integer(1);
    m.key = key;
    m.value.reserve(value.size() + 64);
    m.value = value;
    bytes += key.size() + value.size() + 1;
  }
  read_.reset();
  return {};
}

result<int64_t> log_reader::time_at(int64_t offset) {
  time_at_.bind(1, offset);
  auto row = time_at_.step();
  if (!row)
    return row.error();
  auto time = *row ? time_at_.integer(0) : INT64_MAX;
  time_at_.reset();
  return time;
}

result<int64_t> log_reader::offset_at(int64_t time_ms) {
  auto found = held();
  if (!found)
    return found.error();
  auto low = found->first, high = found->end;
  while (low < high) {
    auto middle = low + (high - low) / 2;
    auto time = time_at(middle);
    if (!time)
      return time.error();
    if (*time < time_ms)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

} // namespace rtdp::bus
