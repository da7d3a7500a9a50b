/// CAF's settings, fixed in code: users never see them. CAF's own option parser and its
/// caf-application.ini are kept out, since both ignore unknown keys.
#pragma once

#include "runtime/protocol.hpp"

#include <caf/actor_system_config.hpp>

namespace rtdp::runtime {

struct system_config : caf::actor_system_config {
  system_config() {
    add_message_types<caf::id_block::rtdp>();
    config_file_path.clear();
    // Scheduled actors only pass messages on; whoever blocks is detached.
    set("scheduler.max-threads", 2);
    // Workers that wait on a condition. The default, stealing, polls: each message then costs some
    // 500 naps of 50 us afterwards (40 % of the CPU under 20,000 rows/s), and waits up to 10 ms for
    // a worker that naps longer.
    set("scheduler.policy", caf::atom("sharing"));
  }
};

} // namespace rtdp::runtime
