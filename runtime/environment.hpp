/// What every actor of a node is given at birth. Copied freely; the bus and the metrics may be used
/// by several threads.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/core/shelf.hpp"
#include "runtime/ops/metrics.hpp"
#include "runtime/protocol.hpp"

#include <memory>
#include <string>

namespace rtdp::runtime {

struct environment {
  std::string node;
  std::string data_dir;
  /// Part of a cluster: another node may take over what this one has at any time.
  bool clustered = false;
  std::shared_ptr<bus::bus> bus;
  std::shared_ptr<ops::metrics> metrics;
  feedback_actor feedback;
  std::shared_ptr<shelf> left_behind = std::make_shared<shelf>();
};

} // namespace rtdp::runtime
