/// Where the sqlite source stands: the log entry read last, and the tables whose snapshot is not
/// complete. Plain value, used by the sqlite source only.
#pragma once

#include "actors/extract/sqlite_cell.hpp"

#include <string>
#include <vector>

namespace rtdp::extract::sqlite {

/// A table that is being read. Rows with keys up to `after` are as of entry `seq` of the position.
struct pending_table {
  std::string table;
  /// Empty: not begun.
  key after;
  int64_t rows = 0;

  bool operator==(const pending_table&) const = default;
};

struct position {
  /// Tells this log from that of another file, or from one that was dropped and made again.
  std::string log;
  int64_t seq = 0;
  std::vector<pending_table> pending;

  bool operator==(const position&) const = default;

  pending_table* find(std::string_view table);
  /// One line of JSON.
  std::string text() const;
  static result<position> parse(const std::string& text);
};

} // namespace rtdp::extract::sqlite
