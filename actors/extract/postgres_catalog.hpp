/// What a table looks like to the driver: its columns as the change stream describes them, and how
/// their values are read. Functions over a connection that the driver owns; each call is bounded by
/// the connection's time-out.
#pragma once

#include "actors/extract/postgres_connection.hpp"
#include "actors/extract/postgres_position.hpp"
#include "actors/extract/postgres_types.hpp"
#include "runtime/ums/schema.hpp"

namespace rtdp::extract::pg {

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

/// "schema"."table"
std::string quoted(const table_name& name);

} // namespace rtdp::extract::pg
