/// Exact decimals between UMS text and DuckDB's scaled 128-bit integers. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rtdp::sql {

// "__extension__" keeps -Wpedantic quiet about a type that is not ISO C++.
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

/// DECIMAL(width, scale): `width` digits in all, at most 38, `scale` of them behind the point.
struct decimal_shape {
  uint8_t width = 38;
  uint8_t scale = 12;
  bool operator==(const decimal_shape&) const = default;
};

/// Of a source's type name "numeric(p,s)", "numeric(p)" or "decimal(p,s)"; DECIMAL(38,12) when it
/// says nothing that DuckDB can hold.
decimal_shape decimal_shape_of(std::string_view native);

/// The value times 10^scale. Nothing when `text` is not a plain decimal (NaN, Infinity, an
/// exponent) or does not fit exactly; zeros at either end do not count.
std::optional<int128> parse_decimal(std::string_view text, decimal_shape shape);

/// The text of `value` / 10^scale, with exactly `scale` digits behind the point.
void append_decimal(int128 value, uint8_t scale, std::string& out);

} // namespace rtdp::sql
