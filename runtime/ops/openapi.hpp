/// The OpenAPI document, made from the route table, so that it cannot tell anything else than what
/// the server does. Pure.
#pragma once

#include "runtime/ops/router.hpp"

#include <string>
#include <vector>

namespace rtdp::ops {

/// OpenAPI 3.1, as JSON.
std::string openapi(const std::vector<route>& routes, const std::string& version);

} // namespace rtdp::ops
