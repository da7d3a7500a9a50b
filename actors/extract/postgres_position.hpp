/// Where a PostgreSQL source stands: what its position text holds. Plain values; the driver owns
/// them.
#pragma once

#include "actors/extract/postgres_pgoutput.hpp"
#include "actors/extract/snapshot_plan.hpp"
#include "runtime/core/error.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::pg {

struct table_name {
  std::string schema, table;
  auto operator<=>(const table_name&) const = default;
};

/// Reads `public.orders`, `"My Schema"."we.ird"`, `public.*`, `orders` (of the schema public), as
/// SQL does: what stands without quotes is lower case. A table `*` means all of the schema.
result<table_name> parse_table_name(std::string_view text);

/// What a snapshot saw: its rows already hold the transactions that it covers.
struct seen_by {
  uint32_t xmin = 0, xmax = 0;
  /// In progress when the snapshot was taken, ascending as numbers.
  std::vector<uint32_t> running;
  /// No commit at or behind this is covered.
  lsn before = 0;

  /// True when the rows of the snapshot hold what this transaction did. Transaction numbers wrap at
  /// 2^32.
  bool covers(uint32_t xid, lsn commit) const;
  bool operator==(const seen_by&) const = default;
};

/// Reads pg_current_snapshot(): "xmin:xmax:xip,xip".
result<seen_by> parse_seen_by(std::string_view snapshot, std::string_view before);

struct table_state {
  enum step : char { begun = 'b', done = 'd' };
  table_name name;
  /// The server's number of the table, which its changes in the log carry whatever it is called.
  uint32_t oid = 0;
  /// What else its rows come from, as `origins_of` says it: with another one, changes in between
  /// never came.
  std::string origin = {};
  /// Where the log was when `oid` was found: until then the name may have been another table's.
  lsn since = 0;
  /// Of the namespace; grows by one when the columns change. -1 before the first row.
  int64_t version = -1;
  /// A hash of the columns of this version.
  uint64_t shape = 0;
  /// The key columns of this version, where the log does not flag them.
  std::vector<std::string> key = {};
  step snapshot = begun;
  seen_by seen;
};

/// The name of a table in the plan.
std::string planned_name(const table_name& t);

/// Whose log it is.
struct server_name {
  /// Made with the server's data, and the same in all its copies.
  std::string system = {};
  /// Grows when a copy is promoted or a backup restored to an earlier time.
  uint32_t timeline = 0;
};

struct position {
  server_name server = {};
  /// Behind the last transaction that was handed over completely.
  lsn at = 0;
  /// Changes of the transaction behind `at` that were handed over too.
  uint64_t index = 0;
  std::vector<table_state> tables;
  /// Of tables that are read in chunks.
  snapshot_plan plan = {};

  table_state* find(const table_name& name);
  /// Tables whose snapshot is not complete and not planned in chunks.
  std::vector<table_name> unread() const;
  /// "0/15431E8 3 [tables]", and the plan on a second line unless it is empty. All but the two
  /// numbers changes rarely: `tables_text` may be kept.
  std::string text(const std::string& tables_text) const;
  std::string tables_text() const;
};

result<position> parse_position(std::string_view text);
/// Only the first part of a position's text.
result<lsn> lsn_of_position(std::string_view text);

} // namespace rtdp::extract::pg
