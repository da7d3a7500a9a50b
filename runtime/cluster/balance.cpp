#include "runtime/cluster/balance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

namespace rtdp::cluster {

namespace {

/// A flow with more than so many seconds of its own rate to catch up with stays where it is.
constexpr int64_t lag_seconds_max = 5;

const placeable* find(const situation& s, const std::string& component) {
  auto at = std::find_if(s.all.begin(), s.all.end(),
                         [&](const placeable& p) { return p.component == component; });
  return at == s.all.end() ? nullptr : &*at;
}

bool names(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// Owner of each component that a living process owns, while the plan grows.
using owners = std::map<std::string, std::string>;

owners living(const situation& s) {
  owners out;
  for (const auto& [component, p] : s.decided.placements())
    if (auto at = s.usable.find(p.node); at != s.usable.end() && at->second.boot == p.boot)
      out[component] = p.node;
  return out;
}

std::string unfit(const situation& s, const owners& now, const placeable& p,
                  const std::string& node) {
  auto at = s.usable.find(node);
  if (at == s.usable.end())
    return "node " + node + " is lost, unknown or in trouble";
  if (!at->second.takes_more)
    return "node " + node + " is draining";
  if (!names(s.nodes.fitting(p.pin), node))
    return fmt::format("is tied to {}", p.pin);
  for (const auto& [other, owner] : now) {
    if (owner != node || other == p.component)
      continue;
    const auto* o = find(s, other);
    if (names(p.not_with, other) || (o && names(o->not_with, p.component)))
      return fmt::format("{} runs on {} and they are kept apart", other, node);
  }
  return {};
}

/// Lower is better: busy cores in quarters, then how many it has, so that nodes without a load yet
/// take turns.
auto rank(const situation& s, const owners& now, const std::string& node) {
  auto has = std::count_if(now.begin(), now.end(), [&](auto& o) { return o.second == node; });
  return std::tuple{s.usable.at(node).cpu_permille / 250, has, node};
}

std::optional<std::string> best(const situation& s, const owners& now, const placeable& p,
                                const std::string& but_not) {
  std::optional<std::string> chosen;
  for (const auto& [node, facts] : s.usable)
    if (node != but_not && unfit(s, now, p, node).empty() &&
        (!chosen || rank(s, now, node) < rank(s, now, *chosen)))
      chosen = node;
  return chosen;
}

std::string why_nowhere(const situation& s, const placeable& p) {
  if (s.usable.empty())
    return "no node can take it";
  auto fitting = s.nodes.fitting(p.pin);
  std::string out = "waits for a node";
  if (!p.pin.empty())
    out += fmt::format(": it is tied to {} ({})", p.pin, fmt::join(fitting, ", "));
  if (!p.not_with.empty())
    out += fmt::format("{} kept apart from {}", p.pin.empty() ? ": it is" : ", and is",
                       fmt::join(p.not_with, ", "));
  return out;
}

} // namespace

std::vector<runtime::advice> place_orphans(const situation& s) {
  std::vector<runtime::advice> out;
  auto now = living(s);
  for (const auto& p : s.all) {
    if (now.contains(p.component))
      continue;
    const auto* before = s.decided.find(p.component);
    runtime::advice a{p.component, before ? before->node : "", "", ""};
    // It has its files there.
    if (before && unfit(s, now, p, before->node).empty())
      a.to = before->node;
    else
      a.to = best(s, now, p, {}).value_or("");
    a.reason = a.to.empty()          ? why_nowhere(s, p)
               : !before             ? "nobody has it yet"
               : a.to == before->node ? "node " + before->node + " was started again"
                                      : "node " + before->node + " is lost or in trouble";
    if (!a.to.empty())
      now[p.component] = a.to;
    out.push_back(std::move(a));
  }
  return out;
}

std::optional<std::string> best_other(const situation& s, const std::string& component) {
  const auto* p = find(s, component);
  const auto* placed = s.decided.find(component);
  return p ? best(s, living(s), *p, placed ? placed->node : "") : std::nullopt;
}

std::string unfit(const situation& s, const std::string& component, const std::string& node) {
  const auto* p = find(s, component);
  return p ? unfit(s, living(s), *p, node) : "no such component: " + component;
}

std::optional<runtime::advice> even_out(const situation& s) {
  if (s.usable.size() < 2)
    return {};
  auto by_cpu = [](const auto& a, const auto& b) {
    return a.second.cpu_permille < b.second.cpu_permille;
  };
  auto [idle, busy] = std::minmax_element(s.usable.begin(), s.usable.end(), by_cpu);
  if (!idle->second.takes_more)
    return {};
  auto apart = busy->second.cpu_permille - idle->second.cpu_permille;
  if (apart < hysteresis_permille)
    return {};
  int64_t rows = 0;
  for (const auto& [component, r] : busy->second.components)
    rows += r.rows_per_s;
  auto now = living(s);
  std::optional<runtime::advice> chosen;
  std::pair<int64_t, int64_t> best;
  for (const auto& [component, r] : busy->second.components) {
    const auto* p = find(s, component);
    if (!p || !component.starts_with("flow.") || r.state != "running" || r.rows_per_s == 0 ||
        r.lag_rows > lag_seconds_max * r.rows_per_s ||
        !unfit(s, now, *p, idle->first).empty())
      continue;
    // Its part of the node's load, by rows. The best one leaves the two alike; one that does not
    // halve the difference is not worth a move.
    auto share = busy->second.cpu_permille * r.rows_per_s / rows;
    auto left = std::abs(apart - 2 * share);
    if (left > apart / 2 || (chosen && std::pair{left, share} >= best))
      continue;
    best = {left, share};
    chosen = runtime::advice{
        component, busy->first, idle->first,
        fmt::format("{} uses {}% of a core, {} uses {}%; this flow is about {}% of it", busy->first,
                    busy->second.cpu_permille / 10, idle->first, idle->second.cpu_permille / 10,
                    share / 10)};
  }
  return chosen;
}

} // namespace rtdp::cluster
