/// The people of a simulated cluster: they ask for drifts, drains, stops and new settings at any
/// node, and hold the cluster to what it answers. Owned by the world of one seed.
#pragma once

#include "test/simulation/parts.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <functional>
#include <string>

namespace rtdp::simulation {

class people {
public:
  explicit people(parts& all) : all_(all) {}

  /// Asks for something at a node that runs.
  void ask_for_anything();
  /// Asks for what is missing before everything runs again.
  void put_right();
  /// Nothing is stopped, and only `drained` drains.
  bool all_started() const;

  int drained = nowhere;
  uint64_t asked = 0, answered = 0;

private:
  void ask(runtime::command c);
  void check(const runtime::command& c, const std::string& answer, size_t behind);
  bool in_log(size_t behind, const std::function<bool(const cluster::catalog&)>& holds) const;
  std::string any_flow() { return flows[all_.clock.below(flows.size())]; }
  std::string any_node() { return name_of(int(all_.clock.below(machines))); }
  std::string any_settings();

  parts& all_;
};

inline std::string people::any_settings() {
  if (all_.clock.one_in(8))
    return "nonsense";
  std::string text = "settings";
  for (const auto& flow : flows)
    if (flow == flows[0] || !all_.clock.one_in(3))
      text += " " + flow + "@" + std::to_string(all_.clock.below(3));
  return text;
}

inline void people::ask_for_anything() {
  auto dice = all_.clock.below(100);
  if (dice < 62)
    ask({"drift", any_flow(), any_node()});
  else if (dice < 70)
    ask({"cancel", any_flow(), ""});
  else if (dice < 78)
    ask({all_.clock.one_in(2) ? "drain" : "undrain", any_node(), ""});
  else if (dice < 92)
    ask({all_.clock.one_in(2) ? "stop" : "start", "flow." + any_flow(), ""});
  else
    ask({"apply", "", "", any_settings()});
}

inline bool people::all_started() const {
  for (int i = 0; i < machines; ++i)
    if (all_.log.decided().draining(name_of(i)) != (i == drained))
      return false;
  const auto& placed = all_.log.decided().placements();
  return std::none_of(placed.begin(), placed.end(), [](const auto& p) { return p.second.stopped; });
}

inline void people::put_right() {
  for (int i = 0; i < machines; ++i)
    if (all_.log.decided().draining(name_of(i)) != (i == drained))
      return ask({i == drained ? "drain" : "undrain", name_of(i), ""});
  for (const auto& [component, p] : all_.log.decided().placements())
    if (p.stopped)
      return ask({"start", component, ""});
}

inline void people::ask(runtime::command c) {
  auto where = all_.running();
  if (where.empty())
    return;
  auto i = where[all_.clock.below(where.size())];
  ++asked;
  all_.events.note("asked at {}: {} {} {} {}", all_.nodes[size_t(i)].process, c.verb, c.name, c.to,
                   c.text);
  auto behind = all_.log.records().size();
  all_.clock.spawn(nowhere, [this, c, behind, to = all_.member(i)](caf::event_based_actor* self) {
    self->request(to, caf::infinite, runtime::atom::ask_v, c)
        .then(
            [this, c, behind](const std::string& answer) {
              ++answered;
              check(c, answer, behind);
            },
            [this, c](caf::error& e) {
              ++answered;
              auto why = runtime::from_caf(e);
              all_.events.note("no to {} {}: {}", c.verb, c.name, why.text());
              if (c.text == "nonsense" && why == ec::rejected &&
                  why.text().find("line 1") == std::string::npos)
                all_.events.broke("bad settings were refused without their line: {}", why.text());
            });
  });
}

/// Some state of the log behind that record is one that `holds`.
inline bool people::in_log(size_t behind,
                           const std::function<bool(const cluster::catalog&)>& holds) const {
  cluster::catalog c;
  const auto& records = all_.log.records();
  for (size_t r = 0; r < records.size(); ++r) {
    if (c.learn(records[r]))
      return false;
    if (r >= behind && holds(c))
      return true;
  }
  return false;
}

/// What was acknowledged is in the log.
inline void people::check(const runtime::command& c, const std::string& answer, size_t behind) {
  all_.events.note("answered: {}", answer);
  if (answer.find("already") != answer.npos || answer.find("does not drain") != answer.npos)
    return;
  bool kept = true;
  if (c.verb == "apply")
    kept = in_log(behind, [&](const auto& log) { return log.settings() == c.text; });
  else if (c.verb == "drain" || c.verb == "undrain")
    kept = in_log(behind, [&](const auto& log) {
      return log.draining(c.name) == (c.verb == "drain");
    });
  else if (c.verb == "stop" || c.verb == "start")
    kept = in_log(behind, [&](const auto& log) {
      const auto* p = log.find(c.name);
      return p && p->stopped == (c.verb == "stop");
    });
  if (!kept)
    all_.events.broke("{} {} was acknowledged ({}), but the catalog's log does not have it", c.verb,
                      c.name, answer);
}

} // namespace rtdp::simulation
