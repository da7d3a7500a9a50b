#include "assemble_merges.hpp"

#include "runtime/state/schema_history.hpp"

#include <algorithm>

namespace rtdp {

extract::configured_source configured(const config::component& source) {
  static const auto kinds = extract::kinds();
  auto at = std::find_if(kinds.begin(), kinds.end(),
                         [&](const extract::kind& k) { return k.spec.name == source.kind; });
  return {source.name, at == kinds.end() ? nullptr : &*at, &source.settings};
}

std::string name_for_people(const ums::ns& name) { return state::schema_history::table_of(name); }

bool reads(const ums::ns& pattern, const ums::ns& table) {
  auto any_version = table;
  for (auto part : {ums::ns::version, ums::ns::db_partition, ums::ns::table_partition})
    any_version.set(part, pattern[part]);
  return pattern.matches(any_version);
}

bool may_feed(const ums::ns& pattern, const config::component& source) {
  auto instances = extract::instances_of(configured(source));
  return std::any_of(instances.begin(), instances.end(), [&](const std::string& instance) {
    auto name = pattern;
    name.set(ums::ns::instance, instance);
    return pattern.matches(name);
  });
}

std::vector<std::string> merged_names(const config::component& source) {
  auto names = extract::instances_of(configured(source));
  std::erase(names, source.name);
  return names;
}

std::map<std::string, std::string> merged_instances(const config::pipeline& p) {
  std::map<std::string, std::string> out;
  for (const auto& s : p.sources)
    for (const auto& instance : merged_names(s))
      out.try_emplace(instance, s.name);
  return out;
}

namespace {

void check_keys(const config::flow_settings& f, const extract::shared_table& table,
                std::vector<config::problem>& problems) {
  auto pattern = ums::ns::parse(f.source);
  bool has = std::find(f.keys.begin(), f.keys.end(), table.shard_column) != f.keys.end();
  if (f.mutation == "i" || f.keys.empty() || has || !reads(*pattern, table.name))
    return;
  auto at = f.settings.lines.find("keys");
  problems.push_back({at == f.settings.lines.end() ? f.line : at->second,
                      "flows." + f.name + ".keys",
                      "several sources feed " + name_for_people(table.name) +
                          ", and their ids cannot be compared: " + table.shard_column +
                          " must be one of the keys"});
}

} // namespace

void check_merges(const config::pipeline& p, std::vector<config::problem>& problems) {
  std::vector<extract::configured_source> all;
  for (const auto& s : p.sources)
    all.push_back(configured(s));
  auto found = extract::check_merges(all);
  problems.insert(problems.end(), found.problems.begin(), found.problems.end());
  for (const auto& f : p.flows)
    for (const auto& table : found.shared)
      check_keys(f, table, problems);
}

} // namespace rtdp
