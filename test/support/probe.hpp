/// A FEEDBACK that only remembers what it was told, and the environment of actors that report to
/// it.
#pragma once

#include "runtime/environment.hpp"
#include "test/support/deterministic.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::test {

using reports = std::shared_ptr<std::vector<runtime::report>>;

/// `dropped`: "flow.f".
inline runtime::feedback_actor::behavior_type
probe_actor(reports into, std::shared_ptr<std::vector<std::string>> dropped) {
  return {
      [into](runtime::atom::status, const runtime::report& r) { into->push_back(r); },
      [dropped](runtime::atom::drop, const std::string& component, const std::string& name) {
        dropped->push_back(component + "." + name);
      },
      [into](runtime::atom::list) { return *into; },
  };
}

/// What the actors of a test are given at birth, and what they told.
struct surroundings {
  explicit surroundings(deterministic& system, std::string data_dir = {}) {
    env.node = "n1";
    env.data_dir = std::move(data_dir);
    env.metrics = std::make_shared<ops::metrics>("n1");
    env.feedback = system.spawn(probe_actor, told, dropped);
  }

  /// The last report of a component; empty when it told nothing.
  runtime::report last(const std::string& component, const std::string& name) const {
    for (auto at = told->rbegin(); at != told->rend(); ++at)
      if (at->component == component && at->name == name)
        return *at;
    return {};
  }
  /// The states a component told, without repetitions.
  std::vector<std::string> states(const std::string& component, const std::string& name) const {
    std::vector<std::string> all;
    for (const auto& r : *told)
      if (r.component == component && r.name == name && !r.state.empty())
        if (all.empty() || all.back() != r.state)
          all.push_back(r.state);
    return all;
  }

  reports told = std::make_shared<std::vector<runtime::report>>();
  std::shared_ptr<std::vector<std::string>> dropped =
      std::make_shared<std::vector<std::string>>();
  runtime::environment env;
};

} // namespace rtdp::test
