/// Rows as PostgreSQL's COPY text format. Pure.
#pragma once

#include "actors/sink/newest.hpp"

#include <span>
#include <string>

namespace rtdp::sink {

/// Appends one line per picked row: ums_id_, ums_ts_ (not for iud_clean), ums_op_ (insert) or
/// ums_active_, keys, values. A deleted row carries its key only, the rest is null.
/// `rejected` for a text with a NUL byte, which PostgreSQL cannot hold.
error append_copy(const ums::batch& b, std::span<const uint32_t> rows, const layout& to,
                  std::string& out);

} // namespace rtdp::sink
