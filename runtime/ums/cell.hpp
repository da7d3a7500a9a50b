/// Text of single cells into raw memory: what the writer uses where `std::string` would check its
/// end for each cell. Internal to runtime/ums. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rtdp::ums::cell {

/// Room that each of these needs at most: "-292277-01-09 04:00:54.775808", a date of any int64, the
/// longest shortest double ("-2.2250738585072014e-308").
constexpr size_t size_max = 40;

/// Each writes at `to` and returns the end.
char* put_int(int64_t value, char* to);
char* put_date(int64_t days, char* to);
char* put_datetime(int64_t micros, char* to);
char* put_real(double value, bool is_float, char* to);
char* put_boolean(int64_t value, char* to);

} // namespace rtdp::ums::cell
