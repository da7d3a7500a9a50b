/// How single values are written in the file: read and shown. Pure functions.
#pragma once

#include "config/spec.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rtdp::config {

/// true, false, yes, no, on, off, in any case.
std::optional<bool> read_bool(std::string_view text);
/// Decimal, with KiB, MiB or GiB behind it or not; empty when it does not fit 64 bits.
std::optional<int64_t> read_integer(std::string_view text);
/// Finite.
std::optional<double> read_number(std::string_view text);
/// "250ms", "5s", "2m", "1h", "7d", "0"; never negative.
std::optional<std::chrono::milliseconds> read_duration(std::string_view text);

/// The shortest form that `read_duration` reads.
std::string show_duration(std::chrono::milliseconds d);
/// The form with the largest suffix that is exact, for settings named `…bytes…`; else digits.
std::string show_integer(int64_t n, const std::string& setting);

} // namespace rtdp::config
