#include "actors/flow/flow_work.hpp"

#include "actors/flow/flow_handover.hpp"
#include "actors/flow/flow_report.hpp"
#include "runtime/caf_error.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace rtdp::flow {

namespace {

using namespace std::chrono_literals;
using phase = flow_state::phase;

void end(self_pointer self) {
  tell(self, "stopped");
  self->send_exit(self->state.sink, caf::exit_reason::user_shutdown);
  self->quit();
}

void keep_stored(self_pointer self, const state::progress& p) {
  self->state.stored = p;
  self->state.stored_us = now_us();
  if (auto failed = self->state.work->committed(p))
    give_up(self, failed);
}

} // namespace

void give_up(self_pointer self, const error& e) {
  auto& s = self->state;
  if (s.now == phase::ending)
    return;
  s.env.metrics->errors({.flow = s.settings.name}).Increment();
  s.now = phase::ending;
  s.over = e;
  self->unlink_from(s.sink);
  self->monitor(s.sink);
  self->send_exit(s.sink, caf::exit_reason::user_shutdown);
}

void advance(self_pointer self) {
  auto& s = self->state;
  s.advancing = true;
  self->request(s.sink, 30s, runtime::atom::advance_v, s.applied.text())
      .then(
          [self, p = s.applied](bool) {
            self->state.advancing = false;
            keep_stored(self, p);
            come_to_rest(self);
          },
          [self](caf::error& e) { give_up(self, runtime::from_caf(e)); });
}

void come_to_rest(self_pointer self) {
  auto& s = self->state;
  if (s.now != phase::frozen || !s.queue.empty() || s.advancing)
    return;
  if (s.stored != s.applied)
    return advance(self);
  for (auto& reply : std::exchange(s.on_frozen, {}))
    reply.deliver(s.applied.text());
}

void end_if_stopped(self_pointer self) {
  auto& s = self->state;
  if (!s.stopping || !s.queue.empty() || s.now == phase::ending)
    return;
  // Before SINK is open nothing is known to store, and an empty progress would undo the stored one;
  // at rest everything is stored, and the fence may be another node's by now.
  bool at_rest = s.now == phase::frozen && !s.advancing && s.stored == s.applied;
  if (at_rest)
    s.work->leave_behind(*s.env.left_behind);
  if (at_rest || (s.now != phase::running && s.now != phase::frozen))
    return end(self);
  self->request(s.sink, 5s, runtime::atom::advance_v, s.applied.text())
      .then([self](bool) { end(self); },
            [self](caf::error& e) { give_up(self, runtime::from_caf(e)); });
}

