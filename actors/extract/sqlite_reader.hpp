/// Reads on from a position in the change log and in tables whose snapshot is not complete, one
/// short read transaction at a time. Plain class, owned by the sqlite source, one thread.
///
/// How a snapshot and the changes fit together without gap and without double:
/// each turn is one short read transaction, so it sees the log and the tables at one moment. It
/// reads the log to its end, entry S, and only then the next piece of a table, which is therefore
/// the table as of S. The position says (S, table, last key K). From then on an entry of that table
/// is handed over if its key is not behind K; an entry behind K is left out, since the piece that
/// brings this key is read later and shows its effect. A row that moves across K by a changed
/// key is two entries, `d` and `i`, judged each by its own key. So each row comes once, then its
/// changes, each in the order of the log. Short transactions, because a long one would block
/// the writers of a database that is not in WAL mode.
///
/// Ids: what is read from the log gets the same ids again after a crash, a piece of a table does
/// not, since the table has changed. So ids for a snapshot come from a range that is reserved in
/// the file itself before the first one is given, and a restart in the middle goes on above that
/// range.
#pragma once

#include "actors/extract/collector.hpp"
#include "actors/extract/sqlite_log.hpp"
#include "actors/extract/sqlite_position.hpp"
#include "actors/extract/sqlite_snapshot.hpp"

#include <map>
#include <string>
#include <utility>

namespace rtdp::extract::sqlite {

/// PRAGMA data_version, schema_version.
result<int64_t> pragma(state::database& db, const char* name);

class reader {
public:
  /// `source` is the second part of the namespaces. `db` and `log` must outlive it.
  reader(state::database& db, change_log& log, std::string source, size_t chunk_rows)
      : db_(&db), log_(&log), source_(std::move(source)), chunk_rows_(chunk_rows), order_(db) {}

  void resume(position from);
  const position& at() const { return at_; }

  /// Forgets the collector's handles: to be called when it may be another collector.
  void forget_handles() { handles_.clear(); }
  /// Sees to it that the ids to come are reserved where that is needed. May write to the file, so
  /// it stands before `turn`.
  error protect_ids(collector& out);

  struct outcome {
    /// Everything that was in the log when the turn began has been read.
    bool log_done = false;
    /// The position moved.
    bool changed = false;
  };
  /// One transaction: the log up to its end or until the collector is full, then a piece of a
  /// table.
  result<outcome> turn(collector& out);

  /// Everything up to `text`'s position is stored: ids behind it are the same again from there on.
  void confirmed(const position& p);

  /// Entries up to this seq were gone at the last turn.
  int64_t trimmed() const { return trimmed_; }
  /// Rows of the snapshot of `table` in this run.
  int64_t snapshot_rows(const std::string& table) const;
  ums::ns name_of(const std::string& table, int64_t version) const {
    return {"sqlite", source_, "main", table, std::to_string(version), "0", "0"};
  }

private:
  error read_log(collector& out);
  error entry(collector& out, const state::statement& row);
  result<bool> comes_later(const layout& l, const state::statement& row);
  void begin_table(collector& out, const layout& l, int64_t at, bool missed);
  void end_table(collector& out, const layout& l, int64_t at);
  error read_piece(collector& out, pending_table& table);
  error spoil_rows_without_key(collector& out, const layout& l);
  void image(collector& out, const layout& l, const state::statement& row, int first, char op,
             int64_t at, ums::protocol kind);
  collector::handle handle_of(collector& out, const layout& l, bool keys_only);
  bool room(const collector& out) const {
    return !out.full() && (!unsafe_ids_ || out.next_id() < log_->reserved_ids() - 2);
  }

  state::database* db_;
  change_log* log_;
  std::string source_;
  size_t chunk_rows_;
  key_order order_;
  position at_;
  outcome outcome_;
  std::map<std::pair<int64_t, bool>, collector::handle> handles_;
  std::map<std::string, int64_t> rows_done_;

  /// Ids given now may differ the next time: true from the begin of a snapshot until a position
  /// behind its end is confirmed, which is one at or behind entry `safe_from_`.
  bool unsafe_ids_ = false;
  /// The next ids must lie above all that were ever reserved.
  bool fresh_ids_ = false;
  int64_t safe_from_ = 0;
  int64_t trimmed_ = 0;
};

} // namespace rtdp::extract::sqlite
