#include "actors/extract/sqlite_snapshot.hpp"

#include <algorithm>

namespace rtdp::extract::sqlite {
namespace {

/// The key columns of `l`, each after `before` and in front of `behind`, joined by `by`.
std::string each_key(const layout& l, std::string_view before, std::string_view behind,
                     std::string_view by) {
  std::string sql;
  for (auto k : l.keys())
    sql += (sql.empty() ? "" : std::string(by)) + std::string(before) +
           sql_name(l.columns[k].name) + std::string(behind);
  return sql;
}

std::string select(const layout& l) {
  std::string sql;
  for (const auto& c : l.columns)
    sql += (sql.empty() ? "SELECT " : ", ") + sql_name(c.name);
  return sql + " FROM " + sql_name(l.table);
}

} // namespace

result<state::statement> next_piece(state::database& db, const layout& l, const key& after,
                                    size_t rows) {
  auto sql = select(l) + " WHERE " + each_key(l, "", " IS NOT NULL", " AND ");
  if (!after.empty()) {
    sql += " AND (" + each_key(l, "", "", ", ") + ") > (?1";
    for (size_t i = 1; i < after.size(); ++i)
      sql += ", ?" + std::to_string(i + 1);
    sql += ")";
  }
  sql += " ORDER BY " + each_key(l, "", "", ", ") + " LIMIT " + std::to_string(rows);
  auto made = db.prepare(sql);
  if (made)
    for (size_t i = 0; i < after.size(); ++i)
      after[i].bind(*made, int(i + 1));
  return made;
}

result<state::statement> rows_without_key(state::database& db, const layout& l) {
  return db.prepare(select(l) + " WHERE " + each_key(l, "", " IS NULL", " OR "));
}

error key_order::prepare(const layout& l, state::statement& into) {
  std::string left, right;
  auto keys = l.keys();
  for (size_t i = 0; i < keys.size(); ++i) {
    const char* collation = "BINARY";
    // Unknown for a rowid, which needs none.
    sqlite3_table_column_metadata(db_->handle(), "main", l.table.c_str(),
                                  l.columns[keys[i]].name.c_str(), nullptr, &collation, nullptr,
                                  nullptr, nullptr);
    left += (i == 0 ? "" : ", ") + ("?" + std::to_string(i + 1)) + " COLLATE " +
            sql_name(collation == nullptr ? "BINARY" : collation);
    right += (i == 0 ? "" : ", ") + ("?" + std::to_string(keys.size() + i + 1));
  }
  auto made = db_->prepare("SELECT (" + left + ") > (" + right + ")");
  if (!made)
    return made.error();
  into = std::move(*made);
  return {};
}

result<bool> key_order::behind(const layout& l, const state::statement& row, int first,
                               const key& after) {
  auto& compare = by_layout_[l.id];
  if (compare.handle() == nullptr)
    if (auto failed = prepare(l, compare))
      return failed;
  auto keys = l.keys();
  if (keys.size() != after.size())
    return rejected("the stored position of table " + sql_name(l.table) + " has a key of " +
                    std::to_string(after.size()) + " parts, the table one of " +
                    std::to_string(keys.size()) + "; start the source without its position");
  key here;
  for (auto k : keys)
    here.push_back(key_cell::read(row, first + int(k)));
  for (size_t i = 0; i < keys.size(); ++i) {
    here[i].bind(compare, int(i + 1));
    after[i].bind(compare, int(keys.size() + i + 1));
  }
  auto found = compare.step();
  if (!found)
    return found.error();
  bool is_behind = compare.integer(0) != 0;
  compare.reset();
  return is_behind;
}

int64_t estimated_rows(state::database& db, const std::string& table) {
  auto row = db.prepare("SELECT max(rowid) FROM " + sql_name(table));
  if (!row)
    return -1;
  auto found = row->step();
  return found && *found ? row->integer(0) : -1;
}

} // namespace rtdp::extract::sqlite
