/// What REST asks, answered by the actors: the one `ops::control`. Owned by the composition root;
/// called from HTTP threads, several at a time; each call has a mailbox of its own. In a cluster the
/// lists are those of all nodes; what is about the data of one node (rewinding, snapshots, versions
/// of tables, dead letters) is answered by that node alone, and the others name it.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/cluster/cluster_lists.hpp"
#include "runtime/ops/control.hpp"
#include "runtime/protocol.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::cluster {

/// What the answers need to know of the plan.
struct flow_facts {
  std::string name;
  std::string pattern;
  std::vector<std::string> topics;
};

/// The flows of the settings in force, shared by the answers and by who takes other settings. Any
/// thread.
class flow_directory {
public:
  using flows = std::shared_ptr<const std::vector<flow_facts>>;

  explicit flow_directory(std::vector<flow_facts> all = {}) { take(std::move(all)); }
  void take(std::vector<flow_facts> all);
  /// As they are now; what was returned does not change.
  flows now() const;

private:
  mutable std::mutex mutex_;
  flows flows_;
};

struct control_facts {
  ops::node_info info;
  std::string data_dir;
  std::shared_ptr<flow_directory> flows = std::make_shared<flow_directory>();
  /// REST of the nodes of the cluster, by name; empty for a node alone, may lack some.
  std::map<std::string, std::string> urls{};
  /// Every problem of a settings file before the cluster is asked to apply it, those that only its
  /// sources can tell too; takes some 5 s when they do not answer. May be absent.
  std::function<error(const std::string& text)> check_settings{};
};

/// Where the state store keeps that a person stopped a component: "1", or empty when it may run.
std::string stopped_key(ops::component_class c, const std::string& name);

class node_control final : public ops::control {
public:
  /// `member` is null for a node alone.
  node_control(caf::actor_system& system, runtime::node_actor node,
               runtime::feedback_actor feedback, std::shared_ptr<bus::bus> bus, control_facts facts,
               runtime::member_actor member = {});

  ops::node_info node() override { return facts_.info; }
  ops::readiness ready() override;
  result<std::vector<ops::component>> list(ops::component_class c) override;
  result<std::vector<ops::component>> components() override;
  result<ops::cluster_view> cluster() override;
  result<std::string> order(const ops::cluster_order& o) override;
  result<std::vector<ops::alarm>> alarms() override;
  error start(ops::component_class c, const std::string& name) override;
  error stop(ops::component_class c, const std::string& name) override;
  error rewind_flow(const std::string& name, const std::string& to) override;
  result<std::optional<ops::table_history>> versions_of(const std::string& name) override;
  result<std::optional<ops::table_comparison>> compare_versions(const std::string& name,
                                                                int64_t from, int64_t to) override;
  result<std::string> snapshot(const ops::snapshot_order& order) override;
  result<std::vector<ops::letter>> dead_letters(const std::string& component,
                                                int64_t limit) override;
  result<std::optional<ops::letter>> dead_letter(int64_t id) override;
  error drop_dead_letter(int64_t id) override;
  error replay_dead_letter(int64_t id) override;
  result<int64_t> replay_dead_letters(const std::string& component) override;

private:
  /// Those of this node.
  result<std::vector<runtime::report>> reports();
  /// What the others know of each source and flow; empty for a node alone.
  result<runtime::cluster_report> seen();
  /// Drifts and plan, which only the leader knows.
  void take_from_leader(runtime::cluster_report& cluster);
  std::vector<told> told_by(const runtime::cluster_report& cluster);
  error start_or_stop(const char* verb, ops::component_class c, const std::string& name);
  /// The node that has the unit, such as "flow.orders"; this one when it is alone.
  result<std::string> owner_of(const std::string& unit);
  /// `rejected`, with the node to ask, when the unit is not on this node.
  error here(const std::string& unit);
  /// The same of a table, when another node reads it; nothing when none does.
  error elsewhere(const ops::snapshot_order& order);
  /// "ask n2, with --url http://…"
  std::string ask_there(const std::string& node) const;
  /// Flows that a dead letter goes to again.
  std::vector<std::string> receivers(const ops::letter& l) const;
  result<std::string> rewound_progress(const flow_facts& flow, const std::string& to);
  std::optional<flow_facts> find_flow(const std::string& name) const;

  caf::actor_system& system_;
  runtime::node_actor node_;
  runtime::feedback_actor feedback_;
  std::shared_ptr<bus::bus> bus_;
  control_facts facts_;
  runtime::member_actor member_;
};

} // namespace rtdp::cluster
