/// The address of a peer, tried with plain sockets before CAF is asked to connect, because CAF
/// 0.17.6 looks names up and connects without a limit in time, all peers in one thread: one host
/// that is switched off would keep the node from all others for two minutes. Knows no CAF; blocks,
/// so it belongs to a thread of its own.
#pragma once

#include "runtime/cluster/tls.hpp"
#include "runtime/core/error.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace rtdp::cluster {

/// A host in numbers, so that nobody looks it up again.
struct endpoint {
  std::string host;
  uint16_t port = 0;
};

/// The first address behind "host:port" that takes a connection within `time`. The look-up itself
/// has the limit of the system's resolver.
result<endpoint> reach(const std::string& address, std::chrono::milliseconds time);

/// "host:port" as an address of this machine that nobody listens on. `setting` is where it comes
/// from, for errors.
result<endpoint> free_to_listen(const std::string& address, const std::string& setting);

/// Why no node of rtdp answers at `at`, which takes connections: a clause for people, such as "it
/// does not speak TLS; …". Blocks for `time` at most.
std::string why_silent(const endpoint& at, const tls_settings& mine,
                       std::chrono::milliseconds time);

} // namespace rtdp::cluster
