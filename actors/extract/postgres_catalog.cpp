#include "actors/extract/postgres_catalog.hpp"

#include "actors/extract/postgres_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::extract::pg {

namespace {

/// FNV-1a: the same on every build, since it is stored.
uint64_t hash_of(const relation& r, const std::vector<ums::field>& fields) {
  uint64_t hash = 0xCBF29CE484222325;
  auto mix = [&](std::string_view text) {
    for (char c : text)
      hash = (hash ^ uint8_t(c)) * 0x100000001B3;
    hash = (hash ^ 0xFF) * 0x100000001B3;
  };
  for (size_t i = 0; i < fields.size(); ++i) {
    mix(fields[i].name);
    mix(fmt::format("{} {}", r.columns[i].type, r.columns[i].modifier));
    mix(fields[i].key ? "key" : "");
  }
  return hash;
}

/// Whether a row of the catalog was written by a transaction that began behind `xid`. Transaction
/// numbers wrap at 2^32; the first three stand for "long ago".
bool is_newer(uint32_t row_xmin, uint32_t xid) {
  return xid != 0 && row_xmin >= 3 && int32_t(xid - row_xmin) < 0;
}

error missing(const table_name& name, std::string_view publication) {
  return rejected(
      fmt::format("publication {} does not hold table {}: add it there, or set create: true",
                  publication, quoted(name)));
}

} // namespace

std::string quoted(const table_name& name) {
  return connection::identifier(name.schema) + "." + connection::identifier(name.table);
}

result<relation> current_relation(connection& c, const table_name& name,
                                  const std::string& publication) {
  // Column lists of publications came with version 15.
  std::string published =
      c.server_version() < 150000 || publication.empty()
          ? "$3 = $3"
          : "a.attname = any ((select attnames from pg_publication_tables p where "
            "p.pubname = $3 and p.schemaname = $1 and p.tablename = $2)::name[])";
  auto rows = c.query(
      "select c.oid, c.relreplident, a.attname, a.atttypid, a.atttypmod, coalesce(a.attnum = any "
      "(i.indkey::int2[]), false) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
      "join pg_attribute a on a.attrelid = c.oid left join pg_index i on i.indrelid = c.oid and "
      "(c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident) "
      "where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped "
      "and a.attgenerated = '' and " +
          published + " order by a.attnum",
      {name.schema, name.table, publication});
  if (!rows)
    return rows.error();
  if (rows->empty())
    return missing(name, publication);
  relation out{.schema = name.schema, .table = name.table};
  out.id = number<uint32_t>((*rows)[0][0]);
  out.identity = (*(*rows)[0][1])[0];
  for (const auto& r : *rows)
    out.columns.push_back({.key = *r[5] == "t",
                           .name = *r[2],
                           .type = number<uint32_t>(r[3]),
                           .modifier = number<int32_t>(r[4])});
  return out;
}

result<std::string> row_filter(connection& c, const table_name& name,
                               const std::string& publication) {
  if (c.server_version() < 150000)
    return std::string();
  auto rows =
      c.query("select coalesce(rowfilter, '') from pg_publication_tables where pubname = $1 "
              "and schemaname = $2 and tablename = $3",
              {publication, name.schema, name.table});
  if (!rows)
    return rows.error();
  return rows->empty() ? std::string() : *(*rows)[0][0];
}

std::vector<std::string> shape::key() const {
  std::vector<std::string> names;
  for (const auto& f : fields)
    if (f.key)
      names.push_back(f.name);
  return names;
}

namespace {

/// One row a column: its type as text, the type below a domain, NOT NULL and since when, part of
/// the primary key and since when. Found by the number of the table: the name may be another's now.
constexpr auto describe_sql =
    "select case when exists (select from pg_type where oid = t.type) "
    "then format_type(t.type, t.mod) else t.named end, "
    "coalesce((with recursive b(oid, kind, below) as (select oid, typtype, typbasetype from "
    "pg_type where oid = t.type union all select p.oid, p.typtype, p.typbasetype from pg_type p "
    "join b on b.kind = 'd' and p.oid = b.below) select oid from b where kind <> 'd'), "
    "(select oid from pg_type where typname = t.named and typtype = 'b' "
    "and typnamespace = 'pg_catalog'::regnamespace), 0), "
    "coalesce(a.attnotnull, false), a.xmin, "
    "coalesce(a.attnum = any (i.indkey::int2[]), false), i.xmin "
    "from unnest($2::text[], $3::oid[], $4::int4[], $5::text[]) with ordinality "
    "t(name, type, mod, named, n) "
    "left join pg_attribute a on a.attrelid = $1::oid and a.attname = t.name and not "
    "a.attisdropped "
    "left join pg_index i on i.indrelid = $1::oid and i.indisprimary order by t.n";

bool has_all(const relation& r, const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(r.columns.begin(), r.columns.end(),
                       [&](const relation_column& c) { return c.name == name; });
  });
}

} // namespace

result<shape> describe(connection& c, const relation& r, const moment& as_of) {
  auto rows = c.query(describe_sql,
                      {std::to_string(r.id), array_of(r.columns, [](auto& x) { return x.name; }),
                       array_of(r.columns, [](auto& x) { return std::to_string(x.type); }),
                       array_of(r.columns, [](auto& x) { return std::to_string(x.modifier); }),
                       array_of(r.columns, [](auto& x) { return x.type_name; })});
  if (!rows)
    return rows.error();
  shape out;
  // Under these identities the log flags no column or every one: the primary key says more.
  out.key_from_catalog = r.identity == 'f' || r.identity == 'n';
  auto primary_since = rows->empty() ? 0 : number<uint32_t>((*rows)[0][5]);
  if (out.key_from_catalog && is_newer(primary_since, as_of.xid))
    out.key_since = primary_since;
  bool former_key = out.key_since != 0 && has_all(r, as_of.key);
  auto is_key = [&](size_t i) {
    if (!out.key_from_catalog)
      return r.columns[i].key;
    if (out.key_since == 0)
      return (*rows)[i][4] == "t";
    return former_key && std::count(as_of.key.begin(), as_of.key.end(), r.columns[i].name) > 0;
  };
  for (size_t i = 0; i < rows->size(); ++i) {
    const auto& row = (*rows)[i];
    const auto& column = r.columns[i];
    auto oid = number<uint32_t>(row[1]);
    auto mapping = mapping_of(oid);
    bool not_null = row[2] == "t" && !is_newer(number<uint32_t>(row[3]), as_of.xid);
    out.fields.push_back({.name = column.name,
                          .type = mapping.type,
                          .nullable = !not_null,
                          .key = is_key(i),
                          .native = row[0].value_or("")});
    out.how.push_back(mapping.how);
    out.copy_expressions.push_back(copy_expression(connection::identifier(column.name), oid));
  }
  out.hash = hash_of(r, out.fields);
  return out;
}

} // namespace rtdp::extract::pg
