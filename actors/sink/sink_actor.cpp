#include "actors/sink/sink_actor.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/core/backoff.hpp"

namespace rtdp::sink {

namespace {

using self_pointer = runtime::sink_actor::stateful_pointer<sink_state>;
using namespace std::chrono_literals;
using order = sink_state::order;

constexpr auto tell_interval = 1s;

void tell(self_pointer self, std::string state, std::string reason = "") {
  auto& s = self->state;
  s.known.state = std::move(state);
  s.known.reason = std::move(reason);
  s.known.figures["epoch"] = s.work->epoch();
  self->send(s.env.feedback, runtime::atom::status_v, s.known);
}

/// Carries out one order; delivers its answer unless it has to be tried again.
error carry_out(self_pointer self, order& o) {
  auto& s = self->state;
  if (o.what == order::what::write) {
    auto receipt = s.work->write(o.rows);
    if (!receipt)
      return receipt.error();
    s.known.figures["rows_out"] += int64_t(receipt->rows);
    s.known.figures["dead_letters"] += int64_t(receipt->dead_letters);
    s.env.metrics->rows_out({.sink = s.known.name}).Increment(double(receipt->rows));
    s.env.metrics->dead_letters({.flow = s.flow}).Increment(double(receipt->dead_letters));
    o.reply.deliver(*receipt);
  } else if (o.what == order::what::advance) {
    if (auto failed = s.work->advance(o.progress))
      return failed;
    o.reply.deliver(true);
  } else if (o.what == order::what::warm) {
    if (auto failed = s.work->warm())
      return failed;
    tell(self, "suspended", "warm: connected, without the fence");
    o.reply.deliver(true);
  } else {
    auto progress = s.work->open(o.epoch);
    if (!progress)
      return progress.error();
    s.connected = true;
    s.over = {};
    s.env.metrics->flow_epoch({s.flow}).Set(double(s.work->epoch()));
    tell(self, "running");
    o.reply.deliver(*progress);
  }
  return {};
}

void work_off(self_pointer self);

/// Waits and tries again, or tells FLOW that it is over.
void failed(self_pointer self, const error& e) {
  auto& s = self->state;
  if (e == ec::unavailable) {
    s.connected = false;
    s.waiting = true;
    s.env.metrics->retries({.sink = s.known.name}).Increment();
    tell(self, "starting", e.text());
    self->delayed_send(self, backoff{}.delay(s.attempt++, self->id()), runtime::atom::retry_v);
    return;
  }
  s.env.metrics->errors({.sink = s.known.name}).Increment();
  if (e == ec::fenced)
    s.env.metrics->fenced_writes({s.flow}).Increment();
  tell(self, "failed", e.text());
  s.over = e;
  s.orders.front().reply.deliver(runtime::to_caf(e));
  s.orders.pop_front();
  work_off(self);
}

void work_off(self_pointer self) {
  auto& s = self->state;
  while (!s.waiting && !s.orders.empty()) {
    // Its progress would pass by the order that failed.
    if (s.over && !s.orders.front().begins()) {
      s.orders.front().reply.deliver(runtime::to_caf(s.over));
      s.orders.pop_front();
      continue;
    }
    // After a broken connection: connect and take the fence again before the order that broke it.
    if (!s.connected && !s.orders.front().begins()) {
      if (auto progress = s.work->open(s.work->epoch()); !progress)
        return failed(self, progress.error());
      s.connected = true;
      tell(self, "running");
    }
    if (auto e = carry_out(self, s.orders.front()))
      return failed(self, e);
    s.attempt = 0;
    s.orders.pop_front();
  }
}

template<class T>
caf::result<T> accept(self_pointer self, order o) {
  auto reply = self->make_response_promise<T>();
  o.reply = reply;
  self->state.orders.push_back(std::move(o));
  work_off(self);
  return reply;
}

/// Ends with its FLOW. What failed stays failed in the lists, whatever ended first.
void end(self_pointer self, caf::exit_msg& why) {
  if (self->state.known.state != "failed")
    tell(self, "stopped");
  self->quit(std::move(why.reason));
}

void tick(self_pointer self) {
  auto& known = self->state.known;
  self->delayed_send(self, tell_interval, runtime::atom::tick_v);
  tell(self, known.state, known.reason);
}

} // namespace

runtime::sink_actor::behavior_type sink_actor(self_pointer self, runtime::environment env,
                                              std::string flow, std::string name, std::string kind,
                                              std::shared_ptr<writer> work) {
  auto& s = self->state;
  s.env = std::move(env);
  s.work = std::move(work);
  s.flow = std::move(flow);
  s.known.component = "sink";
  s.known.name = std::move(name);
  s.known.kind = std::move(kind);
  s.known.texts["flow"] = s.flow;
  self->set_exit_handler([self](caf::exit_msg& why) { end(self, why); });
  tell(self, "starting");
  self->delayed_send(self, tell_interval, runtime::atom::tick_v);
  return {
      [self](runtime::atom::warm) {
        return accept<bool>(self, {order::what::warm, {}, {}, 0, {}});
      },
      [self](runtime::atom::open, int64_t epoch) {
        return accept<std::string>(self, {order::what::open, {}, {}, epoch, {}});
      },
      [self](runtime::atom::write, const runtime::write_order& rows) {
        return accept<runtime::write_receipt>(self, {order::what::write, rows, {}, 0, {}});
      },
      [self](runtime::atom::advance, const std::string& progress) {
        return accept<bool>(self, {order::what::advance, {}, progress, 0, {}});
      },
      [self](runtime::atom::retry) {
        self->state.waiting = false;
        work_off(self);
      },
      [self](runtime::atom::tick) { tick(self); },
  };
}

} // namespace rtdp::sink