namespace {

/// Lets go of what is done at the front, in order, and asks STREAM for as much again.
void retire(self_pointer self) {
  auto& s = self->state;
  uint32_t credit = 0;
  while (!s.queue.empty() && s.queue.front().unwritten == 0) {
    auto& front = s.queue.front();
    arrived(self, front.what);
    s.applied = std::move(front.after);
    credit += front.costs_credit ? 1 : 0;
    s.queue.pop_front();
  }
  if (credit > 0)
    self->send(s.stream, runtime::atom::credit_v, s.settings.name, credit);
  settle(self);
  come_to_rest(self);
  end_if_stopped(self);
}

void written(self_pointer self, const runtime::write_receipt& receipt) {
  auto& s = self->state;
  auto at =
      std::find_if(s.queue.begin(), s.queue.end(), [](const auto& u) { return u.unwritten > 0; });
  if (at == s.queue.end())
    return;
  if (--at->unwritten == 0) {
    s.size.done(at->what.data->rows(), at->stepped_us, receipt.done_us);
    keep_stored(self, at->after);
  }
  s.dead_letters += int64_t(receipt.dead_letters);
  s.known.figures["rows_out"] += int64_t(receipt.rows);
  s.env.metrics->rows_out({.flow = s.settings.name}).Increment(double(receipt.rows));
  if (at->unwritten == 0)
    observe(self, *at, receipt.done_us);
  if (s.dead_letters > s.settings.dead_letters_max)
    return give_up(self,
                   rejected(std::to_string(s.dead_letters) +
                            " rows went to the dead letters, "
                            "more than dead_letters_max allows: look at `rtdp dead-letters`"));
  retire(self);
}

/// Runs the steps and passes the result to SINK. `reply` is told when the rows are written.
/// False when the flow had to give up. What SINK need not write is left for `retire`, because that
/// may freeze the flow, and a delivery is taken whole.
bool take_piece(self_pointer self, const runtime::delivery& d, bool costs_credit,
                caf::response_promise reply = {}) {
  auto& s = self->state;
  s.known.figures["rows_in"] += d.data->carries_rows() ? int64_t(d.data->rows()) : 0;
  if (d.data->carries_rows())
    s.env.metrics->rows_in({.flow = s.settings.name}).Increment(double(d.data->rows()));
  auto orders = s.work->process(d);
  // A replay that cannot be carried out is its caller's matter, not the end of the flow.
  if (!orders && reply.pending()) {
    reply.deliver(runtime::to_caf(orders.error()));
    return true;
  }
  if (!orders) {
    give_up(self, orders.error());
    return false;
  }
  s.queue.push_back({d, s.work->progress(), orders->size(), costs_credit, now_us()});
  if (orders->empty()) {
    // What a truncate took since, or a before-image: there is nothing to apply any more.
    if (reply.pending())
      reply.deliver(true);
    return true;
  }
  auto refused = std::make_shared<uint64_t>(0);
  for (size_t i = 0; i < orders->size(); ++i) {
    bool last = i + 1 == orders->size();
    // No time-out: SINK answers when its store does, and FLOW dies with SINK.
    self->request(s.sink, caf::infinite, runtime::atom::write_v, std::move((*orders)[i]))
        .then(
            [self, reply, refused, last](const runtime::write_receipt& receipt) mutable {
              *refused += receipt.dead_letters;
              if (last && reply.pending())
                reply.deliver(*refused == 0);
              written(self, receipt);
            },
            [self](caf::error& e) { give_up(self, runtime::from_caf(e)); });
  }
  return true;
}

/// False when the flow had to give up.
bool take(self_pointer self, const runtime::delivery& d) {
  const auto& s = self->state;
  auto pieces = cut(d, s.work->stateful() ? s.size.rows() : SIZE_MAX);
  for (const auto& piece : pieces)
    if (!take_piece(self, piece, &piece == &pieces.back()))
      return false;
  retire(self);
  return true;
}

} // namespace

void take_or_hold(self_pointer self, const runtime::delivery& d) {
  auto& s = self->state;
  if (s.stopping || d.ticket != s.ticket)
    return;
  if (s.now == phase::running)
    take(self, d);
  else
    s.held.push_back(d);
}

void take_held(self_pointer self) {
  for (const auto& d : std::exchange(self->state.held, {}))
    if (!take(self, d))
      return;
}

caf::result<bool> replay(self_pointer self, const std::string& message) {
  // Before that the progress is not known, and the row would store an empty one; frozen it has told
  // its progress already.
  if (self->state.now != phase::running || self->state.stopping)
    return runtime::to_caf(unavailable("the flow is not running"));
  auto bytes = message;
  ums::reader decode;
  std::vector<ums::batch> decoded;
  std::vector<ums::bad_row> bad;
  if (auto e = decode.read(bytes, decoded, bad))
    return runtime::to_caf(e.in("the dead letter is not a UMS message"));
  if (!bad.empty())
    return runtime::to_caf(rejected("the dead letter still does not decode: " + bad[0].reason));
  if (decoded.size() != 1 || !decoded[0].carries_rows())
    return runtime::to_caf(rejected("the dead letter holds no rows"));
  runtime::delivery d;
  d.data = std::make_shared<const ums::batch>(std::move(decoded[0]));
  d.read_us = now_us();
  auto reply = self->make_response_promise<bool>();
  if (take_piece(self, d, false, reply))
    retire(self);
  return reply;
}

} // namespace rtdp::flow
