#include "actors/extract/sqlite_table.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace rtdp::extract::sqlite {
namespace {

using nlohmann::json;

/// Microseconds since 1970, in words that every SQLite of the last fifteen years knows: the
/// trigger runs in the application's SQLite, not in ours. It has milliseconds only.
constexpr std::string_view now_sql =
    "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000";

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return char(std::toupper(c)); });
  return out;
}

bool equal_names(std::string_view a, std::string_view b) { return upper(a) == upper(b); }

result<std::string> all_tables(state::database& db) {
  auto rows = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                         "'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT 50");
  if (!rows)
    return rows.error();
  std::string names;
  for (;;) {
    auto more = rows->step();
    if (!more)
      return more.error();
    if (!*more)
      return names;
    names += (names.empty() ? "" : ", ") + std::string(utf8(*rows, 0));
  }
}

/// Rejects what cannot be captured; true for WITHOUT ROWID.
result<bool> check_kind(state::database& db, const std::string& table) {
  auto row =
      db.prepare("SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1");
  if (!row)
    return row.error();
  row->bind(1, std::string_view(table));
  auto found = row->step();
  if (!found)
    return found.error();
  if (!*found) {
    auto names = all_tables(db);
    if (!names)
      return names.error();
    return rejected("no table " + sql_name(table) + "; the file has: " + *names +
                    " (names are taken exactly, upper and lower case too)");
  }
  if (utf8(*row, 0) != "table")
    return rejected(sql_name(table) + " is a " + std::string(utf8(*row, 0)) +
                    "; only ordinary tables can have the triggers that log changes");
  bool without_rowid = row->integer(1) != 0;
  row->reset();
  return without_rowid;
}

/// The key columns compared between two row names, `IS` so that a NULL key finds itself.
std::string same_key(const layout& l, std::string_view a, std::string_view b,
                     std::string_view collate = "") {
  std::string sql;
  for (auto k : l.keys()) {
    auto name = sql_name(l.columns[k].name);
    sql += sql.empty() ? "(" : " AND ";
    sql +=
        std::string(a) + "." + name + std::string(collate) + " IS " + std::string(b) + "." + name;
  }
  return sql + ")";
}

/// INSERT INTO log SELECT …: one image of a row.
std::string log_sql(std::string_view log, const layout& l, std::string_view op,
                    std::string_view image, const std::string& rest) {
  std::string into = "INSERT INTO " + sql_name(log) + "(layout, op, at";
  std::string values =
      " SELECT " + std::to_string(l.id) + ", " + std::string(op) + ", " + std::string(now_sql);
  for (size_t i = 0; i < l.columns.size(); ++i) {
    into += ", c" + std::to_string(i);
    values += ", " + std::string(image) + "." + sql_name(l.columns[i].name);
  }
  return into + ")" + values + rest + "; ";
}

} // namespace

std::string sql_name(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    out += c;
    if (c == '"')
      out += c;
  }
  return out + '"';
}

std::string plain_name(std::string_view name) {
  if (name.size() < 2 || name.front() != '"' || name.back() != '"')
    return std::string(name);
  std::string out;
  for (size_t i = 1; i + 1 < name.size(); ++i) {
    out += name[i];
    if (name[i] == '"' && i + 2 < name.size() && name[i + 1] == '"')
      ++i;
  }
  return out;
}

result<std::vector<std::string>> table_names(state::database& db) {
  auto row = db.prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = "
                        "'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name");
  if (!row)
    return row.error();
  std::vector<std::string> out;
  for (;;) {
    auto more = row->step();
    if (!more)
      return more.error();
    if (!*more)
      return out;
    out.emplace_back(utf8(*row, 0));
  }
}

std::string_view utf8(const state::statement& row, int at) {
  auto stmt = row.handle();
  auto data = sqlite3_column_type(stmt, at) == SQLITE_BLOB
                  ? static_cast<const char*>(sqlite3_column_blob(stmt, at))
                  : reinterpret_cast<const char*>(sqlite3_column_text(stmt, at));
  // The size is asked last: it is that of the text only once the text was made.
  auto size = size_t(sqlite3_column_bytes(stmt, at));
  return data == nullptr ? std::string_view{} : std::string_view{data, size};
}

ums::type type_of(std::string_view declared) {
  auto text = upper(declared);
  auto begins = [&](std::string_view word) { return text.compare(0, word.size(), word) == 0; };
  auto holds = [&](std::string_view word) { return text.find(word) != std::string::npos; };
  if (begins("BOOL"))
    return ums::type::boolean;
  if (begins("DATETIME") || begins("TIMESTAMP"))
    return ums::type::datetime;
  if (text == "DATE")
    return ums::type::date;
  if (begins("DECIMAL") || begins("NUMERIC"))
    return ums::type::decimal;
  if (holds("INT"))
    return ums::type::long_;
  if (holds("CHAR") || holds("CLOB") || holds("TEXT"))
    return ums::type::string;
  if (holds("BLOB"))
    return ums::type::binary;
  if (holds("REAL") || holds("FLOA") || holds("DOUB"))
    return ums::type::double_;
  return ums::type::string;
}

