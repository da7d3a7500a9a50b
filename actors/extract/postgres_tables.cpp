#include "actors/extract/postgres_tables.hpp"

#include "actors/extract/postgres_catalog.hpp"
#include "actors/extract/postgres_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace rtdp::extract::pg {

namespace {

using namespace std::chrono_literals;

/// Writers wait behind us for a table lock that we wait for: not long.
constexpr auto lock_timeout = 5s;
/// A partitioned table is published as one table, under its own name.
constexpr auto via_root = " with (publish_via_partition_root = true)";

error missing(const table_name& name, std::string_view publication) {
  return rejected(
      fmt::format("publication {} does not hold table {}: add it there, or set create: true",
                  publication, quoted(name)));
}

std::string list_of(const std::vector<table_name>& tables) {
  std::string out;
  for (const auto& t : tables)
    out += (out.empty() ? "" : ", ") + quoted(t);
  return out;
}

std::string oids_of(const std::vector<captured_table>& tables) {
  return array_of(tables, [](const captured_table& t) { return std::to_string(t.oid); });
}

/// What a name that matches nothing was the name of.
error not_found(connection& c, const table_name& name, const std::vector<table_state>& known) {
  bool all = name.table == "*";
  auto text = fmt::format("table {} does not exist, is not a permanent table, or is a partition "
                          "(name its parent)",
                          all ? connection::identifier(name.schema) + ".*" : quoted(name));
  for (const auto& t : known) {
    if (t.name != name || t.oid == 0)
      continue;
    auto now = c.query("select n.nspname, c.relname from pg_class c join pg_namespace n on "
                       "n.oid = c.relnamespace where c.oid = $1::oid",
                       {std::to_string(t.oid)});
    if (!now)
      return now.error();
    if (!now->empty())
      text =
          fmt::format("table {} is called {} now: name it so in `tables:`, and it goes on from "
                      "where it was",
                      quoted(name), quoted({(*now)[0][0].value_or(""), (*now)[0][1].value_or("")}));
  }
  return rejected(text);
}

/// A pattern of LIKE that matches the name, or with stars what they stand for.
std::string like(const std::string& name, bool glob) {
  std::string out;
  for (char c : name) {
    if (c == '%' || c == '_' || c == '\\')
      out += '\\';
    out += glob && c == '*' ? '%' : c;
  }
  return out;
}

/// Without that option the changes of a partitioned table come under the names of its partitions.
error check_root(connection& c, const std::string& name,
                 const std::vector<captured_table>& tables) {
  auto root = std::find_if(tables.begin(), tables.end(), [](auto& t) { return t.partitioned; });
  if (root == tables.end())
    return {};
  if (c.server_version() < 130000)
    return rejected(fmt::format("table {} is partitioned: the server can publish it as one table "
                                "from version 13 on",
                                quoted(root->name)));
  auto rows = c.query("select pubviaroot from pg_publication where pubname = $1", {name});
  if (!rows)
    return rows.error();
  if (!rows->empty() && (*rows)[0][0] != "t")
    return rejected(fmt::format("publication {0} publishes the partitions of {1} one by one: "
                                "ALTER PUBLICATION {2} SET (publish_via_partition_root = true)",
                                name, quoted(root->name), connection::identifier(name)));
  return {};
}

} // namespace

result<std::vector<captured_table>> find_tables(connection& c,
                                                const std::vector<captured_table>& wanted,
                                                const std::vector<table_state>& known) {
  auto rows = c.query(
      "select w.n, c.relname, c.oid, c.reltuples::int8, c.relkind, c.relreplident, "
      "case c.relreplident when 'f' then true when 'n' then false else exists (select from "
      "pg_index i where i.indrelid = c.oid and case c.relreplident when 'd' then i.indisprimary "
      "else i.indisreplident end) end, s.nspname from unnest($1::text[], $2::text[]) with "
      "ordinality w(schema, name, n) join pg_namespace s on s.nspname like w.schema join pg_class "
      "c on c.relnamespace = s.oid and c.relname like w.name where c.relkind in ('r', 'p') and "
      "c.relpersistence = 'p' and not c.relispartition order by w.n, s.nspname, c.relname",
      {array_of(wanted, [](auto& w) { return like(w.name.schema, w.glob); }),
       array_of(wanted, [](auto& w) { return like(w.name.table, w.glob); })});
  if (!rows)
    return rows.error();
  std::vector<captured_table> out;
  std::vector<bool> found(wanted.size());
  for (const auto& r : *rows) {
    auto item = number<size_t>(r[0]) - 1;
    const auto& w = wanted[item];
    found[item] = true;
    captured_table t{.name = {r[7].value_or(""), r[1].value_or("")},
                     .before_images = w.before_images,
                     .rows_estimated = number<int64_t>(r[3]),
                     .oid = number<uint32_t>(r[2]),
                     .partitioned = r[4] == "p",
                     .identified = r[6] == "t"};
    if (t.before_images && t.partitioned)
      return rejected(fmt::format("before_images of {}: the server does not tell whether a "
                                  "partition wrote the whole old row; switch them off",
                                  quoted(t.name)));
    if (t.before_images && r[5] != "f")
      return rejected(fmt::format("before_images of {0}: the server writes them only after "
                                  "ALTER TABLE {0} REPLICA IDENTITY FULL",
                                  quoted(t.name)));
    // The first mention of a table wins: `public.a, public.*`.
    if (std::none_of(out.begin(), out.end(), [&](auto& o) { return o.name == t.name; }))
      out.push_back(std::move(t));
  }
  for (size_t i = 0; i < wanted.size(); ++i)
    if (!found[i])
      return not_found(c, wanted[i].name, known);
  return out;
}

