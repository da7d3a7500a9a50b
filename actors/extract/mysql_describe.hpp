/// The tables of a `mysql` source as its first batches will have them, for checks before the start.
#pragma once

#include "config/spec.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/schema.hpp"

#include <vector>

namespace rtdp::extract::my {

/// `kind::describe`: bounded by `describe_time`, writes nothing, any thread.
result<std::vector<ums::schema>> describe_source(const std::string& name,
                                                 const config::section& given);

} // namespace rtdp::extract::my
