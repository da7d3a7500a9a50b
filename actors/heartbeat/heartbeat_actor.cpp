#include "actors/heartbeat/heartbeat_actor.hpp"

#include "runtime/core/time.hpp"

namespace rtdp::heartbeat {

namespace {

using self_pointer = runtime::heartbeat_actor::stateful_pointer<heartbeat_state>;

void tick(self_pointer self) {
  auto& s = self->state;
  self->delayed_send(self, s.interval, runtime::atom::tick_v);
  self->send(s.target, runtime::atom::mark_v);
  ++s.sent;
  runtime::report r;
  r.component = "source";
  r.name = s.source;
  r.figures["marks_sent"] = s.sent;
  // The slowest flow tells how late the source's data is.
  int64_t oldest = 0;
  for (const auto& [who, marked_us] : s.seen)
    oldest = oldest == 0 ? marked_us : std::min(oldest, marked_us);
  if (oldest > 0)
    r.figures["lag_us"] = std::max<int64_t>(0, now_us() - oldest);
  self->send(s.env.feedback, runtime::atom::status_v, std::move(r));
}

} // namespace

runtime::heartbeat_actor::behavior_type heartbeat_actor(self_pointer self, runtime::environment env,
                                                        std::string source,
                                                        runtime::source_actor target,
                                                        std::chrono::milliseconds interval) {
  auto& s = self->state;
  s.env = std::move(env);
  s.source = std::move(source);
  s.target = std::move(target);
  s.interval = interval;
  self->delayed_send(self, interval, runtime::atom::tick_v);
  return {
      [self](runtime::atom::seen, const std::string& flow, const std::string& ns,
             int64_t marked_us) {
        auto& last = self->state.seen[flow + " " + ns];
        last = std::max(last, marked_us);
        self->state.env.metrics->lag_seconds({.source = self->state.source, .table = ns})
            .Set(double(now_us() - marked_us) / 1e6);
      },
      [self](runtime::atom::join, const caf::strong_actor_ptr& next) {
        self->state.target = caf::actor_cast<runtime::source_actor>(next);
      },
      [self](runtime::atom::tick) { tick(self); },
  };
}

} // namespace rtdp::heartbeat
