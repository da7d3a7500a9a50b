/// What the cluster has decided, as its ordered log tells it: who leads, which settings count, where
/// each component runs. A plain value without actors: MEMBER owns one and feeds it every record that
/// CATALOG reads; the same records in the same order make the same catalog on every node.
///
/// A record is `key\nvalue`, the value one line of JSON; an empty value takes the key away. The
/// last value of a key counts, so that the topic may be compacted.
#pragma once

#include "runtime/core/error.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::cluster {

/// Where a component runs. `component` is "flow.<name>" or "source.<name>".
struct placement {
  std::string node;
  /// Of the process: the node that comes back after its death does not own what it had.
  std::string boot;
  /// Rises with each owner: the fence of a flow's target refuses lower ones.
  int64_t epoch = 0;
  /// A person stopped it; it has an owner all the same, which does not run it.
  bool stopped = false;
  bool operator==(const placement&) const = default;
};

class catalog {
public:
  /// One record; `rejected` when it is not one, and nothing changed.
  error learn(std::string_view record);

  /// Empty while nobody has led.
  const std::string& leader() const { return leader_; }
  /// The boot id of the leader's process: after a restart it does not lead any more.
  const std::string& leader_boot() const { return leader_boot_; }
  /// Counts the leaders.
  int64_t term() const { return term_; }

  /// The settings file in force, as it was applied; empty before the first one.
  const std::string& settings() const { return settings_; }
  int64_t revision() const { return revision_; }

  /// Counts the records but for those that only say that the leader leads on; the same number means
  /// that nothing has changed.
  uint64_t changes() const { return changes_; }

  const std::map<std::string, placement>& placements() const { return placements_; }
  /// Null when it has never been placed, or is gone.
  const placement* find(const std::string& component) const;
  /// The highest that it has had, also before it was gone; 0: none. The target of a flow remembers
  /// it: a component that comes back goes on behind it.
  int64_t epoch(const std::string& component) const;
  bool draining(const std::string& node) const;

private:
  uint64_t changes_ = 0;
  std::string leader_, leader_boot_;
  int64_t term_ = 0;
  std::string settings_;
  int64_t revision_ = 0;
  std::map<std::string, placement> placements_;
  /// Epoch of each component that is gone.
  std::map<std::string, int64_t> gone_;
  std::map<std::string, bool> draining_;
};

/// Records, for an append.
std::string leader_record(const std::string& node, const std::string& boot, int64_t term);
std::string settings_record(const std::string& text, int64_t revision);
std::string placement_record(const std::string& component, const placement& p);
/// The component is not in the settings any more; `epoch` is the last that it had.
std::string gone_record(const std::string& component, int64_t epoch);
std::string draining_record(const std::string& node, bool draining);

} // namespace rtdp::cluster
