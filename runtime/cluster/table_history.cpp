#include "runtime/cluster/table_history.hpp"

#include "runtime/state/schema_history.hpp"
#include "runtime/ums/schema_change.hpp"

#include <algorithm>

namespace rtdp::cluster {

namespace {

/// The four parts as they are asked for; a single word is a table's.
result<ums::ns> pattern_of(const std::string& name) {
  auto pattern = ums::ns::parse(name);
  if (!pattern)
    return pattern;
  auto is_any = [&](ums::ns::part p) { return (*pattern)[p] == "*"; };
  if (is_any(ums::ns::instance) && is_any(ums::ns::table)) {
    auto table = *ums::ns::parse("*");
    table.set(ums::ns::table, (*pattern)[ums::ns::datastore]);
    return table;
  }
  // Version and partitions are no part of a table's name.
  auto text = state::schema_history::table_of(*pattern);
  return ums::ns::parse(text);
}

/// Empty when there is none.
result<std::string> find_table(state::schema_history& history, const std::string& name) {
  auto pattern = pattern_of(name);
  if (!pattern)
    return pattern.error();
  auto all = history.tables();
  if (!all)
    return all.error();
  std::vector<std::string> found;
  for (const auto& table : *all)
    if (auto parsed = ums::ns::parse(table + ".0.0.0"); parsed && pattern->matches(*parsed))
      found.push_back(table);
  if (found.size() < 2)
    return found.empty() ? std::string() : found.front();
  std::string list;
  for (const auto& table : found)
    list += (list.empty() ? "" : ", ") + table;
  return rejected(name + " is the name of several tables; give one of them: " + list);
}

std::vector<ops::table_change> changes_between(const state::table_version& from,
                                               const state::table_version& to) {
  std::vector<ops::table_change> out;
  for (const auto& c : ums::changes_between(from.fields, to.fields))
    out.push_back({.kind = std::string(to_string(c.what)),
                   .column = c.column,
                   .text = c.text,
                   .compatible = c.compatible()});
  return out;
}

const state::table_version* find(const std::vector<state::table_version>& all, int64_t version) {
  auto at = std::find_if(all.begin(), all.end(), [&](auto& v) { return v.version == version; });
  return at == all.end() ? nullptr : &*at;
}

ops::table_version show(const state::table_version& v,
                        const std::vector<state::table_version>& all) {
  ops::table_version out{.version = v.version,
                         .previous = v.previous,
                         .decision = std::string(to_string(v.decision)),
                         .published_as = v.published_as,
                         .at_us = v.at_us,
                         .position = v.place,
                         .columns = {},
                         .changes = {}};
  for (const auto& f : v.fields)
    out.columns.push_back({.name = f.name,
                           .type = std::string(to_string(f.type)),
                           .native = f.native,
                           .nullable = f.nullable,
                           .key = f.key});
  if (const auto* before = find(all, v.previous))
    out.changes = changes_between(*before, v);
  return out;
}

struct table {
  std::string name;
  std::vector<state::table_version> versions;
};

/// Without a name when there is no such table.
result<table> load(const std::string& data_dir, const std::string& name) {
  auto history = state::schema_history::open(data_dir);
  if (!history)
    return history.error();
  auto found = find_table(*history, name);
  if (!found)
    return found.error();
  if (found->empty())
    return table{};
  auto all = history->versions(*found);
  if (!all)
    return all.error();
  return table{*found, std::move(*all)};
}

} // namespace

result<std::optional<ops::table_history>> versions_of(const std::string& data_dir,
                                                      const std::string& name) {
  auto t = load(data_dir, name);
  if (!t)
    return t.error();
  if (t->name.empty())
    return std::optional<ops::table_history>();
  ops::table_history out{.name = t->name, .versions = {}};
  for (const auto& v : t->versions)
    out.versions.push_back(show(v, t->versions));
  return std::optional(std::move(out));
}

result<std::optional<ops::table_comparison>>
compare_versions(const std::string& data_dir, const std::string& name, int64_t from, int64_t to) {
  auto t = load(data_dir, name);
  if (!t)
    return t.error();
  if (t->name.empty())
    return std::optional<ops::table_comparison>();
  const auto* after = to < 0 ? &t->versions.back() : find(t->versions, to);
  if (!after)
    return rejected("table " + t->name + " has no version " + std::to_string(to) +
                    "; the last one is " + std::to_string(t->versions.back().version));
  if (from < 0)
    from = after->previous < 0 ? after->version : after->previous;
  const auto* before = find(t->versions, from);
  if (!before)
    return rejected("table " + t->name + " has no version " + std::to_string(from) +
                    "; the last one is " + std::to_string(t->versions.back().version));
  return std::optional(ops::table_comparison{.name = t->name,
                                             .from = before->version,
                                             .to = after->version,
                                             .changes = changes_between(*before, *after)});
}

} // namespace rtdp::cluster
