/// Typed columns of log tables: the text of a cell becomes a value, strictly, or is refused. Pure,
/// apart from the JSON reader it borrows.
#pragma once

#include "actors/extract/log_json.hpp"
#include "actors/extract/log_rules.hpp"
#include "runtime/ums/batch.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rtdp::extract::logs {

/// A time as microseconds since 1970 UTC. `format` empty: ISO 8601 with or without zone; `epoch_s`
/// (a fraction allowed), `epoch_ms`, `epoch_us`; else a pattern of strptime, `%f` for the digits of
/// a fraction. Nothing for a text that does not fit to its last character, and for a day that no
/// calendar has.
std::optional<int64_t> parse_time(std::string_view text, const std::string& format);

/// What is wrong with a `time_format`; nothing for a good one.
error check_time_format(const std::string& format);

/// Appends one value to `to`, or the error says why not and nothing is appended. The error never
/// holds the value.
error append_value(const column_settings& column, const cell& c, json_reader& json,
                   ums::column& to);

} // namespace rtdp::extract::logs
