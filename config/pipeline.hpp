/// The whole settings file as one checked model: what `rtdp check` checks and `rtdp run` starts.
/// Made by main before anything starts, read-only afterwards, so every thread may read it. Knows no
/// component: the kinds come in a `catalogue`.
#pragma once

#include "config/alarms.hpp"
#include "config/cluster.hpp"
#include "config/load.hpp"
#include "config/spec.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::config {

/// The kinds of components there are. A spec's name is its `kind:`, and the first key of a step.
struct catalogue {
  /// Names that stand in namespaces for a source beside its own: where its tables are merged with
  /// those of others. May be absent.
  std::function<std::vector<std::string>(const std::string& kind, const std::string& source,
                                         const section& settings)>
      merged_names = {};
  /// The first one is the bus of a file that names none.
  std::vector<spec> buses;
  /// Those that several nodes can share.
  std::vector<std::string> shared_buses = {};
  std::vector<spec> sources, sinks, steps;
  /// What is wrong with a namespace pattern; empty when nothing is. May be absent.
  std::function<std::string(std::string_view pattern)> check_pattern;
  /// What is wrong with a step's settings beyond its spec (the syntax of its SQL); empty when
  /// nothing is. May be absent.
  std::function<std::string(const std::string& kind, const section& settings)> check_step;
  /// What is wrong with a source's settings beyond its spec (rules, expressions); paths are relative
  /// to the source. May be absent.
  std::function<std::vector<problem>(const std::string& kind, const section& settings)>
      check_source = {};
};

/// A bus, source or sink.
struct component {
  std::string name, kind;
  section settings;
  /// Where it stands in the file; 0 for what came from `--set` or by default.
  int line = 0;
  /// Of a source in a cluster: the node or label that it is tied to; empty: none.
  std::string pin = {};
};

struct node_settings {
  std::string name, data_dir;
  /// "host:port", or "off".
  std::string http;
};

struct stream_settings {
  std::string name;
  /// As `stream_spec` declares them.
  section settings;
  int line = 0;
};

struct step_settings {
  std::string kind;
  section settings;
  int line = 0;
};

struct flow_settings {
  std::string name;
  /// The namespace pattern as written.
  std::string source;
  /// The sink's name, and the table as the store names it.
  std::string sink, table;
  /// Empty: the source's primary key.
  std::vector<std::string> keys;
  /// "i", "iud" or "iud_clean".
  std::string mutation;
  bool create = false;
  /// "add", "ignore" or "fail".
  std::string evolve;
  /// Apply TRUNCATE of the source; refuse it otherwise.
  bool truncate = true;
  std::string stream;
  std::vector<step_settings> steps;
  /// Above it the flow fails.
  int64_t dead_letters_max = 0;
  /// How many batches the flow takes ahead of its sink.
  int64_t queue_batches = 0;
  /// In a cluster: the node or label that it is tied to (empty: none), and the flows that it never
  /// shares a node with.
  std::string pin = {};
  std::vector<std::string> not_with = {};
  /// All of these but the steps, as `flow_spec` declares them, with their lines.
  section settings;
  int line = 0;
};

struct pipeline {
  /// Of a cluster's file only after `choose_node`.
  node_settings node;
  cluster_settings cluster;
  component bus;
  std::vector<component> sources;
  /// Always holds `main`.
  std::vector<stream_settings> streams;
  std::vector<component> sinks;
  std::vector<flow_settings> flows;
  alarm_settings alarms;
};

/// The settings that no component declares: of the node, of a stream, of a flow. A flow's `steps:`
/// are checked by the specs of its steps.
spec node_spec();
spec stream_spec();
spec flow_spec();

struct checked {
  /// May be started only when there is no problem.
  pipeline value;
  /// In the order of the file's lines.
  std::vector<problem> problems;
};

/// Checks a loaded file against the catalogue; keeps the problems that loading found.
checked check(loaded file, const catalogue& kinds);

/// The name and the table of a flow's `sink:`, split at the first dot outside of double quotes. An
/// empty table means that there is no such dot.
struct sink_name {
  std::string sink, table;
};
sink_name split_sink(std::string_view text);

} // namespace rtdp::config
