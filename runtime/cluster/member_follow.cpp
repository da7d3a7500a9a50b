#include "runtime/cluster/member_parts.hpp"

#include "runtime/cluster/question.hpp"
#include "runtime/ops/log.hpp"

#include <string_view>
#include <unordered_set>

namespace rtdp::cluster::member {

namespace {

using namespace std::chrono_literals;

/// A component stops within the stage time-out of NODE (2.5 s) or is killed.
constexpr auto node_timeout = 15s;

/// Takes over the settings of the catalog when they are newer than what NODE runs.
void take_settings(self_pointer self) {
  auto& s = self->state;
  if (s.decided.revision() <= s.revision_told)
    return;
  bool just_started = s.revision_told == 0;
  s.revision_told = s.decided.revision();
  s.settings_trouble.clear();
  if (s.decided.settings() == s.options.settings_text)
    return;
  auto read = s.options.read_settings(s.decided.settings());
  if (!read) {
    s.settings_trouble = "settings of revision " + std::to_string(s.revision_told) +
                         " cannot be used here: " + read.error().text();
    ops::logger("member")->error(s.settings_trouble);
    return;
  }
  s.options.settings = std::move(*read);
  s.options.settings_text = s.decided.settings();
  if (just_started)
    ops::logger("member")->warn("the cluster has other settings than the file of this node: those of "
                                "revision {} are in force; `rtdp apply FILE` puts others in force",
                                s.revision_told);
  else
    ops::logger("member")->info("settings of revision {} are in force", s.revision_told);
  for (const auto& m : s.options.settings.nodes.nodes)
    if (m.name != own_name(self))
      s.others.add(m.name);
  s.untold = s.options.settings.plan;
}

/// NODE takes up one plan at a time: while it is busy with one, the next is told again.
void tell_plan(self_pointer self) {
  auto& s = self->state;
  if (!s.untold || s.telling_plan)
    return;
  s.telling_plan = true;
  self->request(s.node, node_timeout, runtime::atom::apply_v, s.untold)
      .then(
          [self, told = s.untold](bool) {
            self->state.telling_plan = false;
            if (self->state.untold == told)
              self->state.untold = nullptr;
            follow(self);
          },
          [self, told = s.untold](caf::error& e) {
            auto why = answer_to({"this node", "to take up new settings", node_timeout}, e);
            self->state.telling_plan = false;
            self->state.tell_again = true;
            if (why == ec::rejected && self->state.untold == told)
              self->state.untold = nullptr;
            ops::logger("member")->warn("the new settings are not carried out yet: {}", why.text());
          });
}

void place(self_pointer self, const std::string& component, int64_t epoch) {
  auto& s = self->state;
  s.telling.insert(component);
  auto [kind, name] = split(component);
  self->request(s.node, node_timeout, runtime::atom::place_v, kind, name, epoch)
      .then(
          [self, component, epoch](bool) {
            auto& st = self->state;
            st.telling.erase(component);
            st.told[component] = epoch;
            st.placed = now(self);
            // The leader waits for it: it ends a drift.
            beat(self);
            follow(self);
          },
          [self, component](caf::error& e) {
            // Tried again at the next tick; a plan that knows it may be on its way.
            self->state.telling.erase(component);
            self->state.tell_again = true;
            ops::logger("member")->warn(
                "{} could not be started: {}", component,
                answer_to({"this node", "to start it", node_timeout}, e).text());
          });
}

void drop(self_pointer self, const std::string& component) {
  auto& s = self->state;
  s.telling.insert(component);
  auto [kind, name] = split(component);
  if (kind == "flow")
    s.frozen.erase(name);
  auto done = [self, component] {
    self->state.telling.erase(component);
    self->state.told.erase(component);
    follow(self);
  };
  self->request(s.node, node_timeout, runtime::atom::drop_v, kind, name)
      .then([done](bool) { done(); },
            // It is not there: new settings have taken it away.
            [done](caf::error&) { done(); });
}

/// The components of the settings. One that left them may be back before the leader has taken its
/// placement away: NODE has ended it meanwhile and has to be told of it anew.
std::unordered_set<std::string_view> in_settings(const member_state& s) {
  std::unordered_set<std::string_view> out;
  for (const auto& p : s.options.settings.components)
    out.insert(p.component);
  return out;
}

/// What was told to be stopped here and has another owner now, or none, is in the lists no more.
/// What was started is NODE's matter again.
void forget_stopped(self_pointer self) {
  auto& s = self->state;
  std::erase_if(s.told_stopped, [self, &s](const std::string& component) {
    const auto* p = s.decided.find(component);
    bool mine = p && is_mine(self, *p);
    if (mine && p->stopped && !s.told.contains(component) && !s.telling.contains(component))
      return false;
    auto [kind, name] = split(component);
    if (!mine)
      self->send(s.env.feedback, runtime::atom::drop_v, kind, name);
    return true;
  });
}

/// NODE knows nothing of what a person stopped; the lists show it, and that it is stopped.
void tell_stopped(self_pointer self) {
  auto& s = self->state;
  forget_stopped(self);
  for (const auto& [component, p] : s.decided.placements()) {
    if (!is_mine(self, p) || !p.stopped || s.told.contains(component) ||
        s.telling.contains(component) || !s.told_stopped.insert(component).second)
      continue;
    auto [kind, name] = split(component);
    runtime::report r;
    r.component = kind;
    r.name = name;
    r.state = "stopped";
    self->send(s.env.feedback, runtime::atom::status_v, std::move(r));
  }
}

/// The catalog has another owner for it since: the drift has failed, whatever the leader could say
/// of that to this node, which it may have taken for lost.
void drop_outdated_warm(self_pointer self) {
  auto& s = self->state;
  auto flows = s.warm;
  for (const auto& [flow, epoch] : flows) {
    const auto* p = s.decided.find("flow." + flow);
    if (!p || (p->epoch > epoch && !is_mine(self, *p)))
      drop_warm(self, flow);
  }
}

} // namespace

bool is_mine(self_pointer self, const placement& p) {
  return p.node == own_name(self) && p.boot == own_boot(self);
}

void follow(self_pointer self) {
  auto& s = self->state;
  s.followed = now(self);
  s.tell_again = false;
  take_settings(self);
  tell_plan(self);
  std::map<std::string, int64_t> wanted;
  auto known = in_settings(s);
  for (const auto& [component, p] : s.decided.placements())
    if (is_mine(self, p) && !p.stopped && known.contains(component))
      wanted[component] = p.epoch;
  // Copies: an answer may come at once, and change what is iterated.
  auto told = s.told;
  for (const auto& [component, epoch] : told)
    if (!wanted.contains(component) && !s.telling.contains(component))
      drop(self, component);
  for (const auto& [component, epoch] : wanted) {
    auto at = told.find(component);
    bool is_new = at == told.end() || at->second < epoch;
    // A plan that NODE is taking up may end what was placed under the one before.
    if (is_new && !s.telling.contains(component) && !s.untold)
      place(self, component, epoch);
  }
  drop_outdated_warm(self);
  tell_stopped(self);
}

void follow_again(self_pointer self) {
  const auto& s = self->state;
  if (s.tell_again || now(self) - s.followed >= 5s)
    follow(self);
}

} // namespace rtdp::cluster::member
