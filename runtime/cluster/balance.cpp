#include "runtime/cluster/balance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace rtdp::cluster {

namespace {

/// A flow with more than so many seconds of its own rate to catch up with stays where it is.
constexpr int64_t lag_seconds_max = 5;

bool names(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// Of a component that a living process owns: its node. Null: there is none.
const std::string* living_owner(const situation& s, const std::string& component) {
  const auto* p = s.decided.find(component);
  if (!p)
    return nullptr;
  auto at = s.usable.find(p->node);
  return at != s.usable.end() && at->second.boot == p->boot ? &at->first : nullptr;
}

/// What is asked for each component and each node, looked up once, and who has what while a plan
/// grows: a thousand components are placed in some 10 ms.
class picture {
public:
  explicit picture(const situation& s) : s_(s) {
    for (const auto& p : s.all) {
      by_name_[p.component] = &p;
      for (const auto& other : p.not_with) {
        apart_[p.component].insert(other);
        apart_[other].insert(p.component);
      }
    }
    for (const auto& [component, p] : s.decided.placements())
      if (const auto* node = living_owner(s, component))
        give(component, *node);
  }

  const placeable* find(const std::string& component) const {
    auto at = by_name_.find(component);
    return at == by_name_.end() ? nullptr : at->second;
  }
  void give(std::string_view component, const std::string& node) {
    auto& owner = owner_[component];
    if (!owner.empty())
      --has_[owner];
    owner = node;
    ++has_[node];
  }
  /// Why not; empty when it may run there.
  std::string unfit(const placeable& p, const std::string& node) const {
    auto at = s_.usable.find(node);
    if (at == s_.usable.end())
      return "node " + node + " is lost, unknown or in trouble";
    if (!at->second.takes_more)
      return "node " + node + " is draining";
    if (!names(s_.nodes.fitting(p.pin), node))
      return fmt::format("is tied to {}", p.pin);
    auto others = apart_.find(p.component);
    if (others == apart_.end())
      return {};
    for (auto other : others->second)
      if (auto owner = owner_.find(other);
          other != p.component && owner != owner_.end() && owner->second == node)
        return fmt::format("{} runs on {} and they are kept apart", other, node);
    return {};
  }
  std::optional<std::string> best(const placeable& p, const std::string& but_not) const {
    std::optional<std::string> chosen;
    for (const auto& [node, facts] : s_.usable)
      if (node != but_not && (!chosen || rank(node) < rank(*chosen)) && unfit(p, node).empty())
        chosen = node;
    return chosen;
  }

private:
  /// Lower is better: busy cores in quarters, then how many it has, so that nodes without a load yet
  /// take turns.
  std::tuple<int64_t, int64_t, std::string_view> rank(const std::string& node) const {
    auto has = has_.find(node);
    return {s_.usable.at(node).cpu_permille / 250, has == has_.end() ? 0 : has->second, node};
  }

  const situation& s_;
  std::unordered_map<std::string_view, const placeable*> by_name_;
  /// Both ways, in the order of their names.
  std::unordered_map<std::string_view, std::set<std::string_view>> apart_;
  std::unordered_map<std::string_view, std::string> owner_;
  std::map<std::string, int64_t> has_;
};

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
  // Most of the time there are none, and this is asked every 50 ms.
  if (std::all_of(s.all.begin(), s.all.end(),
                  [&](const placeable& p) { return living_owner(s, p.component) != nullptr; }))
    return out;
  picture now(s);
  for (const auto& p : s.all) {
    if (living_owner(s, p.component))
      continue;
    const auto* before = s.decided.find(p.component);
    runtime::advice a{p.component, before ? before->node : "", "", ""};
    // It has its files there.
    if (before && now.unfit(p, before->node).empty())
      a.to = before->node;
    else
      a.to = now.best(p, {}).value_or("");
    a.reason = a.to.empty()          ? why_nowhere(s, p)
               : !before             ? "nobody has it yet"
               : a.to == before->node ? "node " + before->node + " was started again"
                                      : "node " + before->node + " is lost or in trouble";
    if (!a.to.empty())
      now.give(p.component, a.to);
    out.push_back(std::move(a));
  }
  return out;
}

std::vector<runtime::advice> leave_draining(const situation& s) {
  std::vector<runtime::advice> out;
  auto drains = [](const auto& node) { return !node.second.takes_more; };
  if (std::none_of(s.usable.begin(), s.usable.end(), drains))
    return out;
  picture now(s);
  for (const auto& [component, placed] : s.decided.placements()) {
    const auto* owner = living_owner(s, component);
    const auto* p = now.find(component);
    if (!owner || s.usable.at(*owner).takes_more || !p)
      continue;
    auto to = now.best(*p, *owner).value_or("");
    out.push_back({component, *owner, to,
                   "node " + *owner + " drains" +
                       (to.empty() ? ", but no other node may run it" : "")});
    if (!to.empty())
      now.give(p->component, to);
  }
  return out;
}

std::string unfit(const situation& s, const std::string& component, const std::string& node) {
  picture now(s);
  const auto* p = now.find(component);
  return p ? now.unfit(*p, node) : "no such component: " + component;
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
  picture now(s);
  std::optional<runtime::advice> chosen;
  std::pair<int64_t, int64_t> best;
  for (const auto& [component, r] : busy->second.components) {
    const auto* p = now.find(component);
    if (!p || !component.starts_with("flow.") || r.state != "running" || r.rows_per_s == 0 ||
        r.lag_rows > lag_seconds_max * r.rows_per_s ||
        !now.unfit(*p, idle->first).empty())
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
