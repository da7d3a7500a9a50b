/// The cluster as REST, the status page and the command line show it: plain values, copied out of
/// the actors by the composition root; the routes; the texts for people. Any thread.
#pragma once

#include "runtime/ops/router.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rtdp::ops {

class control;

/// Negative figures are not known.
struct cluster_node {
  std::string name;
  /// "running", "joining" (not heard of yet), "trouble", "lost", "draining", "drained".
  std::string state;
  std::string reason;
  std::string version;
  bool leader = false;
  /// Of one core, in thousandths.
  int64_t cpu_permille = -1;
  int64_t rss_bytes = -1;
  int64_t rows_per_s = -1;
  int64_t flows = 0, sources = 0;
  /// 0: never.
  int64_t last_seen_us = 0;
};

/// One move of a flow to another node.
struct drift {
  std::string flow, from, to;
  /// "prepare", "freeze", "commit", "resume", then "done", "failed" or "cancelled".
  std::string step;
  std::string reason;
  int64_t epoch = 0;
  /// `ended_us` is 0 while it is under way.
  int64_t started_us = 0, ended_us = 0;
  /// How long the flow applied nothing; 0 while that is not known.
  int64_t pause_us = 0;

  bool under_way() const { return ended_us == 0; }
};

/// A move that placement would make, or makes, and why.
struct advice {
  /// "flow.<name>" or "source.<name>".
  std::string component;
  /// Empty when no node has it.
  std::string from, to;
  std::string reason;
};

struct cluster_view {
  /// False for a node alone, which is then the only one in `nodes`.
  bool clustered = false;
  /// Empty while nobody leads.
  std::string leader;
  /// Counts the settings that were applied.
  int64_t revision = 0;
  std::vector<cluster_node> nodes;
  /// Those under way, then those that ended lately.
  std::vector<drift> drifts;
  std::vector<advice> plan;
  /// Names of all flows that were placed, or that a node alone has; not shown.
  std::vector<std::string> flows;
};

/// What a person asks of the cluster.
struct cluster_order {
  /// "apply", "drift", "cancel", "drain", "undrain", "start", "stop".
  std::string verb;
  /// A flow to drift or cancel, a node to drain or undrain, "flow.<name>" or "source.<name>" to start
  /// or stop.
  std::string name{};
  /// Where to drift to.
  std::string to{};
  /// The settings file of an apply.
  std::string text{};
};

nlohmann::ordered_json to_json(const cluster_node& n);
nlohmann::ordered_json to_json(const drift& d);
nlohmann::ordered_json to_json(const advice& a);
/// `{"clustered":…,"leader":…,"revision":…,"nodes":[…],"drifts":[…],"plan":[…]}`
nlohmann::ordered_json to_json(const cluster_view& v);

/// Nodes, drifts, plan and apply; `node` must outlive the server.
void add_cluster_routes(std::vector<route>& to, control& node);

/// "prepare", or "done, paused 84 ms"; with the reason, if there is one. Of a drift in JSON.
std::string drift_step(const nlohmann::ordered_json& drift);

} // namespace rtdp::ops
