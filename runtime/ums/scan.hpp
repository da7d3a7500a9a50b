/// Looks at text eight bytes at a time (SWAR: SIMD within a register). Internal to runtime/ums.
/// Pure.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rtdp::ums::scan {

static_assert(std::endian::native == std::endian::little, "the first byte must be the lowest one");

constexpr uint64_t ones = 0x0101010101010101;
constexpr uint64_t tops = 0x8080808080808080;

inline uint64_t load8(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

/// The top bit of each byte below `n` (n <= 128). A borrow may flag a byte above the first hit, so
/// only the lowest flag is exact; that is all the callers use.
constexpr uint64_t below(uint64_t v, uint8_t n) { return (v - ones * n) & ~v & tops; }
constexpr uint64_t equal(uint64_t v, char c) { return below(v ^ ones * uint8_t(c), 1); }

/// What a JSON string must escape: control characters, quote, backslash (RFC 8259, 7).
constexpr uint64_t to_escape(uint64_t v) { return below(v, 0x20) | equal(v, '"') | equal(v, '\\'); }
constexpr uint64_t backslash(uint64_t v) { return equal(v, '\\'); }

/// Position of the first byte that `test` flags, or the length.
template<uint64_t (*test)(uint64_t)>
inline size_t find(std::string_view text) {
  const char* p = text.data();
  size_t n = text.size();
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    if (auto hit = test(load8(p + i)))
      return i + size_t(std::countr_zero(hit)) / 8;
  if (i == n)
    return n;
  if (n >= 8) {
    // The last eight bytes once more: those before i are known to be clean.
    auto hit = test(load8(p + n - 8));
    return hit ? n - 8 + size_t(std::countr_zero(hit)) / 8 : n;
  }
  uint64_t v = ones * 'a';
  std::memcpy(&v, p, n);
  auto hit = test(v);
  return hit ? size_t(std::countr_zero(hit)) / 8 : n;
}

inline size_t find_to_escape(std::string_view text) { return find<to_escape>(text); }
inline bool has_backslash(std::string_view text) { return find<backslash>(text) != text.size(); }

} // namespace rtdp::ums::scan
