#include "actors/extract/postgres_chunk_table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace rtdp::extract::pg {

namespace {

/// REQUIRES: standard_conforming_strings, as `chunks` sets it.
std::string literal(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'')
      out += '\'';
    out += c;
  }
  return out + "'";
}

/// Changes with every change of the columns, the identity or the key, and when the rows are written
/// anew by something that the log does not tell (ALTER TABLE, VACUUM FULL), or partitions come.
std::string fingerprint_expression(const table_name& name) {
  return fmt::format(
      "(select concat_ws(' ', c.oid, c.relreplident, (select string_agg(concat_ws(' ', i.indkey, "
      "i.indisprimary, i.indisreplident), ' ' order by i.indexrelid) from pg_index i where "
      "i.indrelid = c.oid and (i.indisprimary or i.indisreplident)), (select "
      "string_agg(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod), ',' order by "
      "a.attnum) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not "
      "a.attisdropped), pg_relation_filenode(c.oid), (select string_agg(concat_ws(' ', p.relid::oid, "
      "pg_relation_filenode(p.relid)), ',' order by p.relid::oid) from pg_partition_tree(c.oid) p)) "
      "from pg_class c where c.oid = {}::regclass)",
      literal(quoted(name)));
}

std::string key_list(const chunk_table& t, std::string_view behind = "") {
  std::string out;
  for (const auto& k : t.key)
    out += (out.empty() ? "" : ", ") + k.name + std::string(behind);
  return out;
}

/// `(a, b) > ('1'::int4, 'x'::text)`. The operator is the one of `order by … using <`: found by the
/// same rules from the same types, so both agree on what comes next, whatever the collation.
std::string compared(const chunk_table& t, std::string_view with, const key_texts& key) {
  std::string values;
  for (size_t i = 0; i < t.key.size(); ++i)
    values += (i == 0 ? "" : ", ") + literal(key[i]) + "::" + t.key[i].type;
  return fmt::format("({}) {} ({})", key_list(t), with, values);
}

std::string where_of(const std::vector<std::string>& conditions) {
  std::string out;
  for (const auto& c : conditions)
    if (!c.empty())
      out += (out.empty() ? " where " : " and ") + c;
  return out;
}

/// A comment at the end of a condition must not swallow what follows.
std::string in_brackets(const std::string& condition) {
  return condition.empty() ? "" : "(" + condition + "\n)";
}

int64_t number(const std::optional<std::string>& text) {
  int64_t out = 0;
  if (text)
    std::from_chars(text->data(), text->data() + text->size(), out);
  return out;
}

result<std::vector<chunk_table::key_column>> find_key(connection& c, const table_name& name,
                                                      std::vector<std::string>& names) {
  auto rows = c.query(
      "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_class c "
      "join pg_namespace n on n.oid = c.relnamespace join pg_index i on i.indrelid = c.oid and "
      "case when c.relreplident = 'i' then i.indisreplident else i.indisprimary end "
      "cross join unnest(i.indkey::int2[]) with ordinality k(attnum, place) "
      "join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum "
      "where n.nspname = $1 and c.relname = $2 and k.place <= i.indnkeyatts order by k.place",
      {name.schema, name.table});
  if (!rows)
    return rows.error();
  std::vector<chunk_table::key_column> key;
  for (const auto& r : *rows) {
    names.push_back(r[0].value_or(""));
    key.push_back({connection::identifier(names.back()), r[1].value_or("")});
  }
  return key;
}

} // namespace

std::string chunk_table::key_text() const {
  std::string out;
  for (const auto& k : key)
    out += (out.empty() ? "" : ", ") + k.name + " " + k.type;
  return out;
}

