/// CAF's remoting over TLS, in the place of CAF 0.17.6's own TLS module, which has three defects:
/// - What one connection leaves in OpenSSL's queue of errors closes the others: a node that died, or
///   a stranger with one wrong byte, cut all connections of a node.
/// - A stranger that connects and says nothing keeps CAF's thread busy for ever.
/// - It reads the files for each connection, and an exception ends the process when they are wrong.
/// Used by `remote` only.
#pragma once

#include <caf/actor_system.hpp>
#include <caf/detail/type_list.hpp>
#include <caf/io/middleman_actor.hpp>

namespace rtdp::cluster {

/// The part of an actor system that makes connections under TLS. Its files are those of the
/// system's settings (openssl_certificate, openssl_key, openssl_cafile). Owned by the system.
class tls_module : public caf::actor_system::module {
public:
  /// REQUIRES: the middleman is loaded, and the files are good (`load_tls`).
  static module* make(caf::actor_system& system, caf::detail::type_list<>);

  void start() override;
  void stop() override;
  void init(caf::actor_system_config&) override {}
  id_t id() const override { return openssl_manager; }
  void* subtype_ptr() override { return this; }

private:
  explicit tls_module(caf::actor_system& system) : system_(system) {}

  caf::actor_system& system_;
  caf::io::middleman_actor connects_;
};

/// Connects and listens: under TLS when `tls_module` is loaded, plain otherwise.
caf::io::middleman_actor middleman_of(caf::actor_system& system);

} // namespace rtdp::cluster
