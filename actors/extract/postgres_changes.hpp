/// Turns decoded changes into rows: which table version, which columns are present, what a changed
/// key means, what a snapshot has already seen. Owned by the driver; knows no replication
/// connection.
#pragma once

#include "actors/extract/collector.hpp"
#include "actors/extract/postgres_beat.hpp"
#include "actors/extract/postgres_catalog.hpp"
#include "actors/extract/postgres_tables.hpp"
#include "actors/extract/snapshot_windows.hpp"

#include <map>
#include <unordered_map>

namespace rtdp::extract::pg {

/// - Key columns are those of the replica identity, or of the primary key when the identity is the
/// whole
///   row or nothing. A table without either has no key: its updates under REPLICA IDENTITY FULL go
///   out as 'd' of the old row and 'i' of the new one, so that whatever a flow takes for its key is
///   right afterwards.
/// - A delete carries the identity's columns only, unless the identity is the whole row.
/// - A TOAST value that an update did not touch is absent. When the key changed too, the new row
/// needs it:
///   it is read from the table, after the commit is visible there. It may be newer than the change;
///   a later change then brings it again. If the row is gone by then, the 'i' goes out without it,
///   and the log goes on with what took the row away.
class changes {
public:
  /// `catalog` is an ordinary connection; it and `at` outlive this. `at` says how far we are and is
  /// moved on by `apply`; its tables are the captured ones.
  changes(std::string source, connection& catalog, position& at,
          const std::vector<captured_table>& tables);

  /// Decodes one message of the stream and adds what it means to `out`.
  error apply(std::string_view bytes, collector& out);

  /// Changes of tables that `w` watches are told to it; it outlives this.
  void tell(snapshot_windows* w) { windows_ = w; }
  /// Rows of the heartbeat table are told to it; it outlives this.
  void tell(beat* b) { beat_ = b; }
  /// The transaction of the last change or commit.
  change_stamp stamp() const { return {xid_, commit_at_}; }

  /// Between BEGIN and COMMIT.
  bool in_transaction() const { return in_transaction_; }
  /// A transaction that was handed over in part before has not come again yet.
  bool resuming() const { return skip_ > 0; }
  /// Commit time of the last whole transaction.
  int64_t committed_us() const { return committed_us_; }
  /// True once after the tables part of the position changed.
  bool tables_changed() { return std::exchange(tables_changed_, false); }

  /// The handle for rows of this shape; begins a new version when the shape is another one than
  /// before.
  collector::handle version_for(size_t table, const shape& columns, collector& out);
  /// Of the version that a table has now.
  ums::ns name_of(size_t table) const;

private:
  struct known_relation {
    relation raw;
    /// Index in `at_.tables`.
    size_t table = SIZE_MAX;
    /// The name of a captured table, but another one than we know.
    bool stranger = false;
    /// The heartbeat table.
    bool beats = false;
    bool described = false;
    bool keyless = false;
    shape columns;
    /// Valid for the version and collector that were current when they were made.
    collector::handle whole = 0;
    std::map<std::vector<bool>, collector::handle> partial;

    /// Whether an old key ('K') holds this column; under FULL, which flags every column, it is that
    /// of a partition.
    bool in_old_key(size_t i) const {
      return raw.identity == 'f' ? columns.fields[i].key : raw.columns[i].key;
    }
  };
  error change(std::string_view bytes, collector& out);
  error truncate(collector& out);
  void announce();
  error refuse_stranger(const known_relation& r) const;
  error ready(known_relation& r, collector& out);
  error update(known_relation& r, std::string_view bytes, collector& out);
  bool key_changed(const known_relation& r) const;
  error wait_until_visible();
  error fetch_missing(const known_relation& r);
  bool seen(size_t table) const { return at_.tables[table].seen.covers(xid_, commit_at_); }
  void add(known_relation& r, char op, const tuple& row, std::string_view bytes, collector& out);
  collector::handle handle_for(known_relation& r, const tuple& row, collector& out);
  void tell_change(const known_relation& r, char op, const ums::batch& b);
  void add_deleted(known_relation& r, std::string_view bytes, collector& out);

  std::string source_;
  connection& catalog_;
  position& at_;
  std::vector<bool> before_images_, partitioned_;
  bool check_text_ = false;
  std::unordered_map<uint32_t, known_relation> relations_;
  /// Names of types that are not built in.
  std::unordered_map<uint32_t, std::string> types_;
  known_relation* last_relation_ = nullptr;
  message message_;
  /// Values that were read from the table because the log did not carry them.
  std::vector<std::optional<std::string>> fetched_;
  bool in_transaction_ = false;
  uint32_t xid_ = 0;
  lsn commit_at_ = 0;
  int64_t commit_us_ = 0, committed_us_ = 0;
  uint64_t skip_ = 0;
  bool tables_changed_ = false;
  snapshot_windows* windows_ = nullptr;
  beat* beat_ = nullptr;
};

} // namespace rtdp::extract::pg
