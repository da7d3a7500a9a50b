#include "runtime/sql/decimal.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace rtdp::sql {

namespace {

// 10^18 is the largest power of ten that a signed 64-bit integer holds.
constexpr uint8_t digits64 = 18;
constexpr uint64_t ten18 = 1'000'000'000'000'000'000;

/// Reads digits onto `value` as long as there are some; counts those that matter.
template<class T>
const char* read_digits(const char* at, const char* end, T& value, unsigned& significant) {
  for (; at != end && *at >= '0' && *at <= '9'; ++at) {
    value = T(value * 10 + T(*at - '0'));
    significant += significant != 0 || *at != '0';
    if (significant > 38)
      return nullptr;
  }
  return at;
}

template<class T>
std::optional<int128> parse_as(std::string_view text, decimal_shape shape) {
  const char *at = text.data(), *end = at + text.size();
  bool negative = at != end && *at == '-';
  if (at != end && (*at == '-' || *at == '+'))
    ++at;
  T value = 0;
  unsigned significant = 0;
  const char* whole = at;
  at = read_digits(at, end, value, significant);
  if (at == nullptr)
    return {};
  auto digits = at - whole;
  unsigned behind = 0;
  if (at != end && *at == '.') {
    const char* fraction = ++at;
    // Zeros behind what the scale holds change nothing.
    while (end - fraction > shape.scale && end[-1] == '0')
      --end;
    at = read_digits(at, end, value, significant);
    if (at == nullptr)
      return {};
    behind = unsigned(at - fraction);
    digits += behind;
  }
  if (at != end || digits == 0 || behind > shape.scale)
    return {};
  if (significant != 0)
    significant += shape.scale - behind;
  if (significant > shape.width)
    return {};
  for (; behind < shape.scale; ++behind)
    value = T(value * 10);
  return negative ? -int128(value) : int128(value);
}

char* print64(uint64_t value, char* end) {
  do {
    *--end = char('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return end;
}

} // namespace

decimal_shape decimal_shape_of(std::string_view native) {
  auto open = native.find('(');
  if (open == native.npos || native.back() != ')')
    return {};
  auto name = native.substr(0, open);
  if (name != "numeric" && name != "decimal" && name != "NUMERIC" && name != "DECIMAL")
    return {};
  int width = 0, scale = 0;
  const char* end = native.data() + native.size() - 1;
  auto [at, bad_width] = std::from_chars(native.data() + open + 1, end, width);
  if (bad_width != std::errc())
    return {};
  if (at != end && *at == ',') {
    do
      ++at;
    while (at != end && *at == ' ');
    auto [rest, bad_scale] = std::from_chars(at, end, scale);
    at = rest;
    if (bad_scale != std::errc())
      return {};
  }
  if (at != end || width < 1 || width > 38 || scale < 0 || scale > width)
    return {};
  return {uint8_t(width), uint8_t(scale)};
}

std::optional<int128> parse_decimal(std::string_view text, decimal_shape shape) {
  // At most 18 characters cannot overflow 64 bits, unless the scale adds zeros.
  if (text.size() + shape.scale <= digits64)
    return parse_as<int64_t>(text, shape);
  return parse_as<uint128>(text, shape);
}

void append_decimal(int128 value, uint8_t scale, std::string& out) {
  char buffer[48];
  char* const end = buffer + sizeof buffer;
  char* at = end;
  bool negative = value < 0;
  auto rest = negative ? uint128(0) - uint128(value) : uint128(value);
  // Eighteen digits at a time: 128-bit divisions are slow.
  while (rest >= ten18) {
    auto low = uint64_t(rest % ten18);
    rest /= ten18;
    char* stop = at - digits64;
    at = print64(low, at);
    while (at != stop)
      *--at = '0';
  }
  at = print64(uint64_t(rest), at);
  while (end - at <= scale)
    *--at = '0';
  if (negative)
    out += '-';
  out.append(at, end - scale);
  if (scale > 0) {
    out += '.';
    out.append(end - scale, end);
  }
}

} // namespace rtdp::sql
