#include "runtime/ops/table_history.hpp"

#include "runtime/ops/cli_layout.hpp"
#include "runtime/ops/control.hpp"
#include "runtime/ops/router.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace rtdp::ops {

namespace {

using json = nlohmann::ordered_json;

bool all_compatible(const std::vector<table_change>& changes) {
  return std::all_of(changes.begin(), changes.end(),
                     [](const table_change& c) { return c.compatible; });
}

json to_json(const std::vector<table_change>& changes) {
  auto out = json::array();
  for (const auto& c : changes)
    out.push_back(
        {{"kind", c.kind}, {"column", c.column}, {"text", c.text}, {"compatible", c.compatible}});
  return out;
}

json to_json(const std::string& table, const table_version& v) {
  auto columns = json::array();
  for (const auto& c : v.columns)
    columns.push_back({{"name", c.name},
                       {"type", c.type},
                       {"native", c.native},
                       {"nullable", c.nullable},
                       {"key", c.key}});
  return {{"version", v.version},
          {"namespace", fmt::format("{}.{}.0.0", table, v.version)},
          {"previous", v.previous < 0 ? json() : json(v.previous)},
          {"decision", v.decision},
          {"published_as", v.published_as},
          {"at", rfc3339(v.at_us)},
          {"position", v.position},
          {"columns", std::move(columns)},
          {"changes", to_json(v.changes)},
          {"compatible", v.compatible()}};
}

response no_table(const request& r) {
  return problem(404,
                 fmt::format("there is no table \"{}\" with a history; GET /api/v1/tables lists "
                             "the tables",
                             r.parts.at("name")),
                 r.path);
}

response versions(control& node, const request& r) {
  auto found = node.versions_of(r.parts.at("name"));
  if (!found)
    return problem(found.error(), r.path);
  if (!*found)
    return no_table(r);
  return {200, "application/json", dump(to_json(**found))};
}

/// A version in the query; -1 when it is not asked for, nothing when it is no number.
std::optional<int64_t> version_of(const request& r, const char* name) {
  auto asked = r.query.find(name);
  if (asked == r.query.end())
    return -1;
  int64_t value = 0;
  const auto& text = asked->second;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < 0)
    return {};
  return value;
}

response compatibility(control& node, const request& r) {
  auto from = version_of(r, "from"), to = version_of(r, "to");
  if (!from || !to)
    return problem(400, "from and to take the number of a version, such as 3", r.path);
  auto found = node.compare_versions(r.parts.at("name"), *from, *to);
  if (!found)
    return problem(found.error(), r.path);
  if (!*found)
    return no_table(r);
  return {200, "application/json", dump(to_json(**found))};
}

std::string joined(const json& item, const char* key, std::string (*show)(const json&)) {
  std::string out;
  if (auto at = item.find(key); at != item.end() && at->is_array())
    for (const auto& each : *at)
      out += (out.empty() ? "" : ", ") + show(each);
  return out;
}

std::string column_text(const json& c) {
  auto native = text_of(c, "native");
  return text_of(c, "name") + " " + (native.empty() ? text_of(c, "type") : native) +
         (c.value("key", false) ? " key" : "");
}

std::string change_text(const json& c) {
  return text_of(c, "text") + (c.value("compatible", false) ? "" : " (!)");
}

} // namespace

bool table_version::compatible() const { return all_compatible(changes); }
bool table_comparison::compatible() const { return all_compatible(changes); }

json to_json(const table_history& h) {
  auto items = json::array();
  for (const auto& v : h.versions)
    items.push_back(to_json(h.name, v));
  return {{"name", h.name}, {"items", std::move(items)}};
}

json to_json(const table_comparison& c) {
  return {{"name", c.name},
          {"from", c.from},
          {"to", c.to},
          {"compatible", c.compatible()},
          {"changes", to_json(c.changes)}};
}

void add_table_routes(std::vector<route>& to, control& node) {
  to.push_back({"GET", "/api/v1/tables/{name}/versions",
                "Every version of a table with the place where it began, its columns and what "
                "changed",
                [&node](const request& r) { return versions(node, r); }});
  to.push_back(
      {"GET",
       "/api/v1/tables/{name}/compatibility",
       "What changed between two versions of a table, by default the last two",
       [&node](const request& r) { return compatibility(node, r); },
       {{"from", "integer", "the older version"}, {"to", "integer", "the newer version"}}});
}

std::string versions_table(const json& history) {
  constexpr size_t columns = 6;
  std::vector<std::array<std::string, columns>> lines = {
      {"VERSION", "BEGAN", "POSITION", "DECISION", "CHANGES", "COLUMNS"}};
  auto items = history.find("items");
  if (items != history.end() && items->is_array())
    for (const auto& v : *items) {
      auto decision = text_of(v, "decision");
      if (decision == "ignored")
        decision += ", as " + text_of(v, "published_as");
      lines.push_back({text_of(v, "version"), text_of(v, "at"), text_of(v, "position"), decision,
                       joined(v, "changes", change_text), joined(v, "columns", column_text)});
    }
  std::array<size_t, columns> width{};
  for (const auto& line : lines)
    for (size_t i = 0; i < columns; ++i)
      width[i] = std::max(width[i], line[i].size());
  auto out = text_of(history, "name") + "\n";
  for (const auto& line : lines) {
    std::string text;
    for (size_t i = 0; i < columns; ++i)
      text += fmt::format("{:<{}}  ", line[i], i + 1 < columns ? width[i] : 0);
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  }
  return out + "(!) is incompatible: see on_schema_change.\n";
}

} // namespace rtdp::ops
