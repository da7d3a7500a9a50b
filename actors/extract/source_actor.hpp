/// SOURCE: the actor around an `extraction`. Spawn it detached: drivers and the bus block.
///
/// Retries for ever, with back-off, what is `unavailable`; ends with the error when something is
/// `rejected`, so that its supervisor can say why it failed.
#pragma once

#include "actors/extract/extraction.hpp"
#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <memory>
#include <string>

namespace rtdp::extract {

struct source_state {
  std::shared_ptr<extraction> work;
  runtime::environment env;
  /// One TABLE per namespace, spawned when its first rows come.
  std::map<ums::ns, runtime::table_actor> tables;
  runtime::report known;
  uint32_t attempt = 0;
  bool opened = false;
  static inline constexpr const char* name = "source";
};

runtime::source_actor::behavior_type
source_actor(runtime::source_actor::stateful_pointer<source_state> self, runtime::environment env,
             std::shared_ptr<extraction> work, std::string kind);

} // namespace rtdp::extract
