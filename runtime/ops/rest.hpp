/// The route table of the node (DESIGN §7): health, metrics, the lists, what can be done to flows
/// and dead letters, the status page, and the OpenAPI document of all of them.
#pragma once

#include "runtime/ops/control.hpp"
#include "runtime/ops/metrics.hpp"
#include "runtime/ops/router.hpp"

#include <vector>

namespace rtdp::ops {

/// Both must outlive the server that gets the routes.
std::vector<route> rest_routes(control& node, const metrics& counted);

} // namespace rtdp::ops
