#include "actors/extract/sqlite_reader.hpp"

#include "runtime/core/time.hpp"

#include <algorithm>
#include <memory>

namespace rtdp::extract::sqlite {
namespace {

/// Reserved at a time: one small write to the source's file per million rows of a snapshot.
constexpr int64_t ids_block = 1 << 20;
/// Reserved anew when less than this is left: more than a collector takes between two turns.
constexpr int64_t ids_low = 1 << 17;
/// Columns of the log in front of the row's own.
constexpr int first_cell = 4;

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

/// What goes away must go away whatever its other columns hold: its key is enough then.
bool other_columns_fit(const layout& l, const state::statement& row, int first) {
  for (size_t i = 0; i < l.columns.size(); ++i) {
    ums::column scratch(l.columns[i].type);
    if (l.columns[i].key == 0 && !append_cell(row, first + int(i), l.columns[i], scratch).empty())
      return false;
  }
  return true;
}

} // namespace

result<int64_t> pragma(state::database& db, const char* name) {
  auto row = db.prepare(std::string("PRAGMA ") + name);
  if (!row)
    return row.error();
  auto found = row->step();
  if (!found)
    return found.error();
  return row->integer(0);
}

void reader::resume(position from) {
  at_ = std::move(from);
  unsafe_ids_ = fresh_ids_ = !at_.pending.empty();
}

void reader::confirmed(const position& p) {
  if (p.pending.empty() && at_.pending.empty() && p.seq >= safe_from_)
    unsafe_ids_ = false;
}

int64_t reader::snapshot_rows(const std::string& table) const {
  for (const auto& p : at_.pending)
    if (p.table == table)
      return p.rows;
  auto done = rows_done_.find(table);
  return done == rows_done_.end() ? 0 : done->second;
}

error reader::protect_ids(collector& out) {
  if (!unsafe_ids_)
    return {};
  if (fresh_ids_ && out.next_id() < log_->reserved_ids())
    out.skip_ids(log_->reserved_ids() - out.next_id());
  fresh_ids_ = false;
  if (out.next_id() + ids_low <= log_->reserved_ids())
    return {};
  return log_->reserve_ids(out.next_id() + ids_block);
}

result<reader::outcome> reader::turn(collector& out) {
  outcome_ = {};
  auto seen = read_transaction::begin(*db_);
  if (!seen)
    return seen.error();
  auto schema = pragma(*db_, "schema_version");
  if (!schema)
    return schema.error();
  if (*schema != log_->schema_version())
    return outcome_; // Changed since `capture` looked: the caller lets it look again.
  auto gone = log_->trimmed();
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
  if (outcome_.log_done && !at_.pending.empty() && room(out))
    if (auto failed = read_piece(out, at_.pending.front()))
      return failed;
  return outcome_;
}

// -- the log ------------------------------------------------------------------

error reader::read_log(collector& out) {
  std::string sql = "SELECT seq, layout, op, at";
  for (size_t i = 0; i < log_->width(); ++i)
    sql += ", c" + std::to_string(i);
  auto row = db_->prepare(sql + " FROM " + sql_name(log_->name()) + " WHERE seq > ?1 ORDER BY seq");
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
      outcome_.log_done = true;
      return {};
    }
    op = row->text(2).empty() ? '?' : row->text(2)[0];
    if (auto failed = entry(out, *row))
      return failed;
    at_.seq = row->integer(0);
    outcome_.changed = true;
  }
  return {};
}

error reader::entry(collector& out, const state::statement& row) {
  auto found = log_->layouts().find(row.integer(1));
  char op = utf8(row, 2).empty() ? '?' : utf8(row, 2)[0];
  if (found == log_->layouts().end() ||
      std::string_view("iudbse").find(op) == std::string_view::npos)
    return rejected("entry " + std::to_string(row.integer(0)) +
                    " of the change log is damaged: layout " + std::to_string(row.integer(1)) +
                    ", op " + std::string(utf8(row, 2)));
  const auto& l = found->second;
  auto at = row.integer(3);
  if (op == 's')
    begin_table(out, l, at, row.integer(first_cell) != 0);
  else if (op == 'e')
    end_table(out, l, at);
  else {
    auto later = comes_later(l, row);
    if (!later)
      return later.error();
    if (!*later)
      image(out, l, row, first_cell, op, at, ums::protocol::increment_data);
  }
  return {};
}

/// True when the row's key is not reached yet: the piece with it shows this change's effect.
result<bool> reader::comes_later(const layout& l, const state::statement& row) {
  const auto* p = at_.find(l.table);
  if (p == nullptr)
    return false;
  if (p->after.empty())
    return true;
  return order_.behind(l, row, first_cell, p->after);
}

void reader::begin_table(collector& out, const layout& l, int64_t at, bool missed) {
  const auto* previous = log_->before(l);
  if (previous != nullptr && previous->version != l.version)
    out.terminate(name_of(previous->table, previous->version), at);
  if (missed)
    out.truncate(name_of(l.table, l.version), at);
  if (auto* p = at_.find(l.table))
    *p = {.table = l.table, .after = {}, .rows = 0};
  else
    at_.pending.push_back({.table = l.table, .after = {}, .rows = 0});
  unsafe_ids_ = fresh_ids_ = true;
  (void)handle_of(out, l, false);
}

void reader::end_table(collector& out, const layout& l, int64_t at) {
  out.terminate(name_of(l.table, l.version), at);
  std::erase_if(at_.pending, [&](const pending_table& p) { return p.table == l.table; });
}

// -- the tables ---------------------------------------------------------------

error reader::read_piece(collector& out, pending_table& table) {
  const auto* l = log_->newest(table.table);
  if (l == nullptr)
    return rejected("the stored position waits for table " + sql_name(table.table) +
                    ", which the change log does not capture; forget the position");
  outcome_.changed = true;
  if (table.after.empty())
    if (auto failed = spoil_rows_without_key(out, *l))
      return failed;
  // The statement looks at these bytes at each step, while `table.after` moves on.
  const auto begin = table.after;
  auto rows = next_piece(*db_, *l, begin, chunk_rows_);
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
      if (taken == chunk_rows_)
        return {};
      rows_done_[table.table] = table.rows;
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
error reader::spoil_rows_without_key(collector& out, const layout& l) {
  auto rows = rows_without_key(*db_, l);
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

void reader::image(collector& out, const layout& l, const state::statement& row, int first, char op,
                   int64_t at, ums::protocol kind) {
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

collector::handle reader::handle_of(collector& out, const layout& l, bool keys_only) {
  auto [at, added] = handles_.try_emplace({l.id, keys_only});
  if (added) {
    // The whole version first, whatever its first row lacks.
    if (keys_only)
      (void)handle_of(out, l, false);
    auto fields = l.fields();
    if (keys_only)
      std::erase_if(fields, [](const ums::field& f) { return !f.key; });
    at->second = out.table(name_of(l.table, l.version), fields);
  }
  return at->second;
}

} // namespace rtdp::extract::sqlite
