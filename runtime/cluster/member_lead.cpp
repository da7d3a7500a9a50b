#include "runtime/cluster/member_parts.hpp"

#include "runtime/cluster/question.hpp"
#include "runtime/ops/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace rtdp::cluster::member {

namespace {

using namespace std::chrono_literals;

/// Of Kafka: to end the former leader's transaction, and to write ours.
constexpr auto claim_timeout = 15s;
constexpr auto append_timeout = 15s;
/// Each node in rank order waits so much longer than the one before it, so that two seldom claim at
/// a time: a claim takes some 100 ms, and 500 ms on a machine that is busy.
constexpr auto rank_delay = 700ms;
/// When a whole cluster starts, nodes come one after the other: what has no owner yet waits so long
/// for all of them.
constexpr auto gather_time = 5s;
constexpr auto look_interval = 1s;
constexpr auto balance_interval = 5s;
/// Load goes up and down; a difference has to last.
constexpr auto uneven_time = 15s;
constexpr auto move_interval = 30s;

auto log() { return ops::logger("member"); }

/// Whether this node and those that it hears are more than half of all, and since when.
void count_heard(self_pointer self) {
  auto& s = self->state;
  auto heard = s.others.living(now(self)).size() + 1;
  if (2 * heard <= s.options.settings.nodes.nodes.size())
    s.most_heard.reset();
  else if (!s.most_heard)
    s.most_heard = now(self);
}

/// A node that was cut off hears one of the others first, and that need not be the leader.
bool has_heard_most(self_pointer self) {
  auto& s = self->state;
  return s.most_heard && now(self) - *s.most_heard >= s.options.settings.nodes.failure_timeout;
}

bool leader_is_alive(self_pointer self) {
  auto& s = self->state;
  const auto* last = s.others.last(s.decided.leader());
  if (last && last->boot == s.decided.leader_boot() &&
      s.others.alive(s.decided.leader(), now(self)))
    return true;
  // A node that is cut off, or under a name that another one has, hears nobody. Would it lead, the
  // others would take the lead back, and so on: it looks whether the catalog shows a leader.
  return !has_heard_most(self) && !s.decided.leader().empty() &&
         s.decided.leader_boot() != own_boot(self) && s.leader_shown &&
         now(self) - *s.leader_shown < 2 * s.options.settings.nodes.failure_timeout;
}

void step_down(self_pointer self, const std::string& why) {
  auto& s = self->state;
  if (s.leading)
    log()->warn("leads no more: {}", why);
  s.leading = false;
  s.alone_since.reset();
  s.plan.clear();
  s.uneven.reset();
  forget_drifts(self, "the leader changed");
}

/// How many living nodes come before this one.
int64_t rank_of(self_pointer self) {
  auto& s = self->state;
  auto living = s.others.living(now(self));
  return std::count_if(living.begin(), living.end(),
                       [&](const std::string& name) { return name < own_name(self); });
}

void claim(self_pointer self) {
  auto& s = self->state;
  s.deciding = true;
  s.claim_not_before = now(self) + rank_delay * (1 + rank_of(self));
  auto failed = [self](const error& e) {
    self->state.deciding = false;
    log()->warn("could not become the leader: {}", e.text());
  };
  self->request(s.catalog_log, claim_timeout, runtime::atom::claim_v)
      .then(
          [self](bool) {
            auto& st = self->state;
            st.deciding = false;
            auto mine = leader_record(own_name(self), own_boot(self), st.decided.term() + 1);
            append(self, {mine}, [self](const error& e) {
              if (e)
                return;
              self->state.leading = true;
              self->state.leading_since = now(self);
              log()->info("leads the cluster, term {}", self->state.decided.term());
            });
          },
          [failed](caf::error& e) {
            failed(answer_to({"the catalog", "for the leader's place", claim_timeout}, e));
          });
}

/// Shows those who do not hear this node that it leads: four times in the silence that they wait.
bool renewal_is_due(self_pointer self) {
  auto& s = self->state;
  auto handing_over = [](const auto& d) {
    return d.second.shown.step == "freeze" || d.second.shown.step == "commit";
  };
  // A flow that is frozen waits for its own append only.
  return now(self) - s.appended.value_or(s.leading_since) >=
             s.options.settings.nodes.failure_timeout / 2 &&
         std::none_of(s.drifts.begin(), s.drifts.end(), handing_over);
}

/// True while the others may have another leader: so much time they have to take the lead, before
/// this node gives itself what they have.
bool alone(self_pointer self) {
  auto& s = self->state;
  if (s.most_heard) {
    s.alone_since.reset();
    return false;
  }
  if (!s.alone_since)
    s.alone_since = now(self);
  return now(self) - *s.alone_since < s.options.settings.nodes.failure_timeout;
}

/// True while it is better to wait for more nodes to come.
bool gathering(self_pointer self, const situation& s) {
  auto& nodes = self->state.options.settings.nodes.nodes;
  bool any_owner = std::any_of(
      s.decided.placements().begin(), s.decided.placements().end(), [&](const auto& p) {
        auto at = s.usable.find(p.second.node);
        return at != s.usable.end() && at->second.boot == p.second.boot;
      });
  return !any_owner && s.usable.size() < nodes.size() &&
         now(self) - self->state.started < gather_time;
}

/// Gives what has no living owner a new one, and forgets what is not in the settings any more.
std::vector<std::string> repair(self_pointer self, const situation& s) {
  std::vector<std::string> records;
  auto& st = self->state;
  st.plan.clear();
  auto orphans = place_orphans(s);
  for (auto& a : orphans) {
    if (a.to.empty()) {
      st.plan.push_back(std::move(a));
      continue;
    }
    const auto* before = s.decided.find(a.component);
    placement next{a.to, s.usable.at(a.to).boot, s.decided.epoch(a.component) + 1,
                   before && before->stopped};
    log()->info("{} goes to {} with epoch {}: {}", a.component, a.to, next.epoch, a.reason);
    if (before && before->node != a.to)
      st.env.metrics->failovers({a.component}).Increment();
    records.push_back(placement_record(a.component, next));
  }
  // Each has an owner, and nothing else has one.
  if (orphans.empty() && s.all.size() == s.decided.placements().size())
    return records;
  std::unordered_set<std::string_view> known;
  for (const auto& p : s.all)
    known.insert(p.component);
  for (const auto& [component, p] : s.decided.placements())
    if (!known.contains(component))
      records.push_back(gone_record(component, p.epoch));
  return records;
}

/// One that could not be moved is left alone for a while, and the others get their turn.
void drain_flow(self_pointer self, const std::string& from, const std::string& flow,
                const std::string& to) {
  auto& s = self->state;
  if (const auto* late = stays(self, flow)) {
    auto left = std::chrono::duration_cast<std::chrono::seconds>(late->until - now(self) + 999ms);
    s.plan.push_back({"flow." + flow, from, to,
                      fmt::format("node {} drains, but flow {} could not move: {}; it is tried "
                                  "again in {} s",
                                  from, flow, late->why, left.count())});
  } else if (s.drifts.empty()) {
    if (auto refused = start_drift(self, flow, to, "node " + from + " drains"))
      put_off(self, flow, refused.text());
  }
}

/// Sources of a draining node go at once: another one continues where it stopped. Flows drift, one
/// at a time.
std::vector<std::string> drain(self_pointer self, const situation& s) {
  std::vector<std::string> records;
  for (auto& a : leave_draining(s)) {
    const auto& p = *s.decided.find(a.component);
    auto [kind, name] = split(a.component);
    if (a.to.empty())
      self->state.plan.push_back(std::move(a));
    else if (kind == "source" || p.stopped)
      records.push_back(placement_record(
          a.component, {a.to, s.usable.at(a.to).boot, p.epoch + 1, p.stopped}));
    else
      drain_flow(self, a.from, name, a.to);
  }
  return records;
}

/// What the leader knows of the nodes, with what runs on them.
situation look_at_load(self_pointer self) {
  const auto& s = self->state;
  auto out = look(self);
  for (auto& [name, node] : out.usable)
    node.components =
        name == own_name(self) ? s.own_beat.components : s.others.last(name)->components;
  return out;
}

void balance(self_pointer self) {
  auto& st = self->state;
  auto mode = st.options.settings.nodes.placement;
  auto advised = mode == config::placement_mode::off ? std::nullopt : even_out(look_at_load(self));
  st.uneven = advised;
  if (!advised) {
    st.uneven_since.reset();
    return;
  }
  if (!st.uneven_since)
    st.uneven_since = now(self);
  bool lasts = now(self) - *st.uneven_since >= uneven_time;
  bool rested = !st.moved || now(self) - *st.moved >= move_interval;
  auto flow = split(advised->component).second;
  if (mode != config::placement_mode::on || !lasts || !rested || !st.drifts.empty() ||
      stays(self, flow))
    return;
  st.moved = now(self);
  if (auto refused = start_drift(self, flow, advised->to, advised->reason))
    log()->warn("{} stays on {}: {}", advised->component, advised->from, refused.text());
}

/// Whether anything has changed that calls for a decision at once: a record, a node, a drift. What
/// depends on time alone is looked at once a second; a thousand components 20 times a second would
/// keep a tenth of a core busy.
bool look_is_due(self_pointer self) {
  auto& s = self->state;
  auto grounds = fmt::format("{} {} {}", s.decided.changes(), s.drift_serial, s.drifts.size());
  auto add = [&grounds](const runtime::beat& b) {
    if (b.trouble.empty())
      grounds += " " + b.node + " " + b.boot;
  };
  add(s.own_beat);
  for (const auto& name : s.others.living(now(self)))
    add(*s.others.last(name));
  if (grounds == s.grounds && now(self) - s.looked < look_interval)
    return false;
  s.grounds = std::move(grounds);
  s.looked = now(self);
  return true;
}

void decide(self_pointer self) {
  auto& s = self->state;
  if (s.decided.leader_boot() != own_boot(self))
    return step_down(self, "node " + s.decided.leader() + " leads");
  if (s.deciding)
    return;
  auto nothing_more = [](const error&) {};
  if (s.decided.revision() == 0)
    return append(self, {settings_record(s.options.settings_text, 1)}, nothing_more);
  if (renewal_is_due(self))
    return append(self, {leader_record(own_name(self), own_boot(self), s.decided.term())},
                  nothing_more);
  if (alone(self) || !look_is_due(self))
    return;
  auto what = look(self);
  if (gathering(self, what))
    return s.grounds.clear();
  auto records = repair(self, what);
  if (records.empty())
    records = drain(self, what);
  if (!records.empty() && !s.deciding)
    return append(self, std::move(records), nothing_more);
  if (s.planned && now(self) - *s.planned < balance_interval)
    return;
  s.planned = now(self);
  balance(self);
}

} // namespace

