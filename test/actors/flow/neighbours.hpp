/// The actors around a FLOW or a STREAM, as tests play them: they do what they are told and
/// remember what they were asked.
#pragma once

#include "runtime/caf_error.hpp"
#include "runtime/protocol.hpp"
#include "test/support/deterministic.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::test {

/// A SINK that answers a write only when it is sent (atom::retry), oldest first.
struct sink_script {
  /// What it answers when it is opened; nothing as long as `opens` is false.
  std::string stored;
  bool opens = true;
  /// Whether it answers when it is told to connect.
  bool connects = true;
  std::vector<int64_t> epochs;
  uint64_t dead_letters = 0;
  /// It is in the middle of something when it is told to end, and goes on until it is killed.
  bool lingers = false;
  std::vector<runtime::write_order> written;
  std::vector<std::string> advanced;
  std::deque<caf::typed_response_promise<runtime::write_receipt>> unanswered;
};

inline runtime::sink_actor::behavior_type scripted_sink(runtime::sink_actor::pointer self,
                                                        std::shared_ptr<sink_script> s) {
  self->set_exit_handler([self, s](caf::exit_msg& why) {
    if (!s->lingers)
      self->quit(std::move(why.reason));
  });
  return {
      [self, s](runtime::atom::warm) -> caf::result<bool> {
        if (s->connects)
          return true;
        return self->make_response_promise<bool>();
      },
      [self, s](runtime::atom::open, int64_t epoch) -> caf::result<std::string> {
        s->epochs.push_back(epoch);
        if (s->opens)
          return s->stored;
        return self->make_response_promise<std::string>();
      },
      [self, s](runtime::atom::write,
                const runtime::write_order& o) -> caf::result<runtime::write_receipt> {
        s->written.push_back(o);
        s->unanswered.push_back(self->make_response_promise<runtime::write_receipt>());
        return s->unanswered.back();
      },
      [s](runtime::atom::advance, const std::string& progress) {
        s->advanced.push_back(progress);
        return true;
      },
      [s](runtime::atom::retry) {
        auto next = std::move(s->unanswered.front());
        s->unanswered.pop_front();
        runtime::write_receipt receipt;
        receipt.rows = 1;
        receipt.dead_letters = s->dead_letters;
        next.deliver(receipt);
      },
      [](runtime::atom::tick) {},
  };
}

struct stream_script {
  std::vector<runtime::subscription> joined;
  uint32_t credit = 0;
};

inline runtime::stream_actor::behavior_type scripted_stream(runtime::stream_actor::pointer self,
                                                            std::shared_ptr<stream_script> s) {
  return {
      [s](runtime::atom::join, const caf::strong_actor_ptr&, const runtime::subscription& wish) {
        s->joined.push_back(wish);
      },
      [s](runtime::atom::credit, const std::string&, uint32_t n) { s->credit += n; },
      [](runtime::atom::idle) { return true; },
      [self](runtime::atom::stop) { self->quit(); },
      [](runtime::atom::read) {},
  };
}

struct marks_script {
  std::vector<std::string> seen;
};

inline runtime::heartbeat_actor::behavior_type scripted_heartbeat(runtime::heartbeat_actor::pointer,
                                                                  std::shared_ptr<marks_script> s) {
  return {
      [s](runtime::atom::seen, const std::string& flow, const std::string& ns, int64_t at) {
        s->seen.push_back(flow + " " + ns + " " + std::to_string(at));
      },
      [](runtime::atom::join, const caf::strong_actor_ptr&) {},
      [](runtime::atom::tick) {},
  };
}

/// How an actor ended.
struct ending {
  bool ended = false;
  bool normally = false;
  rtdp::error why;
};

template<class Handle>
std::shared_ptr<ending> watch(deterministic& system, const Handle& actor) {
  auto into = std::make_shared<ending>();
  system.spawn([into, actor](caf::event_based_actor* self) {
    self->monitor(actor);
    self->set_down_handler([into](caf::down_msg& down) {
      into->ended = true;
      into->normally = !down.reason || down.reason == caf::exit_reason::normal;
      if (!into->normally)
        into->why = runtime::from_caf(down.reason);
    });
    // Stays for the down message.
    return caf::behavior{[](runtime::atom::tick) {}};
  });
  system.run();
  return into;
}

/// Ends `actor` as its own failure would.
template<class Handle>
void fail(deterministic& system, const Handle& actor, const rtdp::error& why) {
  system.spawn([=](caf::event_based_actor* self) { self->send_exit(actor, runtime::to_caf(why)); });
  system.run();
}

} // namespace rtdp::test
