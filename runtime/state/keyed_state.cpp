#include "runtime/state/keyed_state.hpp"

#include "runtime/state/changes.hpp"
#include "runtime/state/merged_walk.hpp"
#include "runtime/state/store.hpp"

#include <algorithm>
#include <filesystem>

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

error prepare_one(database& db, const char* sql, statement& into) {
  auto made = db.prepare(sql);
  if (!made)
    return made.error();
  into = std::move(*made);
  return {};
}

/// The first key behind all that begin with `prefix`. REQUIRES: it has a byte below 0xff.
std::string behind(std::string_view prefix) {
  std::string end(prefix);
  while (uint8_t(end.back()) == 0xff)
    end.pop_back();
  ++end.back();
  return end;
}

void remove_file(const std::string& path) {
  std::error_code ignored;
  for (const char* tail : {"", "-wal", "-shm"})
    std::filesystem::remove(path + tail, ignored);
}

} // namespace

result<std::unique_ptr<keyed_state>> keyed_state::open(const keyed_state_settings& settings) {
  auto made = std::unique_ptr<keyed_state>(new keyed_state);
  made->settings_ = settings;
  auto open = [&] {
    // It may lose its last commits with a power cut, never a part of one.
    return open_store(settings.path, rows_version, rows_layout, database::durability::process);
  };
  auto db = open();
  if (!db && db.error() == ec::rejected) {
    remove_file(settings.path);
    db = open();
  }
  if (!db)
    return db.error();
  made->db_ = std::move(*db);
  if (auto failed = made->prepare())
    return failed;
  return made;
}

error keyed_state::prepare() {
  auto kb = std::to_string(settings_.cache_bytes / 1024);
  if (auto failed = db_.exec("PRAGMA cache_size = -" + kb +
                             "; PRAGMA wal_autocheckpoint = 8000;"
                             "PRAGMA journal_size_limit = 67108864"))
    return failed;
  for (auto failed :
       {prepare_one(db_, "SELECT v FROM kv WHERE k = ?1", get_),
        prepare_one(db_, "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT DO UPDATE SET v = excluded.v",
                    put_),
        prepare_one(db_, "DELETE FROM kv WHERE k = ?1", erase_),
        prepare_one(db_, "UPDATE point SET incarnation = ?1, version = ?2", point_),
        prepare_one(db_, "SELECT k, v FROM kv WHERE k >= ?1 AND k < ?2 ORDER BY k", up_),
        prepare_one(db_, "SELECT k, v FROM kv WHERE k >= ?1 AND k < ?2 ORDER BY k DESC", down_),
        prepare_one(db_, "SELECT k, v FROM kv WHERE k > ?1 AND k < ?2 ORDER BY k LIMIT ?3", on_)})
    if (failed)
      return failed;
  statement read;
  if (auto failed = prepare_one(db_, "SELECT incarnation, version FROM point", read))
    return failed;
  auto row = read.step();
  if (!row)
    return row.error();
  file_ = *row ? state_point{read.integer(0), read.integer(1)} : nowhere;
  return {};
}

// -- steps ----

result<std::optional<std::string_view>> keyed_state::get(std::string_view key) {
  using found = std::optional<std::string_view>;
  if (const auto* e = memory_.find(key))
    return e->second.gone ? found{} : found{e->second.value};
  get_.reset();
  get_.bind_blob(1, key);
  auto row = get_.step();
  if (!row)
    return row.error();
  return *row ? found{get_.text(0)} : found{};
}

overlay::cell& keyed_state::touch(std::string_view key) {
  auto [entry, is_new] = memory_.at(key);
  auto& cell = entry->second;
  if (is_new || cell.version <= version_) {
    touched_.push_back({entry, is_new ? overlay::cell{} : std::move(cell), is_new});
    cell = {};
    cell.version = version_ + 1;
  }
  return cell;
}

void keyed_state::put(std::string_view key, std::string_view value) {
  auto& cell = touch(key);
  cell.value = value;
  cell.gone = false;
}

void keyed_state::erase(std::string_view key) {
  auto& cell = touch(key);
  cell.value.clear();
  cell.gone = true;
}

error keyed_state::each(std::string_view prefix, const visitor& visit) {
  bool goes_on = true;
  memory_.each(prefix, [&](const overlay::entry& e) {
    if (goes_on && !e.second.gone)
      goes_on = visit(e.first, e.second.value);
  });
  auto end = behind(prefix);
  up_.bind_blob(1, prefix).bind_blob(2, end);
  while (goes_on) {
    auto row = up_.step();
    if (!row)
      return row.error();
    if (!*row)
      return {};
    if (!memory_.find(up_.text(0)))
      goes_on = visit(up_.text(0), up_.text(1));
  }
  up_.reset();
  return {};
}

error keyed_state::walk(std::string_view prefix, bool downwards, const visitor& visit) {
  auto end = behind(prefix);
  const auto& all = memory_.ordered();
  std::vector<const overlay::entry*> fresh;
  for (auto at = all.lower_bound(prefix); at != all.end() && at->first < end; ++at)
    fresh.push_back(&*at);
  if (downwards)
    std::reverse(fresh.begin(), fresh.end());
  auto& rows = downwards ? down_ : up_;
  rows.bind_blob(1, prefix).bind_blob(2, end);
  return merged_walk(rows, std::move(fresh), downwards).run(visit);
}

