/// What REST asks, answered by the actors: the one `ops::control`. Owned by the composition root;
/// called from HTTP threads, several at a time; each call has a mailbox of its own.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/ops/control.hpp"
#include "runtime/ops/metrics.hpp"
#include "runtime/protocol.hpp"

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::cluster {

/// What the answers need to know of the plan.
struct flow_facts {
  std::string name;
  std::string pattern;
  std::vector<std::string> topics;
};

struct control_facts {
  ops::node_info info;
  std::string data_dir;
  std::vector<flow_facts> flows;
};

/// Where the state store keeps that a person stopped a component: "1", or empty when it may run.
std::string stopped_key(ops::component_class c, const std::string& name);

class node_control final : public ops::control {
public:
  node_control(caf::actor_system& system, runtime::node_actor node,
               runtime::feedback_actor feedback, std::shared_ptr<bus::bus> bus,
               std::shared_ptr<ops::metrics> metrics, control_facts facts);

  ops::node_info node() override { return facts_.info; }
  ops::readiness ready() override;
  result<std::vector<ops::component>> list(ops::component_class c) override;
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
  result<std::vector<runtime::report>> reports();
  ops::component show(const runtime::report& r);
  /// Flows that a dead letter goes to again.
  std::vector<std::string> receivers(const ops::letter& l) const;
  result<std::string> rewound_progress(const flow_facts& flow, const std::string& to);
  const flow_facts* find_flow(const std::string& name) const;

  caf::actor_system& system_;
  runtime::node_actor node_;
  runtime::feedback_actor feedback_;
  std::shared_ptr<bus::bus> bus_;
  std::shared_ptr<ops::metrics> metrics_;
  control_facts facts_;
};

} // namespace rtdp::cluster
