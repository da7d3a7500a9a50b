#include "actors/flow/flow_actor.hpp"

#include "actors/flow/flow_handover.hpp"
#include "actors/flow/flow_report.hpp"
#include "actors/flow/flow_work.hpp"
#include "runtime/caf_error.hpp"

namespace rtdp::flow {

namespace {

using namespace std::chrono_literals;
using phase = flow_state::phase;

void open(self_pointer self) {
  auto& s = self->state;
  if (s.restoring)
    return restore(self);
  if (s.now == phase::warm)
    return follow(self);
  if (s.now != phase::opening)
    return;
  if (s.settings.warm) {
    s.now = phase::warm;
    return get_ready(self);
  }
  // No time-out: SINK goes on trying while its store is unavailable and says so in its report.
  self->request(s.sink, caf::infinite, runtime::atom::open_v, s.settings.epoch)
      .then([self](const std::string& stored) { run_behind(self, stored); },
            [self](caf::error& e) { give_up(self, runtime::from_caf(e)); });
}

void tick(self_pointer self) {
  auto& s = self->state;
  self->delayed_send(self, 1s, runtime::atom::tick_v);
  // SINK tells why it takes long to open.
  if (s.now != phase::opening)
    tell_phase(self);
  settle(self);
  come_to_rest(self);
  thaw_overdue(self);
  // Marks moved the offsets without a row: keep them too, so that a restart need not read them
  // again.
  if (s.now == phase::running && s.queue.empty() && !s.advancing && s.stored != s.applied)
    advance(self);
}

} // namespace

runtime::flow_actor::behavior_type
flow_actor(self_pointer self, runtime::environment env, flow_settings settings,
           std::shared_ptr<pipeline> work, runtime::sink_actor sink, runtime::stream_actor stream) {
  auto& s = self->state;
  s.env = std::move(env);
  s.settings = std::move(settings);
  s.work = std::move(work);
  s.sink = std::move(sink);
  s.stream = std::move(stream);
  s.known.component = "flow";
  s.known.name = s.settings.name;
  s.known.texts["source"] = s.settings.pattern;
  s.known.texts["sink"] = s.settings.sink;
  s.known.texts["stream"] = s.settings.stream;
  s.known.kind = "flow";
  self->link_to(s.sink);
  self->monitor(s.stream);
  self->set_down_handler([self](caf::down_msg& down) {
    if (down.source == self->state.sink.address())
      return self->quit(runtime::to_caf(self->state.over));
    // A stream that was stopped on purpose gives no more; what is under way is still written.
    if (down.reason != caf::exit_reason::normal)
      give_up(self, unavailable("the stream it reads from ended"));
  });
  tell(self, "starting");
  self->send(self, runtime::atom::open_v);
  self->delayed_send(self, 1s, runtime::atom::tick_v);
  return {
      [self](runtime::atom::deliver, const runtime::delivery& d) { take_or_hold(self, d); },
      [self](runtime::atom::replay, const std::string& message) { return replay(self, message); },
      [self](runtime::atom::idle) {
        const auto& state = self->state;
        return state.now == phase::running && state.queue.empty();
      },
      [self](runtime::atom::stop) {
        self->state.stopping = true;
        // Read again by whoever goes on.
        self->state.held.clear();
        end_if_stopped(self);
      },
      [self](runtime::atom::join, const std::string& source, const caf::strong_actor_ptr& next) {
        self->state.settings.heartbeats[source] =
            caf::actor_cast<runtime::heartbeat_actor>(next);
      },
      [self](runtime::atom::warm) { return await_ready(self); },
      [self](runtime::atom::resume, int64_t epoch) { return resume(self, epoch); },
      [self](runtime::atom::freeze) { return freeze(self); },
      [self](runtime::atom::thaw) { thaw(self); },
      [self](runtime::atom::progress) { return tell_progress(self); },
      [self](runtime::atom::open) { open(self); },
      [self](runtime::atom::tick) { tick(self); },
  };
}

} // namespace rtdp::flow
