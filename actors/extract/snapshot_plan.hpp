/// Which tables a source still has to read whole, and how far it is: what operators asked for, in
/// their order, and the last key of each table's last published chunk. A driver puts `text()` into
/// its position, so a plan survives every end of the process, and a snapshot goes on behind its
/// last chunk. Plain class; owned by a driver, one thread.
#pragma once

#include "actors/extract/driver.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::extract {

/// The snapshot of one table, asked for and not complete.
struct planned_snapshot {
  /// As the driver names the table, always the same.
  std::string table;
  /// A condition in the source's SQL; empty: all rows.
  std::string where = {};
  /// At its end sinks drop what it did not meet.
  bool sweep = false;
  bool paused = false;
  /// When the first chunk was begun, 0 before.
  int64_t started_us = 0;
  /// The id that the source would have given next then, or at the seam: every row of the snapshot,
  /// and every change since, has this one or a higher.
  int64_t first_id = 0;
  /// Published up to and with this key, its columns as text; empty: nothing yet.
  std::vector<std::string> last = {};
  int64_t rows = 0;
  /// -1: the source cannot say.
  int64_t estimated = -1;

  /// What `last` belongs to, as the driver describes the key; another key begins again.
  std::string key = {};
  /// Why the source paused it by itself; empty when it did not.
  std::string reason = {};
  /// What the table must still be for its rows to be parted between the snapshot and the log; empty:
  /// they are not parted, and what is written meanwhile comes from both.
  std::string seam = {};

  bool operator==(const planned_snapshot&) const = default;
};

class snapshot_plan {
public:
  /// Behind all others. REQUIRES: the table has none planned.
  void add(planned_snapshot s) { all_.push_back(std::move(s)); }
  planned_snapshot* find(const std::string& table);
  const planned_snapshot* find(const std::string& table) const;
  const std::vector<planned_snapshot>& all() const { return all_; }
  bool empty() const { return all_.empty(); }

  /// Does what an operator asked about `table`, which is the driver's own name for `asked.table`.
  /// `rejected`, with what to do, when there is nothing to pause, or a start while one is under
  /// way.
  error apply(const snapshot_request& asked, const std::string& table, int64_t estimated = -1);

  /// A chunk was published: its last key, its rows.
  void advance(const std::string& table, std::vector<std::string> last, int64_t rows);
  /// Its key columns changed: everything is read again. Its first id stays.
  void begin_again(const std::string& table);
  /// The source refuses to go on with it: paused, with the reason, until an operator resumes or
  /// cancels it.
  void refuse(const std::string& table, std::string reason);
  /// It is complete, or cancelled; what it was.
  std::optional<planned_snapshot> remove(const std::string& table);

  /// JSON on one line; "[]" for an empty plan.
  std::string text() const;
  static result<snapshot_plan> parse(const std::string& text);

  bool operator==(const snapshot_plan&) const = default;

private:
  std::vector<planned_snapshot> all_;
};

/// `table_progress` of a table whose snapshot is planned.
void tell(const planned_snapshot& s, table_progress& out);

} // namespace rtdp::extract
