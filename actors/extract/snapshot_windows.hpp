/// Which rows of a chunk are still true. A chunk of a table is read beside the log, and published
/// where the log stands when the chunk is complete: a row that the log has changed since the chunk
/// was read would go back to an old state. So each change of a table under snapshot is told here,
/// and a chunk leaves out the rows that were changed by what it does not hold.
///
/// A change is written down once, whatever the number of chunks under way; rows are hashed only
/// when something changed, at the end. Plain class; owned by a driver, one thread.
#pragma once

#include "runtime/ums/batch.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::extract {

/// A transaction of the log, as the driver tells them apart.
struct change_stamp {
  uint64_t transaction = 0;
  /// Where it committed.
  uint64_t commit = 0;
  bool operator==(const change_stamp&) const = default;
};

/// Says of a transaction whether a chunk, by the moment as of which it was read, holds what it did.
using holds = std::function<bool(const change_stamp&)>;

/// The columns of `b` that are its key.
std::vector<uint32_t> key_columns_of(const ums::batch& b);
/// The key of a row, equal exactly for equal keys.
std::string key_of(const ums::batch& b, const std::vector<uint32_t>& key_columns, size_t row);

class snapshot_windows {
public:
  using id = uint64_t;

  /// From now on each change of the table is told, in the order of the log. Driver's number.
  void watch(size_t table) { tables_.try_emplace(table); }
  /// Its snapshot is over; its windows go too.
  void forget(size_t table) { tables_.erase(table); }
  bool watches(size_t table) const { return !tables_.empty() && tables_.contains(table); }
  bool none() const { return tables_.empty(); }

  /// A row was inserted, updated or deleted; an update that changes the key tells both. `absent`
  /// names the columns that the log did not carry because the update left them as they were.
  void changed(size_t table, const change_stamp& by, std::string key,
               std::vector<std::string> absent = {});
  /// All rows may have changed (TRUNCATE), or their columns did, or a row could not be told: no
  /// chunk that does not hold this may be published.
  void all_changed(size_t table, const change_stamp& by);

  /// The low watermark: call it before the chunk is read. REQUIRES: the table is watched.
  id open(size_t table);
  /// The chunk was read whole; what the log tells from now on counts for it too.
  void fill(id which, ums::batch&& rows, holds held);

  struct chunk {
    ums::batch rows;
    /// For `collector::chunk`: empty when all rows are kept.
    std::vector<bool> keep;
    /// Rows that are not kept, but of which the log did not carry these columns: the chunk has
    /// their values, and they must be handed over with the key alone.
    std::vector<std::pair<size_t, std::vector<std::string>>> rest = {};
  };
  /// The high watermark: the log was told up to a place behind everything that the chunk holds.
  /// Empty: the chunk must be read again. REQUIRES: filled. The window is gone afterwards.
  std::optional<chunk> close(id which);
  /// Gives a window up, filled or not.
  void drop(id which);

private:
  struct change {
    change_stamp by;
    /// No key: all rows.
    std::optional<std::string> key;
    std::vector<std::string> absent = {};
  };
  struct window {
    /// Number of the first change that counts.
    uint64_t first = 0;
    std::optional<ums::batch> rows = {};
    holds held = {};
  };
  struct watched {
    std::deque<change> changes;
    /// Number of `changes.front()`.
    uint64_t base = 0;
    /// Changes of the last transaction.
    size_t run = 0;
    std::map<id, window> windows;
    /// Of the chunk that was read last: what it holds, every later one holds.
    holds last_held = {};
  };
  watched* table_of(id which);
  void add(watched& t, change c);
  void trim(watched& t);

  std::map<size_t, watched> tables_;
  id next_ = 0;
};

} // namespace rtdp::extract
