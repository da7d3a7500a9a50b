/// The lists of a cluster, made of what each of its nodes tells. Plain functions without a state;
/// any thread.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/ops/cluster_view.hpp"
#include "runtime/ops/component.hpp"
#include "runtime/peer.hpp"
#include "runtime/report.hpp"

#include <map>
#include <string>
#include <vector>

namespace rtdp::cluster {

/// Owner of each "flow.<name>" and "source.<name>".
using owners = std::map<std::string, std::string>;

/// What one node tells of its components, or why it does not.
struct told {
  std::string node;
  result<std::vector<runtime::report>> reports;
};

ops::cluster_view view_of(const runtime::cluster_report& r);

/// A report of `node` as it is shown.
ops::component show(const runtime::report& r, const std::string& node);

/// The source or flow that the component belongs to, as in `owners`: a table to its source, a sink
/// to its flow. Empty for a stream: each node has its own.
std::string unit_of(const runtime::report& r);

/// False for what is left on the node of a flow or source that is somewhere else by now, or that
/// is being warmed up there.
bool counts(const runtime::report& r, const std::string& node, const owners& all);

/// Each component once, by class, name and node, as its owner tells it. A source or flow whose node
/// does not tell is suspended, one without a node new, with the reason.
std::vector<ops::component> merged(const std::vector<told>& nodes, const owners& all);

} // namespace rtdp::cluster
