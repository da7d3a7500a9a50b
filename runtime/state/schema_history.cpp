#include "runtime/state/schema_history.hpp"

#include "runtime/state/store.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace rtdp::state {

namespace {

using json = nlohmann::json;

constexpr int64_t history_layout_version = 1;
/// `line_version`: what the numbers of a line are; `seq` is the order in which they were met.
constexpr const char* history_layout =
    "CREATE TABLE table_version("
    "  tbl TEXT NOT NULL, version INTEGER NOT NULL, previous INTEGER NOT NULL,"
    "  decision INTEGER NOT NULL, published_as INTEGER NOT NULL, at_us INTEGER NOT NULL,"
    "  place TEXT NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (tbl, version)) WITHOUT ROWID;"
    "CREATE TABLE line_version("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, line TEXT NOT NULL,"
    "  number INTEGER NOT NULL, version INTEGER NOT NULL, UNIQUE (tbl, line, number))";

constexpr std::string_view version_columns =
    "v.version, v.previous, v.decision, v.published_as, v.at_us, v.place, v.fields";

constexpr std::array<std::string_view, 4> decision_names = {"open", "published", "ignored",
                                                            "refused"};

std::string fields_text(const std::vector<ums::field>& fields) {
  auto list = json::array();
  for (const auto& f : fields)
    list.push_back({{"name", f.name},
                    {"type", to_string(f.type)},
                    {"nullable", f.nullable},
                    {"key", f.key},
                    {"encoded", f.encoded},
                    {"native", f.native}});
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<std::vector<ums::field>> parse_fields(std::string_view text) {
  std::vector<ums::field> out;
  try {
    for (const auto& f : json::parse(text)) {
      auto type = ums::type_from(f.at("type").get<std::string>());
      if (!type)
        return rejected("the schema history holds an unknown type: " + f.at("type").dump());
      out.push_back({.name = f.at("name"),
                     .type = *type,
                     .nullable = f.at("nullable"),
                     .key = f.at("key"),
                     .encoded = f.at("encoded"),
                     .native = f.at("native")});
    }
  } catch (const json::exception& e) {
    return rejected(std::string("the schema history is damaged: ") + e.what());
  }
  return out;
}

result<table_version> read_version(const statement& row) {
  table_version v{.version = row.integer(0),
                  .previous = row.integer(1),
                  .decision = version_decision(row.integer(2)),
                  .published_as = row.integer(3),
                  .at_us = row.integer(4),
                  .place = std::string(row.text(5))};
  auto fields = parse_fields(row.text(6));
  if (!fields)
    return fields.error();
  v.fields = std::move(*fields);
  return v;
}

bool same_shape(const std::vector<ums::field>& a, const std::vector<ums::field>& b,
                bool with_native) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](ums::field x, const ums::field& y) {
    x.nullable = y.nullable;
    if (!with_native)
      x.native = y.native;
    return x == y;
  });
}

} // namespace

std::string_view to_string(version_decision d) { return decision_names[size_t(d)]; }

std::string schema_history::table_of(const ums::ns& name) {
  auto four = name;
  for (auto part : {ums::ns::version, ums::ns::db_partition, ums::ns::table_partition})
    four.set(part, "0");
  auto text = four.text();
  text.resize(text.size() - std::string_view(".0.0.0").size());
  return text;
}

result<schema_history> schema_history::open(const std::string& data_dir) {
  auto db = open_store(data_dir + "/schemas.db", history_layout_version, history_layout);
  if (!db)
    return db.error();
  schema_history out;
  out.db_ = std::move(*db);
  return out;
}

result<table_version> schema_history::meet(const met_version& met) {
  auto work = transaction::begin(db_);
  if (!work)
    return work.error();
  auto before = find_met(met.table, met.line, met.number);
  if (!before)
    return before.error();
  // What a source calls a type may change with the type's name; the driver says it is the same.
  if (*before && same_shape((*before)->fields, met.fields, false))
    return **before;
  auto all = versions(met.table);
  if (!all)
    return all.error();
  auto last =
      one(" WHERE l.tbl = ?1 AND l.line = ?2 ORDER BY l.seq DESC LIMIT 1", met.table, met.line, 0);
  if (!last)
    return last.error();
  auto number = number_for(met, *all);
  if (!number)
    return number.error();
  auto at = std::find_if(all->begin(), all->end(),
                         [&](const table_version& v) { return v.version == *number; });
  table_version v;
  if (at != all->end()) {
    v = *at;
  } else {
    v = {.version = *number,
         // A line without a past has not changed; it only looks as it does.
         .previous = *last ? (*last)->version : -1,
         .published_as = *number,
         .at_us = met.at_us,
         .place = met.place,
         .fields = met.fields};
    if (auto failed = insert(met, v))
      return failed;
  }
  if (auto failed = link(met, v.version))
    return failed;
  if (auto failed = work->commit())
    return failed;
  return v;
}

