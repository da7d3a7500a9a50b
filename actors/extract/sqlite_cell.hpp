/// One value of SQLite, which may be of any type in any column, on its way into a typed column.
/// Plain functions, used by the sqlite source only.
#pragma once

#include "actors/extract/sqlite_table.hpp"
#include "runtime/ums/batch.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::sqlite {

/// Appends the value in result column `at` of a row. Empty text: done. Else the reason why the
/// value does not fit the column, and nothing was appended: it is never bent into something else.
///
/// What each UMS type takes (NULL always):
///   long      INTEGER
///   double    REAL
///   boolean   INTEGER 0 or 1
///   decimal   INTEGER, REAL (DECIMAL columns of SQLite store 12.30 as the REAL 12.3: what is
///   handed
///             over is the shortest text that reads back as that REAL, "12.3"), and TEXT that is a
///             number
///   date, datetime   TEXT in ISO 8601; not INTEGER and not REAL, since a number may mean seconds,
///             milliseconds or Julian days; not more than six digits of fraction
///   binary    BLOB
///   string    TEXT that is UTF-8; in a column that is not declared as text also INTEGER and REAL,
///             as SQLite prints them
std::string append_cell(const state::statement& row, int at, const column& from, ums::column& into);

/// The row as text for a dead letter: a list of SQL literals, cut at some 16 KB.
std::string literals(const state::statement& row, int first, size_t count);

/// A part of a key, kept with its storage class: INTEGER, REAL, TEXT or BLOB.
struct key_cell {
  /// 'i', 'r', 't', 'b'; 'n' for NULL.
  char kind = 'n';
  int64_t integer = 0;
  double real = 0;
  std::string bytes;

  bool operator==(const key_cell&) const = default;

  static key_cell read(const state::statement& row, int at);
  /// The bytes must outlive the next step.
  void bind(state::statement& to, int index) const;

  /// "i42", "r0x1.8p+1", "t" or "b" and the bytes in hex.
  std::string text() const;
  static result<key_cell> parse(std::string_view text);
};

using key = std::vector<key_cell>;

} // namespace rtdp::extract::sqlite
