#include "actors/sink/pg_statements.hpp"

#include "actors/sink/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::sink {

namespace {

std::string type_of(const ums::field& f, bool native) {
  if (native && is_built_in_type(f.native))
    return f.native;
  switch (f.type) {
  case ums::type::string:
    return "text";
  case ums::type::int_:
    return "integer";
  case ums::type::long_:
    return "bigint";
  case ums::type::float_:
    return "real";
  case ums::type::double_:
    return "double precision";
  case ums::type::boolean:
    return "boolean";
  case ums::type::date:
    return "date";
  case ums::type::datetime:
    return "timestamp";
  case ums::type::decimal:
    return "numeric";
  case ums::type::binary:
    return "bytea";
  case ums::type::jsonarray:
  case ums::type::jsonobject:
    return "jsonb";
  }
  return "text";
}

/// Names of the stage's columns, in COPY order.
std::vector<std::string> stage_columns(const layout& to) {
  std::vector<std::string> names{quote(ums::id_name)};
  if (to.mutation != mutation::iud_clean)
    names.push_back(quote(ums::ts_name));
  names.push_back(quote(to.mutation == mutation::insert ? ums::op_name : ums::active_name));
  for (const auto& name : to.key_names())
    names.push_back(name);
  for (const auto& name : to.value_names())
    names.push_back(name);
  return names;
}

/// `a."k" = b."k" AND …` over the keys.
std::string same_key(const layout& to, std::string_view a, std::string_view b) {
  std::vector<std::string> parts;
  for (const auto& key : to.keys)
    parts.push_back(fmt::format("{0}.{2} = {1}.{2}", a, b, key.name));
  return fmt::format("{}", fmt::join(parts, " AND "));
}

/// `SET …` or `DO NOTHING` for the values of `from`.
std::string set_values(const std::vector<std::string>& names, std::string_view from) {
  std::vector<std::string> parts;
  for (const auto& name : names)
    parts.push_back(fmt::format("{0} = {1}.{0}", name, from));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Join of the stage with the rows of the side table that it owns now.
std::string won(const layout& to, bool all_won) {
  if (all_won)
    return "";
  return fmt::format(" JOIN {} w ON {} AND w.\"ums_id_\" = s.\"ums_id_\"", to.table.side().sql(),
                     same_key(to, "w", "s"));
}

} // namespace

const dialect postgres_dialect{63, type_of, "postgres", "smallint", true};

bool is_built_in_type(std::string_view native) {
  static constexpr std::string_view names[] = {"\"char\"",
                                               "bigint",
                                               "bit",
                                               "bit varying",
                                               "boolean",
                                               "box",
                                               "bytea",
                                               "character",
                                               "character varying",
                                               "cidr",
                                               "circle",
                                               "date",
                                               "double precision",
                                               "inet",
                                               "int4range",
                                               "int8range",
                                               "integer",
                                               "interval",
                                               "json",
                                               "jsonb",
                                               "line",
                                               "lseg",
                                               "macaddr",
                                               "macaddr8",
                                               "money",
                                               "name",
                                               "numeric",
                                               "numrange",
                                               "oid",
                                               "path",
                                               "pg_lsn",
                                               "point",
                                               "polygon",
                                               "real",
                                               "smallint",
                                               "text",
                                               "time with time zone",
                                               "time without time zone",
                                               "timestamp with time zone",
                                               "timestamp without time zone",
                                               "tsquery",
                                               "tsrange",
                                               "tstzrange",
                                               "tsvector",
                                               "uuid",
                                               "xml",
                                               "daterange",
                                               "int4multirange",
                                               "int8multirange",
                                               "nummultirange",
                                               "datemultirange",
                                               "tsmultirange",
                                               "tstzmultirange"};
  std::string base(native);
  while (base.size() > 2 && base.ends_with("[]"))
    base.resize(base.size() - 2);
  // A modifier stands behind the name or, for times, in the middle of it.
  if (auto open = base.find('('); open != base.npos) {
    auto close = base.find(')', open);
    if (close == base.npos || close == open + 1)
      return false;
    auto inside = base.substr(open + 1, close - open - 1);
    if (inside.find_first_not_of("0123456789,-") != inside.npos)
      return false;
    base.erase(open, close - open + 1);
  }
  return std::find(std::begin(names), std::end(names), base) != std::end(names);
}

std::string create_stage(const layout& to, const std::string& stage) {
  auto columns = stage_columns(to);
  if (to.mutation == mutation::iud_clean) {
    columns[0] = "NULL::bigint AS \"ums_id_\"";
    columns[1] = "NULL::smallint AS \"ums_active_\"";
  }
  return fmt::format("CREATE TEMP TABLE {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA",
                     stage, list(columns), to.table.sql());
}

std::string copy_to_stage(const layout& to, const std::string& stage) {
  return fmt::format("COPY {} ({}) FROM STDIN", stage, list(stage_columns(to)));
}

std::string dedupe_stage(const layout& to, const std::string& stage) {
  return fmt::format("DELETE FROM {0} s USING {0} n WHERE {1} AND (s.\"ums_id_\", s.ctid) < "
                     "(n.\"ums_id_\", n.ctid)",
                     stage, same_key(to, "s", "n"));
}

std::string apply_insert(const layout& to, const std::string& stage) {
  auto columns = list(stage_columns(to));
  return fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}",
                     to.table.sql(), columns, columns, stage);
}

