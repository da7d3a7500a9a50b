#include "runtime/cluster/member_parts.hpp"

#include "runtime/cluster/question.hpp"
#include "runtime/core/backoff.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/log.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>

#include <functional>
#include <utility>

// PREPARE: the target gets ready behind what the owner has applied, while the owner works on.
// FREEZE: the owner writes what is in flight and stops.
// COMMIT: the catalog names the new owner and epoch. Before it nothing has changed, and a failure
// thaws the owner; behind it the new owner runs, whatever happens to the others.
// RESUME: the target takes the fence and goes on; the former owner lets go when it reads of it.

namespace rtdp::cluster::member {

namespace {

using namespace std::chrono_literals;

constexpr auto answer_timeout = 5s;
/// State of some 100 MB is restored in it.
constexpr auto prepare_timeout = 60s;
/// The owner thaws by itself after 5 s.
constexpr auto freeze_timeout = 4s;
constexpr auto commit_timeout = 5s;
constexpr auto resume_timeout = 10s;
constexpr size_t ended_kept = 100;
/// What failed once fails at once again most of the time; but who drains a node waits for it.
constexpr backoff pause_stay{1s, 10s};

/// NODE or MEMBER of that node: both know what a drift asks. Null when it is not connected.
caf::strong_actor_ptr at(self_pointer self, const std::string& node) {
  auto& s = self->state;
  return node == own_name(self) ? caf::actor_cast<caf::strong_actor_ptr>(s.node)
                                : s.others.member(node);
}

drift* current(self_pointer self, const std::string& flow, uint64_t serial) {
  auto found = self->state.drifts.find(flow);
  return found != self->state.drifts.end() && found->second.serial == serial ? &found->second
                                                                            : nullptr;
}

void set_step(self_pointer self, drift& d, const char* step) {
  d.shown.step = step;
  d.since = now(self);
  ops::logger("member")->info("flow {} drifts from {} to {}: {}", d.shown.flow, d.shown.from,
                              d.shown.to, step);
}

void end(self_pointer self, const std::string& flow, const char* step, std::string reason) {
  auto& s = self->state;
  auto node = s.drifts.extract(flow);
  auto& shown = node.mapped().shown;
  shown.step = step;
  shown.reason = std::move(reason);
  shown.ended_us = now_us();
  if (shown.step == "done")
    s.stays.erase(flow);
  else
    put_off(self, flow, shown.reason);
  if (shown.step == "done")
    ops::logger("member")->info("flow {} runs on {}, epoch {}, after a pause of {} ms", flow,
                                shown.to, shown.epoch, shown.pause_us / 1000);
  else
    ops::logger("member")->warn("flow {} did not move to {}: {}", flow, shown.to, shown.reason);
  s.ended_drifts.push_back(std::move(shown));
  while (s.ended_drifts.size() > ended_kept)
    s.ended_drifts.pop_front();
}

/// Before the commit: the owner goes on, the target lets go of what it has prepared. Who cannot be
/// told at the moment does the same when it notices that the leader is out of reach.
void undo(self_pointer self, const std::string& flow, const char* step, std::string reason) {
  auto& d = self->state.drifts.at(flow);
  if (auto owner = at(self, d.shown.from))
    caf::anon_send(caf::actor_cast<caf::actor>(owner), runtime::atom::thaw_v, flow);
  if (d.shown.to == own_name(self))
    drop_warm(self, flow);
  else if (auto target = at(self, d.shown.to))
    caf::anon_send(caf::actor_cast<caf::actor>(target), runtime::atom::drop_v, flow);
  end(self, flow, step, std::move(reason));
}

/// Asks a node on behalf of one step, `what` in words; an error or no answer undoes the drift.
template<class T, class Then, class... Ts>
void ask(self_pointer self, const drift& d, const std::string& node, const char* what,
         std::chrono::seconds timeout, Then then, Ts... xs) {
  auto flow = d.shown.flow;
  auto serial = d.serial;
  question asked{"node " + node, what + (" flow " + flow), timeout};
  auto to = at(self, node);
  if (!to)
    return undo(self, flow, "failed", "node " + node + " is not connected");
  self->request(caf::actor_cast<caf::actor>(to), timeout, std::move(xs)...)
      .then(
          [self, flow, serial, then](T& answer) {
            if (auto* found = current(self, flow, serial))
              then(*found, answer);
          },
          [self, flow, serial, asked](caf::error& e) {
            if (current(self, flow, serial))
              undo(self, flow, "failed", answer_from(asked, e).text());
          });
}

std::string why_broken(self_pointer self, const situation& nodes, const std::string& node,
                       const drift::side& began) {
  auto found = nodes.usable.find(node);
  if (found == nodes.usable.end() || found->second.boot != began.boot)
    return "node " + node + " is lost or in trouble";
  // Not by address: that is the same over the next connection.
  if (at(self, node).get() != began.reached.get())
    return "the connection to node " + node + " broke off";
  return {};
}

/// Why it cannot go on; empty: it can. A request to a node that has died, or over a connection that
/// broke off, is not answered before its time-out; this tells it sooner. The questions are not asked
/// again: a target that loses the leader lets go of its warm flow, and the owner goes on.
std::string why_broken(self_pointer self, const situation& nodes, const drift& d) {
  auto why = why_broken(self, nodes, d.shown.to, d.to);
  return why.empty() ? why_broken(self, nodes, d.shown.from, d.from) : why;
}

void commit(self_pointer self, drift& d) {
  auto& s = self->state;
  // Each decision is made on what the one before has decided.
  if (s.deciding)
    return;
  auto flow = d.shown.flow;
  auto component = "flow." + flow;
  const auto* owner = s.decided.find(component);
  if (!owner || owner->node != d.shown.from || owner->stopped || owner->epoch + 1 != d.shown.epoch)
    return undo(self, flow, "failed", "the flow was given to another node meanwhile");
  // A target that was started anew has nothing prepared, and its former process owns nothing more.
  if (auto why = why_broken(self, look(self), d); !why.empty())
    return undo(self, flow, "failed", why);
  placement next{d.shown.to, d.to.boot, d.shown.epoch, false};
  append(self, {placement_record(component, next)},
         [self, flow, serial = d.serial](const error& e) {
           // After an error the drifts were forgotten with the leader's place.
           if (auto* found = e ? nullptr : current(self, flow, serial))
             set_step(self, *found, "resume");
         });
}

void freeze(self_pointer self, drift& d) {
  set_step(self, d, "freeze");
  d.frozen = now(self);
  ask<std::string>(
      self, d, d.shown.from, "to freeze", freeze_timeout,
      [self](drift& x, const std::string&) {
        set_step(self, x, "commit");
        commit(self, x);
      },
      runtime::atom::freeze_v, d.shown.flow);
}

void prepare(self_pointer self, drift& d) {
  set_step(self, d, "prepare");
  ask<std::string>(
      self, d, d.shown.from, "for the progress of", answer_timeout,
      [self](drift& x, const std::string& progress) {
        ask<bool>(
            self, x, x.shown.to, "to get ready for", prepare_timeout,
            [self](drift& y, bool) { freeze(self, y); }, runtime::atom::warm_v, x.shown.flow,
            progress);
      },
      runtime::atom::progress_v, d.shown.flow);
}

const runtime::running* find(const std::map<std::string, runtime::running>& all,
                             const std::string& component) {
  auto at = all.find(component);
  return at == all.end() ? nullptr : &at->second;
}

/// The target says how it is in each beat.
void look_for_end(self_pointer self, drift& d) {
  auto& s = self->state;
  auto flow = d.shown.flow;
  const auto* p = s.decided.find("flow." + flow);
  if (!p || p->epoch != d.shown.epoch)
    return end(self, flow, "failed",
               "node " + d.shown.to + " had it and was lost before it ran there; it goes on " +
                   (p ? "on " + p->node : "nowhere: it is not in the settings any more"));
  const auto* beat = d.shown.to == own_name(self) ? &s.own_beat : s.others.last(d.shown.to);
  // Null when the target was started anew.
  const auto* found = beat ? find(beat->components, "flow." + flow) : nullptr;
  bool is_new = found && found->epoch >= d.shown.epoch;
  if (is_new && found->state == "running") {
    auto pause = now(self) - *d.frozen;
    d.shown.pause_us = std::chrono::duration_cast<std::chrono::microseconds>(pause).count();
    s.env.metrics->drifts({flow}).Increment();
    s.env.metrics->drift_pause({flow}).Observe(double(d.shown.pause_us) / 1e6);
    return end(self, flow, "done", "");
  }
  if (now(self) - d.since >= resume_timeout)
    end(self, flow, "failed",
        fmt::format("node {} owns it, but it does not run there yet: {}", d.shown.to,
                    is_new ? found->state + " " + found->reason
                           : "nothing was heard of it"));
}

error check(self_pointer self, const std::string& flow, const std::string& to) {
  auto& s = self->state;
  auto component = "flow." + flow;
  const auto* p = s.decided.find(component);
  if (!p)
    return rejected("no flow named " + flow);
  if (!s.options.settings.nodes.find(to))
    return rejected("no node is named " + to);
  if (p->node == to)
    return rejected("flow " + flow + " is on " + to + " already");
  if (p->stopped)
    return rejected("flow " + flow + " is stopped; start it first");
  if (auto at = s.drifts.find(flow); at != s.drifts.end())
    return rejected("flow " + flow + " drifts to " + at->second.shown.to +
                    " already; `rtdp flow " + flow + " cancel` ends that");
  auto what = look(self);
  if (!what.usable.contains(p->node))
    return rejected("node " + p->node + ", which has flow " + flow +
                    ", is lost or in trouble: it gets another owner without a drift");
  auto wrong = unfit(what, component, to);
  return wrong.empty() ? error{} : rejected("flow " + flow + ": " + wrong);
}

} // namespace

error start_drift(self_pointer self, const std::string& flow, const std::string& to,
                  const std::string& reason) {
  if (auto refused = check(self, flow, to))
    return refused;
  auto& s = self->state;
  const auto& p = *s.decided.find("flow." + flow);
  auto& d = s.drifts[flow];
  d.serial = ++s.drift_serial;
  d.shown = {flow, p.node, to, "prepare", reason, p.epoch + 1, now_us(), 0, 0};
  d.from = {p.boot, at(self, p.node)};
  d.to = {look(self).usable.at(to).boot, at(self, to)};
  prepare(self, d);
  return {};
}

error cancel_drift(self_pointer self, const std::string& flow) {
  auto& drifts = self->state.drifts;
  auto found = drifts.find(flow);
  if (found == drifts.end())
    return rejected("flow " + flow + " does not drift");
  const auto& step = found->second.shown.step;
  // While the append is under way it is not known any more whether it is too late.
  if (step == "resume" || (step == "commit" && self->state.deciding))
    return rejected("flow " + flow + " is given to " + found->second.shown.to +
                    " already; drift it back instead");
  undo(self, flow, "cancelled", "cancelled");
  return {};
}

void tend_drifts(self_pointer self) {
  auto& s = self->state;
  if (s.drifts.empty())
    return;
  std::vector<std::string> flows;
  for (const auto& [flow, d] : s.drifts)
    flows.push_back(flow);
  auto nodes = look(self);
  for (const auto& flow : flows) {
    auto& d = s.drifts.at(flow);
    bool open = d.shown.step != "resume" && (d.shown.step != "commit" || !s.deciding);
    if (auto why = open ? why_broken(self, nodes, d) : std::string(); !why.empty())
      undo(self, flow, "failed", why);
    else if (d.shown.step == "resume")
      look_for_end(self, d);
    else if (d.shown.step == "commit" && now(self) - d.since >= commit_timeout && !s.deciding)
      undo(self, flow, "failed", "the catalog could not be written in time");
    else if (d.shown.step == "commit")
      commit(self, d);
  }
}

void put_off(self_pointer self, const std::string& flow, const std::string& why) {
  auto& one = self->state.stays[flow];
  one.until = now(self) + pause_stay.delay(one.failures++, std::hash<std::string>{}(flow));
  one.why = why;
}

const stay* stays(self_pointer self, const std::string& flow) {
  auto at = self->state.stays.find(flow);
  return at == self->state.stays.end() || now(self) >= at->second.until ? nullptr : &at->second;
}

void drop_all_warm(self_pointer self) {
  auto flows = self->state.warm;
  for (const auto& [flow, epoch] : flows)
    drop_warm(self, flow);
}

void drop_warm(self_pointer self, const std::string& flow) {
  self->state.warm.erase(flow);
  // What it owns is not a warm flow. What NODE was told of it does not count: where it owned the flow
  // until a moment ago, it is being told to let go, and has got the warm one ready behind that.
  const auto* p = self->state.decided.find("flow." + flow);
  if (p && is_mine(self, *p))
    return;
  self->request(self->state.node, answer_timeout, runtime::atom::drop_v, std::string("flow"), flow)
      .then([](bool) {}, [](caf::error&) {});
}

void thaw(self_pointer self, const std::string& flow) {
  self->state.frozen.erase(flow);
  self->send(self->state.node, runtime::atom::thaw_v, flow);
}

void thaw_all(self_pointer self) {
  auto flows = self->state.frozen;
  for (const auto& flow : flows)
    thaw(self, flow);
}

void forget_drifts(self_pointer self, const std::string& why) {
  auto& s = self->state;
  while (!s.drifts.empty()) {
    auto flow = s.drifts.begin()->first;
    if (s.drifts.begin()->second.shown.step == "resume")
      end(self, flow, "failed", why + "; the new owner goes on with it");
    else
      undo(self, flow, "failed", why);
  }
  self->state.stays.clear();
}

} // namespace rtdp::cluster::member
