/// The network between the nodes, and their LINKs. A line goes from one node to another, keeps the
/// order of what it carries, and can be cut: then it holds everything back, as TCP does. What stays
/// cut for 2 s breaks the connections between the two, in both directions; a crash does at once.
/// Owned by the world of one seed.
#pragma once

#include "runtime/protocol.hpp"
#include "test/simulation/journal.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <array>
#include <deque>
#include <functional>
#include <string>

namespace rtdp::simulation {

inline constexpr int machines = 3;

inline std::string name_of(int machine) { return "n" + std::to_string(machine + 1); }

/// What the network has to know of a node.
struct endpoint {
  bool up = false;
  runtime::hello hello;
  runtime::member_actor member;
};

class network {
public:
  network(clockwork& clock, journal& events) : clock_(clock), events_(events) { look(); }

  std::array<endpoint, machines> ends;

  void cut(int from, int to);
  void heal(int from, int to);
  void heal_all();
  bool is_cut(int from, int to) const { return line_of(from, to).cut; }
  void crashed(int machine);

  /// Brings `what` over the line, behind all that it carries.
  void carry(int from, int to, std::function<void()> what);

private:
  struct line {
    bool cut = false;
    uint64_t cuts = 0;
    moment last{};
    std::deque<std::function<void()>> held;
  };
  /// LINK of one node to another.
  struct connection {
    bool up = false, trying = false;
    uint64_t serial = 0;
    caf::actor relay;
  };

  line& line_of(int from, int to) { return lines_[size_t(from * machines + to)]; }
  const line& line_of(int from, int to) const { return lines_[size_t(from * machines + to)]; }
  void arrive(int from, int to, std::function<void()> what);
  void look();
  void connect(int from, int to);
  void lose(int from, int to);

