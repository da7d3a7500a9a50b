/// How the nodes of a cluster reach each other: CAF's remoting, set up for one node. The only files
/// beside `tls_remoting` that name it. Used by the composition root, in the order of this header; a node
/// alone calls nothing of it and then has no thread and no socket for it.
///
/// How soon the loss of a node is told (DOWN), measured with these settings between two processes of
/// one machine: after kill -9 in 1 ms (six times, 21 ms once on a busy machine), since the kernel
/// closes its connections; after SIGSTOP in 1.5 s to 2.4 s (eight times): the connection time-out,
/// less what the last heartbeat was old, and up to the next look at it.
#pragma once

#include "runtime/cluster/tls.hpp"
#include "runtime/core/error.hpp"
#include "runtime/protocol.hpp"
#include "runtime/system.hpp"

#include <caf/actor_addr.hpp>
#include <caf/fwd.hpp>

#include <cstdint>
#include <string>

namespace rtdp::cluster {

/// Adds remoting to the settings of an actor system that is not made yet; with `tls`, checks its
/// files first and tells which of them is wrong. Nothing listens before `listen`.
error load_remoting(runtime::system_config& config, const tls_settings& tls);

/// Publishes MEMBER at "host:port"; from then on peers may call. Returns the port, for port 0. With
/// TLS in the settings only peers that have it too are let in. Blocks; not for actors.
/// REQUIRES: the system was made with `load_remoting`.
result<uint16_t> listen(const std::string& address, const runtime::member_actor& member);

/// CONNECTOR, detached since looking up and connecting block, for the LINK with the address `link`;
/// ends with it. Answers `unavailable` with the reason when nobody answers within some seconds.
/// REQUIRES: the system was made with `load_remoting`.
runtime::connector_actor spawn_connector(caf::local_actor& parent, caf::actor_addr link);

} // namespace rtdp::cluster
