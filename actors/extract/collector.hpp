/// Where a driver puts what it read. Gives each row its ums_id_ and groups rows into batches, one
/// table and one column set each. Per table the order of the batches is the order of the rows.
/// Plain class; owned by the SOURCE actor, filled by its driver, one thread.
#pragma once

#include "runtime/ums/batch.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::extract {

/// A row that the driver could not decode.
struct bad_row {
  ums::ns table;
  std::string reason;
  /// As the source sent it, or as much of it as there is.
  std::string bytes;
};

/// Ids from `first` up to `last`.
struct id_run {
  int64_t first = 0;
  int64_t last = 0;
};

/// What a snapshot gives, and would not give again as it is; the rest is of the log.
constexpr bool of_snapshot(ums::protocol kind) {
  return kind == ums::protocol::initial_data || kind == ums::protocol::increment_sweep;
}

/// The schema of a table: the system columns, then its own.
ums::schema schema_of(const ums::ns& name, const std::vector<ums::field>& columns);

class collector {
public:
  /// A table version with the columns that its next rows carry.
  using handle = size_t;

  explicit collector(int64_t next_id, size_t rows_max = 50'000, size_t bytes_max = 8 << 20);

  /// `columns` are the business columns in order, without the system columns. Call it once per
  /// (version, column set) and keep the handle; an equal call gives the same handle. The first call
  /// for a version has all its columns, and stands behind `terminate` of the version before.
  handle table(const ums::ns& name, const std::vector<ums::field>& columns, int64_t batch_id = 0);

  /// Begins a row: gives it the next id and appends ums_id_, ums_ts_ and ums_op_. The caller then
  /// appends exactly one value to each of `columns[ums::system_columns + i]`, before the next call.
  /// The reference is valid until the next call of any other function. `op` is 'i', 'u', 'd' or
  /// 'b'; a 'b' row takes the id of the 'u' that must follow it.
  ums::batch& row(handle table, char op, int64_t ts_us,
                  ums::protocol kind = ums::protocol::increment_data);

  /// Takes the row just begun back, half-filled or not, and keeps it as a dead letter. Its id stays
  /// used. When it is the 'u' of a 'b' row, the 'b' goes with it: a before-image never stands
  /// alone. A spoiled 'b' leaves its 'u' alone.
  void spoil(std::string reason, std::string bytes);

  /// The table was emptied.
  void truncate(const ums::ns& table, int64_t ts_us);
  /// A snapshot gave every row that the table has: rows with an id below `before`, the first that
  /// it gave, are gone.
  void sweep(const ums::ns& table, int64_t ts_us, int64_t before);
  /// This version of the table ends here.
  void terminate(const ums::ns& table, int64_t ts_us);

  /// Adds the rows of `chunk` for which `keep` is set, all of them when `keep` is empty, each with
  /// the next id. `chunk` has the columns of `table`, its system columns empty: they are filled
  /// here as of op 'i' at `ts_us`. It becomes a batch of its own, of kind initial_data.
  void chunk(handle table, ums::batch&& chunk, const std::vector<bool>& keep, int64_t ts_us);

  /// Everything handed over so far is complete up to `position`: it may be stored with `next_id()`.
  void commit(std::string position);
  /// The same, and `full` until `take`: what was handed over must be durable and its position
  /// stored before anything else is read. For rows that the source would not give again as they
  /// are: a chunk of a snapshot.
  void commit_and_settle(std::string position);

  /// True when the driver should return so that the rows travel on.
  bool full() const { return settle_ || rows_ >= rows_max_ || bytes() >= bytes_max_; }
  size_t rows() const { return rows_; }
  size_t bytes() const;
  int64_t next_id() const { return next_id_; }
  /// More than the rows that can be on the bus without a stored position: whatever a run before this
  /// one published, its ids never come again.
  static constexpr int64_t ids_left_out = 4'000'000;
  /// Leaves out `count` ids: after a lost position, so that no id is ever given twice.
  void skip_ids(int64_t count) { next_id_ = std::max(next_id_ + count, last_used_ + 1); }

  // -- for the SOURCE actor ----

  /// The bus holds ids up to `last` already. Rows of the log get theirs again, as they come in the
  /// same order; `runs` were of snapshots, and are passed by; a row of a snapshot, which is another
  /// one this time, gets an id behind `last`.
  void pass_by(std::vector<id_run> runs, int64_t last);

  struct taken {
    /// Whole versions that `table` was told of since the last `take`, in that order.
    std::vector<ums::schema_ptr> begun = {};
    std::vector<ums::batch> batches;
    std::vector<bad_row> bad;
    /// Empty: no position was committed since the last `take`.
    std::string position;
    /// The next id at that position; what is stored with it.
    int64_t next_id = 0;
    size_t rows = 0;
    /// `commit_and_settle` was called.
    bool settle = false;
  };
  /// Gives away what was collected. Handles stay valid.
  taken take();

private:
  static constexpr size_t none = SIZE_MAX;
  /// What `table` made a handle for.
  struct version {
    ums::schema_ptr schema;
    /// Index in `tables_`.
    size_t table = 0;
    /// Bytes that every row takes, and the columns that take more.
    size_t fixed_bytes = 0;
    std::vector<uint32_t> texts;
    /// Rows of its last finished batch: what the next one reserves.
    size_t rows_before = 0;
  };
  /// All versions and column sets of one table; rows of one table keep their order.
  struct table_state {
    std::vector<handle> handles;
    /// Index in `batches_` of its last batch, the only one that may still grow.
    size_t last = none;
    handle last_handle = none;
  };
  struct open_row {
    size_t batch = none;
    handle table = none;
    int64_t id = 0;
    char op = 0;
  };
  /// Moves `next_id_` behind ids that the next row must not have.
  void pass_used(ums::protocol kind) {
    if (next_id_ >= next_used_ || (of_snapshot(kind) && next_id_ <= last_used_)) [[unlikely]]
      leave_used(kind);
  }
  void leave_used(ums::protocol kind);
  size_t table_index(ums::ns name);
  size_t open_batch(handle table, ums::protocol kind);
  void control(const ums::ns& table, int64_t ts_us, ums::protocol kind,
               std::optional<int64_t> swept_before = {});
  size_t text_bytes(handle table, const ums::batch& b) const;
  void close_row();
  void drop_last_row(size_t batch, handle table);

  int64_t next_id_;
  size_t rows_max_, bytes_max_;
  size_t rows_ = 0;
  /// Bytes of everything but the row that is open.
  size_t bytes_ = 0;
  std::vector<version> versions_;
  std::vector<ums::schema_ptr> begun_;
  std::vector<table_state> tables_;
  std::map<ums::ns, size_t> table_of_;
  std::vector<ums::batch> batches_;
  /// Of each batch: its text bytes without the open row.
  std::vector<size_t> text_of_;
  std::vector<bad_row> bad_;
  std::string position_;
  int64_t position_next_id_ = 0;
  bool settle_ = false;
  /// Runs of ids that a row of the log passes by, the next one first.
  std::vector<id_run> used_;
  int64_t next_used_ = INT64_MAX, last_used_ = 0;
  open_row open_, previous_;
};

} // namespace rtdp::extract
