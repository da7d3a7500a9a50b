/// Names in SQL, for every sink that speaks it. The only place of this folder that quotes.
#pragma once

#include "runtime/core/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace rtdp::sink {

/// In double quotes, doubled inside; right for PostgreSQL and SQLite.
/// REQUIRES: no NUL byte, which no store takes in a name; `check_name` refuses it.
std::string quote(std::string_view name);

/// Rejects what cannot be a name: empty, with a NUL byte, or longer than the store keeps (it would
/// cut the name silently and two columns could become one).
error check_name(std::string_view name, size_t bytes_max);

/// `public.orders` or `"My.Schema"."odd ""name"""`: one or two parts, each taken exactly as it is
/// written, without folding to lower case.
struct table_name {
  /// Empty: the store's default.
  std::string schema;
  std::string table;

  static result<table_name> parse(std::string_view text);
  /// Quoted, ready for a statement.
  std::string sql() const;
  /// Where iud_clean keeps ids and tombstones of this table.
  table_name side() const { return {schema, table + "_ums_"}; }
};

/// `prefix"a", prefix"b"` of names that are quoted already.
std::string list(const std::vector<std::string>& quoted, std::string_view prefix = "");

} // namespace rtdp::sink
