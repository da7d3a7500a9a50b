/// Reads a SQLite database file that an application writes: first what its tables hold, then every
/// change, from the log that triggers fill (sqlite_log.hpp has the log and its limits).
///
/// How a snapshot and the changes fit together without gap and without double:
/// each turn is one short read transaction, so it sees the log and the tables at one moment. It reads
/// the log to its end, entry S, and only then the next piece of a table, which is therefore the
/// table as of S. The position says (S, table, last key K). From then on an entry of that table is
/// handed over if its key is not behind K; an entry behind K is left out, since the piece that
/// brings this key is read later and shows its effect. A row that moves across K by a changed
/// key is two entries, `d` and `i`, judged each by its own key. So each row comes once, then its
/// changes, each in the order of the log. Short transactions, because a long one would block
/// the writers of a database that is not in WAL mode.
///
/// Ids: what is read from the log gets the same ids again after a crash, a piece of a table does not,
/// since the table has changed. So ids for a snapshot come from a range that is reserved in the file
/// itself before the first one is given, and a restart in the middle goes on above that range.
#include "actors/extract/driver.hpp"
#include "actors/extract/sqlite_log.hpp"
#include "actors/extract/sqlite_position.hpp"
#include "actors/extract/sqlite_snapshot.hpp"
#include "runtime/core/time.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <thread>

namespace rtdp::extract {
namespace {

using namespace std::chrono;
using namespace rtdp::extract::sqlite;

/// Reserved at a time: one small write to the source's file per million rows of a snapshot.
constexpr int64_t ids_block = 1 << 20;
/// Reserved anew when less than this is left: more than a collector takes between two turns.
constexpr int64_t ids_low = 1 << 17;
/// A log trimmed more often than this would only cost the application's writers their lock.
constexpr auto trim_pause = 1s;
constexpr int64_t trim_at_once = 1000;
/// Columns of the log in front of the row's own.
constexpr int first_cell = 4;

struct options {
  std::string source, path, log;
  std::vector<wanted_table> tables;
  milliseconds poll_interval, busy_timeout, keep_log;
  size_t chunk_rows;
};

/// BEGIN now, ROLLBACK in the destructor: nothing is written in it.
class read_transaction {
public:
  static result<std::unique_ptr<read_transaction>> begin(state::database& db) {
    if (auto failed = db.exec("BEGIN"))
      return failed;
    return std::unique_ptr<read_transaction>(new read_transaction(db));
  }
  read_transaction(const read_transaction&) = delete;
  ~read_transaction() {
    if (sqlite3_get_autocommit(db_.handle()) == 0)
      (void)db_.exec("ROLLBACK");
  }

private:
  explicit read_transaction(state::database& db) : db_(db) {}
  state::database& db_;
};

result<int64_t> pragma(state::database& db, const char* name) {
  auto row = db.prepare(std::string("PRAGMA ") + name);
  if (!row)
    return row.error();
  auto found = row->step();
  if (!found)
    return found.error();
  return row->integer(0);
}

class sqlite_driver final : public driver {
public:
  explicit sqlite_driver(options o) : options_(std::move(o)) {}

  error open(const std::string& stored) override;
  error read(collector& out, milliseconds wait) override;
  error confirm(const std::string& text) override;
  source_progress progress() const override;

private:
  error open_file();
  error resume(const std::string& stored);
  error turn(collector& out, bool& worked);
  error follow_schema();
  error protect_ids(collector& out);
  error read_transaction_of(collector& out);
  error read_log(collector& out);
  error entry(collector& out, const state::statement& row);
  void begin_table(collector& out, const layout& l, int64_t at, bool missed);
  void end_table(collector& out, const layout& l, int64_t at);
  error read_piece(collector& out, pending_table& table);
  error spoil_rows_without_key(collector& out, const layout& l);
  void image(collector& out, const layout& l, const state::statement& row, int first, char op,
             int64_t at, ums::protocol kind);
  collector::handle handle_of(collector& out, const layout& l, bool keys_only);
  ums::ns name_of(const layout& l) const;
  bool room(const collector& out) const {
    return !out.full() && (!unsafe_ids_ || out.next_id() < log_.reserved_ids() - 2);
  }

