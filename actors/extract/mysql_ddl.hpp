/// What statements of the log do to tables. Reads only as much as the columns of a table depend on,
/// and says so when it does not understand: whoever asks then must not trust what it knew. Pure.
#pragma once

#include "actors/extract/mysql_position.hpp"
#include "actors/extract/mysql_tokens.hpp"

#include <string>
#include <vector>

namespace rtdp::extract::my {

/// One table of one statement.
struct table_change {
  enum class verb : uint8_t {
    create,
    drop,
    truncate,
    rename, // `to` is its new name
    alter,  // `tokens` from `first` on say how
    /// The table has the name of another that is dropped: all tables of `name.database`.
    drop_database,
  };
  verb what{};
  table_name name;
  table_name to = {};
  /// Index of the first word behind the table's name.
  size_t first = 0;
};

/// All tables that a statement changes, in its order; none when it changes none. `database` is the
/// session's own.
std::vector<table_change> changes_of(const std::vector<token>& tokens, const std::string& database);

/// What an ALTER TABLE did besides the columns.
struct altered {
  /// Its name afterwards; empty: the same.
  table_name renamed = {};
  /// Rows came or went without a word of it in the log, as when partitions are exchanged.
  bool rows_changed = false;
};

/// Follows the actions of an ALTER TABLE, which begin at `first`. `rejected` with what was not
/// understood; `t` is then half changed.
error alter(table_state& t, const std::vector<token>& tokens, size_t first, bool mariadb,
            const std::string& database, altered& out);

} // namespace rtdp::extract::my
