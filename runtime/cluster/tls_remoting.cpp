#include "runtime/cluster/tls_remoting.hpp"

#include "runtime/cluster/tls_session.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_registry.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/interfaces.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/make_counted.hpp>
#include <caf/send.hpp>

#include <unistd.h>

#include <functional>
#include <string>
#include <utility>

namespace rtdp::cluster {

namespace {

namespace io = caf::io;
namespace net = caf::io::network;
using outcome = tls_session::outcome;

constexpr auto registered = caf::atom("tls");

net::rw_state state_of(outcome x) {
  return x == outcome::failed ? net::rw_state::failure : net::rw_state::success;
}

/// How CAF's stream reads and writes. It takes 0 bytes for "when the socket is ready again".
class tls_policy {
public:
  /// `established` is called once.
  tls_policy(tls_session session, std::function<void()> established)
      : session_(std::move(session)), on_established_(std::move(established)) {}

  bool established() const { return session_.established(); }
  net::rw_state read_some(size_t& got, net::native_socket, void* into, size_t size) {
    got = 0;
    if (!session_.established()) {
      auto greeted = session_.greet();
      if (greeted != outcome::done)
        return state_of(greeted);
      on_established_();
    }
    return size == 0 ? net::rw_state::indeterminate : state_of(session_.read(into, size, got));
  }
  /// REQUIRES: established.
  net::rw_state write_some(size_t& put, net::native_socket, const void* from, size_t size) {
    put = 0;
    return size == 0 ? net::rw_state::indeterminate : state_of(session_.write(from, size, put));
  }
  bool must_read_more(net::native_socket, size_t threshold) const {
    return session_.pending() >= threshold;
  }

private:
  tls_session session_;
  std::function<void()> on_established_;
};

/// A connection. What is to be written before TLS is established waits, so that the socket is not
/// watched for room, which it always has.
class tls_scribe : public io::scribe {
public:
  tls_scribe(net::default_multiplexer& multiplexer, net::native_socket socket, tls_session session)
      : scribe(net::conn_hdl_from_socket(socket)),
        stream_(multiplexer, socket, tls_policy(std::move(session), [this] { established(); })) {}

  void configure_read(io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (!launched_)
      stream_.start(this);
    launched_ = true;
  }
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }
  void flush() override {
    if (established_)
      stream_.flush(this);
  }
  std::string addr() const override {
    auto found = net::remote_addr_of_fd(stream_.fd());
    return found ? *found : std::string();
  }
  uint16_t port() const override {
    auto found = net::remote_port_of_fd(stream_.fd());
    return found ? *found : uint16_t{0};
  }
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }

private:
  void established() {
    established_ = true;
    stream_.flush(this);
  }

  bool launched_ = false, established_ = false;
  net::stream_impl<tls_policy> stream_;
};

class tls_doorman : public net::doorman_impl {
public:
  tls_doorman(net::default_multiplexer& multiplexer, net::native_socket socket, tls_context context)
      : doorman_impl(multiplexer, socket), context_(std::move(context)) {}

  bool new_connection() override {
    auto socket = acceptor_.accepted_socket();
    if (detached()) {
      ::close(socket);
      return false;
    }
    auto& multiplexer = acceptor_.backend();
    net::nonblocking(socket, true);
    auto made = caf::make_counted<tls_scribe>(multiplexer, socket,
                                              tls_session(context_, socket, true));
    auto handle = made->hdl();
    parent()->add_scribe(std::move(made));
    return doorman::new_connection(&multiplexer, handle);
  }

private:
  tls_context context_;
};

class tls_middleman : public io::middleman_actor_impl {
public:
  tls_middleman(caf::actor_config& config, caf::actor broker, tls_context context)
      : middleman_actor_impl(config, std::move(broker)), context_(std::move(context)) {}

  const char* name() const override { return "tls-middleman"; }

protected:
  caf::expected<io::scribe_ptr> connect(const std::string& host, uint16_t port) override {
    auto socket = net::new_tcp_connection(host, port);
    if (!socket)
      return std::move(socket.error());
    net::nonblocking(*socket, true);
    tls_session session(context_, *socket, false);
    // Says hello; everything else is an answer to what comes.
    if (session.greet() == outcome::failed) {
      ::close(*socket);
      return caf::sec::cannot_connect_to_node;
    }
    return caf::make_counted<tls_scribe>(multiplexer(), *socket, std::move(session));
  }
  caf::expected<io::doorman_ptr> open(uint16_t port, const char* address, bool reuse) override {
    auto socket = net::new_tcp_acceptor_impl(port, address, reuse);
    if (!socket)
      return std::move(socket.error());
    return caf::make_counted<tls_doorman>(multiplexer(), *socket, context_);
  }

private:
  net::default_multiplexer& multiplexer() {
    return static_cast<net::default_multiplexer&>(system().middleman().backend());
  }

  tls_context context_;
};

} // namespace

caf::actor_system::module* tls_module::make(caf::actor_system& system, caf::detail::type_list<>) {
  return new tls_module(system);
}

void tls_module::start() {
  const auto& c = system_.config();
  auto context = make_tls_context({c.openssl_certificate, c.openssl_key, c.openssl_cafile});
  auto broker = system_.middleman().named_broker<io::basp_broker>(caf::atom("BASP"));
  connects_ = system_.spawn<tls_middleman, caf::detached + caf::hidden>(broker, context);
  system_.registry().put(registered, connects_);
}

void tls_module::stop() {
  system_.registry().erase(registered);
  caf::anon_send_exit(connects_, caf::exit_reason::kill);
  connects_ = nullptr;
}

io::middleman_actor middleman_of(caf::actor_system& system) {
  return system.has_openssl_manager()
             ? caf::actor_cast<io::middleman_actor>(
                   system.registry().get<caf::strong_actor_ptr>(registered))
             : system.middleman().actor_handle();
}

} // namespace rtdp::cluster
