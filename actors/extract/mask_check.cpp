#include "actors/extract/mask_check.hpp"

#include <algorithm>
#include <set>

namespace rtdp::extract {

bool has_masks(const config::section& settings) {
  auto tables = settings.values.find("tables");
  if (tables == settings.values.end())
    return false;
  const auto* items = std::get_if<config::sections>(&tables->second);
  return items != nullptr && std::any_of(items->begin(), items->end(), [](const auto& item) {
           auto masks = item.values.find("mask");
           return masks != item.values.end() && !std::get<config::sections>(masks->second).empty();
         });
}

std::vector<config::problem> check_masks(const kind& k, const std::string& source,
                                         const config::section& settings,
                                         std::vector<ums::schema>& described) {
  std::vector<config::problem> problems;
  auto tables = read_table_options(k, source, settings);
  // What is wrong with a name is told elsewhere.
  if (!tables)
    return problems;
  std::set<int> told;
  auto report = [&](const table_options& t, int line, const error& e) {
    auto item = size_t(&t - tables->data());
    // Many tables of an item fail alike.
    if (told.insert(line).second)
      problems.push_back(
          {line, "sources." + source + ".tables." + std::to_string(item) + ".mask", e.text()});
  };
  int line = 0;
  for (const auto& t : *tables)
    if (auto masks = read_masks(t, &line); !masks)
      report(t, line, masks.error());
  for (auto& s : described) {
    const auto* t = options_of(*tables, s.name);
    auto masks = t == nullptr ? result(std::vector<mask_settings>{}) : read_masks(*t);
    if (!masks || masks->empty())
      continue;
    if (auto to = masked(*masks, s, &line))
      s = std::move(*to);
    else
      report(*t, line, to.error());
  }
  return problems;
}

result<std::unique_ptr<stage>> make_mask_stage(const kind& k, const std::string& source,
                                               const config::section& settings,
                                               const std::vector<table_options>& tables) {
  if (!has_masks(settings))
    return std::unique_ptr<stage>();
  std::vector<ums::schema> known;
  // A source that does not answer: its driver says so, and the first rows are looked at anyway.
  if (k.describe != nullptr)
    if (auto described = k.describe(source, settings))
      known = std::move(*described);
  return mask_stage::make(tables, known);
}

} // namespace rtdp::extract
