/// The heartbeat table of a source: a row for each source, written once a second, which comes back
/// through the log like any other, so that a mark with its time has been all the way. Owned by the
/// driver; one thread. Writes over a connection of its own, on which nothing waits for a lock longer
/// than 100 ms: rows must not wait for a heartbeat.
#pragma once

#include "actors/extract/postgres_connection.hpp"
#include "actors/extract/postgres_pgoutput.hpp"
#include "actors/extract/postgres_tables.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace rtdp::extract::pg {

class beat {
public:
  beat(std::string source, table_name table, connection::options connect)
      : source_(std::move(source)), table_(std::move(table)), connect_(std::move(connect)) {}

  const table_name& table() const { return table_; }

  /// Makes table and schema when `create` is set and they are missing; rejects a table that is also
  /// captured, and one that has not the columns `source` and `marked_us`.
  error prepare(connection& c, bool create, const std::vector<captured_table>& captured) const;
  /// After `unavailable` it connects anew the next time.
  error write(int64_t now_us);

  bool is_of(const relation& r) const { return r.schema == table_.schema && r.table == table_.table; }
  /// A row of the table came through the log; those of other sources are passed over.
  void came_back(const relation& r, const tuple& row);
  /// The time in our last row that came back; 0 before the first.
  int64_t returned_us() const { return returned_us_; }

private:
  std::string source_;
  table_name table_;
  connection::options connect_;
  std::optional<connection> writer_;
  int64_t returned_us_ = 0;
};

} // namespace rtdp::extract::pg
