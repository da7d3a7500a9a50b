/// TABLE: one namespace of a source. Adds up what SOURCE published of it and tells FEEDBACK.
/// Scheduled; lives as long as its SOURCE.
#pragma once

#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <string>

namespace rtdp::extract {

struct table_state {
  runtime::environment env;
  runtime::report known;
  std::string source;
  static inline constexpr const char* name = "table";
};

runtime::table_actor::behavior_type
table_actor(runtime::table_actor::stateful_pointer<table_state> self, runtime::environment env,
            std::string source, std::string ns);

} // namespace rtdp::extract