result<bool> has_publication(connection& c, const std::string& name) {
  auto found = c.query("select 1 from pg_publication where pubname = $1", {name});
  if (!found)
    return found.error();
  return !found->empty();
}

error ensure_publication(connection& c, const std::string& name, bool create,
                         const std::vector<captured_table>& tables, bool slot_exists) {
  auto exists = has_publication(c, name);
  if (!exists)
    return exists.error();
  if (!*exists && !create)
    return rejected("publication " + name + " does not exist: create it, or set create: true");
  if (*exists)
    if (auto failed = check_root(c, name, tables))
      return failed;
  auto held =
      c.query("select schemaname, tablename from pg_publication_tables where pubname = $1", {name});
  if (!held)
    return held.error();
  std::vector<table_name> add;
  for (const auto& t : tables)
    if (std::none_of(held->begin(), held->end(), [&](auto& r) {
          return t.name == table_name{*r[0], *r[1]};
        }))
      add.push_back(t.name);
  if (add.empty())
    return {};
  if (!create)
    return missing(add.front(), name);
  auto list = list_of(add);
  std::string sql = "begin; ";
  if (slot_exists)
    sql += fmt::format("set local lock_timeout = '{}s'; lock table {} in share mode; ",
                       lock_timeout.count(), list);
  if (!*exists)
    sql += fmt::format("create publication {} for table {}{}", connection::identifier(name), list,
                       c.server_version() < 130000 ? "" : via_root);
  else
    sql += fmt::format("alter publication {} add table {}", connection::identifier(name), list);
  auto done = c.query(sql + "; commit");
  return done ? error{} : done.error().in("publication " + name);
}

result<std::vector<std::string>> origins_of(connection& c, const std::string& publication,
                                            const std::vector<captured_table>& tables) {
  // A partition was a table of its own before when it became one in another transaction than the
  // one that made it. Its system columns tell of that one: nothing writes to them later.
  std::string attached =
      c.server_version() < 120000
          ? "''"
          : "coalesce((select string_agg(i.inhrelid::text, ',' order by i.inhrelid) from "
            "pg_partition_tree(t.oid) p join pg_inherits i on i.inhrelid = p.relid join "
            "pg_attribute a on a.attrelid = p.relid and a.attnum = -1 where p.level > 0 "
            "and a.xmin <> i.xmin), '')";
  auto rows = c.query(
      "with held as materialized (select g.relid from pg_publication p, lateral "
      "pg_get_publication_tables(p.pubname) g where p.pubname = $1) "
      "select case when t.oid in (select relid from held) then coalesce((select r.oid::text from "
      "pg_publication_rel r join pg_publication p on p.oid = r.prpubid where p.pubname = $1 and "
      "r.prrelid = t.oid), 'all') else 'not published' end || ' ' || " +
          attached + " from unnest($2::oid[]) with ordinality t(oid, n) order by t.n",
      {publication, oids_of(tables)});
  if (!rows)
    return rows.error();
  std::vector<std::string> out;
  for (const auto& r : *rows)
    out.push_back(r[0].value_or(""));
  return out;
}

error check_tables(connection& c, const std::vector<captured_table>& wanted,
                   const std::string& publication, const std::vector<table_state>& read) {
  auto tables = find_tables(c, wanted, read);
  if (!tables)
    return tables.error();
  auto origins = origins_of(c, publication, *tables);
  if (!origins)
    return origins.error();
  auto differs = [](const table_name& name, std::string_view how) {
    return unavailable(fmt::format("table {} {}: opening the source again", quoted(name), how));
  };
  for (size_t i = 0; i < tables->size(); ++i) {
    const auto& t = (*tables)[i];
    auto known = std::find_if(read.begin(), read.end(), [&](auto& k) { return k.name == t.name; });
    if (known == read.end())
      return differs(t.name, "is new");
    if (known->oid != t.oid)
      return differs(t.name, "was made anew");
    if (known->origin != (*origins)[i])
      return differs(t.name, "is published otherwise than before");
  }
  for (const auto& k : read)
    if (std::none_of(tables->begin(), tables->end(), [&](auto& t) { return t.name == k.name; }))
      return differs(k.name, "is gone");
  return {};
}

} // namespace rtdp::extract::pg
