/// What the driver asks a server: whether it can serve us, its tables and columns, where its log
/// ends. Functions over a connection that the driver owns; each call is bounded by the connection's
/// time-out.
#pragma once

#include "actors/extract/mysql_connection.hpp"
#include "actors/extract/mysql_position.hpp"

#include <map>

namespace rtdp::extract::my {

struct captured_table {
  table_name name;
  bool before_images = false;
  int64_t rows_estimated = -1;
  /// The table's name has stars, which stand for any text.
  bool glob = false;
};

/// True when a setting stands for this table.
bool stands_for(const captured_table& wanted, const table_name& name);

/// Rejects, with what to set, a server whose log does not hold whole rows, or that lets us not read
/// it.
error check_server(connection& c);

/// Events come with checksums now.
result<bool> has_checksums(connection& c);

/// The tables of the settings that exist now or did at `stored`; rejects a name that matches none.
result<std::vector<captured_table>> find_tables(connection& c,
                                                const std::vector<captured_table>& wanted,
                                                const position& stored = {});

/// Columns and character set of a table as they are now. `rejected` when there is no such table.
error read_columns(connection& c, table_state& t);

/// True when readers do not block writers there and all see one moment: rows of other engines are
/// read under a lock.
result<bool> is_transactional(connection& c, const table_name& t);

/// The character set of each collation's number.
result<std::map<uint32_t, std::string>> read_collations(connection& c);
struct log_end {
  log_place at;
  int64_t now_us = 0;
};
result<log_end> read_log_end(connection& c);
/// Bytes of the log from `from` on; -1 when we may not ask. Offsets of files that are gone: empty.
int64_t retained_bytes(connection& c, const log_place& from);
/// `rejected` with the reason when the server no longer has its log from there on, or has another
/// one.
error check_place(connection& c, const position& stored);
/// MariaDB's GTIDs at a place of the log, by domain; none from MySQL.
result<std::map<uint32_t, std::string>> read_gtids(connection& c, const log_place& at);
std::map<uint32_t, std::string> parse_gtids(std::string_view text);
result<std::string> read_server_uuid(connection& c);

/// `database`.`table`
std::string quoted(const table_name& name);

} // namespace rtdp::extract::my
