#include "actors/extract/merge_check.hpp"

#include "actors/extract/merge_stage.hpp"

#include <algorithm>
#include <map>

namespace rtdp::extract {

namespace {

/// One item of one source, under the name that its tables have on the bus.
struct feed {
  const configured_source* source = nullptr;
  size_t item = 0;
  int line = 0;
  /// Empty when there is none.
  std::string shard_column;
};

int line_of(const config::section& item, const char* option) {
  auto at = item.lines.find(option);
  return at == item.lines.end() ? item.line : at->second;
}

std::string path_of(const feed& f, const char* option) {
  return "sources." + f.source->name + ".tables." + std::to_string(f.item) + "." + option;
}

std::string names_of(const std::vector<feed>& feeds) {
  std::string out;
  for (size_t i = 0; i < feeds.size(); ++i)
    if (i == 0 || feeds[i].source != feeds[i - 1].source)
      out += (out.empty() ? "" : ", ") + feeds[i].source->name;
  return out;
}

using feeds_by_name = std::map<std::string, std::vector<feed>>;

/// Adds the items of one source; those that cannot be read are problems.
void collect(const configured_source& s, feeds_by_name& into,
             std::vector<config::problem>& problems) {
  if (!s.type->pattern)
    return;
  const auto& items = s.settings->get<config::sections>("tables");
  for (size_t i = 0; i < items.size(); ++i) {
    const auto& item = items[i];
    feed f{.source = &s, .item = i, .line = line_of(item, "into"), .shard_column = ""};
    auto merge = read_merge(item.text("into"), item.text("shard_column"));
    if (!merge) {
      problems.push_back({f.line, path_of(f, "into"), merge.error().text()});
      continue;
    }
    auto pattern = s.type->pattern(s.name, item.text("name"));
    // A name that cannot be read is told by whoever opens the source.
    if (!pattern)
      continue;
    if (*merge)
      f.shard_column = (*merge)->shard_column;
    auto name = *merge ? (*merge)->logical(*pattern) : *pattern;
    into[name.text()].push_back(std::move(f));
  }
}

} // namespace

merge_findings check_merges(const std::vector<configured_source>& sources) {
  merge_findings out;
  feeds_by_name all;
  for (const auto& s : sources)
    collect(s, all, out.problems);
  for (const auto& [name, feeds] : all) {
    if (std::all_of(feeds.begin(), feeds.end(),
                    [&](const feed& f) { return f.source == feeds.front().source; }))
      continue;
    auto shard = std::find_if(feeds.begin(), feeds.end(),
                              [](const feed& f) { return !f.shard_column.empty(); });
    auto column = shard == feeds.end() ? std::string("shard") : shard->shard_column;
    for (const auto& f : feeds)
      if (f.shard_column != column)
        out.problems.push_back(
            {f.line, path_of(f, "shard_column"),
             "sources " + names_of(feeds) + " make one table, " + name +
                 ", and their ids cannot be compared: each needs shard_column: " + column +
                 ", which belongs to the key" +
                 (f.shard_column.empty() ? "" : "; found " + f.shard_column)});
    if (auto parsed = ums::ns::parse(name))
      out.shared.push_back({*parsed, column});
  }
  return out;
}

void merge_schemas(const configured_source& source, std::vector<ums::schema>& described) {
  auto tables = read_table_options(*source.type, source.name, *source.settings);
  if (!tables)
    return;
  for (auto& s : described)
    if (const auto* o = options_of(*tables, s.name); o && o->merge)
      if (auto merged = merged_schema(s, *o->merge))
        s = std::move(*merged);
}

std::vector<std::string> instances_of(const configured_source& source) {
  std::vector<std::string> out = {source.name};
  if (!source.type || !source.type->pattern)
    return out;
  for (const auto& item : source.settings->get<config::sections>("tables"))
    if (auto merge = read_merge(item.text("into"), item.text("shard_column"));
        merge && *merge && !(*merge)->instance.empty())
      out.push_back((*merge)->instance);
  return out;
}

} // namespace rtdp::extract