result<table_shape> describe(state::database& db, const std::string& table) {
  auto without_rowid = check_kind(db, table);
  if (!without_rowid)
    return without_rowid.error();
  table_shape shape{.table = table, .columns = {}, .rowid = "", .key_never_null = *without_rowid};
  auto row = db.prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) "
                        "WHERE hidden <> 1 ORDER BY cid");
  if (!row)
    return row.error();
  row->bind(1, std::string_view(table));
  for (;;) {
    auto more = row->step();
    if (!more)
      return more.error();
    if (!*more)
      break;
    column c{.name = std::string(utf8(*row, 0)),
             .declared = std::string(utf8(*row, 1)),
             .key = int(row->integer(3)),
             .not_null = row->integer(2) != 0};
    c.type = type_of(c.declared);
    if (ums::is_system(c.name) || c.name == ums::active_name)
      return rejected("table " + sql_name(table) + " has a column " + c.name +
                      ", a name that UMS keeps for itself; rename it");
    shape.columns.push_back(std::move(c));
  }
  auto taken = [&](std::string_view name) {
    return std::any_of(shape.columns.begin(), shape.columns.end(),
                       [&](const column& c) { return equal_names(c.name, name); });
  };
  auto keys = std::count_if(shape.columns.begin(), shape.columns.end(),
                            [](const column& c) { return c.key > 0; });
  for (std::string_view name : {"rowid", "_rowid_", "oid"})
    if (!*without_rowid && shape.rowid.empty() && !taken(name))
      shape.rowid = name;
  if (keys == 0 && shape.rowid.empty())
    return rejected("table " + sql_name(table) +
                    " has no primary key, and its columns hide rowid, "
                    "_rowid_ and oid; give it a primary key");
  if (keys == 0) {
    shape.keyed_by_rowid = shape.key_never_null = true;
    shape.columns.insert(shape.columns.begin(), {.name = shape.rowid,
                                                 .declared = "INTEGER",
                                                 .key = 1,
                                                 .not_null = true,
                                                 .type = ums::type::long_});
  }
  bool never_null = true;
  for (const auto& c : shape.columns)
    if (c.key > 0)
      never_null &= c.not_null || (keys == 1 && upper(c.declared) == "INTEGER");
  shape.key_never_null |= never_null;
  return shape;
}

std::vector<size_t> layout::keys() const {
  std::vector<size_t> out;
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].key > 0)
      out.push_back(i);
  std::sort(out.begin(), out.end(),
            [this](size_t a, size_t b) { return columns[a].key < columns[b].key; });
  return out;
}

std::vector<ums::field> layout::fields() const {
  std::vector<ums::field> out;
  for (const auto& c : columns)
    out.push_back({.name = c.name,
                   .type = c.type,
                   .nullable = !c.not_null && c.key == 0,
                   .key = c.key > 0,
                   .native = c.declared});
  return out;
}

std::string columns_text(const std::vector<column>& columns) {
  auto list = json::array();
  for (const auto& c : columns)
    list.push_back({c.name, c.declared, c.key, c.not_null});
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<std::vector<column>> parse_columns(const std::string& text) {
  std::vector<column> out;
  auto list = json::parse(text, nullptr, false);
  if (!list.is_array())
    return rejected("the log's list of columns is damaged: " + text);
  for (const auto& c : list) {
    if (!c.is_array() || c.size() != 4 || !c[0].is_string() || !c[1].is_string() ||
        !c[2].is_number_integer() || !c[3].is_boolean())
      return rejected("the log's list of columns is damaged: " + text);
    auto declared = c[1].get<std::string>();
    out.push_back({.name = c[0].get<std::string>(),
                   .declared = declared,
                   .key = c[2].get<int>(),
                   .not_null = c[3].get<bool>(),
                   .type = type_of(declared)});
  }
  return out;
}

std::string trigger_name(std::string_view log, std::string_view table, char what) {
  return std::string(log) + "_" + std::string(table) + "_" + what;
}

std::string trigger_sql(std::string_view log, const layout& l, const table_shape& shape) {
  auto table = sql_name(l.table);
  // By rowid where there is one: exact whatever the key's collation, and the shortest way.
  auto here = shape.rowid.empty()
                  ? same_key(l, "t", "NEW")
                  : "t." + sql_name(shape.rowid) + " = NEW." + sql_name(shape.rowid);
  auto current = " FROM " + table + " AS t WHERE " + here;
  // BINARY: 'a' and 'A' are one key under NOCASE, but two keys for a target. The first of the two
  // comparisons is there for the index.
  auto gone = "NOT EXISTS (SELECT 1 FROM " + table + " AS t WHERE " + same_key(l, "t", "OLD") +
              " AND " + same_key(l, "t", "OLD", " COLLATE BINARY") + ")";
  auto same = same_key(l, "OLD", "NEW", " COLLATE BINARY");
  auto create = [&](char what, std::string_view when) {
    return "CREATE TRIGGER " + sql_name(trigger_name(log, l.table, what)) + " AFTER " +
           std::string(when) + " ON " + table + " BEGIN ";
  };
  auto sql = create('i', "INSERT") + log_sql(log, l, "'i'", "t", current) + "END; ";
  sql += create('u', "UPDATE");
  sql += log_sql(log, l, "'d'", "OLD", " WHERE NOT " + same + " AND " + gone);
  if (l.before_images)
    sql +=
        log_sql(log, l, "'b'", "OLD", " WHERE " + same + " AND EXISTS (SELECT 1" + current + ")");
  sql += log_sql(log, l, "CASE WHEN " + same + " THEN 'u' ELSE 'i' END", "t", current) + "END; ";
  sql += create('d', "DELETE") + log_sql(log, l, "'d'", "OLD", " WHERE " + gone) + "END; ";
  return sql;
}

} // namespace rtdp::extract::sqlite
