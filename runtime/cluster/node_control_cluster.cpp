#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/node_control.hpp"
#include "runtime/cluster/table_snapshot.hpp"
#include "runtime/core/time.hpp"

#include <algorithm>

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;
using runtime::report;

/// Above the 4 s in which MEMBER answers for a leader that does not.
constexpr auto order_timeout = 5s;
/// Above the 2 s in which MEMBER answers for a node whose link is lost.
constexpr auto peer_timeout = 2500ms;

bool answers(const runtime::node_report& n) { return n.state != "lost" && n.state != "joining"; }

} // namespace

result<runtime::cluster_report> node_control::seen() {
  if (!member_)
    return runtime::cluster_report{};
  return ask<runtime::cluster_report>(system_, member_, runtime::atom::list_v);
}

void node_control::take_from_leader(runtime::cluster_report& cluster) {
  if (cluster.leader.empty() || cluster.leader == facts_.info.name)
    return;
  // Without its answer the rest is still true; it may have died just now.
  auto theirs = ask_within<runtime::cluster_report>(peer_timeout, system_, member_,
                                                    runtime::atom::list_v, cluster.leader);
  if (!theirs)
    return;
  cluster.drifts = std::move(theirs->drifts);
  cluster.plan = std::move(theirs->plan);
  // Only the leader knows what keeps a node from being empty.
  for (auto& n : cluster.nodes)
    for (auto& other : theirs->nodes)
      if (n.name == other.name && n.state == "draining" && other.state == n.state)
        n.reason = std::move(other.reason);
}

/// All are asked at once: a node that is frozen costs its own time-out, not that of each.
std::vector<told> node_control::told_by(const runtime::cluster_report& cluster) {
  caf::scoped_actor self{system_};
  auto asked = [this, &self](const std::string& name) {
    return self->request(member_, peer_timeout, runtime::atom::status_v, name);
  };
  std::vector<std::pair<std::string, decltype(asked(""))>> pending;
  std::vector<told> all;
  for (const auto& n : cluster.nodes)
    if (n.name == facts_.info.name)
      all.push_back({n.name, reports()});
    else if (answers(n))
      pending.emplace_back(n.name, asked(n.name));
    else
      all.push_back({n.name, unavailable(n.name + " is " + n.state +
                                         (n.reason.empty() ? "" : ": " + n.reason))});
  for (auto& [name, answer] : pending) {
    told t{name, unavailable(name + " does not answer")};
    answer.receive([&t](std::vector<report>& x) { t.reports = std::move(x); },
                   [&t](caf::error& e) { t.reports = told_by_node(peer_timeout, e); });
    all.push_back(std::move(t));
  }
  return all;
}

result<std::vector<ops::component>> node_control::components() {
  auto cluster = seen();
  if (!cluster)
    return cluster.error();
  if (member_)
    return merged(told_by(*cluster), cluster->owners);
  auto own = reports();
  if (!own)
    return own.error();
  std::vector<ops::component> all;
  for (const auto& r : *own)
    for (auto c : ops::all_classes)
      if (r.component == ops::to_string(c))
        all.push_back(show(r, facts_.info.name));
  return all;
}

result<std::vector<ops::component>> node_control::list(ops::component_class c) {
  auto all = components();
  if (all)
    std::erase_if(*all, [c](const ops::component& item) { return item.class_ != c; });
  return all;
}

ops::readiness node_control::ready() {
  auto all = reports();
  auto cluster = seen();
  if (!all || !cluster)
    return {{!all ? all.error().text() : cluster.error().text()}};
  ops::readiness answer;
  const auto& me = facts_.info.name;
  if (member_ && cluster->leader.empty())
    answer.reasons.push_back("no node leads the cluster: nothing can be placed or moved");
  if (member_)
    std::erase_if(*all, [&](const report& r) { return !counts(r, me, cluster->owners); });
  auto expected = [&](const std::string& flow) {
    auto owner = cluster->owners.find("flow." + flow);
    return !member_ || (owner != cluster->owners.end() && owner->second == me);
  };
  // Before its first report a flow is not known to work.
  auto flows = facts_.flows->now();
  for (const auto& f : *flows)
    if (expected(f.name) && std::none_of(all->begin(), all->end(), [&](const report& r) {
          return r.component == "flow" && r.name == f.name;
        }))
      answer.reasons.push_back("flow." + f.name + " is new");
  for (const auto& r : *all)
    if (r.state != "running" && r.state != "stopped")
      answer.reasons.push_back(r.component + "." + r.name + " is " + r.state +
                               (r.reason.empty() ? "" : ": " + r.reason));
  return answer;
}

result<ops::cluster_view> node_control::cluster() {
  auto cluster = seen();
  if (!cluster)
    return cluster.error();
  if (member_) {
    take_from_leader(*cluster);
    return view_of(*cluster);
  }
  auto own = reports();
  if (!own)
    return own.error();
  ops::cluster_node me;
  me.name = facts_.info.name;
  me.state = "running";
  me.version = facts_.info.version;
  me.leader = true;
  for (const auto& r : *own) {
    me.flows += r.component == "flow" ? 1 : 0;
    me.sources += r.component == "source" ? 1 : 0;
  }
  me.last_seen_us = now_us();
  ops::cluster_view view;
  view.leader = me.name;
  view.nodes.push_back(std::move(me));
  auto flows = facts_.flows->now();
  for (const auto& f : *flows)
    view.flows.push_back(f.name);
  return view;
}

result<std::string> node_control::order(const ops::cluster_order& o) {
  if (!member_)
    return rejected("this node is not part of a cluster: `nodes:` in the settings file makes one");
  if (o.verb == "apply" && facts_.check_settings)
    if (auto wrong = facts_.check_settings(o.text))
      return wrong;
  runtime::command asked{o.verb, o.name, o.to, o.text};
  return ask_within<std::string>(order_timeout, system_, member_, runtime::atom::ask_v, asked);
}

std::string node_control::ask_there(const std::string& node) const {
  auto url = facts_.urls.find(node);
  return "ask " + node + (url == facts_.urls.end() ? "" : ", with --url " + url->second);
}

result<std::string> node_control::owner_of(const std::string& unit) {
  if (!member_)
    return facts_.info.name;
  auto cluster = seen();
  if (!cluster)
    return cluster.error();
  auto owner = cluster->owners.find(unit);
  if (owner == cluster->owners.end() || owner->second.empty())
    return unavailable(unit + " is on no node yet; try again in a moment");
  return owner->second;
}

error node_control::here(const std::string& unit) {
  auto owner = owner_of(unit);
  if (!owner)
    return owner.error();
  if (*owner == facts_.info.name)
    return {};
  return rejected(unit + " is on " + *owner + ": " + ask_there(*owner));
}

error node_control::elsewhere(const ops::snapshot_order& order) {
  auto cluster = seen();
  if (!cluster)
    return cluster.error();
  for (const auto& t : told_by(*cluster))
    if (t.node != facts_.info.name && t.reports && find_order(*t.reports, order))
      return rejected("table " + order.table + " is read on " + t.node + ": " + ask_there(t.node));
  return {};
}

} // namespace rtdp::cluster
