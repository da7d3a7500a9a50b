/// Snapshots of tables with a key, beside the change stream and while it flows: chunk by chunk in
/// the order of the key, several at a time, each published at a place of the stream where it is
/// true. Owned by the driver, which tells it how far the stream has come; one thread, and no call
/// but `prepare` waits for the server.
///
/// Why the result is exact. A chunk is read in one transaction, which tells what it sees as
/// pg_current_snapshot() does (S) and takes its rows as of S. Behind it a message goes into the
/// log, at H.
/// - What S sees had committed before, so its commit record is in front of H. The stream hands
///   transactions over in the order of commit records: when it has passed H, all that the chunk
///   holds was handed over, and a row of the chunk never goes in front of a change that it holds.
/// - What S does not see may be in front of H or behind it. If behind, its changes come after the
///   chunk, as they should. If in front, the row in the chunk is older than what was handed over:
///   it is left out (`snapshot_windows`), but for values that no such change carried (TOAST that an
///   UPDATE did not touch): those go out with the key alone. Whether S sees a transaction is asked
///   of S by its number
///   (`seen_by`), never of positions: a commit record may stand in the log long before other
///   sessions see its transaction, when it waits for a synchronous standby. So there is no low
///   watermark to get wrong, and changes handed over before the chunk was begun count too, as long
///   as the last chunk did not see them.
/// - Of transactions handed over just before a snapshot began only the numbers are known
///   (`handed_over`): a chunk that does not see one of them is read again. The same for a
///   transaction of which an earlier run had handed over a part.
/// - The range of a chunk is fixed by keys, not by rows: what is inserted into it later is in the
///   stream. A key that changes is two changes, of the old and the new.
/// - Within the transaction the table is locked first and its definition compared with what the
///   chunk was made for; another definition begins the reading of the table again, another key
///   the whole table.
/// Not covered: a transaction that an earlier run handed over and that is still invisible when the
/// first chunk of this run is read. Between the two lie a new process and a new connection.
#pragma once

#include "actors/extract/postgres_chunk_reader.hpp"
#include "actors/extract/snapshot_plan.hpp"
#include "actors/extract/snapshot_settings.hpp"
#include "actors/extract/snapshot_windows.hpp"

#include <deque>
#include <list>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::extract::pg {

class chunks {
public:
  using clock = connection::clock;

  struct options {
    snapshot_settings how;
    connection::options connect;
    std::string publication, slot;
  };
  /// `catalog`, `at` and `windows` outlive it. Works on `at.plan`.
  chunks(options o, connection& catalog, position& at, snapshot_windows& windows)
      : options_(std::move(o)), catalog_(catalog), at_(at), windows_(windows),
        throttle_(options_.how.rows_per_second) {}

  /// A snapshot is planned that is not paused.
  bool active() const;
  /// This transaction was handed over whole.
  void handed_over(const change_stamp& by);

  /// Begins and goes on with whatever can be. `next_id` is the collector's.
  error work(int64_t next_id);
  /// True once after the plan was changed by `work`: it should be stored soon.
  bool plan_changed() { return std::exchange(plan_changed_, false); }
  /// To wait for, besides the stream.
  std::vector<int> sockets() const;
  /// When there is something to do although no socket says so.
  clock::time_point due() const;

  struct ready {
    /// Index in `at.tables`.
    size_t table = 0;
    shape columns;
    read_chunk data;
    /// As `snapshot_windows::chunk` has them.
    std::vector<bool> keep;
    std::vector<std::pair<size_t, std::vector<std::string>>> rest;
    /// Its last key; empty: this was the last chunk.
    key_texts last;
    size_t rows = 0;
  };
  /// A chunk can be taken, or read again, at this place.
  bool ready_at(lsn passed) const;
  /// The next chunk that may be published now that the stream has handed over every transaction
  /// in front of `passed`, and nothing behind it. REQUIRES: the caller publishes it at once.
  std::optional<ready> take(lsn passed);
  /// After a ready chunk was published; what the snapshot was when that was its last one.
  std::optional<planned_snapshot> published(const ready& r);

  /// The table's snapshot was cancelled, or must be read anew from what the plan says.
  void drop(size_t table);

private:
  struct chunk {
    enum step : uint8_t { to_bound, bounding, to_read, reading, read } at = to_bound;
    key_texts from, to;
    snapshot_windows::id window = 0;
    std::optional<read_chunk> data = {};
    /// Not before: it was read before something that it does not see.
    clock::time_point again{};
  };
  struct table_work {
    size_t table = 0;
    chunk_table def;
    /// Of the table when `def` was made.
    int64_t version = 0;
    /// In the order of the key; the last one has no bound yet, or none at all.
    std::list<chunk> line;
  };
  struct worker {
    std::optional<chunk_reader> reader = {};
    table_work* work = nullptr;
    chunk* what = nullptr;
  };

  error prepare(int64_t next_id);
  error prepare(planned_snapshot& s, size_t table, int64_t next_id);
  error take_results(worker& w);
  error begin_next(worker& w);
  error begin(worker& w, table_work& work, chunk& c);
  /// A condition that only some rows show to be wrong: its snapshot is paused, the source goes on.
  error refused(worker& w, const error& why);
  void fit_rows(table_work& work, const read_chunk& data);

  options options_;
  connection& catalog_;
  position& at_;
  snapshot_windows& windows_;
  throttle throttle_;
  std::list<table_work> tables_;
  std::vector<worker> workers_;
  std::deque<change_stamp> handed_over_;
  clock::time_point due_{};
  bool plan_changed_ = false;
};

} // namespace rtdp::extract::pg
