#include "runtime/ops/alarms.hpp"

#include "runtime/ops/cli.hpp"
#include "runtime/ops/cli_tables.hpp"
#include "runtime/ops/control.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

response list(control& node, const request& r) {
  auto found = node.alarms();
  if (!found)
    return problem(found.error(), r.path);
  auto asked = r.query.find("open");
  if (asked != r.query.end() && asked->second != "true" && asked->second != "false")
    return problem(400, "open must be true or false", r.path);
  if (asked != r.query.end() && asked->second == "true")
    return {200, "application/json", items_json(open_alarms(*found))};
  auto items = json::array();
  for (const auto& a : *found)
    items.push_back(to_json(a));
  return {200, "application/json", items_json(std::move(items))};
}

} // namespace

json to_json(const alarm& a) {
  return {{"condition", a.condition},
          {"component", a.component},
          {"name", a.name},
          {"text", a.text},
          {"since", rfc3339(a.since_us)},
          {"ended", a.ended_us == 0 ? json() : json(rfc3339(a.ended_us))}};
}

json open_alarms(const std::vector<alarm>& all) {
  auto items = json::array();
  for (const auto& a : all)
    if (a.ended_us == 0)
      items.push_back(to_json(a));
  return items;
}

void add_alarm_routes(std::vector<route>& to, control& node) {
  to.push_back({"GET",
                "/api/v1/alarms",
                "Open alarms, then those that ended lately, newest first",
                [&node](const request& r) { return list(node, r); },
                {{"open", "boolean", "true: only the open ones"}}});
}

int cli::alarms(bool all) const {
  auto body = call("GET", all ? "/api/v1/alarms" : "/api/v1/alarms?open=true", "", "rtdp status");
  if (!body)
    return 1;
  if (json) {
    out << *body << '\n';
    return 0;
  }
  auto answered = nlohmann::ordered_json::parse(*body, nullptr, false);
  auto items = answered.is_object() ? answered.value("items", nlohmann::ordered_json::array())
                                    : nlohmann::ordered_json::array();
  out << alarms_table(items, colour);
  return 0;
}

} // namespace rtdp::ops
