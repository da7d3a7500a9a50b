/// Who runs what: places components that have no living owner, and finds the one move that would
/// even out the load most. Pure functions over plain values, called by the MEMBER that leads.
#pragma once

#include "config/cluster.hpp"
#include "runtime/cluster/catalog.hpp"
#include "runtime/peer.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::cluster {

/// A source or flow of the settings, as far as placing it is concerned.
struct placeable {
  /// "flow.<name>" or "source.<name>".
  std::string component;
  std::string pin = {};
  /// Components that never share a node with it.
  std::vector<std::string> not_with = {};
};

/// A node that is heard of and without trouble.
struct usable_node {
  std::string boot;
  /// False while it drains: it keeps what it has until that is moved, and gets nothing new.
  bool takes_more = true;
  int64_t cpu_permille = 0;
  /// What runs on it, by component; `even_out` alone looks at it.
  std::map<std::string, runtime::running> components = {};
};

struct situation {
  const std::vector<placeable>& all;
  const config::cluster_settings& nodes;
  const catalog& decided;
  /// By name.
  std::map<std::string, usable_node> usable;
};

/// Where each component without a living owner goes; the node it had before when that is back. One
/// that fits nowhere has an empty `to`, and the reason says why.
std::vector<runtime::advice> place_orphans(const situation& s);

/// What is on nodes that drain, and where each could go, as if all went at once; an empty `to` when
/// it fits nowhere else.
std::vector<runtime::advice> leave_draining(const situation& s);

/// Why a flow may not run on a node; empty when it may.
std::string unfit(const situation& s, const std::string& component, const std::string& node);

/// The move of one flow that evens out the load of the busiest and the idlest node; nothing when
/// they are less than `hysteresis_permille` of a core apart, or when no move would halve that, or
/// when it would only be moved while it has rows to catch up with.
std::optional<runtime::advice> even_out(const situation& s);

/// 300: a third of a core; below it a move costs more than it gives.
inline constexpr int64_t hysteresis_permille = 300;

} // namespace rtdp::cluster
