#include "actors/extract/postgres_describe.hpp"

#include "actors/extract/driver.hpp"
#include "actors/extract/postgres_catalog.hpp"
#include "actors/extract/postgres_settings.hpp"

#include <algorithm>

namespace rtdp::extract::pg {

namespace {

using table_names = std::vector<table_name>;

result<table_names> published(connection& c, const std::string& publication) {
  auto rows = c.query("select schemaname, tablename from pg_publication_tables where pubname = $1",
                      {publication});
  if (!rows)
    return rows.error();
  table_names out;
  for (const auto& r : *rows)
    out.push_back({r[0].value_or(""), r[1].value_or("")});
  return out;
}

result<ums::schema> describe_table(connection& c, const std::string& source, const table_name& t,
                                   const std::string& publication) {
  auto relation = current_relation(c, t, publication);
  if (!relation)
    return relation.error();
  auto columns = describe(c, *relation);
  if (!columns)
    return columns.error();
  return schema_of({"postgres", source, t.schema, t.table}, columns->fields);
}

} // namespace

result<std::vector<ums::schema>> describe_source(const std::string& name,
                                                 const config::section& given) {
  auto until = connection::clock::now() + describe_time;
  auto set = read_settings(name, given);
  if (set.tables_wrong)
    return set.tables_wrong;
  set.connect.timeout = std::min(set.connect.timeout, describe_time);
  auto c = connection::open(set.connect);
  if (!c)
    return c.error();
  auto tables = find_tables(*c, set.tables);
  if (!tables)
    return tables.error();
  auto held = published(*c, set.publication);
  if (!held)
    return held.error();
  std::vector<ums::schema> out;
  for (const auto& t : *tables) {
    if (connection::clock::now() >= until)
      return unavailable("describing its " + std::to_string(tables->size()) +
                         " tables takes more than " + std::to_string(describe_time.count()) +
                         " ms");
    bool is_held = std::find(held->begin(), held->end(), t.name) != held->end();
    auto schema = describe_table(*c, name, t.name, is_held ? set.publication : "");
    if (!schema)
      return schema.error().in("table " + quoted(t.name));
    out.push_back(std::move(*schema));
  }
  return out;
}

} // namespace rtdp::extract::pg
