/// A NODE with children that do what the test says: one source, one stream, two flows "a" and "b".
#pragma once

#include "runtime/cluster/node_actor.hpp"
#include "test/support/deterministic.hpp"
#include "test/support/probe.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace rtdp::cluster::test {

namespace atom = runtime::atom;
using namespace std::chrono_literals;

/// What a child does when it is told, and what happened to it.
struct script {
  bool idle = true;
  bool ends_when_stopped = true;
  /// The error to end with when told to stop; none: a normal end.
  error stop_error;
  /// Each spawn; the last one lives.
  std::vector<caf::strong_actor_ptr> born;
  int marks = 0;
  /// Sources whose new heartbeat it was told.
  std::vector<std::string> joined;
  /// Of each spawn: its epoch, and "warm <progress>" where it was spawned warm.
  std::vector<int64_t> epochs;
  std::vector<std::string> warm;
  /// Each time it is told to resume; the answer to `warm` waits for a tick while it is not ready.
  std::vector<int64_t> resumed;
  bool ready = true;
  std::vector<caf::typed_response_promise<bool>> on_ready;
  int thaws = 0;
};
using script_ptr = std::shared_ptr<script>;
using names = std::shared_ptr<std::vector<std::string>>;

template<class Self>
void told_to_stop(Self* self, const std::string& name, const script& s, const names& stops) {
  stops->push_back(name);
  if (s.ends_when_stopped && s.stop_error)
    self->quit(runtime::to_caf(s.stop_error));
  else if (s.ends_when_stopped)
    self->quit();
}

inline runtime::source_actor::behavior_type source_stub(runtime::source_actor::pointer self,
                                                        script_ptr s, names stops) {
  return {
      [s](atom::mark) { ++s->marks; },
      [s](atom::idle) { return s->idle; },
      [](atom::snapshot, const runtime::snapshot_order&) { return true; },
      [self, s, stops](atom::stop) { told_to_stop(self, "source", *s, stops); },
      [self](atom::open) { self->quit(runtime::to_caf(rejected("wrong password"))); },
      [](atom::read) { throw std::runtime_error("a bug"); },
  };
}

inline runtime::heartbeat_actor::behavior_type
heartbeat_stub(runtime::heartbeat_actor::pointer self, runtime::source_actor first,
               names forgotten) {
  auto source = std::make_shared<runtime::source_actor>(std::move(first));
  return {
      [forgotten](atom::seen, const std::string& flow, const std::string& ns, int64_t) {
        if (ns.empty())
          forgotten->push_back(flow);
      },
      [source](atom::join, const caf::strong_actor_ptr& next) {
        *source = caf::actor_cast<runtime::source_actor>(next);
      },
      [self, source](atom::tick) { self->send(*source, atom::mark_v); },
  };
}

inline runtime::alarm_actor::behavior_type alarm_stub() {
  return {
      [](atom::list) { return std::vector<runtime::alarm>{}; },
      [](atom::tick) { throw std::runtime_error("a bug"); },
  };
}

inline runtime::stream_actor::behavior_type stream_stub(runtime::stream_actor::pointer self,
                                                        script_ptr s, names stops) {
  return {
      [](atom::join, const caf::strong_actor_ptr&, const runtime::subscription&) {},
      [](atom::credit, const std::string&, uint32_t) {},
      [s](atom::idle) { return s->idle; },
      [self, s, stops](atom::stop) { told_to_stop(self, "stream", *s, stops); },
      [](atom::read) {},
  };
}

