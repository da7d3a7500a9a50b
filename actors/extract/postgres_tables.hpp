/// Which tables are captured and published, and whether they are still the ones that the log tells
/// of. Functions over a connection that the driver owns; each call is bounded by the connection's
/// time-out.
#pragma once

#include "actors/extract/postgres_connection.hpp"
#include "actors/extract/postgres_position.hpp"

#include <string>
#include <vector>

namespace rtdp::extract::pg {

struct captured_table {
  table_name name;
  bool before_images = false;
  int64_t rows_estimated = -1;
  uint32_t oid = 0;
  bool partitioned = false;
  /// The server can tell which row an UPDATE or DELETE meant; without that it refuses them while
  /// the table is published.
  bool identified = true;
  /// A star in the name stands for any text.
  bool glob = false;
};

/// The tables of the settings that exist now; rejects a name that matches none, and says what a
/// table of `known` is called now.
result<std::vector<captured_table>> find_tables(connection& c,
                                                const std::vector<captured_table>& wanted,
                                                const std::vector<table_state>& known = {});

result<bool> has_publication(connection& c, const std::string& name);

/// Makes the publication hold the tables, or rejects when `create` is off. `slot_exists`:
/// transactions that wrote to a table before it was added must end first, or their rows would be
/// missing.
error ensure_publication(connection& c, const std::string& name, bool create,
                         const std::vector<captured_table>& tables, bool slot_exists);

/// One a table: its place in the publication with row filter and column list, and the partitions
/// that were tables of their own before. Another text than before means that rows came or went
/// which the log does not tell of.
result<std::vector<std::string>> origins_of(connection& c, const std::string& publication,
                                            const std::vector<captured_table>& tables);

/// Compares what is there now with what is read; `unavailable` with the difference, since opening
/// again settles it, or what `find_tables` rejects.
error check_tables(connection& c, const std::vector<captured_table>& wanted,
                   const std::string& publication, const std::vector<table_state>& read);

} // namespace rtdp::extract::pg
