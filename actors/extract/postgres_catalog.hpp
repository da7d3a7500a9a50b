/// What the driver asks and tells PostgreSQL's catalog: tables, columns, publication, slot.
/// Functions over a connection that the driver owns; each call is bounded by the connection's
/// time-out.
#pragma once

#include "actors/extract/postgres_connection.hpp"
#include "actors/extract/postgres_position.hpp"
#include "actors/extract/postgres_types.hpp"
#include "runtime/ums/schema.hpp"

namespace rtdp::extract::pg {

struct captured_table {
  table_name name;
  bool before_images = false;
  int64_t rows_estimated = -1;
};

/// The columns of one table version, ready to convert rows.
struct shape {
  std::vector<ums::field> fields;
  /// One per field.
  std::vector<conversion> how;
  /// One per field: what COPY selects.
  std::vector<std::string> copy_expressions;
  /// Equal for equal names, types and keys; nullability is left out, since the log does not carry
  /// it, and so is what the server calls a type.
  uint64_t hash = 0;
  /// The key comes from the catalog, since the log flags no column or every one.
  bool key_from_catalog = false;
  /// The transaction behind `moment::xid` that made the primary key which the catalog has now; 0
  /// when that is the key of the moment.
  uint32_t key_since = 0;

  /// Names of the key columns.
  std::vector<std::string> key() const;
};

/// As of when a relation is described: the catalog may be of a later day, the relation is not.
struct moment {
  /// The transaction whose change is to be described; 0: now.
  uint32_t xid = 0;
  /// The key of the version before, taken when the catalog's is newer than the change.
  std::vector<std::string> key = {};
};

struct slot_state {
  lsn confirmed = 0;
  /// 0 when nobody reads it.
  int32_t active_pid = 0;
};

struct log_state {
  /// Every commit of a time before `now_us` is before this.
  lsn flushed = 0;
  /// The server's clock.
  int64_t now_us = 0;
  /// What the slot keeps; -1 when there is no slot.
  int64_t retained_bytes = -1;
};

/// Rejects a server that does not decode its log.
error check_server(connection& c);

/// The tables of the settings that exist now; rejects a name that matches none.
result<std::vector<captured_table>> find_tables(connection& c,
                                                const std::vector<captured_table>& wanted);

/// The table as the change stream would describe it now; `publication` may leave columns out, an
/// empty one leaves out none.
result<relation> current_relation(connection& c, const table_name& name,
                                  const std::string& publication);
/// The filter of rows that the publication has for the table, "" when none.
result<std::string> row_filter(connection& c, const table_name& name,
                               const std::string& publication);
/// Names, types and flags are those of `r`. Of the catalog only what was there at the moment
/// `as_of` is taken; a column of which that is not known may hold nulls.
result<shape> describe(connection& c, const relation& r, const moment& as_of = {});

/// Makes the publication hold the tables, or rejects when `create` is off. `slot_exists`:
/// transactions that wrote to a table before it was added must end first, or their rows would be
/// missing.
error ensure_publication(connection& c, const std::string& name, bool create,
                         const std::vector<captured_table>& tables, bool slot_exists);

/// Empty: there is no such slot. Rejects one that cannot serve us.
result<std::optional<slot_state>> find_slot(connection& c, const std::string& name);

/// Whether reading can go on at `position` (empty at the very first start) with what `find_slot`
/// found.
error check_slot(const std::optional<slot_state>& slot, const std::string& name, bool create,
                 const std::string& position);
result<log_state> read_log_state(connection& c, const std::string& slot);

struct new_slot {
  lsn start = 0;
  /// For SET TRANSACTION SNAPSHOT as long as the connection does nothing else: it sees exactly the
  /// transactions that the slot does not deliver.
  std::string snapshot;
};
/// REQUIRES: a connection with `replication`.
result<new_slot> create_slot(connection& replication, const std::string& name);

/// "schema"."table"
std::string quoted(const table_name& name);

} // namespace rtdp::extract::pg
