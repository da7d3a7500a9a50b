#include "actors/heartbeat/channel_actor.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/core/backoff.hpp"
#include "runtime/ops/log.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace rtdp::heartbeat {

namespace {

using namespace std::chrono_literals;
using channel_ptr = runtime::channel_actor::stateful_pointer<channel_state>;

/// A server that is away for a night is asked a few hundred times.
constexpr backoff pause{1s, 60s};

/// Hands over what waits, as many at once as the channel takes.
void work_off(channel_ptr self) {
  auto& s = self->state;
  while (!s.pausing && !s.queue.empty()) {
    auto count = std::min(s.queue.size(), s.way->notices_max());
    std::vector<notice> notices;
    for (size_t i = 0; i < count; ++i)
      notices.push_back(s.queue[i].what);
    auto failed = s.way->send(notices);
    if (failed == ec::unavailable) {
      ops::logger("alarm")->warn("{}: {}; {} notices wait", s.way->name(), failed.text(),
                                 s.queue.size());
      s.pausing = true;
      self->delayed_send(self, pause.delay(s.attempt++, self->id()), runtime::atom::retry_v);
      return;
    }
    s.attempt = 0;
    for (size_t i = 0; i < count; ++i) {
      auto done = std::move(s.queue.front());
      s.queue.pop_front();
      if (failed)
        done.reply.deliver(runtime::to_caf(failed.in(s.way->name())));
      else
        done.reply.deliver(true);
    }
  }
}

caf::result<bool> deliver(channel_ptr self, const std::string& event, const runtime::alarm& what) {
  auto& s = self->state;
  if (s.queue.size() >= notices_waiting_max)
    return runtime::to_caf(rejected(s.way->name() + ": " + std::to_string(notices_waiting_max) +
                                    " notices wait already"));
  s.queue.push_back({{event, what}, self->make_response_promise<bool>()});
  auto reply = s.queue.back().reply;
  // Behind the deliveries that are in the mailbox by now, so that one mail holds them all.
  if (s.queue.size() == 1 && !s.pausing)
    self->send(self, runtime::atom::retry_v);
  return reply;
}

} // namespace

runtime::channel_actor::behavior_type channel_actor(channel_ptr self,
                                                    std::shared_ptr<channel> way) {
  self->state.way = std::move(way);
  return {
      [self](runtime::atom::deliver, const std::string& event, const runtime::alarm& what) {
        return deliver(self, event, what);
      },
      [self](runtime::atom::retry) {
        self->state.pausing = false;
        work_off(self);
      },
  };
}

} // namespace rtdp::heartbeat
