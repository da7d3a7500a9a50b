#include "runtime/ops/cluster_view.hpp"

#include "runtime/ops/cli_layout.hpp"
#include "runtime/ops/control.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

json time_of(int64_t us) { return us == 0 ? json() : json(rfc3339(us)); }

template<class T>
json all_of(const std::vector<T>& items) {
  auto out = json::array();
  for (const auto& item : items)
    out.push_back(to_json(item));
  return out;
}

template<class F>
response with_view(control& node, const request& r, F use) {
  auto seen = node.cluster();
  return seen ? use(*seen) : problem(seen.error(), r.path);
}

/// One of the three lists of the view.
template<class T>
response list(control& node, const request& r, std::vector<T> cluster_view::*items) {
  return with_view(node, r, [&](const cluster_view& seen) {
    return response{200, "application/json", items_json(all_of(seen.*items))};
  });
}

response hand_on(control& node, const request& r, const cluster_order& o) {
  auto answer = node.order(o);
  if (!answer)
    return problem(answer.error(), r.path);
  return {200, "application/json", dump({{"verb", o.verb}, {"name", o.name}, {"answer", *answer}})};
}

/// An order about the flow of the path, when there is one. Nobody is asked for it but the catalog: a
/// node that hangs must not keep flows from leaving it.
response about_flow(control& node, const request& r, cluster_order o) {
  return with_view(node, r, [&](const cluster_view& seen) {
    const auto& name = r.parts.at("name");
    bool known = std::find(seen.flows.begin(), seen.flows.end(), name) != seen.flows.end();
    if (!known)
      return problem(
          404, fmt::format("there is no flow \"{}\"; GET /api/v1/flows lists them", name), r.path);
    o.name = name;
    return hand_on(node, r, o);
  });
}

response drift_flow(control& node, const request& r) {
  auto body = json::parse(r.body, nullptr, false);
  if (!body.is_object() || body.size() != 1 || !body.contains("to") || !body["to"].is_string() ||
      body["to"] == "")
    return problem(400, R"(expected a body like {"to": "n2"}, the node to move the flow to)",
                   r.path);
  return about_flow(node, r, {.verb = "drift", .to = body["to"].get<std::string>()});
}

response about_node(control& node, const request& r, const char* verb) {
  return with_view(node, r, [&](const cluster_view& seen) {
    const auto& name = r.parts.at("name");
    auto same = [&](const cluster_node& n) { return n.name == name; };
    if (std::none_of(seen.nodes.begin(), seen.nodes.end(), same))
      return problem(
          404, fmt::format("there is no node \"{}\"; GET /api/v1/nodes lists them", name), r.path);
    return hand_on(node, r, {.verb = verb, .name = name});
  });
}

response apply(control& node, const request& r) {
  if (r.body.empty())
    return problem(400, "expected a settings file as the body; there is none", r.path);
  return hand_on(node, r, {.verb = "apply", .text = r.body});
}

} // namespace

json to_json(const cluster_node& n) {
  json out = {{"name", n.name},       {"state", n.state},
              {"reason", n.reason},   {"version", n.version},
              {"leader", n.leader},   {"last_seen", time_of(n.last_seen_us)},
              {"flows", n.flows},     {"sources", n.sources}};
  if (n.rows_per_s >= 0)
    out["rows_per_s"] = n.rows_per_s;
  if (n.cpu_permille >= 0)
    out["cpu_percent"] = double(n.cpu_permille) / 10;
  if (n.rss_bytes >= 0)
    out["rss_bytes"] = n.rss_bytes;
  return out;
}

json to_json(const drift& d) {
  return {{"flow", d.flow},
          {"from", d.from},
          {"to", d.to},
          {"step", d.step},
          {"reason", d.reason},
          {"epoch", d.epoch},
          {"started", time_of(d.started_us)},
          {"ended", time_of(d.ended_us)},
          {"pause_ms", d.pause_us == 0 ? json() : json(double(d.pause_us) / 1e3)}};
}

json to_json(const advice& a) {
  return {{"component", a.component}, {"from", a.from}, {"to", a.to}, {"reason", a.reason}};
}

json to_json(const cluster_view& v) {
  return {{"clustered", v.clustered},   {"leader", v.leader},         {"revision", v.revision},
          {"nodes", all_of(v.nodes)}, {"drifts", all_of(v.drifts)}, {"plan", all_of(v.plan)}};
}

void add_cluster_routes(std::vector<route>& to, control& node) {
  to.push_back({"GET", "/api/v1/nodes", "The nodes of the cluster as this one sees them",
                [&node](const request& r) { return list(node, r, &cluster_view::nodes); }});
  to.push_back({"GET", "/api/v1/drifts", "Moves of flows: those under way, then the last ones",
                [&node](const request& r) { return list(node, r, &cluster_view::drifts); }});
  to.push_back({"GET", "/api/v1/plan", "What placement would move, and why",
                [&node](const request& r) { return list(node, r, &cluster_view::plan); }});
  to.push_back({"POST",
                "/api/v1/flows/{name}/drift",
                "Moves a flow to another node while it works; GET /api/v1/drifts tells how far it is",
                [&node](const request& r) { return drift_flow(node, r); },
                {},
                {{"to", "string", "the node to move it to"}}});
  to.push_back({"DELETE", "/api/v1/flows/{name}/drift",
                "Calls the move of a flow off, before its commit point",
                [&node](const request& r) { return about_flow(node, r, {.verb = "cancel"}); }});
  to.push_back({"POST", "/api/v1/nodes/{name}/drain", "Moves everything off a node and keeps it so",
                [&node](const request& r) { return about_node(node, r, "drain"); }});
  to.push_back({"POST", "/api/v1/nodes/{name}/undrain", "Lets a node be given work again",
                [&node](const request& r) { return about_node(node, r, "undrain"); }});
  to.push_back({.method = "POST",
                .path = "/api/v1/apply",
                .summary = "Puts a settings file in force on all nodes",
                .handler = [&node](const request& r) { return apply(node, r); },
                .takes = yaml_type});
}

std::string drift_step(const json& drift) {
  auto text = [&drift](const char* key) {
    auto at = drift.find(key);
    return at != drift.end() && at->is_string() ? printable(at->get<std::string>()) : "";
  };
  auto out = text("step");
  auto pause = drift.find("pause_ms");
  if (pause != drift.end() && pause->is_number())
    out += fmt::format(", paused {:.0f} ms", pause->get<double>());
  return text("reason").empty() ? out : out + ": " + text("reason");
}

} // namespace rtdp::ops
