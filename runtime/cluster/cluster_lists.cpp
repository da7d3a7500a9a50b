#include "runtime/cluster/cluster_lists.hpp"

#include "runtime/core/time.hpp"

#include <algorithm>
#include <tuple>

namespace rtdp::cluster {

namespace {

using ops::component_class;

/// Figures in microseconds are shown in the unit of their fact.
void show_figure(ops::component& c, const std::string& name, int64_t value) {
  if (name == "lag_us")
    c.set(ops::facts::lag_seconds, double(value) / 1e6);
  else if (name == "marked_us" && value > 0)
    c.set(ops::facts::lag_seconds, double(std::max<int64_t>(0, now_us() - value)) / 1e6);
  else if (name == "latency_p50_us")
    c.set(ops::facts::latency_p50_ms, double(value) / 1e3);
  else if (name == "latency_p99_us")
    c.set(ops::facts::latency_p99_ms, double(value) / 1e3);
  else if (name == "since_us")
    c.since_us = value;
  else if (name != "idle" && name != "marked_us")
    c.set(name, value);
}

component_class class_of(const std::string& component) {
  for (auto known : ops::all_classes)
    if (component == ops::to_string(known))
      return known;
  return component_class::source;
}

std::string unit_of(const ops::component& c) { return ops::to_string(c.class_) + ("." + c.name); }

/// A source or flow that nobody tells of.
ops::component silent(const std::string& unit, const std::string& owner,
                      const std::vector<told>& nodes) {
  ops::component c;
  auto dot = unit.find('.');
  c.class_ = class_of(unit.substr(0, dot));
  c.name = unit.substr(dot + 1);
  c.node = owner;
  c.state = owner.empty() ? ops::state::new_ : ops::state::suspended;
  c.reason = owner.empty() ? "no node has it yet" : owner + " does not tell of it yet";
  for (const auto& n : nodes)
    if (n.node == owner && !n.reports)
      c.reason = n.reports.error().text();
  return c;
}

} // namespace

ops::cluster_view view_of(const runtime::cluster_report& r) {
  ops::cluster_view v;
  v.clustered = true;
  v.leader = r.leader;
  v.revision = r.revision;
  for (const auto& n : r.nodes)
    v.nodes.push_back({n.name, n.state, n.reason, n.version, n.leader, n.cpu_permille, n.rss_bytes,
                       n.rows_per_s, n.flows, n.sources, n.last_seen_us});
  for (const auto& d : r.drifts)
    v.drifts.push_back({d.flow, d.from, d.to, d.step, d.reason, d.epoch, d.started_us, d.ended_us,
                        d.pause_us});
  for (const auto& [unit, owner] : r.owners)
    if (unit.starts_with("flow."))
      v.flows.push_back(unit.substr(5));
  for (const auto& a : r.plan)
    v.plan.push_back({a.component, a.from, a.to, a.reason});
  // Those under way first, then the newest.
  std::stable_sort(v.drifts.begin(), v.drifts.end(), [](const auto& a, const auto& b) {
    return std::tuple(!a.under_way(), -a.started_us) < std::tuple(!b.under_way(), -b.started_us);
  });
  return v;
}

ops::component show(const runtime::report& r, const std::string& node) {
  ops::component c;
  c.class_ = class_of(r.component);
  c.name = r.name;
  c.kind = r.kind;
  c.state = ops::parse_state(r.state).value_or(ops::state::new_);
  c.reason = r.reason;
  c.node = node;
  for (const auto& [name, value] : r.texts)
    c.set(name, value);
  for (const auto& [name, value] : r.figures)
    show_figure(c, name, value);
  return c;
}

std::string unit_of(const runtime::report& r) {
  auto by_text = [&r](const char* unit, const char* text) {
    auto at = r.texts.find(text);
    return at == r.texts.end() ? std::string() : unit + at->second;
  };
  if (r.component == "table")
    return by_text("source.", ops::facts::source);
  if (r.component == "sink")
    return by_text("flow.", "flow");
  if (r.component == "heartbeat")
    return "source." + r.name;
  return r.component == "stream" ? "" : r.component + "." + r.name;
}

bool counts(const runtime::report& r, const std::string& node, const owners& all) {
  auto owner = all.find(unit_of(r));
  // What nobody places any more has left the settings; its last words are not news.
  if (owner == all.end())
    return r.state != "stopped" || unit_of(r).empty();
  return owner->second == node;
}

std::vector<ops::component> merged(const std::vector<told>& nodes, const owners& all) {
  std::vector<ops::component> out;
  auto missing = all;
  for (const auto& n : nodes) {
    if (!n.reports)
      continue;
    for (const auto& r : *n.reports) {
      bool listed = r.component == ops::to_string(class_of(r.component));
      if (!listed || !counts(r, n.node, all))
        continue;
      out.push_back(show(r, n.node));
      missing.erase(unit_of(out.back()));
    }
  }
  for (const auto& [unit, owner] : missing)
    out.push_back(silent(unit, owner, nodes));
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.class_, a.name, a.node) < std::tie(b.class_, b.name, b.node);
  });
  return out;
}

} // namespace rtdp::cluster
