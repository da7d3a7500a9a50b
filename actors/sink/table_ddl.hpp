/// Makes a target table ready for rows of one UMS schema: creates it, adds columns, or says exactly
/// what is in the way. Shared by the SQL sinks; knows no client library. Called by `prepare`.
#pragma once

#include "actors/sink/driver.hpp"
#include "actors/sink/table_name.hpp"

#include <string>
#include <vector>

namespace rtdp::sink {

struct existing_column {
  std::string name;
  std::string type;
  bool not_null = false;
  bool has_default = false;
};

/// What the comparison needs from a store. Implemented by each SQL sink over its connection.
class catalog {
public:
  virtual ~catalog() = default;
  /// In table order; empty when there is no such table.
  virtual result<std::vector<existing_column>> columns(const table_name& table) = 0;
  /// Runs one DDL statement.
  virtual error run(const std::string& sql) = 0;
  /// True when ON CONFLICT over these (quoted) columns has a unique constraint to use.
  virtual result<bool> has_unique(const table_name& table, const std::string& columns) = 0;
};

/// How one store spells types.
struct dialect {
  size_t name_bytes_max;
  /// Type of a column made for `field`; `native` is true when field.native is this store's own.
  std::string (*type_of)(const ums::field& field, bool native);
  /// The namespace's datastore whose native types are this store's.
  std::string_view datastore;
  std::string_view active_type;
  /// ALTER TABLE … DROP NOT NULL is there.
  bool drops_not_null;
};

/// Where each cell of a slice goes. Made by `prepare_table`, used by every write until the schema
/// changes.
struct layout {
  struct column {
    /// Position in the batch.
    size_t field = 0;
    /// Quoted.
    std::string name;
    /// As the target declares it.
    std::string type;
  };

  table_name table;
  sink::mutation mutation = mutation::iud;
  /// Positions of ums_id_, ums_ts_ and ums_op_ in the batch.
  size_t id = 0, ts = 0, op = 0;
  /// Empty with mutation `insert`, where key columns are plain ones.
  std::vector<column> keys;
  std::vector<column> values;
  /// The target has a NOT NULL column without default that these rows do not carry. An upsert would
  /// fail even for known keys, so those are updated first.
  bool update_first = false;

  std::vector<std::string> key_names() const;
  std::vector<std::string> value_names() const;
};

/// `created_before`: the table was there earlier in this process, so a missing one was dropped and
/// is not silently made again.
result<layout> prepare_table(catalog& store, const dialect& d, const ums::schema& schema,
                             const target& to, bool created_before);

} // namespace rtdp::sink
