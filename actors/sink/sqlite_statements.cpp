#include "actors/sink/sqlite_statements.hpp"

#include "actors/sink/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace rtdp::sink {

namespace {

/// What stands between name and constraints of a column: words and at most one modifier, nothing
/// that could end the column.
bool is_declared_type(std::string_view text) {
  auto open = text.find('(');
  auto words = text.substr(0, open);
  auto is_word = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == ' '; };
  if (words.empty() || !std::isalpha(static_cast<unsigned char>(words[0])) ||
      !std::all_of(words.begin(), words.end(), is_word))
    return false;
  // A word that begins a constraint would change the column.
  for (auto word : {"primary", "not", "null", "unique", "check", "default", "collate", "references",
                    "generated", "as", "constraint"}) {
    std::string lower(words);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return char(std::tolower(c)); });
    if ((" " + lower + " ").find(fmt::format(" {} ", word)) != lower.npos)
      return false;
  }
  if (open == text.npos)
    return true;
  auto inside = text.substr(open + 1);
  return inside.size() > 1 && inside.back() == ')' &&
         inside.substr(0, inside.size() - 1).find_first_not_of("0123456789, ") == inside.npos;
}

std::string type_of(const ums::field& f, bool native) {
  if (native && is_declared_type(f.native))
    return f.native;
  switch (f.type) {
  case ums::type::int_:
  case ums::type::long_:
  case ums::type::boolean:
    return "INTEGER";
  case ums::type::float_:
  case ums::type::double_:
    return "REAL";
  case ums::type::binary:
    return "BLOB";
  default:
    // Decimals too: any number type of SQLite would round them.
    return "TEXT";
  }
}

std::vector<std::string> all_columns(const layout& to) {
  auto names = to.key_names();
  for (const auto& name : to.value_names())
    names.push_back(name);
  return names;
}

std::string insert_into(const table_name& table, const std::vector<std::string>& columns) {
  std::vector<std::string> marks;
  for (size_t i = 1; i <= columns.size(); ++i)
    marks.push_back(fmt::format("?{}", i));
  return fmt::format("INSERT INTO {} AS t ({}) VALUES ({})", table.sql(), list(columns),
                     list(marks));
}

std::string on_conflict(const layout& to, const std::vector<std::string>& set,
                        std::string_view where) {
  std::vector<std::string> parts;
  for (const auto& name : set)
    parts.push_back(fmt::format("{0} = excluded.{0}", name));
  auto keys = list(to.key_names());
  if (set.empty())
    return fmt::format(" ON CONFLICT ({}) DO NOTHING", keys);
  return fmt::format(" ON CONFLICT ({}) DO UPDATE SET {}{}", keys, list(parts), where);
}

constexpr std::string_view newer =
    " WHERE t.\"ums_id_\" < excluded.\"ums_id_\" OR t.\"ums_id_\" IS NULL";

std::vector<std::string> with_system(std::vector<std::string> names, std::string_view third) {
  names.insert(names.begin(), {quote(ums::id_name), quote(ums::ts_name), quote(third)});
  return names;
}

std::string keys_equal_parameters(const layout& to) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < to.keys.size(); ++i)
    parts.push_back(fmt::format("{} = ?{}", to.keys[i].name, i + 1));
  return fmt::format("{}", fmt::join(parts, " AND "));
}

} // namespace

// SQLite has no limit for names; 63 would only forbid what works.
const dialect sqlite_dialect{1'000'000, type_of, "sqlite", "INTEGER", false};

std::string insert_row(const layout& to) {
  return insert_into(to.table, with_system(all_columns(to), ums::op_name));
}

std::string upsert_row(const layout& to) {
  return insert_into(to.table, with_system(all_columns(to), ums::active_name)) +
         on_conflict(to, with_system(to.value_names(), ums::active_name), newer);
}

std::string mark_deleted(const layout& to) {
  return insert_into(to.table, with_system(to.key_names(), ums::active_name)) +
         on_conflict(to, with_system({}, ums::active_name), newer);
}

std::string guard_row(const layout& to) {
  auto names = to.key_names();
  names.insert(names.begin(), {quote(ums::id_name), quote(ums::active_name)});
  std::vector<std::string> same;
  for (const auto& key : to.key_names())
    same.push_back(fmt::format("gone.{0} = excluded.{0}", key));
  // The same change once more, and its row is gone: somebody removed it by hand and rewound.
  auto again =
      fmt::format(" OR (t.\"ums_id_\" = excluded.\"ums_id_\" AND NOT EXISTS (SELECT 1 FROM "
                  "{} AS gone WHERE {}))",
                  to.table.sql(), fmt::join(same, " AND "));
  return insert_into(to.table.side(), names) +
         on_conflict(to, {quote(ums::id_name), quote(ums::active_name)},
                     std::string(newer) + again);
}

std::string delete_row(const layout& to) {
  return fmt::format("DELETE FROM {} WHERE {}", to.table.sql(), keys_equal_parameters(to));
}

std::string upsert_clean(const layout& to) {
  return insert_into(to.table, all_columns(to)) + on_conflict(to, to.value_names(), "");
}

std::string update_clean(const layout& to) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < to.values.size(); ++i)
    parts.push_back(fmt::format("{} = ?{}", to.values[i].name, to.keys.size() + i + 1));
  return fmt::format("UPDATE {} SET {} WHERE {}", to.table.sql(), list(parts),
                     keys_equal_parameters(to));
}

std::string sweep_table(const layout& to, int64_t before) {
  auto tombstone = tombstones_below(before);
  if (to.mutation != mutation::iud_clean)
    return fmt::format("UPDATE {} SET {}", to.table.sql(), tombstone);
  std::vector<std::string> same;
  for (const auto& key : to.keys)
    same.push_back(fmt::format("s.{0} = t.{0}", key.name));
  return fmt::format("UPDATE {0} SET {2}; DELETE FROM {1} AS t WHERE NOT EXISTS "
                     "(SELECT 1 FROM {0} AS s WHERE s.\"ums_active_\" = 1 AND {3})",
                     to.table.side().sql(), to.table.sql(), tombstone, fmt::join(same, " AND "));
}

std::string truncate_table(const layout& to, int64_t id, const std::string& only) {
  if (to.mutation != mutation::iud_clean)
    return fmt::format("DELETE FROM {} WHERE (\"ums_id_\" < {} OR \"ums_id_\" IS NULL){}",
                       to.table.sql(), id, only);
  std::vector<std::string> same;
  for (const auto& key : to.keys)
    same.push_back(fmt::format("s.{0} = t.{0}", key.name));
  return fmt::format(
      "DELETE FROM {0} WHERE \"ums_id_\" < {2}{4}; DELETE FROM {1} AS t WHERE NOT EXISTS "
      "(SELECT 1 FROM {0} AS s WHERE {3})",
      to.table.side().sql(), to.table.sql(), id, fmt::join(same, " AND "), only);
}

} // namespace rtdp::sink
