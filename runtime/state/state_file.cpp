#include "runtime/state/state_file.hpp"

#include "runtime/state/changes.hpp"
#include "runtime/state/store.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace rtdp::state {
namespace {

constexpr int64_t rows_version = 1;
constexpr const char* rows_layout =
    "CREATE TABLE kv(k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE point(id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL,"
    "  version INTEGER NOT NULL);"
    "INSERT INTO point VALUES (1, 0, 0);";
/// The file is on its way between two points: an incarnation that no changelog names.
constexpr state_point nowhere{-1, 0};

constexpr size_t page_bytes = 4096;
constexpr int write_niceness = 10;
/// In SQLite's log, before they go into the file.
constexpr int most_pages_in_log = 8000;

error prepare_one(database& db, const char* sql, statement& into) {
  auto made = db.prepare(sql);
  if (!made)
    return made.error();
  into = std::move(*made);
  return {};
}

void remove_file(const std::string& path) {
  std::error_code ignored;
  for (const char* tail : {"", "-wal", "-shm"})
    std::filesystem::remove(path + tail, ignored);
}

/// It may lose its last commits with a power cut, never a part of one.
result<database> open_rows(const std::string& path) {
  return open_store(path, rows_version, rows_layout, database::durability::process);
}

/// In the order of their keys, so that each page is written once; of several changes of a key the
/// last one counts.
result<std::vector<size_t>> in_order(std::string_view changes) {
  auto entries = entries_of(changes);
  if (!entries)
    return entries;
  auto& all = *entries;
  auto key = [&](size_t begin) { return entry_at(changes, begin).key; };
  std::stable_sort(all.begin(), all.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  auto keep = all.begin();
  for (auto at = all.begin(); at != all.end(); ++at)
    if (at + 1 == all.end() || key(*at) != key(*(at + 1)))
      *keep++ = *at;
  all.erase(keep, all.end());
  return entries;
}

} // namespace

std::string key_behind(std::string_view prefix) {
  std::string end(prefix);
  while (uint8_t(end.back()) == 0xff)
    end.pop_back();
  ++end.back();
  return end;
}

result<std::unique_ptr<state_file>> state_file::open(const std::string& path, size_t cache_bytes) {
  auto made = std::make_unique<state_file>();
  made->path_ = path;
  auto db = open_rows(path);
  if (!db && db.error() == ec::rejected) {
    remove_file(path);
    db = open_rows(path);
  }
  if (!db)
    return db.error();
  made->db_ = std::move(*db);
  if (auto failed = made->prepare(cache_bytes))
    return failed;
  return made;
}

error state_file::prepare(size_t cache_bytes) {
  auto cache = "PRAGMA cache_size = -" + std::to_string(cache_bytes / 2 / 1024);
  if (auto failed = db_.exec(cache))
    return failed;
  for (auto failed :
       {prepare_one(db_, "SELECT v FROM kv WHERE k = ?1", get_),
        prepare_one(db_, "SELECT k, v FROM kv WHERE k >= ?1 AND k < ?2 ORDER BY k", up_),
        prepare_one(db_, "SELECT k, v FROM kv WHERE k >= ?1 AND k < ?2 ORDER BY k DESC", down_),
        prepare_one(db_, "SELECT k, v FROM kv WHERE k > ?1 AND k < ?2 ORDER BY k LIMIT ?3", on_),
        prepare_one(db_, "PRAGMA page_count", pages_)})
    if (failed)
      return failed;
  auto second = open_rows(path_);
  if (!second)
    return second.error();
  writer_.db = std::move(*second);
  if (auto failed = writer_.db.exec(cache + "; PRAGMA journal_size_limit = 67108864"))
    return failed;
  if (auto failed = writer_.prepare())
    return failed;
  statement read;
  if (auto failed = prepare_one(db_, "SELECT incarnation, version FROM point", read))
    return failed;
  auto row = read.step();
  if (!row)
    return row.error();
  point_ = *row ? state_point{read.integer(0), read.integer(1)} : nowhere;
  return {};
}

/// What is still in SQLite's log counts.
size_t state_file::bytes() {
  auto row = pages_.step();
  auto count = row && *row ? size_t(pages_.integer(0)) : 0;
  pages_.reset();
  return count * page_bytes;
}

state_file::~state_file() {
  writer_.gives_up = true;
  if (writing_.valid())
    sqlite3_interrupt(writer_.db.handle());
}

// -- reading ----

result<std::optional<std::string_view>> state_file::get(std::string_view key) {
  using found = std::optional<std::string_view>;
  if (!is_reading_)
    if (auto failed = db_.exec("BEGIN"))
      return failed;
  is_reading_ = true;
  get_.reset();
  get_.bind_blob(1, key);
  auto row = get_.step();
  if (!row)
    return row.error();
  return *row ? found{get_.text(0)} : found{};
}

void state_file::end_reading() {
  if (!std::exchange(is_reading_, false))
    return;
  get_.reset();
  // Nothing was written: it cannot fail in a way that matters.
  (void)db_.exec("COMMIT");
}

error state_file::look_on(std::string_view prefix, std::string_view after, size_t most,
                          const visitor& visit) {
  from_ = after.empty() ? prefix : after;
  // Of two bytes that every key begins with, the second is below 0xff.
  behind_ = prefix.empty() ? std::string(2, '\xff') : key_behind(prefix);
  on_.reset();
  on_.bind_blob(1, from_).bind_blob(2, behind_).bind(3, int64_t(most));
  for (;;) {
    auto row = on_.step();
    if (!row)
      return row.error();
    if (!*row)
      return {};
    if (!visit(on_.text(0), on_.text(1))) {
      on_.reset();
      return {};
    }
  }
}

statement& state_file::rows(std::string_view prefix, bool downwards) {
  auto& rows = downwards ? down_ : up_;
  from_ = prefix;
  behind_ = key_behind(prefix);
  rows.reset();
  rows.bind_blob(1, from_).bind_blob(2, behind_);
  return rows;
}

// -- writing ----

error state_file::writer::prepare() {
  for (auto failed :
       {prepare_one(db, "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT DO UPDATE SET v = excluded.v",
                    put),
        prepare_one(db, "DELETE FROM kv WHERE k = ?1", erase),
        prepare_one(db, "UPDATE point SET incarnation = ?1, version = ?2", point)})
    if (failed)
      return failed;
  // Takes the place of SQLite's own, which would wait for the disk within the commit.
  auto noted = [](void* pages, sqlite3*, const char*, int count) {
    *static_cast<int*>(pages) = count;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db.handle(), noted, &pages_in_log);
  return {};
}

error state_file::writer::put_point(state_point p) {
  point.bind(1, p.incarnation).bind(2, p.version);
  return point.run();
}

error state_file::writer::apply(std::string_view changes, state_point after) {
  auto entries = in_order(changes);
  if (!entries)
    return entries.error();
  auto work = transaction::begin(db);
  if (!work)
    return work.error();
  for (auto begin : *entries) {
    if (gives_up)
      return unavailable("the state is closed");
    auto e = entry_at(changes, begin);
    auto& change = e.gone ? erase : put;
    change.bind_blob(1, e.key);
    if (!e.gone)
      change.bind_blob(2, e.value);
    if (auto failed = change.run())
      return failed;
  }
  if (auto failed = put_point(after))
    return failed;
  return work->commit();
}

error state_file::writer::checkpoint() {
  if (pages_in_log < most_pages_in_log)
    return {};
  pages_in_log = 0;
  return db.exec("PRAGMA wal_checkpoint(PASSIVE)");
}

error state_file::apply(std::string_view changes, std::optional<state_point> after) {
  if (auto failed = written(true); failed && *failed)
    return *failed;
  auto reached = after.value_or(nowhere);
  if (auto failed = writer_.apply(changes, reached))
    return failed;
  point_ = reached;
  return writer_.checkpoint();
}

error state_file::reset() {
  if (auto failed = written(true); failed && *failed)
    return *failed;
  auto work = transaction::begin(writer_.db);
  if (!work)
    return work.error();
  if (auto failed = writer_.db.exec("DELETE FROM kv"))
    return failed;
  if (auto failed = writer_.put_point({}))
    return failed;
  if (auto failed = work->commit())
    return failed;
  point_ = {};
  return {};
}

void state_file::write(std::shared_ptr<const std::string> changes, state_point after) {
  writing_to_ = after;
  writing_ = std::async(std::launch::async, [this, changes = std::move(changes), after] {
    // Nobody waits for it while there is memory: rows go first.
    setpriority(PRIO_PROCESS, id_t(gettid()), write_niceness);
    auto failed = writer_.apply(*changes, after);
    return failed ? failed : writer_.checkpoint();
  });
}

std::optional<error> state_file::written(bool wait) {
  using namespace std::chrono_literals;
  if (!writing_.valid() || (!wait && writing_.wait_for(0s) != std::future_status::ready))
    return {};
  auto failed = writing_.get();
  if (!failed)
    point_ = writing_to_;
  return failed;
}

// -- a snapshot ----

result<std::unique_ptr<state_file::snapshot>> state_file::take_snapshot() {
  auto made = std::make_unique<snapshot>();
  auto db = database::open_read_only(path_);
  if (!db)
    return db.error();
  made->db_ = std::move(*db);
  // Everything it reads is of one moment, whatever another connection writes meanwhile.
  if (auto failed = made->db_.exec("BEGIN"))
    return failed;
  if (auto failed = prepare_one(made->db_, "SELECT k, v FROM kv ORDER BY k", made->rows_))
    return failed;
  statement point;
  if (auto failed = prepare_one(made->db_, "SELECT incarnation, version FROM point", point))
    return failed;
  auto row = point.step();
  if (!row)
    return row.error();
  made->of = {point.integer(0), point.integer(1)};
  return made;
}

result<std::string> state_file::snapshot::next(size_t bytes) {
  std::string out;
  while (!at_end_ && out.size() < bytes) {
    auto row = rows_.step();
    if (!row)
      return row.error();
    // Stepped again the statement would begin anew.
    at_end_ = !*row;
    if (at_end_)
      break;
    append_put(rows_.text(0), rows_.text(1), out);
  }
  return out;
}

} // namespace rtdp::state