std::string apply_iud(const layout& to, const std::string& stage, bool has_deletes) {
  auto columns = list(stage_columns(to));
  auto sets =
      set_values({quote(ums::id_name), quote(ums::ts_name), quote(ums::active_name)}, "excluded");
  for (const auto& name : to.value_names())
    // A delete carries its key only: what else the row held stays.
    sets += has_deletes
                ? fmt::format(", {0} = CASE WHEN excluded.\"ums_active_\" = 0 THEN t.{0} ELSE "
                              "excluded.{0} END",
                              name)
                : fmt::format(", {0} = excluded.{0}", name);
  return fmt::format("INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} "
                     "ON CONFLICT ({}) DO UPDATE SET {} "
                     "WHERE t.\"ums_id_\" < excluded.\"ums_id_\" OR t.\"ums_id_\" IS NULL",
                     to.table.sql(), columns, columns, stage, list(to.key_names()), sets);
}

std::string clean_guard(const layout& to, const std::string& stage) {
  auto columns = list(to.key_names()) + ", \"ums_id_\", \"ums_active_\"";
  // DO UPDATE locks the row even where its WHERE is false, so a loser waits for the winner too.
  return fmt::format("INSERT INTO {} AS t ({}) SELECT {} FROM {} ON CONFLICT ({}) DO UPDATE SET "
                     "\"ums_id_\" = excluded.\"ums_id_\", \"ums_active_\" = "
                     "excluded.\"ums_active_\" WHERE t.\"ums_id_\" < excluded.\"ums_id_\"",
                     to.table.side().sql(), columns, columns, stage, list(to.key_names()));
}

std::string clean_delete(const layout& to, const std::string& stage, bool all_won) {
  return fmt::format("DELETE FROM {} t USING {} s{} WHERE {} AND s.\"ums_active_\" = 0",
                     to.table.sql(), stage, won(to, all_won), same_key(to, "t", "s"));
}

std::string clean_upsert(const layout& to, const std::string& stage, bool all_won) {
  auto names = to.key_names();
  for (const auto& name : to.value_names())
    names.push_back(name);
  auto update = to.values.empty() ? std::string("DO NOTHING")
                                  : "DO UPDATE SET " + set_values(to.value_names(), "excluded");
  auto source = fmt::format("FROM {} s{} WHERE s.\"ums_active_\" = 1", stage, won(to, all_won));
  std::string first;
  if (to.update_first && !to.values.empty()) {
    first = fmt::format("UPDATE {} t SET {} FROM (SELECT s.* {}) s WHERE {}; ", to.table.sql(),
                        set_values(to.value_names(), "s"), source, same_key(to, "t", "s"));
    source += fmt::format(" AND NOT EXISTS (SELECT FROM {} t WHERE {})", to.table.sql(),
                          same_key(to, "t", "s"));
  }
  return fmt::format(
      "{}INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} {} ON CONFLICT ({}) {}", first,
      to.table.sql(), list(names), list(names, "s."), source, list(to.key_names()), update);
}

std::string apply_sweep(const layout& to, int64_t before) {
  auto tombstone = tombstones_below(before);
  if (to.mutation != mutation::iud_clean)
    return fmt::format("UPDATE {} SET {}", to.table.sql(), tombstone);
  return fmt::format("UPDATE {0} SET {2}; DELETE FROM {1} t WHERE NOT EXISTS "
                     "(SELECT FROM {0} s WHERE s.\"ums_active_\" = 1 AND {3})",
                     to.table.side().sql(), to.table.sql(), tombstone, same_key(to, "t", "s"));
}

std::string apply_truncate(const layout& to, int64_t id, const std::string& only) {
  if (to.mutation != mutation::iud_clean)
    return fmt::format("DELETE FROM {} WHERE (\"ums_id_\" < {} OR \"ums_id_\" IS NULL){}",
                       to.table.sql(), id, only);
  return fmt::format(
      "DELETE FROM {0} WHERE \"ums_id_\" < {2}{4}; DELETE FROM {1} t WHERE NOT EXISTS "
      "(SELECT FROM {0} s WHERE {3})",
      to.table.side().sql(), to.table.sql(), id, same_key(to, "t", "s"), only);
}

} // namespace rtdp::sink
