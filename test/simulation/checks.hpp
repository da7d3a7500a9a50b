/// What has to hold of a whole cluster: at any time of what its nodes report, and in the end, when
/// everything is well again. Owned by the world of one seed.
#pragma once

#include "test/simulation/parts.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rtdp::simulation {

class observer {
public:
  explicit observer(parts& all) : all_(all) {}

  /// Asks every node how it sees the cluster; the answers come in the next turns.
  void look();
  /// Why the cluster is not at rest yet; empty when it is.
  std::string unsettled() const;

  /// Moves that reached their end so far, by how they ended.
  std::map<std::string, uint64_t> ended;

private:
  /// What one process told last.
  struct view {
    std::string process;
    std::optional<runtime::cluster_report> cluster;
    std::optional<std::vector<runtime::report>> reports;
  };

  void check_drifts(const view& v);
  std::string wrong_view(const view& v) const;
  std::string wrong_flow(const std::string& name, const cluster::placement& p) const;
  std::string state_on(const view& v, const std::string& flow) const;

  parts& all_;
  std::array<std::shared_ptr<view>, machines> views_;
  std::set<std::string> ended_seen_;
};

inline void observer::look() {
  for (int i = 0; i < machines; ++i) {
    views_[size_t(i)].reset();
    if (!all_.up(i))
      continue;
    auto v = std::make_shared<view>();
    v->process = all_.nodes[size_t(i)].process;
    views_[size_t(i)] = v;
    all_.clock.spawn(nowhere, [this, v, to = all_.member(i)](caf::event_based_actor* self) {
      // A frozen or dead one does not answer; the next look asks anew.
      self->request(to, 2s, runtime::atom::list_v)
          .then(
              [this, v](runtime::cluster_report& r) {
                v->cluster = std::move(r);
                check_drifts(*v);
              },
              [](caf::error&) {});
      self->request(to, 2s, runtime::atom::status_v)
          .then([v](std::vector<runtime::report>& r) { v->reports = std::move(r); },
                [](caf::error&) {});
    });
  }
}

/// A drift that is done has moved the flow: the log gave its epoch to its target, and that took it.
inline void observer::check_drifts(const view& v) {
  for (const auto& d : v.cluster->drifts) {
    if (d.ended_us == 0 ||
        !ended_seen_.insert(fmt::format("{} {} {} {} {}", v.process, d.flow, d.epoch, d.started_us,
                                        d.step))
             .second)
      continue;
    ++ended[d.step];
    all_.events.note("{}: drift of {} to {} ended: {} {}", v.process, d.flow, d.to, d.step,
                     d.reason);
    if (d.step != "done")
      continue;
    auto owner = all_.log.owner("flow." + d.flow, d.epoch);
    if (!owner.starts_with(d.to + "#"))
      all_.events.broke("the drift of {} to {} is done with epoch {}, which {} has", d.flow, d.to,
                        d.epoch, owner.empty() ? "nobody" : owner);
    if (all_.stores.at(d.flow).epoch() < d.epoch)
      all_.events.broke("the drift of {} to {} is done, but epoch {} was not taken", d.flow, d.to,
                        d.epoch);
  }
}

inline std::string observer::wrong_view(const view& v) const {
  const auto& log = all_.log.decided();
  if (!v.cluster || !v.reports)
    return v.process + " does not answer";
  if (v.cluster->leader != log.leader() || v.cluster->revision != log.revision())
    return v.process + " does not know who leads, or which settings count";
  for (const auto& d : v.cluster->drifts)
    if (d.ended_us == 0)
      return v.process + " still moves " + d.flow;
  std::map<std::string, std::string> owners;
  for (const auto& [component, p] : log.placements())
    owners[component] = p.node;
  if (v.cluster->owners != owners)
    return v.process + " has another list of owners than the log";
  for (const auto& n : v.cluster->nodes)
    if (n.leader != (n.name == log.leader()))
      return v.process + " shows " + n.name + (n.leader ? " as" : " not as") + " the leader";
  return {};
}

inline std::string observer::state_on(const view& v, const std::string& flow) const {
  for (const auto& r : *v.reports)
    if (r.component == "flow" && r.name == flow)
      return r.state + " " + r.reason;
  return {};
}

inline std::string observer::wrong_flow(const std::string& name,
                                        const cluster::placement& p) const {
  for (const auto& v : views_) {
    if (!v)
      continue;
    auto state = state_on(*v, name);
    bool here = v->process == p.boot;
    if (here ? state != "running " : !state.empty())
      return name + " is \"" + state + "\" on " + v->process + "; its owner is " + p.boot;
  }
  const auto& store = all_.stores.at(name);
  if (store.epoch() != p.epoch)
    return fmt::format("the target of {} knows epoch {}, the log {}", name, store.epoch(), p.epoch);
  if (!store.complete())
    return fmt::format("{} rows are missing in the target of {}", store.missing(), name);
  return {};
}

inline std::string observer::unsettled() const {
  const auto& log = all_.log.decided();
  std::set<std::string> processes;
  for (const auto& v : views_) {
    if (!v)
      continue;
    processes.insert(v->process);
    if (auto wrong = wrong_view(*v); !wrong.empty())
      return wrong;
  }
  if (!processes.contains(log.leader_boot()))
    return "nobody leads";
  auto wanted = parts::flows_of(log.settings());
  if (log.placements().size() != wanted.size())
    return fmt::format("{} flows have a place, of {}", log.placements().size(), wanted.size());
  for (const auto& name : wanted) {
    const auto* p = log.find("flow." + name);
    if (!p || !processes.contains(p->boot))
      return name + " has no living owner";
    if (log.draining(p->node) || !all_.nodes[size_t(p->node[1] - '1')].trouble.empty())
      return name + " is on " + p->node + ", which drains or is in trouble";
    if (auto wrong = wrong_flow(name, *p); !wrong.empty())
      return wrong;
  }
  return {};
}

} // namespace rtdp::simulation
