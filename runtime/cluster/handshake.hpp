/// Who may work together: what two nodes tell each other before anything else, and when one refuses
/// the other. Pure; knows no CAF. Used by LINK (who calls) and MEMBER (who is called).
///
/// `hello` itself must keep its shape in all versions: two nodes that cannot read each other's
/// could not tell people why.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/peer.hpp"

#include <cstdint>
#include <string>

namespace rtdp::cluster {

/// The versions of `runtime/protocol.hpp`, as far as it crosses the network, that this program
/// speaks. A change that an older node would not understand raises the highest; the lowest follows
/// one release later, so that the nodes of a cluster can be upgraded one by one. In 2 most
/// beats are short, which 1 would take for a node without components; no release had 1.
inline constexpr uint32_t protocol_min = 2;
inline constexpr uint32_t protocol_max = 2;

/// Another node as far as MEMBER knows it by now.
struct known_peer {
  std::string boot;
  /// It is connected and beats.
  bool alive = false;
};

/// What this program says of itself as `node`. `version` is that of rtdp, `boot` a `boot_id`.
runtime::hello current_hello(std::string node, std::string version, std::string boot);

/// 128 random bits in hex; another one at each call.
std::string boot_id();

/// `rejected` when the two cannot work together: no version of the protocol in common, or two nodes
/// of one name. `known` is what is known under their name; null: nothing. Whether one that counts as
/// alive still answers is for MEMBER to find out: a node that was started anew is there before its
/// former process counts as lost.
error accept(const runtime::hello& mine, const runtime::hello& theirs, const known_peer* known);

/// Which of two nodes calls the other: the one whose name comes first, so that there is one connection
/// for both directions. Would both call at the same moment, each would speak on a connection of its
/// own and close it for silence after some seconds.
bool calls(const std::string& caller, const std::string& called);

/// The version of the protocol that the two speak with each other: the highest in common.
/// REQUIRES: `accept` has no objection.
uint32_t agreed(const runtime::hello& mine, const runtime::hello& theirs);

} // namespace rtdp::cluster
