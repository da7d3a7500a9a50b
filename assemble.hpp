/// Puts the parts together: from a checked settings file to a plan that NODE can start. The only
/// file beside main.cpp that knows every folder.
#pragma once

#include "config/pipeline.hpp"
#include "runtime/cluster/node_actor.hpp"
#include "runtime/cluster/node_control.hpp"
#include "runtime/core/error.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace rtdp {

/// Every kind of bus, source, sink and step that is built in.
config::catalogue built_in();

/// The bus of the file. REQUIRES: `p` has no problem.
std::shared_ptr<bus::bus> make_bus(const config::pipeline& p);

struct flow_findings {
  /// In the order of the file's flows.
  std::vector<config::problem> problems;
  /// What could not be checked, and why: "source shop cannot be reached: …".
  std::vector<std::string> not_checked;
};

/// Asks the sources what their tables look like and tries every flow's steps and keys on that, so
/// that an unknown column is found before the first row. Takes some 5 s at most for sources that do
/// not answer. REQUIRES: `p` has no problem.
flow_findings check_flows(const config::pipeline& p);

/// How NODE spawns ALARM with its channels.
std::function<runtime::alarm_actor(caf::local_actor&)>
plan_alarm(const config::alarm_settings& settings, const runtime::environment& env);

/// What NODE starts, and restarts. `env` is copied into every actor.
result<cluster::node_plan> make_plan(const config::pipeline& p, const runtime::environment& env);

std::vector<cluster::flow_facts> facts_of(const config::pipeline& p);

} // namespace rtdp
