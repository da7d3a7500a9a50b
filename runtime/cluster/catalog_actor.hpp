/// CATALOG: the actor around a `catalog_topic`. Spawn it detached: the bus blocks. Reads for ever,
/// tells MEMBER every record in its order, and appends when its node leads. Retries for ever, with
/// back-off, what is `unavailable`; ends with MEMBER, or when the topic cannot be read any more.
#pragma once

#include "runtime/cluster/catalog_topic.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <memory>
#include <string>

namespace rtdp::cluster {

struct catalog_state {
  std::unique_ptr<catalog_topic> log;
  uint32_t attempt = 0;
  static inline constexpr const char* name = "catalog";
};

/// `client` is how the bus knows this node.
runtime::catalog_actor::behavior_type
catalog_actor(runtime::catalog_actor::stateful_pointer<catalog_state> self,
              std::shared_ptr<bus::bus> bus, std::string client, runtime::member_actor member);

} // namespace rtdp::cluster
