/// A TRUNCATE of one shard of a merged table: it carries the shard's column and empties the rows of
/// that shard only. Pure; used by the SQL sinks.
#pragma once

#include "actors/sink/table_name.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::sink {

struct shard {
  std::string column;
  std::string value;
};

/// Nothing when the whole table was emptied.
inline std::optional<shard> truncated_shard(const ums::slice& rows) {
  if (rows.data->kind != ums::protocol::increment_truncate || rows.count == 0)
    return {};
  const auto& fields = rows.data->schema->fields;
  for (size_t i = 0; i < fields.size(); ++i)
    if (!ums::is_system(fields[i].name) && fields[i].type == ums::type::string)
      return shard{fields[i].name, std::string(rows.data->columns[i].text(rows.first))};
  return {};
}

/// The end of a WHERE, ` AND "shard" = 'orders_07'`; empty when the whole table was emptied.
/// `columns` are the quoted ones of the table that holds the ids. `rejected` when the shard's is
/// none of them: then its rows cannot be told from the others.
inline result<std::string> only_shard(const ums::slice& rows,
                                      const std::vector<std::string>& columns,
                                      const table_name& table) {
  auto s = truncated_shard(rows);
  if (!s)
    return std::string();
  auto name = quote(s->column);
  if (std::find(columns.begin(), columns.end(), name) == columns.end())
    return rejected("the source emptied shard " + s->value + ", but " + table.sql() +
                    " has no column " + name +
                    " to tell its rows from the others'; let the steps keep this column, and with "
                    "mutation: iud_clean let it be one of the keys");
  std::string literal;
  for (char c : s->value)
    literal += c == '\'' ? "''" : std::string(1, c);
  return " AND " + name + " = '" + literal + "'";
}

} // namespace rtdp::sink
