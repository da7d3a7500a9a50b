/// What the sqlite source knows of one captured table: its columns with their UMS types, and the
/// SQL of the triggers that log its changes. Plain values and functions, used by the sqlite source
/// only.
#pragma once

#include "runtime/state/sqlite.hpp"
#include "runtime/ums/schema.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::sqlite {

/// As SQL writes it, in double quotes. Good for any name.
std::string sql_name(std::string_view name);
/// The inverse, for settings: `orders` and `"my orders"`. Text without quotes stays as it is.
std::string plain_name(std::string_view name);

/// A value as UTF-8 whatever the encoding of the file (a BLOB as it is); valid until the next step.
std::string_view utf8(const state::statement& row, int at);

/// The UMS type of a column declared so. Names of types come first (BOOLEAN, DATE, DATETIME,
/// TIMESTAMP, DECIMAL, NUMERIC), then SQLite's own rules of affinity: …INT… is long, …CHAR…, CLOB
/// and TEXT are string, BLOB is binary, REAL, FLOA… and DOUB… are double. Anything else, and no
/// type at all, is string, since such a column may hold anything.
ums::type type_of(std::string_view declared);

struct column {
  std::string name;
  /// As in CREATE TABLE, e.g. "DECIMAL(12,2)".
  std::string declared;
  /// Place in the primary key, from 1; 0 when it is no part of it.
  int key = 0;
  bool not_null = false;
  /// type_of(declared), kept since it is asked for each cell.
  ums::type type = ums::type::string;

  bool operator==(const column&) const = default;
};

/// A table as it is now.
struct table_shape {
  std::string table;
  /// A table without a primary key is keyed by its rowid, which is then the first column here.
  std::vector<column> columns;
  /// The name by which SQL reaches the rowid; empty for WITHOUT ROWID, or when columns hide it.
  std::string rowid;
  bool keyed_by_rowid = false;
  /// False when a row may lack its key: SQLite lets NULL into most primary keys.
  bool key_never_null = false;
};

/// The ordinary tables of the file, in the order of their names, without SQLite's own.
result<std::vector<std::string>> table_names(state::database& db);

/// Reads a table's shape. `rejected` with what there is, when it is missing, not an ordinary table,
/// or has a column that UMS keeps for itself.
result<table_shape> describe(state::database& db, const std::string& table);

/// A table version as the log knows it: stored beside the log, so that each entry can be read with
/// the columns it was written with, whatever happened to the table since.
struct layout {
  int64_t id = 0;
  std::string table;
  int64_t version = 0;
  bool before_images = false;
  bool ended = false;
  std::vector<column> columns;

  /// Positions in `columns`, in the order of the primary key.
  std::vector<size_t> keys() const;
  std::vector<ums::field> fields() const;
};

std::string columns_text(const std::vector<column>& columns);
result<std::vector<column>> parse_columns(const std::string& text);

/// Name of the trigger for `what`: 'i', 'u' or 'd'.
std::string trigger_name(std::string_view log, std::string_view table, char what);

/// CREATE TRIGGER for insert, update and delete.
///
/// They log the row as it is in the table when the trigger runs, not NEW: the application's own
/// triggers may have changed it meanwhile, and then NEW is older than what they logged. For the
/// same reason an old key is logged as deleted only if no row has it now.
std::string trigger_sql(std::string_view log, const layout& l, const table_shape& shape);

} // namespace rtdp::extract::sqlite
