/// Where a MySQL source stands: what its position text holds. Plain values; the driver owns them.
#pragma once

#include "actors/extract/mysql_columns.hpp"
#include "actors/extract/snapshot_plan.hpp"
#include "runtime/core/error.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::my {

struct table_name {
  std::string database, table;
  auto operator<=>(const table_name&) const = default;
};

/// Reads `shop.orders`, `"My Shop"."we.ird"`, `shop.order_*`, `orders` (of the connection's
/// database). Names keep their case, as these servers' names do.
result<table_name> parse_table_name(std::string_view text, const std::string& database);

/// A place in the binary log.
struct log_place {
  std::string file;
  /// May be beyond 2^32 at the end of a file whose last transaction is that large.
  uint64_t offset = 0;

  bool operator==(const log_place&) const = default;
  /// By the number behind the file's name, then by offset.
  bool before(const log_place& other) const;
  /// "binlog.000003:1234"
  std::string text() const;
};

struct table_state {
  table_name name;
  /// Of the namespace; grows by one when the columns change. -1 before the first row.
  int64_t version = -1;
  /// A hash of the columns of this version, as UMS has them.
  uint64_t shape = 0;
  /// Its columns were read, at a place of the log: changes behind that place go out. What the log
  /// says of the table before is part of the snapshot, or of nobody's interest.
  bool begun = false;
  /// Why the columns are not known any more; then only the log's own metadata can say.
  std::string lost = {};
  /// Of new columns that say nothing themselves.
  std::string charset = {};
  std::vector<column_def> columns = {};
};

struct position {
  /// Behind the last transaction that was handed over completely.
  log_place at;
  /// Events of rows and statements of the transaction behind `at` that were handed over too, and
  /// the changes of the event behind those.
  uint64_t events = 0, changes = 0;
  /// When the log file was begun: another file of the same name has another time.
  uint32_t file_made = 0;
  /// The last transaction of each MariaDB domain: "0-1-100".
  std::map<uint32_t, std::string> gtid = {};
  /// MySQL's.
  std::string server_uuid = {};
  std::vector<table_state> tables = {};
  snapshot_plan plan = {};

  table_state* find(const table_name& name);
  /// "binlog.000003:1234 3 0 {…}". What stands in brackets changes rarely: `tables_text` may be
  /// kept.
  std::string text(const std::string& tables_text) const;
  std::string tables_text() const;
  /// "0-1-100,1-1-7"
  std::string gtid_text() const;
};

result<position> parse_position(std::string_view text);

} // namespace rtdp::extract::my