situation look(self_pointer self) {
  auto& s = self->state;
  situation out{s.options.settings.components, s.options.settings.nodes, s.decided, {}};
  auto add = [&](const runtime::beat& b) {
    if (b.trouble.empty())
      out.usable[b.node] = {b.boot, !s.decided.draining(b.node), b.cpu_permille};
  };
  // It is empty until FEEDBACK has answered once.
  if (!s.own_beat.node.empty())
    add(s.own_beat);
  for (const auto& name : s.others.living(now(self)))
    if (s.options.settings.nodes.find(name))
      add(*s.others.last(name));
  return out;
}

void append(self_pointer self, std::vector<std::string> records, std::function<void(error)> then) {
  auto& s = self->state;
  s.deciding = true;
  s.appended = now(self);
  self->request(s.catalog_log, append_timeout, runtime::atom::append_v, std::move(records))
      .then(
          [self, then](bool) {
            self->state.deciding = false;
            then({});
            take_waiting_orders(self);
          },
          [self, then](caf::error& e) {
            // Fenced: somebody else leads. Anything else: it is not known what was appended, and a
            // claim reads it.
            auto why = answer_to({"the catalog", "to append a decision", append_timeout}, e);
            self->state.deciding = false;
            step_down(self, why.text());
            then(why);
            take_waiting_orders(self);
          });
}

void watch(self_pointer self) {
  auto& s = self->state;
  count_heard(self);
  if (s.leading)
    return decide(self);
  if (leader_is_alive(self)) {
    s.leaderless_since.reset();
    return;
  }
  auto failure_timeout = s.options.settings.nodes.failure_timeout;
  // Their first beats may be on their way.
  if (now(self) - s.started < failure_timeout)
    return;
  if (!s.leaderless_since)
    s.leaderless_since = now(self);
  // Others take it for the leader still, so that nobody else claims.
  bool led = s.decided.leader_boot() == own_boot(self);
  if (s.deciding || (!led && !s.own_beat.trouble.empty()) ||
      now(self) - *s.leaderless_since < rank_delay * rank_of(self) ||
      (s.claim_not_before && now(self) < *s.claim_not_before))
    return;
  claim(self);
}

} // namespace rtdp::cluster::member
