#include "runtime/cluster/remote.hpp"

#include "runtime/caf_error.hpp"
#include "runtime/cluster/endpoint.hpp"
#include "runtime/cluster/tls_remoting.hpp"

#include <caf/actor_system.hpp>
#include <caf/expected.hpp>
#include <caf/io/middleman.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <set>
#include <utility>

namespace rtdp::cluster {

namespace {

using namespace std::chrono_literals;

/// Every so often each node says to each other that it is there, besides what MEMBER says.
constexpr auto heartbeat = 500ms;
/// Without a word for so long, a connection is closed and its actors are DOWN. Without this setting
/// CAF 0.17.6 waits for a frozen peer for ever.
constexpr auto silence_max = 2s;
/// A round trip to the other side of the world takes a third of it.
constexpr auto reach_max = 1s;
/// Above the time after which CAF gives up a connection that does not begin to speak.
constexpr auto handshake_max = silence_max + 2 * heartbeat;
constexpr auto explain_max = 1s;
constexpr auto listen_max = 5s;

tls_settings tls_of(const caf::actor_system& system) {
  const auto& c = system.config();
  return {c.openssl_certificate, c.openssl_key, c.openssl_cafile};
}

error nobody(const std::string& address, const std::string& why) {
  return unavailable(fmt::format("{}: {}", address, why));
}

runtime::connector_actor::behavior_type connector_actor(runtime::connector_actor::pointer self,
                                                        const caf::actor_addr& link) {
  self->monitor(link);
  self->set_down_handler([self](caf::down_msg&) { self->quit(); });
  return {
      [self](runtime::atom::open,
             const std::string& address) -> caf::result<caf::strong_actor_ptr> {
        auto at = reach(address, reach_max);
        if (!at)
          return runtime::to_caf(nobody(address, at.error().text()));
        auto reply = self->make_response_promise<caf::strong_actor_ptr>();
        auto silent = [self, reply, address, at = *at](const caf::error&) mutable {
          auto why = why_silent(at, tls_of(self->system()), explain_max);
          reply.deliver(runtime::to_caf(nobody(address, why)));
        };
        self->request(middleman_of(self->system()), handshake_max, caf::connect_atom_v, at->host,
                      at->port)
            .then(
                [reply, silent](const caf::node_id&, caf::strong_actor_ptr& found,
                                const std::set<std::string>&) mutable {
                  if (found)
                    reply.deliver(std::move(found));
                  else
                    silent(caf::error{});
                },
                silent);
        return reply;
      },
  };
}

} // namespace

error load_remoting(runtime::system_config& config, const tls_settings& tls) {
  if (tls.on()) {
    auto copies = load_tls(tls);
    if (!copies)
      return copies.error();
    config.openssl_certificate = copies->certificate;
    config.openssl_key = copies->key;
    config.openssl_cafile = copies->ca;
  }
  config.load<caf::io::middleman>();
  config.set("middleman.heartbeat-interval", caf::timespan(heartbeat));
  config.set("middleman.connection-timeout", caf::timespan(silence_max));
  // What comes in is read where it is received. Workers would wake up once more for each beat, and
  // nothing that nodes tell each other takes long to read.
  config.set("middleman.workers", 0);
  if (tls.on()) {
    config.load<tls_module>();
    // OpenSSL writes without MSG_NOSIGNAL.
    std::signal(SIGPIPE, SIG_IGN);
  }
  return {};
}

result<uint16_t> listen(const std::string& address, const runtime::member_actor& member) {
  auto at = free_to_listen(address, "listen");
  if (!at)
    return at.error();
  auto& system = member.home_system();
  caf::scoped_actor self{system};
  result<uint16_t> port{unavailable("")};
  self->request(middleman_of(system), listen_max, caf::publish_atom_v, at->port,
                caf::actor_cast<caf::strong_actor_ptr>(member), system.message_types(member),
                at->host, true)
      .receive([&port](uint16_t bound) { port = bound; },
               [&](caf::error& e) {
                 port = unavailable(fmt::format("listen: cannot listen on {}: {}", address,
                                                runtime::from_caf(e).text()));
               });
  return port;
}

runtime::connector_actor spawn_connector(caf::local_actor& parent, caf::actor_addr link) {
  return parent.spawn<caf::detached>(connector_actor, std::move(link));
}

} // namespace rtdp::cluster
