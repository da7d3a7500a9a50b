/// The settings of a cluster: its nodes, how they watch each other, what is tied to which of them.
/// Part of `check`. A file with `nodes:` describes a cluster; every node of it is started from the
/// same file, with its name.
#pragma once

#include "config/load.hpp"
#include "config/spec.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace rtdp::config {

struct pipeline;
struct catalogue;

struct member_settings {
  std::string name, data_dir;
  /// "host:port", or "off".
  std::string http;
  /// Where other nodes reach this one: "host:port".
  std::string listen;
  /// What pins may say instead of the name.
  std::vector<std::string> labels;
  int line = 0;
};

/// All three files in PEM, or none.
struct tls_files {
  std::string certificate, key, ca;
  bool on() const { return !certificate.empty(); }
};

enum class placement_mode : uint8_t { off, advise, on };

struct cluster_settings {
  /// In the order of the file; empty: a node alone.
  std::vector<member_settings> nodes;
  /// What becomes of components that could run better elsewhere.
  placement_mode placement = placement_mode::advise;
  /// A node that is not heard of for this long is lost, and what it had runs elsewhere.
  std::chrono::milliseconds failure_timeout{1500};
  tls_files tls;

  bool on() const { return !nodes.empty(); }
  /// Null when there is no such node.
  const member_settings* find(const std::string& node) const;
  /// The node of that name, or all with that label; every node for an empty pin.
  std::vector<std::string> fitting(const std::string& pin) const;
};

/// Of one entry of `nodes:`, and of `cluster:`.
spec member_spec();
spec cluster_spec();

/// Reads `nodes:` and `cluster:` into `out.cluster` and checks what depends on them: the bus, the
/// pins of sources and flows. REQUIRES: the rest of `out` was read.
std::vector<problem> check_cluster(const tree& root, const catalogue& kinds, pipeline& out);

/// Makes `out.node` the node of that name. The problem says which names there are; an empty text
/// means that all is well. A file without `nodes:` takes no name.
std::string choose_node(pipeline& out, const std::string& name);

/// "host:port" with a port up to 65535, or "[v6]:port".
bool is_host_and_port(std::string_view text);

} // namespace rtdp::config
