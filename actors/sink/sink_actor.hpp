/// SINK: the actor around a `writer`. Spawn it detached: drivers block. Works off its orders one by
/// one, in the order they came; an order waits, with back-off, while the store is unavailable.
#pragma once

#include "actors/sink/writer.hpp"
#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <memory>
#include <string>

namespace rtdp::sink {

struct sink_state {
  /// `reply` is delivered when it is done.
  struct order {
    enum class what : uint8_t { warm, open, write, advance } what = what::write;
    runtime::write_order rows;
    std::string progress;
    int64_t epoch = 0;
    caf::response_promise reply;

    /// It needs nothing from the orders before it.
    bool begins() const { return what == what::warm || what == what::open; }
  };

  runtime::environment env;
  std::shared_ptr<writer> work;
  std::deque<order> orders;
  runtime::report known;
  std::string flow;
  uint32_t attempt = 0;
  bool connected = false;
  /// Why an order failed for good: until the next open the orders behind it fail with it.
  error over;
  /// True while an (atom::retry) is on its way.
  bool waiting = false;
  static inline constexpr const char* name = "sink";
};

/// `name` and `kind` are what lists show: the flow's `sink:` text and the kind of the store.
runtime::sink_actor::behavior_type
sink_actor(runtime::sink_actor::stateful_pointer<sink_state> self, runtime::environment env,
           std::string flow, std::string name, std::string kind, std::shared_ptr<writer> work);

} // namespace rtdp::sink
