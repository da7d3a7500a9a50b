#include "actors/heartbeat/heartbeat_actor.hpp"

#include "runtime/core/time.hpp"

#include <algorithm>
#include <iterator>

namespace rtdp::heartbeat {

namespace {

using self_ptr = runtime::heartbeat_actor::stateful_pointer<heartbeat_state>;

void seen(self_ptr self, const std::string& flow, const std::string& ns, int64_t marked_us) {
  auto& s = self->state;
  if (ns.empty()) {
    s.seen.erase(flow);
    return;
  }
  auto name = ums::ns::parse(ns);
  if (!name)
    return;
  // The shards of a merged table are one row of the list.
  name->set(ums::ns::table_partition, "0");
  const auto shown = name->text();
  for (auto part : {ums::ns::version, ums::ns::db_partition})
    name->set(part, "0");
  auto& last = s.seen[flow][std::move(*name)];
  // A flow that was started again reads marks that it saw before.
  if (marked_us > last.marked_us)
    last = {shown, marked_us};
  s.env.metrics->lag_seconds({.source = s.source, .table = shown})
      .Set(double(now_us() - marked_us) / 1e6);
}

/// The slowest flow tells how late a table's data is. Returns the slowest table's mark.
int64_t tell_tables(self_ptr self) {
  auto& s = self->state;
  for (auto& [ns, marked_us] : s.told)
    marked_us = 0;
  int64_t oldest = 0;
  for (const auto& [flow, tables] : s.seen)
    for (const auto& [name, last] : tables) {
      auto& slowest = s.told[last.ns];
      slowest = slowest == 0 ? last.marked_us : std::min(slowest, last.marked_us);
      oldest = oldest == 0 ? last.marked_us : std::min(oldest, last.marked_us);
    }
  for (auto at = s.told.begin(); at != s.told.end();) {
    runtime::report r;
    r.component = "table";
    r.name = at->first;
    r.figures["marked_us"] = at->second;
    self->send(s.env.feedback, runtime::atom::status_v, std::move(r));
    at = at->second == 0 ? s.told.erase(at) : std::next(at);
  }
  return oldest;
}

void tick(self_ptr self) {
  auto& s = self->state;
  self->delayed_send(self, s.interval, runtime::atom::tick_v);
  self->send(s.target, runtime::atom::mark_v);
  ++s.sent;
  runtime::report r;
  r.component = "source";
  r.name = s.source;
  r.figures["marks_sent"] = s.sent;
  if (auto oldest = tell_tables(self); oldest > 0)
    r.figures["lag_us"] = std::max<int64_t>(0, now_us() - oldest);
  self->send(s.env.feedback, runtime::atom::status_v, std::move(r));
}

} // namespace

runtime::heartbeat_actor::behavior_type heartbeat_actor(self_ptr self, runtime::environment env,
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
             int64_t marked_us) { seen(self, flow, ns, marked_us); },
      [self](runtime::atom::join, const caf::strong_actor_ptr& next) {
        self->state.target = caf::actor_cast<runtime::source_actor>(next);
      },
      [self](runtime::atom::tick) { tick(self); },
  };
}

} // namespace rtdp::heartbeat
