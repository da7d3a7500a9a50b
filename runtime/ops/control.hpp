/// What REST may ask of the node: implemented by the composition root, which asks the actors;
/// called by the handlers of rest.cpp, from several threads at a time. Every function returns
/// within 5 s: `unavailable` when an actor does not answer, `rejected` when the request cannot be
/// done as the component stands, each with the sentence that the user reads.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/ops/alarms.hpp"
#include "runtime/ops/cluster_view.hpp"
#include "runtime/ops/component.hpp"
#include "runtime/ops/table_history.hpp"
#include "runtime/ops/table_snapshot.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::ops {

struct node_info {
  std::string name;
  std::string version;
  int64_t started_us = 0;
};

/// Ready: every component can do its job. Else one reason per component that cannot, such as
/// "source.shop is starting: cannot reach 10.0.0.5:5432".
struct readiness {
  std::vector<std::string> reasons;
  bool ready() const { return reasons.empty(); }
};

/// A dead letter as it is shown; the store has its own type.
struct letter {
  int64_t id = 0;
  std::string component;
  std::string ns;
  std::string topic;
  int32_t partition = 0;
  int64_t offset = -1;
  std::string reason;
  std::string bytes;
  int64_t at_us = 0;
};

class control {
public:
  virtual ~control() = default;

  virtual node_info node() = 0;
  virtual readiness ready() = 0;

  /// Of all nodes of the cluster, each with its node; empty is no error.
  virtual result<std::vector<component>> list(component_class c) = 0;
  /// All lists, from one look.
  virtual result<std::vector<component>> components() = 0;

  // -- the cluster ------------------------------------------------------------

  /// As this node sees it.
  virtual result<cluster_view> cluster() = 0;
  /// Handed to the leader; its answer is a sentence. Up to 12 s for "apply", since the sources are
  /// asked whether the settings fit them. `rejected` when this node is alone.
  virtual result<std::string> order(const cluster_order& o) = 0;

  // -- sources and flows; the name was found in the list before ---------------

  /// Of class source or flow, on any node: one that is stopped or failed.
  virtual error start(component_class c, const std::string& name) = 0;
  /// Returns when it has ended. It stays stopped when the node is started again.
  virtual error stop(component_class c, const std::string& name) = 0;
  /// `to`: "beginning", an offset or an RFC 3339 time; empty is "beginning", the first position
  /// that the bus holds.
  virtual error rewind_flow(const std::string& name, const std::string& to) = 0;

  // -- tables; a name may stand with or without its version -------------------

  /// Nothing when there is no such table.
  virtual result<std::optional<table_history>> versions_of(const std::string& name) = 0;
  /// -1 for `from` is the version before `to`, for `to` the last one.
  virtual result<std::optional<table_comparison>> compare_versions(const std::string& name,
                                                                   int64_t from, int64_t to) = 0;

  /// Begins, pauses, resumes or cancels a snapshot; the whole name of the table. Returns when the
  /// order is stored.
  virtual result<std::string> snapshot(const snapshot_order& order) = 0;

  // -- alarms ----------------------------------------------------------------

  /// The open ones, then those that ended lately, newest first.
  virtual result<std::vector<alarm>> alarms() = 0;

  // -- dead letters ----------------------------------------------------------

  /// Oldest first; all components when `component` is empty. `bytes` may be left empty.
  virtual result<std::vector<letter>> dead_letters(const std::string& component, int64_t limit) = 0;
  virtual result<std::optional<letter>> dead_letter(int64_t id) = 0;
  virtual error drop_dead_letter(int64_t id) = 0;
  /// Hands the row to its component again; the letter is gone when the row went through.
  virtual error replay_dead_letter(int64_t id) = 0;
  /// Hands all letters (of one component unless empty) over again; returns how many.
  virtual result<int64_t> replay_dead_letters(const std::string& component) = 0;
};

} // namespace rtdp::ops