/// The driver's own number, unless it stands for other columns already: that happens when the
/// driver has lost its position and counts from the start again.
result<int64_t> schema_history::number_for(const met_version& met,
                                           const std::vector<table_version>& all) {
  auto next = all.empty() ? 0 : all.back().version + 1;
  if (!met.merged && met.number >= next)
    return met.number;
  // The newest first: what went back to older columns is nearly always a replay.
  for (auto v = all.rbegin(); v != all.rend(); ++v)
    if (same_shape(v->fields, met.fields, true))
      return v->version;
  return next;
}

error schema_history::insert(const met_version& met, const table_version& v) {
  auto put = db_.prepare("INSERT INTO table_version VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
  if (!put)
    return put.error();
  auto fields = fields_text(v.fields);
  put->bind(1, std::string_view(met.table)).bind(2, v.version).bind(3, v.previous);
  put->bind(4, int64_t(v.decision)).bind(5, v.published_as).bind(6, v.at_us);
  put->bind(7, std::string_view(v.place)).bind(8, std::string_view(fields));
  return put->run();
}

error schema_history::link(const met_version& met, int64_t version) {
  // A number that comes again for other columns: the driver counts anew, so what it counted behind
  // that number is gone.
  auto forget =
      db_.prepare("DELETE FROM line_version WHERE tbl = ?1 AND line = ?2 AND number > ?3");
  if (!forget)
    return forget.error();
  forget->bind(1, std::string_view(met.table)).bind(2, std::string_view(met.line));
  forget->bind(3, met.number);
  if (auto failed = forget->run())
    return failed;
  auto put = db_.prepare("INSERT OR REPLACE INTO line_version(tbl, line, number, version) "
                         "VALUES (?1, ?2, ?3, ?4)");
  if (!put)
    return put.error();
  put->bind(1, std::string_view(met.table)).bind(2, std::string_view(met.line));
  put->bind(3, met.number).bind(4, version);
  return put->run();
}

error schema_history::decide(const std::string& table, int64_t version, version_decision d,
                             int64_t published_as) {
  auto put = db_.prepare("UPDATE table_version SET decision = ?3, published_as = ?4 "
                         "WHERE tbl = ?1 AND version = ?2");
  if (!put)
    return put.error();
  put->bind(1, std::string_view(table)).bind(2, version).bind(3, int64_t(d)).bind(4, published_as);
  return put->run();
}

result<std::optional<table_version>> schema_history::one(std::string_view where,
                                                         const std::string& table,
                                                         const std::string& line, int64_t number) {
  auto query = db_.prepare("SELECT " + std::string(version_columns) +
                           " FROM line_version l JOIN table_version v ON v.tbl = l.tbl AND "
                           "v.version = l.version" +
                           std::string(where));
  if (!query)
    return query.error();
  query->bind(1, std::string_view(table)).bind(2, std::string_view(line));
  if (sqlite3_bind_parameter_count(query->handle()) > 2)
    query->bind(3, number);
  auto row = query->step();
  if (!row)
    return row.error();
  if (!*row)
    return std::optional<table_version>();
  auto v = read_version(*query);
  return v ? result<std::optional<table_version>>(std::move(*v)) : v.error();
}

result<std::optional<table_version>>
schema_history::find_met(const std::string& table, const std::string& line, int64_t number) {
  return one(" WHERE l.tbl = ?1 AND l.line = ?2 AND l.number = ?3", table, line, number);
}

result<std::optional<table_version>>
schema_history::successor(const std::string& table, const std::string& line, int64_t number) {
  return one(" WHERE l.tbl = ?1 AND l.line = ?2 AND l.number > ?3 ORDER BY l.number LIMIT 1", table,
             line, number);
}

result<std::optional<table_version>> schema_history::find(const std::string& table,
                                                          int64_t version) {
  auto all = versions(table);
  if (!all)
    return all.error();
  for (auto& v : *all)
    if (v.version == version)
      return std::optional(std::move(v));
  return std::optional<table_version>();
}

result<std::vector<table_version>> schema_history::versions(const std::string& table) {
  auto query = db_.prepare("SELECT " + std::string(version_columns) +
                           " FROM table_version v WHERE v.tbl = ?1 ORDER BY v.version");
  if (!query)
    return query.error();
  query->bind(1, std::string_view(table));
  std::vector<table_version> out;
  for (;;) {
    auto row = query->step();
    if (!row)
      return row.error();
    if (!*row)
      return out;
    auto v = read_version(*query);
    if (!v)
      return v.error();
    out.push_back(std::move(*v));
  }
}

result<std::vector<std::string>> schema_history::tables() {
  auto query = db_.prepare("SELECT DISTINCT tbl FROM table_version ORDER BY tbl");
  if (!query)
    return query.error();
  std::vector<std::string> out;
  for (;;) {
    auto row = query->step();
    if (!row)
      return row.error();
    if (!*row)
      return out;
    out.emplace_back(query->text(0));
  }
}

} // namespace rtdp::state
