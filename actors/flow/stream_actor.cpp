#include "actors/flow/stream_actor.hpp"

#include "runtime/caf_error.hpp"

namespace rtdp::flow {

namespace {

using namespace std::chrono_literals;
using self_pointer = runtime::stream_actor::stateful_pointer<stream_state>;

/// How long a read waits for the first message; credit and joining wait as long at most.
constexpr auto read_wait = 20ms;
constexpr auto tell_interval = 1s;

void tell(self_pointer self, std::string state, std::string reason = "") {
  auto& s = self->state;
  s.told = self->clock().now();
  s.known.state = std::move(state);
  s.known.reason = std::move(reason);
  s.known.figures["rows_in"] = int64_t(s.work->rows());
  s.known.figures["readers"] = int64_t(s.work->readers());
  s.known.figures["flows"] = int64_t(s.members.size());
  s.known.figures["dead_letters"] = int64_t(s.work->dead_letters());
  self->send(s.env.feedback, runtime::atom::status_v, s.known);
  for (const auto& [flow, m] : s.members) {
    s.env.metrics->queue_rows({.flow = flow}).Set(double(s.work->queued_rows(flow)));
    if (auto behind = s.work->rows_behind(flow)) {
      s.env.metrics->lag_rows({.flow = flow}).Set(double(*behind));
      runtime::report r;
      r.component = "flow";
      r.name = flow;
      r.figures["lag_rows"] = *behind;
      self->send(s.env.feedback, runtime::atom::status_v, std::move(r));
    }
  }
}

void hand_out(self_pointer self) {
  auto& s = self->state;
  for (auto& [name, m] : s.members)
    while (m.credit > 0) {
      auto b = s.work->next(name);
      if (!b.data)
        break;
      --m.credit;
      self->send(m.flow, runtime::atom::deliver_v,
                 runtime::delivery{b.data, b.partition, b.first_offset, b.next_offset, b.bus_us,
                                   b.read_us, m.ticket});
    }
}

void read_again(self_pointer self) {
  auto& s = self->state;
  if (s.read_pending || s.members.empty() || !s.work->wants_to_read())
    return;
  s.read_pending = true;
  self->send(self, runtime::atom::read_v);
}

void read(self_pointer self) {
  auto& s = self->state;
  s.read_pending = false;
  if (auto e = s.work->read(read_wait)) {
    s.env.metrics->errors({.stream = s.stream}).Increment();
    // Readers are made anew with the flows: all of them start again from what they stored.
    return self->quit(runtime::to_caf(e));
  }
  hand_out(self);
  if (self->clock().now() - s.told > tell_interval)
    tell(self, "running");
  read_again(self);
}

void join(self_pointer self, const caf::strong_actor_ptr& flow, const runtime::subscription& wish) {
  auto& s = self->state;
  auto handle = caf::actor_cast<runtime::flow_actor>(flow);
  auto pattern = ums::ns::parse(wish.pattern);
  if (!pattern) {
    self->send_exit(handle, runtime::to_caf(pattern.error()));
    return;
  }
  if (auto e = s.work->join(wish.flow, *pattern, wish.topics, wish.offsets)) {
    self->send_exit(handle, runtime::to_caf(e));
    return;
  }
  self->monitor(handle);
  s.members[wish.flow] = {handle, wish.credit, wish.credit, wish.ticket};
  read_again(self);
}

void gone(self_pointer self, const caf::down_msg& down) {
  auto& members = self->state.members;
  for (auto at = members.begin(); at != members.end(); ++at)
    if (at->second.flow.address() == down.source) {
      self->state.work->leave(at->first);
      members.erase(at);
      return;
    }
}

caf::result<bool> idle(self_pointer self) {
  auto& s = self->state;
  for (const auto& [name, m] : s.members) {
    if (m.credit < m.full_credit)
      return false;
    auto end = s.work->at_end(name);
    if (!end)
      return runtime::to_caf(end.error());
    if (!*end)
      return false;
  }
  return true;
}

} // namespace

runtime::stream_actor::behavior_type stream_actor(self_pointer self, runtime::environment env,
                                                  std::string name, std::shared_ptr<reading> work) {
  auto& s = self->state;
  s.env = std::move(env);
  s.stream = name;
  s.work = std::move(work);
  s.known.component = "stream";
  s.known.name = std::move(name);
  s.known.kind = "stream";
  self->set_down_handler([self](caf::down_msg& down) { gone(self, down); });
  tell(self, "running");
  return {
      [self](runtime::atom::join, const caf::strong_actor_ptr& flow,
             const runtime::subscription& wish) { join(self, flow, wish); },
      [self](runtime::atom::credit, const std::string& flow, uint32_t n) {
        auto at = self->state.members.find(flow);
        if (at == self->state.members.end())
          return;
        at->second.credit += n;
        hand_out(self);
        read_again(self);
      },
      [self](runtime::atom::idle) { return idle(self); },
      [self](runtime::atom::stop) {
        tell(self, "stopped");
        self->quit();
      },
      [self](runtime::atom::read) { read(self); },
  };
}

} // namespace rtdp::flow
