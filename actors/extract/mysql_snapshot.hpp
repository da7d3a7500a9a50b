/// Reads rows of one table as they were at one place of the log: a chunk by primary key, or the
/// whole table. Owned by the driver as long as the piece is read; one thread.
///
/// Why the place is exact. MariaDB: START TRANSACTION WITH CONSISTENT SNAPSHOT fixes what InnoDB
/// shows and Binlog_snapshot_file/_position under one lock of commits, so the rows hold exactly the
/// transactions before that place. MySQL does not say the place: the log's end is asked before and
/// after, and when it is the same, nothing committed in between; else again. Tables of other
/// engines are read under a table lock, with the log's end asked while it is held. So a piece needs
/// no watermarks: its driver hands it over when the log stands at its place, and no row of it is
/// older or newer than its neighbours in the stream.
#pragma once

#include "actors/extract/collector.hpp"
#include "actors/extract/mysql_catalog.hpp"
#include "actors/extract/mysql_image.hpp"

#include <string>
#include <vector>

namespace rtdp::extract::my {

class snapshot_piece {
public:
  struct request {
    table_name name;
    /// A condition in SQL; may be empty.
    std::string where = {};
    /// Behind this key, as SQL literals; empty: from the beginning.
    std::vector<std::string> last = {};
    size_t rows_max = 20'000;
    /// False: only the columns at a place are wanted.
    bool rows = true;
  };

  /// Fixes the place. `catalog` keeps the table from being altered meanwhile. Empty: there is no
  /// such table now.
  static result<std::unique_ptr<snapshot_piece>> open(const connection::options& o,
                                                      connection& catalog, request r);

  const request& asked() const { return asked_; }
  const log_place& at() const { return at_; }
  /// The server's time at the place.
  int64_t at_us() const { return at_us_; }
  /// The table's columns at the place.
  const table_state& columns() const { return columns_; }

  /// Adds rows under `table`, a handle for `planned`, made of `columns()`, until the collector is
  /// full or the piece is complete. The first call sends the query.
  error copy(collector& out, collector::handle table, const std::vector<planned_column>& planned);
  bool complete() const { return complete_; }
  /// The table ends with it. REQUIRES: complete.
  bool last_piece() const { return last_piece_; }
  /// Its last key, for the request of the next one. REQUIRES: complete, not the last piece.
  const std::vector<std::string>& last() const { return last_; }
  int64_t rows() const { return rows_; }

private:
  snapshot_piece(connection c, request r) : connection_(std::move(c)), asked_(std::move(r)) {}
  result<bool> hold_table(connection& catalog);
  error fix();
  error fix_mariadb();
  error fix_by_looking(connection& other);
  error lock_table();
  std::string query(const std::vector<planned_column>& planned);
  void add_row(connection::cells row, collector& out, collector::handle table,
               const std::vector<planned_column>& planned);
  error remember_key(connection::cells row);

  connection connection_;
  request asked_;
  log_place at_;
  int64_t at_us_ = 0;
  table_state columns_;
  bool transactional_ = true;

  struct key_part {
    size_t column;
    enum class way : uint8_t { number, text, bytes } how;
    std::shared_ptr<charset> chars;
  };
  std::vector<key_part> key_;
  bool sent_ = false, complete_ = false, last_piece_ = false;
  std::vector<std::string> last_;
  int64_t rows_ = 0;
};

} // namespace rtdp::extract::my