  options options_;
  state::database db_;
  change_log log_;
  std::optional<key_order> order_;
  position at_;
  std::map<std::pair<int64_t, bool>, collector::handle> handles_;
  std::map<std::string, std::pair<int64_t, int64_t>> counts_;

  /// Ids given now may differ the next time: true from the begin of a snapshot until a position
  /// behind its end is confirmed, which is one at or behind entry `safe_from_`.
  bool unsafe_ids_ = false, fresh_ids_ = false;
  int64_t safe_from_ = 0;
  int64_t data_version_ = -1;
  bool more_ = true, log_done_ = false, changed_ = false, idle_ = false;
  int64_t complete_until_us_ = 0;
  int64_t trimmed_ = 0;
  steady_clock::time_point next_trim_{};
};

// -- open ---------------------------------------------------------------------

error sqlite_driver::open_file() {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(options_.path, failed))
    return rejected("no such file; `path` must name an existing SQLite database");
  auto opened = state::database::open_existing(options_.path, options_.busy_timeout);
  if (!opened)
    return opened.error();
  db_ = std::move(*opened);
  if (sqlite3_db_readonly(db_.handle(), "main") == 1)
    return rejected("may only be read by this user; the source needs to write the file and its "
                    "folder, for the change log and its triggers");
  int code = sqlite3_exec(db_.handle(), "SELECT count(*) FROM sqlite_schema", nullptr, nullptr,
                          nullptr);
  if ((code & 0xff) == SQLITE_NOTADB)
    return rejected("is not a SQLite database (or an encrypted one)");
  if (code != SQLITE_OK)
    return state::sqlite_error(db_.handle(), code, "reading the schema");
  return {};
}

error sqlite_driver::open(const std::string& stored) {
  if (auto failed = open_file())
    return failed.in(options_.path);
  log_ = change_log(db_, options_.log);
  order_.emplace(db_);
  if (auto failed = log_.capture(options_.tables))
    return failed.in(options_.path);
  if (auto failed = resume(stored))
    return failed.in(options_.path);
  unsafe_ids_ = fresh_ids_ = !at_.pending.empty();
  for (const auto& t : options_.tables)
    counts_[t.name] = {0, estimated_rows(db_, t.name)};
  more_ = true;
  data_version_ = -1;
  return {};
}

error sqlite_driver::resume(const std::string& stored) {
  auto last = log_.last_seq();
  if (!last)
    return last.error();
  if (stored.empty()) {
    at_ = {.log = log_.id(), .seq = *last, .pending = {}};
    for (const auto& t : options_.tables)
      at_.pending.push_back({.table = t.name, .after = {}, .rows = 0});
    return {};
  }
  auto parsed = position::parse(stored);
  if (!parsed)
    return parsed.error();
  if (parsed->log != log_.id())
    return rejected("the stored position is of change log " + parsed->log + ", the file has " +
                    log_.id() + ": it is another file, or its log was dropped; forget the "
                                "position to read everything again");
  if (parsed->seq > *last)
    return rejected("the stored position is entry " + std::to_string(parsed->seq) +
                    " of the change log, which ends at " + std::to_string(*last) +
                    ": the file is an older copy; forget the position to read everything again");
  at_ = std::move(*parsed);
  return {};
}

// -- read ---------------------------------------------------------------------

error sqlite_driver::read(collector& out, milliseconds wait) {
  handles_.clear();
  auto begun = steady_clock::now();
  for (;;) {
    bool worked = false;
    if (auto failed = turn(out, worked))
      return failed.in(options_.path);
    auto now = steady_clock::now();
    // A busy writer always has more: what is here travels on after one poll interval.
    if (out.full() || (out.rows() > 0 && now >= begun + options_.poll_interval))
      return {};
    if (worked)
      continue;
    if (out.rows() > 0 || now >= begun + wait)
      return {};
    auto left = duration_cast<milliseconds>(begun + wait - now) + 1ms;
    std::this_thread::sleep_for(std::min(options_.poll_interval, left));
  }
}

error sqlite_driver::turn(collector& out, bool& worked) {
  auto before = now_us();
  int moved = 0;
  if (sqlite3_file_control(db_.handle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
      moved != 0)
    return rejected("the file was replaced or removed while it was read; forget the position to "
                    "read the new one from its beginning");
  auto version = pragma(db_, "data_version");
  if (!version)
    return version.error();
  changed_ = false;
  if (more_ || *version != data_version_) {
    if (auto failed = follow_schema())
      return failed;
    if (auto failed = protect_ids(out))
      return failed;
    if (auto failed = read_transaction_of(out))
      return failed;
    data_version_ = *version;
    more_ = !log_done_ || !at_.pending.empty();
    if (changed_)
      out.commit(at_.text());
  }
  worked = changed_ || more_;
  idle_ = !worked;
  if (log_done_)
    complete_until_us_ = before;
  return {};
}

error sqlite_driver::follow_schema() {
  auto schema = pragma(db_, "schema_version");
  if (!schema)
    return schema.error();
  if (*schema == log_.schema_version())
    return {};
  return log_.capture(options_.tables);
}

error sqlite_driver::protect_ids(collector& out) {
  if (!unsafe_ids_)
    return {};
  if (fresh_ids_ && out.next_id() < log_.reserved_ids())
    out.skip_ids(log_.reserved_ids() - out.next_id());
  fresh_ids_ = false;
  if (out.next_id() + ids_low <= log_.reserved_ids())
    return {};
  return log_.reserve_ids(out.next_id() + ids_block);
}

error sqlite_driver::read_transaction_of(collector& out) {
  log_done_ = false;
  auto seen = read_transaction::begin(db_);
  if (!seen)
    return seen.error();
  auto schema = pragma(db_, "schema_version");
  if (!schema)
    return schema.error();
  if (*schema != log_.schema_version())
    return {}; // Changed since `follow_schema`: the next turn looks again.
  auto gone = log_.trimmed();
  if (!gone)
    return gone.error();
  trimmed_ = *gone;
  if (at_.seq < *gone)
    return rejected("the stored position is entry " + std::to_string(at_.seq) +
                    " of the change log, but entries up to " + std::to_string(*gone) +
                    " were deleted, perhaps by another source on the same log (give each its own "
                    "`log`); forget the position to read everything again");
  if (auto failed = read_log(out))
    return failed;
  if (log_done_ && !at_.pending.empty() && room(out))
    return read_piece(out, at_.pending.front());
  return {};
}

// -- the log ------------------------------------------------------------------

error sqlite_driver::read_log(collector& out) {
  std::string sql = "SELECT seq, layout, op, at";
  for (size_t i = 0; i < log_.width(); ++i)
    sql += ", c" + std::to_string(i);
  auto row = db_.prepare(sql + " FROM " + sql_name(log_.name()) + " WHERE seq > ?1 ORDER BY seq");
  if (!row)
    return row.error();
  row->bind(1, at_.seq);
  char op = 0;
  // Never between a `b` and its `u`, and not past the begin of a snapshot, which takes other ids.
  while (op == 'b' || (room(out) && !fresh_ids_)) {
    auto more = row->step();
    if (!more)
      return more.error();
    if (!*more) {
      log_done_ = true;
      return {};
    }
    op = row->text(2).empty() ? '?' : row->text(2)[0];
    if (auto failed = entry(out, *row))
      return failed;
    at_.seq = row->integer(0);
    changed_ = true;
  }
  return {};
}

error sqlite_driver::entry(collector& out, const state::statement& row) {
  auto found = log_.layouts().find(row.integer(1));
  char op = utf8(row, 2).empty() ? '?' : utf8(row, 2)[0];
  if (found == log_.layouts().end() || std::string_view("iudbse").find(op) == std::string_view::npos)
    return rejected("entry " + std::to_string(row.integer(0)) + " of the change log is damaged: layout " +
                    std::to_string(row.integer(1)) + ", op " + std::string(utf8(row, 2)));
  const auto& l = found->second;
  auto at = row.integer(3);
  if (op == 's')
    begin_table(out, l, at, row.integer(first_cell) != 0);
  else if (op == 'e')
    end_table(out, l, at);
  else {
    if (auto* p = at_.find(l.table)) {
      if (p->after.empty())
        return {};
      auto behind = order_->behind(l, row, first_cell, p->after);
      if (!behind)
        return behind.error();
      if (*behind)
        return {};
    }
    image(out, l, row, first_cell, op, at, ums::protocol::increment_data);
  }
  return {};
}

void sqlite_driver::begin_table(collector& out, const layout& l, int64_t at, bool missed) {
  const auto* previous = log_.before(l);
  if (previous != nullptr && previous->version != l.version)
    out.terminate(name_of(*previous), at);
  if (missed)
    out.truncate(name_of(l), at);
  if (auto* p = at_.find(l.table))
    *p = {.table = l.table, .after = {}, .rows = 0};
  else
    at_.pending.push_back({.table = l.table, .after = {}, .rows = 0});
  unsafe_ids_ = fresh_ids_ = true;
}

void sqlite_driver::end_table(collector& out, const layout& l, int64_t at) {
  out.terminate(name_of(l), at);
  std::erase_if(at_.pending, [&](const pending_table& p) { return p.table == l.table; });
}

// -- the tables ---------------------------------------------------------------

error sqlite_driver::read_piece(collector& out, pending_table& table) {
  const auto* l = log_.newest(table.table);
  if (l == nullptr)
    return rejected("the stored position waits for table " + sql_name(table.table) +
                    ", which the change log does not capture; forget the position");
  changed_ = true;
  if (table.after.empty())
    if (auto failed = spoil_rows_without_key(out, *l))
      return failed;
  auto rows = next_piece(db_, *l, table.after, options_.chunk_rows);
  if (!rows)
    return rows.error();
  auto keys = l->keys();
  auto at = now_us();
  size_t taken = 0;
  do {
    auto more = rows->step();
    if (!more)
      return more.error();
    if (!*more) {
      if (taken == options_.chunk_rows)
        return {};
      counts_[table.table].first = table.rows;
      at_.pending.erase(at_.pending.begin());
      safe_from_ = at_.seq;
      return {};
    }
    image(out, *l, *rows, 0, 'i', at, ums::protocol::initial_data);
    table.after.clear();
    for (auto k : keys)
      table.after.push_back(key_cell::read(*rows, int(k)));
    ++table.rows;
    ++taken;
  } while (room(out));
  return {};
}

/// SQLite lets NULL into most primary keys, several times. Such rows are nobody's update or delete.
error sqlite_driver::spoil_rows_without_key(collector& out, const layout& l) {
  auto rows = rows_without_key(db_, l);
  if (!rows)
    return rows.error();
  for (;;) {
    auto more = rows->step();
    if (!more)
      return more.error();
    if (!*more)
      return {};
    image(out, l, *rows, 0, 'i', now_us(), ums::protocol::initial_data);
  }
}

// -- rows ---------------------------------------------------------------------

/// What goes away must go away whatever its other columns hold: its key is enough then.
bool other_columns_fit(const layout& l, const state::statement& row, int first) {
  for (size_t i = 0; i < l.columns.size(); ++i) {
    ums::column scratch(l.columns[i].type);
    if (l.columns[i].key == 0 &&
        !append_cell(row, first + int(i), l.columns[i], scratch).empty())
      return false;
  }
  return true;
}

void sqlite_driver::image(collector& out, const layout& l, const state::statement& row, int first,
                          char op, int64_t at, ums::protocol kind) {
  bool keys_only = op == 'd' && !other_columns_fit(l, row, first);
  auto& b = out.row(handle_of(out, l, keys_only), op, at, kind);
  std::string reason;
  size_t into = ums::system_columns;
  for (size_t i = 0; i < l.columns.size() && reason.empty(); ++i)
    if (!keys_only || l.columns[i].key > 0)
      reason = append_cell(row, first + int(i), l.columns[i], b.columns[into++]);
  if (!reason.empty())
    out.spoil(std::move(reason), literals(row, first, l.columns.size()));
}

collector::handle sqlite_driver::handle_of(collector& out, const layout& l, bool keys_only) {
  auto [at, added] = handles_.try_emplace({l.id, keys_only});
  if (added) {
    auto fields = l.fields();
    if (keys_only)
      std::erase_if(fields, [](const ums::field& f) { return !f.key; });
    at->second = out.table(name_of(l), fields);
  }
  return at->second;
}

ums::ns sqlite_driver::name_of(const layout& l) const {
  return {"sqlite", options_.source, "main", l.table, std::to_string(l.version), "0", "0"};
}

// -- confirm, progress --------------------------------------------------------

error sqlite_driver::confirm(const std::string& text) {
  auto parsed = position::parse(text);
  if (!parsed)
    return parsed.error();
  if (parsed->pending.empty() && at_.pending.empty() && parsed->seq >= safe_from_)
    unsafe_ids_ = false;
  auto now = steady_clock::now();
  if (parsed->seq <= trimmed_ || (now < next_trim_ && parsed->seq < trimmed_ + trim_at_once))
    return {};
  next_trim_ = now + trim_pause;
  auto failed = log_.trim(parsed->seq, options_.keep_log);
  // A busy file: the entries only stay a little longer.
  return failed == ec::unavailable ? error{} : failed.in(options_.path);
}

source_progress sqlite_driver::progress() const {
  source_progress out{.tables = {}, .idle = idle_, .complete_until_us = complete_until_us_};
  for (const auto& t : options_.tables) {
    const auto* l = log_.newest(t.name);
    auto waits = std::find_if(at_.pending.begin(), at_.pending.end(),
                              [&](const pending_table& p) { return p.table == t.name; });
    bool done = waits == at_.pending.end();
    auto counted = counts_.find(t.name);
    auto [rows, estimated] = counted == counts_.end() ? std::pair<int64_t, int64_t>{0, -1}
                                                      : counted->second;
    out.tables.push_back({.name = {"sqlite", options_.source, "main", t.name,
                                   std::to_string(l == nullptr ? 0 : l->version), "0", "0"},
                          .snapshot_done = done,
                          .snapshot_rows = done ? rows : waits->rows,
                          .snapshot_rows_estimated = estimated});
  }
  return out;
}

config::spec make_spec() {
  using config::field;
  config::spec spec("sqlite",
                    "Reads a SQLite database file: a snapshot of its tables, then every change. "
                    "Triggers write the changes into a log table in the same file, so the file must "
                    "be writable; any program may go on writing it. WAL mode is recommended.");
  spec.add(field("path", std::string{}, "The database file; it must exist.").required());
  spec.add(field("tables", config::sections{},
                 "Tables to capture: plain names, an odd one in double quotes as in SQL. A table "
                 "without a primary key is keyed by its rowid.")
               .required()
               .of({field("name", std::string{}, "The table, exactly as it was created.").required(),
                    field("before_images", false,
                          "Log the row before each update too (op b directly before u).")}));
  spec.add(field("poll_interval", milliseconds{20}, "How often to look for new changes.")
               .range(1, 60'000));
  spec.add(field("busy_timeout", milliseconds{5000},
                 "How long to wait for another program's lock on the file.")
               .range(1, 600'000)
               .advanced());
  spec.add(field("keep_log", milliseconds{0},
                 "How long entries of the change log stay after they are durable on the bus.")
               .range(0, 30LL * 24 * 3600 * 1000)
               .advanced());
  spec.add(field("chunk_rows", int64_t{10'000},
                 "Rows of a snapshot read in one transaction. A database that is not in WAL mode "
                 "blocks its writers for that long.")
               .range(1, 1'000'000)
               .advanced());
  spec.add(field("log", std::string{"rtdp_changes"},
                 "Name of the change log in the file. Two sources on one file need two names.")
               .advanced());
  return spec;
}

std::unique_ptr<driver> make(const std::string& name, const config::section& s) {
  options o{.source = name,
            .path = s.text("path"),
            .log = s.text("log"),
            .tables = {},
            .poll_interval = s.duration("poll_interval"),
            .busy_timeout = s.duration("busy_timeout"),
            .keep_log = s.duration("keep_log"),
            .chunk_rows = size_t(s.integer("chunk_rows"))};
  for (const auto& t : s.get<config::sections>("tables"))
    o.tables.push_back({plain_name(t.text("name")), t.flag("before_images")});
  return std::make_unique<sqlite_driver>(std::move(o));
}

} // namespace

kind sqlite_source() { return {make_spec(), &make}; }

} // namespace rtdp::extract