  clockwork& clock_;
  journal& events_;
  std::array<line, machines * machines> lines_;
  std::array<connection, machines * machines> connections_;
};

// -- what MEMBER sees of a peer ----

struct relay_state {
  network* net = nullptr;
  int from = 0, to = 0;
  runtime::member_actor target;
  /// Waits for its turn on the line there, and back.
  std::deque<std::function<void()>> there, back;
  static inline constexpr const char* name = "relay";
};
using relay_pointer = caf::stateful_actor<relay_state>*;

inline void send_there(relay_pointer self, std::function<void()> what) {
  auto& s = self->state;
  s.there.push_back(std::move(what));
  s.net->carry(s.from, s.to, [relay = caf::actor_cast<caf::actor>(self)] {
    caf::anon_send(relay, runtime::atom::tick_v);
  });
}

inline void send_back(relay_pointer self, std::function<void()> what) {
  auto& s = self->state;
  s.back.push_back(std::move(what));
  s.net->carry(s.to, s.from, [relay = caf::actor_cast<caf::actor>(self)] {
    caf::anon_send(relay, runtime::atom::read_v);
  });
}

template<class T, class... Ts>
caf::result<T> pass_request(relay_pointer self, Ts... xs) {
  auto promise = self->make_response_promise<T>();
  send_there(self, [=] {
    self->request(self->state.target, caf::infinite, xs...)
        .then([=](T& x) { send_back(self, [p = promise, x]() mutable { p.deliver(x); }); },
              [=](caf::error& e) {
                send_back(self, [p = promise, e]() mutable { p.deliver(e); });
              });
  });
  return promise;
}

template<class... Ts>
void pass_message(relay_pointer self, Ts... xs) {
  send_there(self, [=] { self->send(self->state.target, xs...); });
}

inline void next_of(std::deque<std::function<void()>>& waiting) {
  if (waiting.empty())
    return;
  auto what = std::move(waiting.front());
  waiting.pop_front();
  what();
}

/// Stands for the MEMBER of the other node; dies with the connection.
inline caf::behavior relay(relay_pointer self, network* net, int from, int to,
                           runtime::member_actor target) {
  namespace atom = runtime::atom;
  self->state.net = net;
  self->state.from = from;
  self->state.to = to;
  self->state.target = std::move(target);
  return {
      [self](atom::greet, const runtime::hello& h) {
        return pass_request<runtime::hello>(self, atom::greet_v, h);
      },
      [self](atom::beat, const runtime::beat& b) { pass_message(self, atom::beat_v, b); },
      [self](atom::progress, const std::string& flow) {
        return pass_request<std::string>(self, atom::progress_v, flow);
      },
      [self](atom::warm, const std::string& flow, const std::string& progress) {
        return pass_request<bool>(self, atom::warm_v, flow, progress);
      },
      [self](atom::freeze, const std::string& flow) {
        return pass_request<std::string>(self, atom::freeze_v, flow);
      },
      [self](atom::thaw, const std::string& flow) { pass_message(self, atom::thaw_v, flow); },
      [self](atom::drop, const std::string& flow) { pass_message(self, atom::drop_v, flow); },
      [self](atom::ask, const runtime::command& c) {
        return pass_request<std::string>(self, atom::ask_v, c);
      },
      [self](atom::status) {
        return pass_request<std::vector<runtime::report>>(self, atom::status_v);
      },
      [self](atom::tick) { next_of(self->state.there); },
      [self](atom::read) { next_of(self->state.back); },
  };
}

// -- lines ----

inline void network::carry(int from, int to, std::function<void()> what) {
  auto& l = line_of(from, to);
  auto delay = clock_.one_in(60) ? clock_.between(20ms, 500ms) : clock_.between(100us, 2ms);
  l.last = std::max(l.last + 1us, clock_.now() + delay);
  clock_.after(l.last - clock_.now(),
               [this, from, to, what = std::move(what)] { arrive(from, to, what); });
}

inline void network::arrive(int from, int to, std::function<void()> what) {
  auto& l = line_of(from, to);
  if (l.cut)
    l.held.push_back(std::move(what));
  else
    what();
}

inline void network::cut(int from, int to) {
  auto& l = line_of(from, to);
  if (l.cut)
    return;
  l.cut = true;
  events_.note("the line {} -> {} is cut", name_of(from), name_of(to));
  clock_.after(2s, [this, from, to, serial = ++l.cuts] {
    auto& still = line_of(from, to);
    if (!still.cut || still.cuts != serial)
      return;
    lose(from, to);
    lose(to, from);
  });
}

inline void network::heal(int from, int to) {
  auto& l = line_of(from, to);
  if (!l.cut)
    return;
  l.cut = false;
  events_.note("the line {} -> {} is whole", name_of(from), name_of(to));
  for (auto& what : std::exchange(l.held, {}))
    carry(from, to, std::move(what));
}

inline void network::heal_all() {
  for (int from = 0; from < machines; ++from)
    for (int to = 0; to < machines; ++to)
      heal(from, to);
}

// -- LINKs ----

/// LINK tries again every 200 ms.
inline void network::look() {
  for (int from = 0; from < machines; ++from)
    for (int to = 0; to < machines; ++to) {
      const auto& c = connections_[size_t(from * machines + to)];
      if (from != to && !c.up && !c.trying && ends[size_t(from)].up && ends[size_t(to)].up &&
          !line_of(from, to).cut && !line_of(to, from).cut && !clock_.frozen(from))
        connect(from, to);
    }
  clock_.after(200ms, [this] { look(); });
}

inline void network::connect(int from, int to) {
  auto& c = connections_[size_t(from * machines + to)];
  c.trying = true;
  c.relay = clock_.spawn(nowhere, relay, this, from, to, ends[size_t(to)].member);
  auto greeted = [this, from, to, serial = ++c.serial](bool welcome) {
    auto& now = connections_[size_t(from * machines + to)];
    if (now.serial != serial)
      return;
    now.trying = false;
    now.up = welcome;
    if (welcome)
      caf::anon_send(ends[size_t(from)].member, runtime::atom::peer_v, name_of(to),
                     caf::actor_cast<caf::strong_actor_ptr>(now.relay));
    else
      caf::anon_send_exit(now.relay, caf::exit_reason::kill);
  };
  clock_.spawn(from, [greeted, peer = c.relay,
                      hello = ends[size_t(from)].hello](caf::event_based_actor* self) {
    self->request(peer, 2s, runtime::atom::greet_v, hello)
        .then([greeted](runtime::hello&) { greeted(true); },
              [greeted](caf::error&) { greeted(false); });
  });
}

inline void network::lose(int from, int to) {
  auto& c = connections_[size_t(from * machines + to)];
  if (!c.up && !c.trying)
    return;
  ++c.serial;
  if (c.up && ends[size_t(from)].up)
    caf::anon_send(ends[size_t(from)].member, runtime::atom::peer_v, name_of(to),
                   caf::strong_actor_ptr{});
  c.up = c.trying = false;
  caf::anon_send_exit(c.relay, caf::exit_reason::kill);
}

inline void network::crashed(int machine) {
  for (int other = 0; other < machines; ++other) {
    lose(machine, other);
    const auto& c = connections_[size_t(other * machines + machine)];
    // The kernel closes the connections of a process that died; the other end reads of it soon.
    clock_.after(clock_.between(1ms, 20ms), [this, machine, other, serial = c.serial] {
      if (connections_[size_t(other * machines + machine)].serial == serial)
        lose(other, machine);
    });
  }
}

} // namespace rtdp::simulation
