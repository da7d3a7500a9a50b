#include "runtime/ums/base64.hpp"

#include <array>
#include <cstdint>

namespace rtdp::ums::base64 {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr uint8_t no_digit = 0xff;

constexpr auto digits = [] {
  std::array<uint8_t, 256> table{};
  table.fill(no_digit);
  for (size_t i = 0; i < alphabet.size(); ++i)
    table[uint8_t(alphabet[i])] = uint8_t(i);
  return table;
}();

} // namespace

char* encode(std::string_view bytes, char* to) {
  auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t n = bytes.size();
  for (; n >= 3; n -= 3, p += 3) {
    uint32_t v = uint32_t(p[0]) << 16 | uint32_t(p[1]) << 8 | p[2];
    *to++ = alphabet[v >> 18];
    *to++ = alphabet[v >> 12 & 63];
    *to++ = alphabet[v >> 6 & 63];
    *to++ = alphabet[v & 63];
  }
  if (n == 0)
    return to;
  uint32_t v = uint32_t(p[0]) << 16 | (n == 2 ? uint32_t(p[1]) << 8 : 0);
  *to++ = alphabet[v >> 18];
  *to++ = alphabet[v >> 12 & 63];
  *to++ = n == 2 ? alphabet[v >> 6 & 63] : '=';
  *to++ = '=';
  return to;
}

bool decode(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 != 0)
    return false;
  size_t pads = 0;
  while (pads < 2 && pads < text.size() && text[text.size() - 1 - pads] == '=')
    ++pads;
  out.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    bool last = i + 4 == text.size();
    size_t kept = last ? 4 - pads : 4;
    uint32_t v = 0;
    for (size_t k = 0; k < 4; ++k) {
      auto digit = k < kept ? digits[uint8_t(text[i + k])] : uint8_t(0);
      if (digit == no_digit)
        return false;
      v = v << 6 | digit;
    }
    if (kept < 4 && (v & (kept == 3 ? 0xffu : 0xffffu)) != 0)
      return false;
    out += char(v >> 16);
    if (kept > 2)
      out += char(v >> 8);
    if (kept > 3)
      out += char(v);
  }
  return true;
}

} // namespace rtdp::ums::base64
