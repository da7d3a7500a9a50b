#include "runtime/ops/table_snapshot.hpp"

#include "runtime/ops/control.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::ops {

namespace {

using json = nlohmann::ordered_json;

response snapshot(control& node, const request& r) {
  auto body = r.body.empty() ? json::object() : json::parse(r.body, nullptr, false);
  auto text = [&](const char* key) { return !body.contains(key) || body[key].is_string(); };
  bool good = body.is_object() && text("verb") && text("where") && text("source") &&
              (!body.contains("sweep") || body["sweep"].is_boolean());
  for (const auto& [key, value] : body.items())
    good = good && (key == "verb" || key == "where" || key == "source" || key == "sweep");
  if (!good)
    return problem(
        400, R"(expected a body like {"verb": "start", "where": "id > 7"} or {"sweep": true})",
        r.path);
  snapshot_order order{.table = r.parts.at("name"),
                       .source = body.value("source", ""),
                       .verb = body.value("verb", "start"),
                       .where = body.value("where", ""),
                       .sweep = body.value("sweep", false)};
  auto table = node.snapshot(order);
  if (!table)
    return problem(table.error(), r.path);
  return {200, "application/json", json{{"name", *table}, {"verb", order.verb}}.dump()};
}

double number(const json& table, const char* key) {
  auto at = table.find(key);
  return at != table.end() && at->is_number() ? at->get<double>() : -1;
}

} // namespace

void add_snapshot_route(std::vector<route>& to, control& node) {
  to.push_back(
      {"POST",
       "/api/v1/tables/{name}/snapshot",
       "Reads a table whole, or the rows of a condition, while its changes flow; or pauses, "
       "resumes, cancels that",
       [&node](const request& r) { return snapshot(node, r); },
       {},
       {{"verb", "string", "start (the default), pause, resume or cancel"},
        {"where", "string", "a condition in the SQL of the source; all rows when empty"},
        {"sweep", "boolean", "afterwards sinks drop the rows that the snapshot did not meet"},
        {"source", "string", "the source, when several have a table of this name"}}});
}

std::string snapshot_progress(const json& table) {
  auto done = number(table, facts::snapshot_rows_done);
  auto all = number(table, facts::snapshot_rows_estimated);
  auto left = number(table, facts::snapshot_eta_seconds);
  auto out = fmt::format("{:.0f}", std::max(done, 0.0));
  if (all > 0 && all >= done)
    out += fmt::format(" of about {:.0f} rows, {:.0f}%", all, 100 * std::max(done, 0.0) / all);
  else
    out += " rows";
  if (left > 0)
    out += fmt::format(", {:.0f} s left", left);
  return out;
}

} // namespace rtdp::ops
