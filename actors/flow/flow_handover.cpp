#include "actors/flow/flow_handover.hpp"

#include "actors/flow/flow_report.hpp"
#include "actors/flow/flow_work.hpp"
#include "runtime/caf_error.hpp"

#include <algorithm>
#include <utility>

namespace rtdp::flow {

namespace {

using namespace std::chrono_literals;
using phase = flow_state::phase;

/// A hand-over freezes a flow for the tens of milliseconds that the commit takes, or some hundred
/// when the catalog's broker is slow; whoever needs more has died, and rows wait meanwhile.
constexpr auto freeze_limit = 5s;
/// While the other node gets ready this one may fall behind, and what it has taken must be written
/// before the other goes on. A flow that keeps up is back in front within some hundred milliseconds.
constexpr auto settle_limit = 1s;
/// STREAM answers between two reads of the bus.
constexpr auto stream_limit = 30s;
/// How long one call works on the state of the steps, so that the flow hears what it is told.
constexpr auto state_slice = 100ms;
/// How often a warm flow looks for new changes of the state; it resumes so much later at most.
constexpr auto follow_interval = 50ms;

caf::error not_running(const flow_state& s) {
  return runtime::to_caf(rejected("flow " + s.settings.name + " does not run"));
}

void join(self_pointer self, const state::progress& behind) {
  auto& s = self->state;
  s.joined_behind = behind;
  runtime::subscription wish{s.settings.name, s.settings.pattern, s.settings.topics,
                             behind.offsets,  s.settings.credit,  s.ticket};
  self->send(s.stream, runtime::atom::join_v, caf::actor_cast<caf::strong_actor_ptr>(self),
             std::move(wish));
}

/// True when everything behind `stored` was or will be read by who joined behind `joined`. Where
/// one knows a partition or a table and the other does not, nobody can tell.
bool reads_on(const state::progress& joined, const state::progress& stored) {
  auto not_behind = [](const auto& a, const auto& b) {
    return std::all_of(a.begin(), a.end(), [&](const auto& known) {
      auto at = b.find(known.first);
      return at != b.end() && known.second <= at->second;
    });
  };
  return joined.offsets.size() == stored.offsets.size() &&
         not_behind(joined.offsets, stored.offsets) && not_behind(joined.ids, stored.ids);
}

/// True when what is under way takes no longer than one write.
bool keeps_up(const flow_state& s) {
  size_t rows = 0;
  for (const auto& u : s.queue)
    rows += u.what.data->rows();
  return s.queue.size() <= 1 || (s.work->stateful() && rows <= s.size.rows());
}

/// One of the things that a warm flow waits for is there.
void is_there(self_pointer self) {
  auto& s = self->state;
  if (--s.unready > 0)
    return;
  for (auto& reply : std::exchange(s.on_ready, {}))
    reply.deliver(true);
  tell_phase(self);
}

/// Takes rows from now on: what was held first.
void go_on(self_pointer self) {
  auto& s = self->state;
  bool has_joined = s.now == phase::resuming;
  // What is held and applied already is left out by its ids, not by its offsets: a batch may hold
  // rows from behind its next_offset (reading::queue).
  if (!has_joined || !reads_on(s.joined_behind, s.applied)) {
    s.held.clear();
    s.ticket += has_joined ? 1 : 0;
    join(self, s.applied);
  }
  s.now = phase::running;
  tell_phase(self);
  if (auto reply = std::exchange(s.on_resumed, {}))
    reply->deliver(true);
  take_held(self);
}

} // namespace

void run_behind(self_pointer self, const std::string& stored) {
  auto& s = self->state;
  if (s.now == phase::ending)
    return;
  auto progress = state::progress::parse(stored);
  if (!progress)
    return give_up(self, progress.error().in("stored progress"));
  s.applied = s.stored = *progress;
  s.work->restore(*progress);
  s.restoring = true;
  restore(self);
}

void restore(self_pointer self) {
  auto& s = self->state;
  auto there = s.work->restore_state(state_slice);
  if (!there)
    return give_up(self, there.error());
  if (!*there) {
    tell(self, "starting", "restoring the state of its steps");
    return self->send(self, runtime::atom::open_v);
  }
  s.restoring = false;
  go_on(self);
}

void follow(self_pointer self) {
  auto& s = self->state;
  auto there = s.work->catch_up(state_slice);
  if (!there)
    return give_up(self, there.error());
  if (*there && !std::exchange(s.follows, true))
    is_there(self);
  if (*there)
    self->delayed_send(self, follow_interval, runtime::atom::open_v);
  else
    self->send(self, runtime::atom::open_v);
}

void get_ready(self_pointer self) {
  auto& s = self->state;
  auto progress = state::progress::parse(*s.settings.warm);
  if (!progress)
    return give_up(self, progress.error().in("the progress to get ready behind"));
  s.applied = s.stored = *progress;
  s.work->restore(*progress);
  // Each answer counts one down: what a flow needs besides is asked for here.
  s.unready = s.work->stateful() ? 3 : 2;
  auto there = [self](bool) { is_there(self); };
  auto failed = [self](caf::error& e) { give_up(self, runtime::from_caf(e)); };
  // No time-out: SINK goes on trying while its store is unavailable and says so in its report.
  self->request(s.sink, caf::infinite, runtime::atom::warm_v).then(there, failed);
  join(self, *progress);
  // STREAM does one after the other: when it answers this, it has taken the flow in.
  self->request(s.stream, stream_limit, runtime::atom::idle_v).then(there, failed);
  if (s.work->stateful())
    self->send(self, runtime::atom::open_v);
}

caf::result<bool> await_ready(self_pointer self) {
  auto& s = self->state;
  if (!s.settings.warm)
    return runtime::to_caf(rejected("flow " + s.settings.name + " was not spawned warm"));
  if (s.unready == 0 && s.now != phase::opening)
    return true;
  return s.on_ready.emplace_back(self->make_response_promise<bool>());
}

caf::result<bool> resume(self_pointer self, int64_t epoch) {
  auto& s = self->state;
  if (s.now != phase::warm || s.stopping)
    return runtime::to_caf(rejected("flow " + s.settings.name + " is not warm"));
  s.now = phase::resuming;
  s.settings.epoch = epoch;
  auto reply = self->make_response_promise<bool>();
  self->request(s.sink, caf::infinite, runtime::atom::open_v, epoch)
      .then(
          [self, reply](const std::string& stored) {
            self->state.on_resumed = reply;
            run_behind(self, stored);
          },
          [self, reply](caf::error& e) mutable {
            reply.deliver(e);
            give_up(self, runtime::from_caf(e));
          });
  return reply;
}

caf::result<std::string> freeze(self_pointer self) {
  auto& s = self->state;
  if ((s.now != phase::running && s.now != phase::frozen) || s.stopping)
    return not_running(s);
  auto reply = self->make_response_promise<std::string>();
  s.on_frozen.push_back(reply);
  if (s.now == phase::running && !s.settling_since)
    s.settling_since = self->clock().now();
  settle(self);
  come_to_rest(self);
  return reply;
}

void settle(self_pointer self) {
  auto& s = self->state;
  auto now = self->clock().now();
  if (!s.settling_since || (!keeps_up(s) && now - *s.settling_since < settle_limit))
    return;
  s.settling_since.reset();
  s.now = phase::frozen;
  s.frozen_since = now;
  tell_phase(self);
}

void thaw(self_pointer self) {
  auto& s = self->state;
  if ((s.now != phase::frozen && !s.settling_since) || s.stopping)
    return;
  s.settling_since.reset();
  s.now = phase::running;
  for (auto& reply : std::exchange(s.on_frozen, {}))
    reply.deliver(runtime::to_caf(unavailable("the flow went on before everything was written")));
  tell_phase(self);
  take_held(self);
}

void thaw_overdue(self_pointer self) {
  const auto& s = self->state;
  if (s.now == phase::frozen && self->clock().now() - s.frozen_since >= freeze_limit)
    thaw(self);
}

caf::result<std::string> tell_progress(self_pointer self) {
  const auto& s = self->state;
  if (s.now != phase::running && s.now != phase::frozen)
    return not_running(s);
  return s.applied.text();
}

} // namespace rtdp::flow
