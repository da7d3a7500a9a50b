/// Types as databases name them, as far as one can be compared with another: families, sizes,
/// precision and scale, over the spellings of PostgreSQL, MySQL, MariaDB and SQLite. Used by
/// schema_change.cpp; plain functions, any thread.
#pragma once

#include "runtime/ums/schema_change.hpp"

#include <optional>
#include <string_view>

namespace rtdp::ums {

/// Nothing when one of the two is not a type whose size is known, so that the names tell nothing.
std::optional<type_change> native_change(std::string_view from, std::string_view to);

} // namespace rtdp::ums