result<std::optional<chunk_table>> find_chunk_table(connection& c, const table_name& name,
                                                    const std::string& publication) {
  chunk_table t;
  t.name = name;
  // First: what changes behind our back while we look is noticed by the first chunk.
  auto print = c.query("select f, hashtextextended(f, 0) from (select " +
                       fingerprint_expression(name) + ") as now(f)");
  if (!print)
    return print.error();
  t.fingerprint = (*print)[0][0].value_or("");
  t.seam = (*print)[0][1].value_or("");
  std::vector<std::string> names;
  auto key = find_key(c, name, names);
  if (!key)
    return key.error();
  t.key = std::move(*key);
  auto relation = current_relation(c, name, publication);
  if (!relation)
    return relation.error();
  auto filter = row_filter(c, name, publication);
  if (!filter)
    return filter.error();
  t.filter = std::move(*filter);
  auto described = describe(c, *relation);
  if (!described)
    return described.error();
  t.columns = std::move(*described);
  // Chunks follow each other by this key, and changes name rows by that one: it must be the same.
  std::vector<std::string> flagged;
  for (const auto& f : t.columns.fields)
    if (f.key)
      flagged.push_back(f.name);
  std::sort(names.begin(), names.end());
  std::sort(flagged.begin(), flagged.end());
  if (names.empty() || names != flagged)
    return std::optional<chunk_table>();
  return std::optional(std::move(t));
}

result<size_t> chunk_rows_for(connection& c, const table_name& name, size_t rows_max) {
  auto rows = c.query("select (pg_table_size(c.oid) / greatest(c.reltuples, 1))::int8 from "
                      "pg_class c where c.oid = $1::regclass and c.reltuples > 0",
                      {quoted(name)});
  if (!rows)
    return rows.error();
  auto width = rows->empty() ? 0 : number((*rows)[0][0]);
  return width <= 0 ? rows_max : std::clamp<size_t>(chunk_bytes / size_t(width), 1, rows_max);
}

result<int64_t> check_where(connection& c, const table_name& name, const std::string& where) {
  // With a parameter the server takes one statement only: nothing can hide behind a semicolon.
  auto sql = fmt::format("select 1 from {} where {} and $1 = 'rtdp' limit 0", quoted(name),
                         in_brackets(where));
  if (auto tried = c.query(sql, {"rtdp"}); !tried)
    return tried.error();
  auto plan = c.query(fmt::format("explain (format json) select 1 from {} where {}", quoted(name),
                                  in_brackets(where)));
  if (!plan)
    return plan.error();
  auto parsed = nlohmann::json::parse((*plan)[0][0].value_or(""), nullptr, false);
  if (!parsed.is_array() || parsed.empty() || !parsed[0].contains("Plan"))
    return int64_t(-1);
  return parsed[0]["Plan"].value("Plan Rows", int64_t(-1));
}

std::string bound_statement(const chunk_table& t, const key_texts& from) {
  // A name alone in `order by` is the column that comes out, which is the text of the key here.
  std::string order;
  for (const auto& k : t.key)
    order += (order.empty() ? "chunked." : ", chunked.") + k.name + " using <";
  return fmt::format("select {} from {} chunked{} order by {} offset {} limit 1",
                     key_list(t, "::text"), quoted(t.name),
                     where_of({from.empty() ? "" : compared(t, ">", from)}), order, t.rows - 1);
}

std::string chunk_statements(const chunk_table& t, const key_texts& from, const key_texts& to,
                             const std::string& slot) {
  std::string list;
  for (const auto& e : t.columns.copy_expressions)
    list += (list.empty() ? "" : ", ") + e;
  auto where =
      where_of({from.empty() ? "" : compared(t, ">", from), to.empty() ? "" : compared(t, "<=", to),
                in_brackets(t.filter), in_brackets(t.where), t.not_in_log});
  // The lock first: a table that is rewritten between what is seen and the lock would look empty.
  return fmt::format(
      "begin isolation level repeatable read read only; lock table {0} in access share mode; "
      "select pg_current_snapshot(), pg_current_wal_insert_lsn(), "
      "(extract(epoch from clock_timestamp()) * 1000000)::int8, {1}; "
      "copy (select {2} from {0}{3}) to stdout (format binary); commit; "
      "select pg_logical_emit_message(true, 'rtdp', {4})",
      quoted(t.name), fingerprint_expression(t.name), list, where, literal(slot));
}

} // namespace rtdp::extract::pg
