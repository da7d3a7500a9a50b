/// Reads a table in the order of its primary key, in pieces, and says of a log entry whether its
/// row lies behind the piece read last. Plain functions, used by the sqlite source only, in its
/// read transaction.
#pragma once

#include "actors/extract/sqlite_cell.hpp"

#include <map>

namespace rtdp::extract::sqlite {

/// The next `rows` rows of the table behind `after` (from the start when it is empty), in the order
/// of the key; rows that lack a part of their key are left out. `after` must outlive the statement.
result<state::statement> next_piece(state::database& db, const layout& l, const key& after,
                                    size_t rows);
/// The rows left out by `next_piece`. Empty for nearly every table.
result<state::statement> rows_without_key(state::database& db, const layout& l);

/// Compares keys as the table's own index does, with its collations.
class key_order {
public:
  explicit key_order(state::database& db) : db_(&db) {}

  /// True when the row whose columns begin at `first` comes behind `after`.
  result<bool> behind(const layout& l, const state::statement& row, int first, const key& after);

private:
  error prepare(const layout& l, state::statement& into);

  state::database* db_;
  std::map<int64_t, state::statement> by_layout_;
};

/// A guess for progress bars: the highest rowid, which counts gaps too; -1 when there is none.
int64_t estimated_rows(state::database& db, const std::string& table);

} // namespace rtdp::extract::sqlite
