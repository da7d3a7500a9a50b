#include "runtime/cluster/handshake.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

namespace rtdp::cluster {

namespace {

/// "n1 (rtdp 0.1.0) speaks versions 1 to 2"
std::string who_speaks(const runtime::hello& who) {
  return who.protocol_min == who.protocol_max
             ? fmt::format("{} (rtdp {}) speaks version {}", who.node, who.version,
                           who.protocol_max)
             : fmt::format("{} (rtdp {}) speaks versions {} to {}", who.node, who.version,
                           who.protocol_min, who.protocol_max);
}

error two_of(const std::string& node) {
  return rejected(
      fmt::format("two nodes are named {}; give one of them another name", node));
}

} // namespace

runtime::hello current_hello(std::string node, std::string version, std::string boot) {
  return {std::move(node), std::move(version), protocol_min, protocol_max, std::move(boot)};
}

std::string boot_id() {
  std::random_device random;
  std::string out;
  for (int i = 0; i < 4; ++i)
    out += fmt::format("{:08x}", uint32_t(random()));
  return out;
}

error accept(const runtime::hello& mine, const runtime::hello& theirs, const known_peer* known) {
  if (theirs.node.empty() || theirs.boot.empty() || theirs.protocol_min > theirs.protocol_max)
    return rejected(fmt::format("expected a hello with a node's name, a boot id and versions of "
                                "the cluster protocol; found name \"{}\", boot \"{}\", versions "
                                "{} to {}",
                                theirs.node, theirs.boot, theirs.protocol_min,
                                theirs.protocol_max));
  if (theirs.node == mine.node)
    return theirs.boot == mine.boot
               ? rejected(fmt::format("{} reached itself; give each node its own `listen`",
                                      mine.node))
               : two_of(mine.node);
  if (theirs.protocol_max < mine.protocol_min || mine.protocol_max < theirs.protocol_min) {
    const auto& older = theirs.protocol_max < mine.protocol_max ? theirs : mine;
    return rejected(fmt::format("no common version of the cluster protocol: {}, {}; upgrade {}",
                                who_speaks(mine), who_speaks(theirs), older.node));
  }
  if (known && known->alive && known->boot != theirs.boot)
    return two_of(theirs.node);
  return {};
}

bool calls(const std::string& caller, const std::string& called) { return caller < called; }

uint32_t agreed(const runtime::hello& mine, const runtime::hello& theirs) {
  return std::min(mine.protocol_max, theirs.protocol_max);
}

} // namespace rtdp::cluster
