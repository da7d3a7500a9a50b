/// What a `postgres` source will send, found out without reading changes: for checks before the
/// start. A function over a connection of its own; any thread may call it.
#pragma once

#include "config/spec.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/schema.hpp"

#include <string>
#include <vector>

namespace rtdp::extract::pg {

/// As `kind::describe`: only reads the catalog. A table that the publication does not hold yet is
/// described with all its columns, since the start adds it so.
result<std::vector<ums::schema>> describe_source(const std::string& name,
                                                 const config::section& settings);

} // namespace rtdp::extract::pg
