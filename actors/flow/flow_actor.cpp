#include "actors/flow/flow_actor.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>

namespace rtdp::flow {

namespace {

using namespace std::chrono_literals;
using self_pointer = runtime::flow_actor::stateful_pointer<flow_state>;

void tell(self_pointer self, std::string state, std::string reason = "") {
  auto& s = self->state;
  s.known.state = std::move(state);
  s.known.reason = std::move(reason);
  s.known.figures["dead_letters"] = s.dead_letters;
  if (!s.complete_until_us.empty()) {
    // The slowest source tells, so that one that stands still does not hide behind the others.
    auto oldest = std::min_element(s.complete_until_us.begin(), s.complete_until_us.end(),
                                   [](auto& a, auto& b) { return a.second < b.second; });
    auto lag = std::max<int64_t>(0, now_us() - oldest->second);
    s.known.figures["lag_us"] = lag;
    s.env.metrics->lag_seconds({.flow = s.settings.name}).Set(double(lag) / 1e6);
  }
  if (s.stored_us > 0)
    s.env.metrics->checkpoint_age({.flow = s.settings.name})
        .Set(double(now_us() - s.stored_us) / 1e6);
  s.known.texts["position"] = s.applied.text();
  self->send(s.env.feedback, runtime::atom::status_v, s.known);
}

/// Ends the flow; the supervisor reads the error and decides whether it may try again.
void give_up(self_pointer self, const error& e) {
  self->state.env.metrics->errors({.flow = self->state.settings.name}).Increment();
  self->quit(runtime::to_caf(e));
}

void end(self_pointer self) {
  tell(self, "stopped");
  self->send_exit(self->state.sink, caf::exit_reason::user_shutdown);
  self->quit();
}

void end_if_stopped(self_pointer self) {
  auto& s = self->state;
  if (!s.stopping || !s.queue.empty())
    return;
  // Before SINK is open nothing is known to store, and an empty progress would undo the stored one.
  if (!s.joined)
    return end(self);
  self->request(s.sink, 5s, runtime::atom::advance_v, s.applied.text())
      .then([self](bool) { end(self); },
            [self](caf::error& e) { give_up(self, runtime::from_caf(e)); });
}

void keep_stored(self_pointer self, const state::progress& p) {
  self->state.stored = p;
  self->state.stored_us = now_us();
}

void observe(self_pointer self, const flow_state::under_way& u, int64_t done_us) {
  auto& s = self->state;
  const auto& d = u.what;
  const auto& name = s.settings.name;
  if (d.data->rows() == 0 || d.data->kind == ums::protocol::initial_data)
    return;
  auto committed_us = d.data->timestamps().back();
  s.env.metrics->end_to_end_latency({name}).Observe(double(done_us - committed_us) / 1e6);
  auto stage = [&s](const char* word, int64_t from_us, int64_t to_us) {
    s.env.metrics->stage_latency({.flow = s.settings.name, .stage = word})
        .Observe(double(std::max<int64_t>(0, to_us - from_us)) / 1e6);
  };
  stage("read", committed_us, d.read_us);
  // A replayed dead letter did not come from the bus.
  if (d.bus_us > 0) {
    stage("extract", committed_us, d.bus_us);
    stage("bus", d.bus_us, d.read_us);
  }
  stage("step", d.read_us, u.stepped_us);
  stage("sink", u.stepped_us, done_us);
}

/// Time of the mark that has come through every partition of the delivery's topic, so that the
/// slowest one tells; nothing while one has brought none.
std::optional<int64_t> marked_everywhere(flow_state& s, const runtime::delivery& d) {
  auto topic = d.partition.substr(0, d.partition.rfind('/'));
  auto& marks = s.marks_us[topic];
  auto& last = marks[d.partition];
  last = std::max(last, d.data->timestamps().back());
  auto known = s.settings.partitions.find(topic);
  if (known != s.settings.partitions.end() && marks.size() < size_t(known->second))
    return {};
  auto slowest = std::min_element(marks.begin(), marks.end(),
                                  [](auto& a, auto& b) { return a.second < b.second; });
  return slowest->second;
}

/// A mark came out at the end of the flow.
void arrived(self_pointer self, const runtime::delivery& d) {
  auto& s = self->state;
  if (d.data->kind != ums::protocol::increment_heartbeat || d.data->rows() == 0)
    return;
  auto everywhere = marked_everywhere(s, d);
  if (!everywhere)
    return;
  auto marked_us = *everywhere;
  const auto& name = d.data->schema->name;
  auto& until_us = s.complete_until_us[name[ums::ns::instance]];
  until_us = std::max(until_us, marked_us);
  auto heartbeat = s.settings.heartbeats.find(name[ums::ns::instance]);
  if (heartbeat != s.settings.heartbeats.end())
    self->send(heartbeat->second, runtime::atom::seen_v, s.settings.name, name.text(), marked_us);
}

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
  end_if_stopped(self);
}

void written(self_pointer self, const runtime::write_receipt& receipt) {
  auto& s = self->state;
  auto at =
      std::find_if(s.queue.begin(), s.queue.end(), [](const auto& u) { return u.unwritten > 0; });
  if (at == s.queue.end())
    return;
  if (--at->unwritten == 0)
    keep_stored(self, at->after);
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
void take(self_pointer self, const runtime::delivery& d, bool costs_credit,
          caf::response_promise reply = {}) {
  auto& s = self->state;
  s.known.figures["rows_in"] += d.data->carries_rows() ? int64_t(d.data->rows()) : 0;
  if (d.data->carries_rows())
    s.env.metrics->rows_in({.flow = s.settings.name}).Increment(double(d.data->rows()));
  auto orders = s.work->process(d);
  // A replay that cannot be carried out is its caller's matter, not the end of the flow.
  if (!orders && reply.pending())
    return reply.deliver(runtime::to_caf(orders.error()));
  if (!orders)
    return give_up(self, orders.error());
  s.queue.push_back({d, s.work->progress(), orders->size(), costs_credit, now_us()});
  if (orders->empty()) {
    // What a truncate took since, or a before-image: there is nothing to apply any more.
    if (reply.pending())
      reply.deliver(true);
    return retire(self);
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
}

caf::result<bool> replay(self_pointer self, const std::string& message) {
  // Before that the progress is not known, and the row would store an empty one.
  if (!self->state.joined || self->state.stopping)
    return runtime::to_caf(unavailable("the flow is not running"));
  auto bytes = message;
  ums::reader decode;
  std::vector<ums::batch> batches;
  std::vector<ums::bad_row> bad;
  if (auto e = decode.read(bytes, batches, bad))
    return runtime::to_caf(e.in("the dead letter is not a UMS message"));
  if (!bad.empty())
    return runtime::to_caf(rejected("the dead letter still does not decode: " + bad[0].reason));
  if (batches.size() != 1 || !batches[0].carries_rows())
    return runtime::to_caf(rejected("the dead letter holds no rows"));
  runtime::delivery d;
  d.data = std::make_shared<const ums::batch>(std::move(batches[0]));
  d.read_us = now_us();
  auto reply = self->make_response_promise<bool>();
  take(self, d, false, reply);
  return reply;
}

void joined(self_pointer self, const std::string& stored) {
  auto& s = self->state;
  auto progress = state::progress::parse(stored);
  if (!progress)
    return give_up(self, progress.error().in("stored progress"));
  s.applied = s.stored = *progress;
  s.work->restore(*progress);
  runtime::subscription wish{s.settings.name, s.settings.pattern, s.settings.topics,
                             progress->offsets, s.settings.credit};
  self->send(s.stream, runtime::atom::join_v, caf::actor_cast<caf::strong_actor_ptr>(self),
             std::move(wish));
  s.joined = true;
  tell(self, "running");
  self->delayed_send(self, 1s, runtime::atom::tick_v);
}

void open(self_pointer self) {
  auto& s = self->state;
  // No time-out: SINK goes on trying while its store is unavailable and says so in its report.
  self->request(s.sink, caf::infinite, runtime::atom::open_v, s.settings.epoch)
      .then([self](const std::string& stored) { joined(self, stored); },
            [self](caf::error& e) { give_up(self, runtime::from_caf(e)); });
}

void tick(self_pointer self) {
  auto& s = self->state;
  self->delayed_send(self, 1s, runtime::atom::tick_v);
  tell(self, s.stopping ? "stopping" : "running");
  if (!s.queue.empty() || s.stored == s.applied)
    return;
  // Marks moved the offsets without a row: keep them too, so that a restart need not read them
  // again.
  keep_stored(self, s.applied);
  self->request(s.sink, 30s, runtime::atom::advance_v, s.applied.text())
      .then([](bool) {}, [self](caf::error& e) { give_up(self, runtime::from_caf(e)); });
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
    // A stream that was stopped on purpose gives no more; what is under way is still written.
    if (down.reason != caf::exit_reason::normal)
      give_up(self, unavailable("the stream it reads from ended"));
  });
  tell(self, "starting");
  self->send(self, runtime::atom::open_v);
  return {
      [self](runtime::atom::deliver, const runtime::delivery& d) {
        if (!self->state.stopping)
          take(self, d, true);
      },
      [self](runtime::atom::replay, const std::string& message) { return replay(self, message); },
      [self](runtime::atom::idle) { return self->state.joined && self->state.queue.empty(); },
      [self](runtime::atom::stop) {
        self->state.stopping = true;
        end_if_stopped(self);
      },
      [self](runtime::atom::join, const std::string& source, const caf::strong_actor_ptr& next) {
        self->state.settings.heartbeats[source] =
            caf::actor_cast<runtime::heartbeat_actor>(next);
      },
      [self](runtime::atom::open) { open(self); },
      [self](runtime::atom::tick) { tick(self); },
  };
}

} // namespace rtdp::flow
