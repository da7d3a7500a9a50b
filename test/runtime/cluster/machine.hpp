/// A node of a cluster in the test's own process, as far as remoting goes: an actor system of its
/// own with a MEMBER stub that listens on the loopback, over real sockets.
#pragma once

#include "runtime/cluster/handshake.hpp"
#include "runtime/cluster/link_actor.hpp"
#include "runtime/cluster/remote.hpp"
#include "test/runtime/cluster/member_stub.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace rtdp::cluster::test {

using namespace std::chrono_literals;

/// Far above what anything here takes, so that a slow machine fails no test.
constexpr auto patience = 20s;

class machine {
public:
  /// Port 0: any.
  explicit machine(std::string name, const tls_settings& tls = {}, uint16_t port = 0)
      : settings_(tls), name_(std::move(name)) {
    REQUIRE_MESSAGE(!settings_.failed, settings_.failed.text());
    script->me = current_hello(name_, "0.1.0", boot_id());
    script->forward = caf::actor_cast<caf::actor>(self);
    member = system_.spawn(member_stub, script);
    auto bound = listen("127.0.0.1:" + std::to_string(port), member);
    REQUIRE_MESSAGE(bool(bound), bound.error().text());
    port_ = *bound;
  }
  /// LINKs end with their MEMBER.
  ~machine() { caf::anon_send_exit(member, caf::exit_reason::kill); }
  machine(const machine&) = delete;
  machine& operator=(const machine&) = delete;

  const std::string& name() const { return name_; }
  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void link_to(const std::string& peer, const std::string& address) {
    system_.spawn(link_actor, script->me, member, link_plan{peer, address, spawn_connector});
  }
  /// What LINK tells MEMBER next; null: a loss.
  std::optional<caf::strong_actor_ptr> next_peer() {
    std::optional<caf::strong_actor_ptr> out;
    self->receive([&](atom::peer, const std::string&,
                      const caf::strong_actor_ptr& handle) { out = handle; },
                  caf::after(patience) >> [] {});
    return out;
  }
  /// The handle that LINK hands over next.
  runtime::member_actor next_handle() {
    auto told = next_peer();
    REQUIRE(told);
    REQUIRE(*told);
    return caf::actor_cast<runtime::member_actor>(*told);
  }
  /// Why CONNECTOR finds nobody at `address`; empty when it does.
  std::string why_not(const std::string& address) {
    auto connector = spawn_connector(*self.ptr(), self->address());
    std::string out;
    self->request(connector, patience, atom::open_v, address)
        .receive([](const caf::strong_actor_ptr&) {},
                 [&](const caf::error& e) { out = runtime::from_caf(e).text(); });
    caf::anon_send_exit(connector, caf::exit_reason::kill);
    return out;
  }
  /// The answer to a request.
  template<class T, class... Ts>
  std::optional<T> ask(const runtime::member_actor& whom, Ts... xs) {
    std::optional<T> out;
    self->request(whom, patience, xs...)
        .receive([&](T& x) { out = std::move(x); },
                 [](const caf::error& e) { FAIL_CHECK(runtime::from_caf(e).text()); });
    return out;
  }
  /// The next message of this kind that MEMBER was sent.
  template<class Atom, class T>
  std::optional<T> next(Atom) {
    std::optional<T> out;
    self->receive([&](Atom, const T& x) { out = x; }, caf::after(patience) >> [] {});
    return out;
  }

private:
  struct settings : runtime::system_config {
    error failed;
    explicit settings(const tls_settings& tls) { failed = load_remoting(*this, tls); }
  };
  settings settings_;
  std::string name_;
  caf::actor_system system_{settings_};
  uint16_t port_ = 0;

public:
  caf::scoped_actor self{system_};
  member_script_ptr script = std::make_shared<member_script>();
  runtime::member_actor member;
};

/// As two nodes of one cluster do: one of them calls.
inline void join(machine& one, machine& other) {
  auto& caller = calls(one.name(), other.name()) ? one : other;
  auto& called = &caller == &one ? other : one;
  caller.link_to(called.name(), called.address());
}

} // namespace rtdp::cluster::test