error keyed_state::look_on(std::string_view prefix, const std::string& after, size_t most,
                          const visitor& visit) {
  auto end = behind(prefix);
  const std::string begin = after.empty() ? std::string(prefix) : after;
  on_.bind_blob(1, begin).bind_blob(2, end).bind(3, int64_t(most));
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

// -- batches ----

std::shared_ptr<const std::string> keyed_state::commit() {
  auto changes = std::make_shared<std::string>();
  for (const auto& t : touched_)
    if (const auto& [key, cell] = *t.entry; cell.gone)
      append_erase(key, *changes);
    else
      append_put(key, cell.value, *changes);
  touched_.clear();
  ++version_;
  pending_bytes_ += changes->size();
  pending_.push_back({version_, changes});
  return changes;
}

void keyed_state::rollback() {
  for (auto& t : touched_)
    if (t.is_new)
      memory_.erase(std::string(t.entry->first));
    else
      t.entry->second = std::move(t.before);
  touched_.clear();
}

error keyed_state::committed(int64_t version, bool now) {
  for (const auto& p : pending_)
    if (p.version > ready_ && p.version <= version)
      ready_bytes_ += p.changes->size();
  ready_ = std::max(ready_, version);
  bool enough = ready_bytes_ >= settings_.memory_bytes || now;
  return enough && ready_ > file_.version ? flush(ready_) : error{};
}

error keyed_state::flush(int64_t version) {
  struct newest {
    std::string_view key, value;
    bool gone;
  };
  std::vector<newest> entries;
  size_t count = 0;
  for (; count < pending_.size() && pending_[count].version <= version; ++count)
    for (change_cursor at(*pending_[count].changes);;) {
      auto more = at.next();
      if (!more)
        return more.error();
      if (!*more)
        break;
      entries.push_back({at.key, at.value, at.gone});
    }
  if (count == 0)
    return {};
  std::stable_sort(entries.begin(), entries.end(),
                   [](const newest& a, const newest& b) { return a.key < b.key; });
  auto work = transaction::begin(db_);
  if (!work)
    return work.error();
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto& e = entries[i];
    // Of several changes of a key the last one counts.
    if (i + 1 == entries.size() || entries[i + 1].key != e.key)
      if (auto failed = write_file(e.key, e.value, e.gone))
        return failed;
  }
  state_point reached{incarnation_, pending_[count - 1].version};
  if (auto failed = put_point(reached))
    return failed;
  if (auto failed = work->commit())
    return failed;
  file_ = reached;
  for (const auto& e : entries)
    if (auto* held = memory_.find(e.key); held && held->second.version <= reached.version)
      memory_.erase(e.key);
  for (size_t i = 0; i < count; ++i)
    pending_bytes_ -= pending_[i].changes->size();
  pending_.erase(pending_.begin(), pending_.begin() + int64_t(count));
  ready_bytes_ = 0;
  return {};
}

error keyed_state::write_file(std::string_view key, std::string_view value, bool gone) {
  if (gone) {
    erase_.bind_blob(1, key);
    return erase_.run();
  }
  put_.bind_blob(1, key).bind_blob(2, value);
  return put_.run();
}

error keyed_state::put_point(state_point p) {
  point_.bind(1, p.incarnation).bind(2, p.version);
  return point_.run();
}

// -- restoring ----

size_t keyed_state::file_bytes() const {
  std::error_code none;
  auto size = std::filesystem::file_size(settings_.path, none);
  return none ? 0 : size_t(size);
}

error keyed_state::reset() {
  memory_.clear();
  touched_.clear();
  pending_.clear();
  pending_bytes_ = ready_bytes_ = 0;
  ready_ = 0;
  auto work = transaction::begin(db_);
  if (!work)
    return work.error();
  if (auto failed = db_.exec("DELETE FROM kv"))
    return failed;
  if (auto failed = put_point({}))
    return failed;
  if (auto failed = work->commit())
    return failed;
  file_ = {};
  return {};
}

error keyed_state::apply(std::string_view changes, std::optional<state_point> after) {
  auto work = transaction::begin(db_);
  if (!work)
    return work.error();
  for (change_cursor at(changes);;) {
    auto more = at.next();
    if (!more)
      return more.error();
    if (!*more)
      break;
    if (auto failed = write_file(at.key, at.value, at.gone))
      return failed;
  }
  auto reached = after.value_or(nowhere);
  if (auto failed = put_point(reached))
    return failed;
  if (auto failed = work->commit())
    return failed;
  file_ = reached;
  return {};
}

void keyed_state::begin(int64_t incarnation, int64_t version) {
  incarnation_ = incarnation;
  version_ = ready_ = version;
}

result<std::unique_ptr<keyed_state::snapshot>> keyed_state::take_snapshot() {
  auto made = std::make_unique<snapshot>();
  auto db = database::open_read_only(settings_.path);
  if (!db)
    return db.error();
  made->db_ = std::move(*db);
  // Everything it reads is of one moment, whatever the other connection writes meanwhile.
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

result<std::string> keyed_state::snapshot::next(size_t bytes) {
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