inline runtime::flow_actor::behavior_type flow_stub(runtime::flow_actor::pointer self,
                                                    std::string name, script_ptr s, names stops,
                                                    runtime::stream_actor stream) {
  self->monitor(stream);
  self->set_down_handler([self](caf::down_msg& down) {
    if (down.reason != caf::exit_reason::normal)
      self->quit(runtime::to_caf(unavailable("the stream it reads from ended")));
  });
  return {
      [](atom::deliver, const runtime::delivery&) {},
      [](atom::replay, const std::string& message) { return message == "good"; },
      [s](atom::idle) { return s->idle; },
      [self, name, s, stops](atom::stop) { told_to_stop(self, name, *s, stops); },
      [s](atom::join, const std::string& source, const caf::strong_actor_ptr&) {
        s->joined.push_back(source);
      },
      [self, s](atom::warm) -> caf::result<bool> {
        if (s->ready)
          return true;
        return s->on_ready.emplace_back(self->make_response_promise<bool>());
      },
      [s](atom::resume, int64_t epoch) {
        s->resumed.push_back(epoch);
        return true;
      },
      [name](atom::freeze) { return "frozen " + name; },
      [s](atom::thaw) { ++s->thaws; },
      [name](atom::progress) { return "progress of " + name; },
      [self](atom::open) { self->quit(runtime::to_caf(unavailable("connection refused"))); },
      [s](atom::tick) {
        for (auto& reply : s->on_ready)
          reply.deliver(true);
      },
  };
}

struct around_node {
  rtdp::test::deterministic system;
  rtdp::test::surroundings around{system};
  script_ptr source = std::make_shared<script>(), stream = std::make_shared<script>();
  std::map<std::string, script_ptr> flows = {{"a", std::make_shared<script>()},
                                             {"b", std::make_shared<script>()}};
  names stops = std::make_shared<std::vector<std::string>>();
  /// Flows whose marks the heartbeat need not wait for.
  names forgotten = std::make_shared<std::vector<std::string>>();
  runtime::heartbeat_actor heartbeat;
  int heartbeats = 0;
  runtime::alarm_actor alarm;
  int alarms = 0;
  runtime::node_actor node;

  template<class Handle>
  Handle born(const script_ptr& s, Handle actor) {
    s->born.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor));
    return system.keep(actor);
  }

  node_plan::source plan_source() {
    return {"shop", false,
            [this](caf::local_actor& by, int64_t epoch) {
              source->epochs.push_back(epoch);
              return born(source, by.spawn(source_stub, source, stops));
            },
            [this](caf::local_actor& by, runtime::source_actor of) {
              ++heartbeats;
              return heartbeat = system.keep(by.spawn(heartbeat_stub, of, forgotten));
            }};
  }
  node_plan::stream plan_stream() {
    return {"main", [this](caf::local_actor& by) {
              return born(stream, by.spawn(stream_stub, stream, stops));
            }};
  }
  node_plan::flow plan_flow(const std::string& name, const script_ptr& s) {
    return {name, "main", false,
            [this, name, s](caf::local_actor& by, runtime::stream_actor from, auto, int64_t epoch,
                            const std::optional<std::string>& warm) {
              s->epochs.push_back(epoch);
              if (warm)
                s->warm.push_back(*warm);
              return born(s, by.spawn(flow_stub, name, s, stops, from));
            }};
  }
  node_plan plan() {
    node_plan p;
    p.limits.crashes_max = 3;
    p.sources.push_back(plan_source());
    p.streams.push_back(plan_stream());
    for (const auto& [name, s] : flows)
      p.flows.push_back(plan_flow(name, s));
    p.spawn_alarm = [this](caf::local_actor& by) {
      ++alarms;
      return alarm = system.keep(by.spawn(alarm_stub));
    };
    return p;
  }

  void start(bool b_is_stopped = false) {
    auto p = plan();
    p.flows[1].stopped = b_is_stopped;
    start(p);
  }
  void start(const node_plan& p) {
    node = system.spawn(node_actor, around.env, p);
    system.run();
  }

  template<class T>
  void tell(const script_ptr& child, T what) {
    system.send(caf::actor_cast<caf::actor>(child->born.back()), what);
  }
  void crash(const script_ptr& child) {
    system.kill(caf::actor_cast<caf::actor>(child->born.back()));
  }
  auto stop_flow(const std::string& name) {
    return system.ask<bool>(node, atom::stop_v, std::string("flow"), name);
  }
  auto start_flow(const std::string& name) {
    return system.ask<bool>(node, atom::start_v, std::string("flow"), name);
  }
  runtime::report told(const std::string& component, const std::string& name) const {
    return around.last(component, name);
  }
};

} // namespace rtdp::cluster::test
