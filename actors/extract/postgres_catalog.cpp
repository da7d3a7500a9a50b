#include "actors/extract/postgres_catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace rtdp::extract::pg {

namespace {

using namespace std::chrono_literals;

/// A slot waits for transactions that run when it is made.
constexpr auto slot_timeout = 60s;
/// Writers wait behind us for a table lock that we wait for: not long.
constexpr auto lock_timeout = 5s;

template<class T>
T number(const std::optional<std::string>& text) {
  T out = 0;
  if (text)
    std::from_chars(text->data(), text->data() + text->size(), out);
  return out;
}

/// An array literal: {"a","b"}
template<class Range, class Text>
std::string array_of(const Range& items, Text text) {
  std::string out = "{";
  for (const auto& item : items) {
    out += out.size() > 1 ? ",\"" : "\"";
    for (char c : text(item)) {
      if (c == '"' || c == '\\')
        out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

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

std::string list_of(const std::vector<table_name>& tables) {
  std::string out;
  for (const auto& t : tables)
    out += (out.empty() ? "" : ", ") + quoted(t);
  return out;
}

} // namespace

std::string quoted(const table_name& name) {
  return connection::identifier(name.schema) + "." + connection::identifier(name.table);
}

error check_server(connection& c) {
  auto rows = c.query("select current_setting('wal_level')");
  if (!rows)
    return rows.error();
  const auto& level = *(*rows)[0][0];
  if (level != "logical")
    return rejected("wal_level is " + level +
                    ": changes can be read only with wal_level = logical "
                    "in postgresql.conf and a restart of the server");
  return {};
}

result<std::vector<captured_table>> find_tables(connection& c,
                                                const std::vector<captured_table>& wanted) {
  std::vector<captured_table> out;
  for (const auto& w : wanted) {
    bool all = w.name.table == "*";
    auto rows = c.query("select c.relname, c.reltuples::int8, c.relreplident from pg_class c "
                        "join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 "
                        "and ($2 = '*' or c.relname = $2) and c.relkind in ('r', 'p') "
                        "and c.relpersistence = 'p' and not c.relispartition order by c.relname",
                        {w.name.schema, w.name.table});
    if (!rows)
      return rows.error();
    if (rows->empty())
      return rejected(
          fmt::format("table {} does not exist, is not a permanent table, or is a "
                      "partition (name its parent)",
                      all ? connection::identifier(w.name.schema) + ".*" : quoted(w.name)));
    for (const auto& r : *rows) {
      captured_table t{{w.name.schema, *r[0]}, w.before_images, number<int64_t>(r[1])};
      if (t.before_images && *r[2] != "f")
        return rejected(fmt::format("before_images of {0}: the server writes them only after "
                                    "ALTER TABLE {0} REPLICA IDENTITY FULL",
                                    quoted(t.name)));
      // The first mention of a table wins: `public.a, public.*`.
      if (std::none_of(out.begin(), out.end(), [&](auto& o) { return o.name == t.name; }))
        out.push_back(std::move(t));
    }
  }
  return out;
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

error ensure_publication(connection& c, const std::string& name, bool create,
                         const std::vector<captured_table>& tables, bool slot_exists) {
  auto found = c.query("select 1 from pg_publication where pubname = $1", {name});
  if (!found)
    return found.error();
  if (found->empty() && !create)
    return rejected("publication " + name + " does not exist: create it, or set create: true");
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
  if (found->empty())
    sql +=
        fmt::format("create publication {} for table {} with (publish_via_partition_root = true)",
                    connection::identifier(name), list);
  else
    sql += fmt::format("alter publication {} add table {}", connection::identifier(name), list);
  auto done = c.query(sql + "; commit");
  return done ? error{} : done.error().in("publication " + name);
}

result<std::optional<slot_state>> find_slot(connection& c, const std::string& name) {
  std::string lost = c.server_version() < 130000 ? "null" : "wal_status";
  auto rows =
      c.query("select plugin, database, current_database(), confirmed_flush_lsn, active_pid, " +
                  lost + " from pg_replication_slots where slot_name = $1",
              {name});
  if (!rows)
    return rows.error();
  if (rows->empty())
    return std::optional<slot_state>();
  const auto& r = (*rows)[0];
  if (r[0] != "pgoutput")
    return rejected(fmt::format("slot {}: expected a logical slot of plugin pgoutput; found {}",
                                name, r[0].value_or("a physical slot")));
  if (r[1] != r[2])
    return rejected(fmt::format("slot {} belongs to database {}; this one is {}", name,
                                r[1].value_or(""), r[2].value_or("")));
  if (r[5] == "lost")
    return rejected("slot " + name +
                    " is lost: the server removed log that it needed "
                    "(max_slot_wal_keep_size); drop the slot and begin with a new snapshot");
  return std::optional(slot_state{.confirmed = parse_lsn(r[3].value_or("")).value_or(0),
                                  .active_pid = number<int32_t>(r[4])});
}

error check_slot(const std::optional<slot_state>& slot, const std::string& name, bool create,
                 const std::string& position) {
  if (!slot && !position.empty())
    return rejected(fmt::format("slot {} is gone: the changes behind the stored position are lost; "
                                "forget that position to begin with a new snapshot",
                                name));
  if (!slot)
    return create ? error{}
                  : rejected(fmt::format("slot {} does not exist: create it with plugin pgoutput, "
                                         "or set create: true",
                                         name));
  if (slot->active_pid != 0)
    return unavailable(fmt::format("slot {} is active for PID {}", name, slot->active_pid));
  if (position.empty())
    return {};
  auto at = lsn_of_position(position);
  if (!at)
    return at.error();
  if (slot->confirmed > *at)
    return rejected(
        fmt::format("slot {} was confirmed up to {}, but the stored position is {}: the "
                    "changes between them are lost; was the slot made anew, or read by "
                    "another?",
                    name, lsn_text(slot->confirmed), lsn_text(*at)));
  return {};
}

result<log_state> read_log_state(connection& c, const std::string& slot) {
  auto rows = c.query("select pg_current_wal_flush_lsn(), "
                      "(extract(epoch from clock_timestamp()) * 1000000)::int8, "
                      "coalesce((select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8 "
                      "from pg_replication_slots where slot_name = $1), -1)",
                      {slot});
  if (!rows)
    return rows.error();
  const auto& r = (*rows)[0];
  return log_state{parse_lsn(r[0].value_or("")).value_or(0), number<int64_t>(r[1]),
                   number<int64_t>(r[2])};
}

result<new_slot> create_slot(connection& replication, const std::string& name) {
  auto rows = replication.query_for(slot_timeout, "CREATE_REPLICATION_SLOT " +
                                                      connection::identifier(name) +
                                                      " LOGICAL pgoutput EXPORT_SNAPSHOT");
  if (!rows)
    return rows.error().in("create slot " + name);
  const auto& r = (*rows)[0];
  return new_slot{parse_lsn(r[1].value_or("")).value_or(0), r[2].value_or("")};
}

} // namespace rtdp::extract::pg
