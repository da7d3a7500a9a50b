/// What the nodes of a cluster tell each other. Plain data; crosses the network, so that there is no
/// floating point in it (CAF 0.17.6 hangs on infinity).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace rtdp::runtime {

/// Says who is calling, before anything else is said.
struct hello {
  std::string node;
  /// Of rtdp, for people.
  std::string version;
  /// The versions of this wire contract that the node speaks, lowest and highest.
  uint32_t protocol_min = 0, protocol_max = 0;
  /// Random at each start: a node that came back is not the one that went.
  std::string boot;
  template<class Inspector>
  friend auto inspect(Inspector& f, hello& x) {
    return f(x.node, x.version, x.protocol_min, x.protocol_max, x.boot);
  }
};

/// A source or flow that a node has.
struct running {
  int64_t epoch = 0;
  /// A state word of DESIGN §6, and its reason.
  std::string state;
  std::string reason;
  int64_t rows_per_s = 0;
  int64_t lag_rows = 0;
  template<class Inspector>
  friend auto inspect(Inspector& f, running& x) {
    return f(x.epoch, x.state, x.reason, x.rows_per_s, x.lag_rows);
  }
};

/// To every other node, 4 times a second; short without `version`: that and `components` as before.
struct beat {
  std::string node, boot, version;
  /// Of one core, since the last beat; a node may have more than one.
  int64_t cpu_permille = 0;
  int64_t rss_bytes = 0;
  /// Why this node should have nothing to do ("its disk is full"); empty: it can work.
  std::string trouble;
  /// By "flow.<name>" and "source.<name>".
  std::map<std::string, running> components;
  template<class Inspector>
  friend auto inspect(Inspector& f, beat& x) {
    return f(x.node, x.boot, x.version, x.cpu_permille, x.rss_bytes, x.trouble, x.components);
  }
};

/// What a person asks of the cluster; any node takes it to the leader.
struct command {
  /// "apply", "drift", "cancel", "drain", "undrain", "start", "stop".
  std::string verb;
  /// The flow, source ("flow.<name>", "source.<name>") or node that it is about.
  std::string name;
  /// Where to drift to.
  std::string to;
  /// The settings file of an apply.
  std::string text = {};
  /// It came from another node: who does not lead any more does not pass it on.
  bool forwarded = false;
  template<class Inspector>
  friend auto inspect(Inspector& f, command& x) {
    return f(x.verb, x.name, x.to, x.text, x.forwarded);
  }
};

/// One move of a flow, as lists show it.
struct drift_report {
  std::string flow, from, to;
  /// "prepare", "freeze", "commit", "resume", "done", "failed", "cancelled".
  std::string step;
  std::string reason;
  int64_t epoch = 0;
  int64_t started_us = 0, ended_us = 0;
  /// How long the flow applied nothing, as the leader saw it; 0 while it is not known.
  int64_t pause_us = 0;
  template<class Inspector>
  friend auto inspect(Inspector& f, drift_report& x) {
    return f(x.flow, x.from, x.to, x.step, x.reason, x.epoch, x.started_us, x.ended_us, x.pause_us);
  }
};

/// One node as lists show it.
struct node_report {
  std::string name;
  /// "running", "joining" (not heard of yet), "lost", "draining", "drained".
  std::string state;
  std::string reason;
  std::string version, boot;
  bool leader = false;
  int64_t cpu_permille = 0, rss_bytes = 0, flows = 0, sources = 0, rows_per_s = 0;
  /// 0: never.
  int64_t last_seen_us = 0;
  template<class Inspector>
  friend auto inspect(Inspector& f, node_report& x) {
    return f(x.name, x.state, x.reason, x.version, x.boot, x.leader, x.cpu_permille, x.rss_bytes,
             x.flows, x.sources, x.rows_per_s, x.last_seen_us);
  }
};

/// A move that placement would make, or makes, and why.
struct advice {
  /// "flow.<name>" or "source.<name>".
  std::string component;
  /// Empty when nobody has it yet.
  std::string from;
  std::string to;
  std::string reason;
  template<class Inspector>
  friend auto inspect(Inspector& f, advice& x) {
    return f(x.component, x.from, x.to, x.reason);
  }
};

/// The cluster as one node sees it.
struct cluster_report {
  std::string leader;
  /// Settings in force: counts the applied changes.
  int64_t revision = 0;
  std::vector<node_report> nodes;
  std::vector<drift_report> drifts;
  std::vector<advice> plan;
  /// Owner of each component, by "flow.<name>" and "source.<name>".
  std::map<std::string, std::string> owners;
  template<class Inspector>
  friend auto inspect(Inspector& f, cluster_report& x) {
    return f(x.leader, x.revision, x.nodes, x.drifts, x.plan, x.owners);
  }
};

} // namespace rtdp::runtime
