/// What `changes` knows of the columns of tables: versions, and whether the log agrees.
#include "actors/extract/mysql_changes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::extract::my {

ums::ns changes::name_of(size_t table) const {
  const auto& t = at_.tables[table];
  return {"mysql", rules_.source, t.name.database, t.name.table,
          std::to_string(std::max<int64_t>(t.version, 0))};
}

result<std::vector<planned_column>> changes::planned(size_t table) const {
  std::vector<planned_column> out;
  for (const auto& c : at_.tables[table].columns) {
    auto p = plan_column(c, rules_.zeros);
    if (!p)
      return p.error().in("table " + quoted(at_.tables[table].name));
    out.push_back(std::move(*p));
  }
  return out;
}

collector::handle changes::version_for(size_t table, const std::vector<planned_column>& columns,
                                       collector& out) {
  auto& t = at_.tables[table];
  std::vector<ums::field> fields;
  // FNV-1a, which is the same in every build.
  uint64_t hash = 14695981039346656037ULL;
  for (const auto& c : columns) {
    fields.push_back(c.field);
    auto text = fmt::format("{}\n{}\n{}\n{}{}\n", c.field.name, ums::to_string(c.field.type),
                            c.field.native, c.field.nullable, c.field.key);
    for (char x : text)
      hash = (hash ^ uint8_t(x)) * 1099511628211ULL;
  }
  if (t.version < 0 || t.shape != hash) {
    if (t.version >= 0)
      out.terminate(name_of(table), ts_us_);
    ++t.version;
    t.shape = hash;
    tables_changed_ = true;
    forget_maps(t);
  }
  return out.table(name_of(table), fields);
}

void changes::forget_maps(const table_state& t) {
  for (auto& [id, k] : maps_)
    if (k.table == index_of(t))
      k.ready = false;
}

void changes::begin_table(table_state& t, const table_state& columns) {
  t.columns = columns.columns;
  t.charset = columns.charset;
  t.lost.clear();
  t.begun = true;
  tables_changed_ = true;
  forget_maps(t);
}

error changes::ready(known_map& k, collector& out) {
  if (k.ready)
    return {};
  if (auto failed = take_columns(k))
    return failed;
  if (!at_.tables[k.table].begun)
    return {};
  auto columns = planned(k.table);
  if (!columns)
    return columns.error();
  k.handle = version_for(k.table, *columns, out);
  k.columns = std::move(*columns);
  k.keys.clear();
  for (size_t i = 0; i < k.columns.size(); ++i) {
    k.columns[i].how.stored = k.map.columns[i];
    if (k.columns[i].field.key)
      k.keys.push_back(i);
  }
  k.ready = true;
  return {};
}

error changes::take_columns(known_map& k) {
  auto& t = at_.tables[k.table];
  const auto& map = k.map;
  if (!map.metadata.empty()) {
    std::vector<column_def> now;
    for (size_t i = 0; i < map.columns.size(); ++i) {
      const auto& m = map.metadata[i];
      auto known = std::find_if(t.columns.begin(), t.columns.end(),
                                [&](auto& c) { return c.name == m.name; });
      auto collation = rules_.collations.find(m.collation);
      auto said = column_from(map.columns[i], m, map.nullable[i],
                              collation == rules_.collations.end() ? "" : collation->second);
      // The history knows more of a type, as long as it is the same one.
      bool same = known != t.columns.end() && fits(*known, map.columns[i]);
      now.push_back(same ? *known : said);
      now.back().key = said.key || (same && known->key);
    }
    if (now != t.columns || !t.lost.empty()) {
      t.columns = std::move(now);
      t.lost.clear();
      tables_changed_ = true;
    }
    return {};
  }
  if (!t.lost.empty())
    return lose(t, t.lost);
  if (map.columns.size() != t.columns.size())
    return lose(t, fmt::format("the log has rows of {} columns where the schema history has {}",
                               map.columns.size(), t.columns.size()));
  for (size_t i = 0; i < t.columns.size(); ++i)
    if (!fits(t.columns[i], map.columns[i]))
      return lose(t, fmt::format("column {}: the log stores a {} where the schema history has {}",
                                 t.columns[i].name, describe_stored(map.columns[i]),
                                 t.columns[i].type));
  return {};
}

error changes::lose(table_state& t, const std::string& why) {
  if (!rules_.resnapshot)
    return rejected(fmt::format("table {}: {}; its columns are not known for sure. SET GLOBAL "
                                "binlog_row_metadata = 'FULL' lets the log name them from then on; "
                                "on_lost: resnapshot reads the table anew",
                                quoted(t.name), why));
  read_anew(t);
  return {};
}

void changes::read_anew(table_state& t) {
  auto name = quoted(t.name);
  if (at_.plan.find(name) != nullptr)
    at_.plan.begin_again(name);
  else
    at_.plan.add({.table = name, .sweep = true});
  t.begun = false;
  t.lost.clear();
  tables_changed_ = true;
  forget_maps(t);
}

} // namespace rtdp::extract::my
