/// The change log inside the source's own database file, and the triggers that fill it.
/// Plain class, owned by the sqlite source, one thread.
///
/// Three tables, named after the setting `log`:
///   rtdp_changes          one row an image: seq, layout, op, at, c0, c1, … (without type, so that
///   each
///                         value keeps its storage class). SQLite has one writer at a time and seq
///                         is an AUTOINCREMENT, so the order of seq is the order of commits, over
///                         all tables, and no seq is ever given twice.
///   rtdp_changes_layouts  every version of every captured table: what c0, c1, … mean
///   rtdp_changes_state    the log's id, up to which seq it was trimmed, ids reserved for snapshots
///
/// op is i, u, d or b as in UMS; `s` where a layout begins (c0 = 1: changes may have been missed,
/// so what was read before counts no more); `e` where the capture of a table ends.
///
/// What the triggers cannot see, and what to do about it:
///   - INSERT OR REPLACE that removes *another* row through a UNIQUE column fires no delete
///   trigger,
///     unless the writer sets PRAGMA recursive_triggers = ON. A table that has a UNIQUE constraint
///     besides its key needs that. (The replaced row of the same key is no problem.)
///   - VACUUM may give new rowids to a table without a primary key: give such a table a key.
///   - ALTER TABLE … DROP COLUMN is refused by SQLite while a trigger names the column. Drop the
///     three triggers of the table in the same transaction; they come back by themselves and
///     the table is read again.
///   - A writer with PRAGMA writable_schema, or one that drops the triggers: found by the next look
///   at
///     the schema; the table is then emptied in the targets and read again.
#pragma once

#include "actors/extract/sqlite_table.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rtdp::extract::sqlite {

struct wanted_table {
  std::string name;
  bool before_images = false;
};

class change_log {
public:
  change_log() = default;
  /// `name` is the setting `log`.
  change_log(state::database& db, std::string name) : db_(&db), name_(std::move(name)) {}

  /// Makes log and triggers fit `tables` as they are now, in one transaction: begins layouts, ends
  /// those of tables that are no longer wanted, writes `s` and `e` entries. Does nothing when all
  /// fits.
  error capture(const std::vector<wanted_table>& tables);

  /// What the schema was when `capture` last looked: PRAGMA schema_version.
  int64_t schema_version() const { return schema_version_; }
  const std::string& id() const { return id_; }
  const std::string& name() const { return name_; }
  const std::map<int64_t, layout>& layouts() const { return layouts_; }
  /// The table's newest layout; null when it is not captured.
  const layout* newest(const std::string& table) const;
  /// The layout of the table before this one; null when it is the first.
  const layout* before(const layout& l) const;
  /// How many c columns the log has.
  size_t width() const { return width_; }

  /// The last seq given; entries up to `trimmed` are gone. Asked in the caller's transaction.
  result<int64_t> last_seq();
  result<int64_t> trimmed();

  /// Ids below this were given to rows of snapshots, or may have been. Durable when it returns.
  int64_t reserved_ids() const { return reserved_; }
  error reserve_ids(int64_t up_to);

  /// Deletes entries up to `seq` that are older than `keep`, in steps of 10,000 so that the writers
  /// of the database wait for none of them, 10 steps a call at most.
  error trim(int64_t seq, std::chrono::milliseconds keep);

private:
  error make_tables();
  error read_state();
  error read_layouts();
  error widen(size_t columns);
  error set_state(std::string_view name, int64_t value);
  result<int64_t> number(const std::string& sql);
  error capture_one(const wanted_table& wanted);
  error begin_layout(const table_shape& shape, const wanted_table& wanted, bool missed);
  error end_layout(const layout& l);
  error make_triggers(const layout& l, const table_shape& shape);
  error mark(int64_t layout_id, char op, bool missed);
  result<bool> has_triggers(const std::string& table);

  state::database* db_ = nullptr;
  std::string name_, id_;
  std::map<int64_t, layout> layouts_;
  size_t width_ = 0;
  int64_t schema_version_ = -1;
  int64_t reserved_ = 0;
};

} // namespace rtdp::extract::sqlite
