#include "actors/flow/cells.hpp"

#include "runtime/ums/codec.hpp"

#include <bit>
#include <cstring>

namespace rtdp::flow {
namespace {

/// In front of each cell.
enum tag : char { null_tag = 1, int_tag, real_tag, decimal_tag, text_tag };

constexpr uint64_t top_bit = uint64_t{1} << 63;
/// A decimal's power of ten is kept with this added.
constexpr int64_t power_bias = int64_t{1} << 31;
constexpr unsigned digits_most = 38;

void append_big_endian(uint64_t value, std::string& out) {
  char bytes[8];
  for (int i = 7; i >= 0; --i, value >>= 8)
    bytes[i] = char(value & 0xff);
  out.append(bytes, 8);
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8 && i < bytes.size(); ++i)
    value = value << 8 | uint8_t(bytes[i]);
  return value;
}

uint64_t ordered(double d) {
  // -0.0 equals 0.0.
  auto bits = std::bit_cast<uint64_t>(d == 0 ? 0.0 : d);
  return bits & top_bit ? ~bits : bits | top_bit;
}

double real_of(uint64_t bits) {
  return std::bit_cast<double>(bits & top_bit ? bits & ~top_bit : ~bits);
}

void append_escaped(std::string_view text, std::string& out) {
  for (size_t at = 0;;) {
    auto zero = text.find('\0', at);
    out += text.substr(at, zero - at);
    if (zero == text.npos)
      break;
    out.append("\0\xff", 2);
    at = zero + 1;
  }
  out.append("\0\1", 2);
}

/// The digits that matter and the power of ten that they are multiplied by as 0.digits.
struct scientific {
  bool negative = false;
  std::string digits;
  int64_t power = 0;
};

std::optional<scientific> scientific_of(std::string_view text) {
  scientific out;
  out.negative = text.starts_with('-');
  if (text.starts_with('-') || text.starts_with('+'))
    text.remove_prefix(1);
  bool point = false, any = false;
  for (char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9')
      return {};
    any = true;
    if (c == '0' && out.digits.empty()) {
      out.power -= point;
      continue;
    }
    out.digits += c;
    out.power += !point;
  }
  if (!any)
    return {};
  while (!out.digits.empty() && out.digits.back() == '0')
    out.digits.pop_back();
  if (out.digits.empty())
    return scientific{};
  return out;
}

bool append_decimal_key(std::string_view text, std::string& out) {
  auto s = scientific_of(text);
  if (!s)
    return false;
  out.push_back(s->digits.empty() ? 1 : s->negative ? 0 : 2);
  if (s->digits.empty())
    return true;
  auto first = out.size();
  append_big_endian(uint64_t(s->power + power_bias), out);
  out += s->digits;
  out.push_back('\0');
  if (s->negative)
    for (auto i = first; i < out.size(); ++i)
      out[i] = char(~out[i]);
  return true;
}

/// Bytes of a decimal behind its tag.
size_t decimal_size(std::string_view from) {
  if (from.empty() || from[0] == 1)
    return std::min<size_t>(1, from.size());
  auto end = from.find(from[0] == 0 ? '\xff' : '\0', 9);
  return end == from.npos ? from.size() : end + 1;
}

std::string decimal_text(std::string_view bytes, unsigned scale) {
  std::string whole = "0", fraction;
  bool negative = bytes[0] == 0;
  if (bytes[0] != 1 && bytes.size() > 10) {
    std::string plain(bytes.substr(1, bytes.size() - 2));
    if (negative)
      for (auto& c : plain)
        c = char(~c);
    auto power = int64_t(big_endian(plain)) - power_bias;
    auto digits = plain.substr(8);
    if (power <= 0)
      fraction = std::string(size_t(-power), '0') + digits;
    else if (auto before = size_t(power); before >= digits.size())
      whole = digits + std::string(before - digits.size(), '0');
    else
      whole = digits.substr(0, before), fraction = digits.substr(before);
  }
  if (fraction.size() < scale)
    fraction.append(scale - fraction.size(), '0');
  return (negative ? "-" : "") + whole + (fraction.empty() ? "" : ".") + fraction;
}

std::string unescaped(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    out += bytes[i];
    i += bytes[i] == '\0';
  }
  return out;
}

} // namespace

bool append_key(const ums::column& c, size_t row, std::string& out) {
  if (c.is_null(row)) {
    out.push_back(null_tag);
    return true;
  }
  switch (ums::storage_of(c.type())) {
  case ums::storage::ints:
    out.push_back(int_tag);
    append_big_endian(uint64_t(c.ints()[row]) ^ top_bit, out);
    return true;
  case ums::storage::reals:
    out.push_back(real_tag);
    append_big_endian(ordered(c.reals()[row]), out);
    return true;
  default:
    break;
  }
  if (c.type() == ums::type::decimal) {
    out.push_back(decimal_tag);
    return append_decimal_key(c.text(row), out);
  }
  out.push_back(text_tag);
  append_escaped(c.text(row), out);
  return true;
}

size_t key_size(std::string_view from) {
  if (from.empty() || from[0] == null_tag)
    return std::min<size_t>(1, from.size());
  if (from[0] == decimal_tag)
    return 1 + decimal_size(from.substr(1));
  if (from[0] != text_tag)
    return std::min<size_t>(9, from.size());
  for (auto at = from.find('\0', 1); at != from.npos; at = from.find('\0', at + 2))
    if (at + 1 < from.size() && from[at + 1] == '\1')
      return at + 2;
  return from.size();
}

void take_key(std::string_view& from, unsigned scale, ums::column& into) {
  auto size = key_size(from);
  auto cell = from.substr(0, size);
  from.remove_prefix(size);
  if (size < 2)
    return into.append_null();
  auto bytes = cell.substr(1);
  auto storage = ums::storage_of(into.type());
  if (cell[0] == int_tag && storage == ums::storage::ints)
    return into.append_int(int64_t(big_endian(bytes) ^ top_bit));
  if (cell[0] == real_tag && storage == ums::storage::reals)
    return into.append_real(real_of(big_endian(bytes)));
  // The column had another type once: its text may still say the value.
  auto text = cell[0] == int_tag       ? std::to_string(int64_t(big_endian(bytes) ^ top_bit))
              : cell[0] == decimal_tag ? decimal_text(bytes, scale)
              : cell[0] == text_tag    ? unescaped(bytes.substr(0, bytes.size() - 2))
                                       : std::string();
  if (storage == ums::storage::texts && cell[0] != real_tag)
    return into.append_text(text);
  if (!ums::append_parsed(into, text))
    into.append_null();
}

// -- exact ----

std::optional<exact> exact_of(std::string_view decimal) {
  exact out;
  bool negative = decimal.starts_with('-');
  if (negative || decimal.starts_with('+'))
    decimal.remove_prefix(1);
  // Zeros at the end of a fraction say nothing.
  if (decimal.find('.') != decimal.npos)
    while (decimal.ends_with('0'))
      decimal.remove_suffix(1);
  bool point = false, any = false;
  unsigned digits = 0;
  for (char c : decimal) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9')
      return {};
    any = true;
    digits += digits > 0 || c != '0';
    out.scale += point;
    if (digits > digits_most || out.scale > digits_most)
      return {};
    out.value = out.value * 10 + (c - '0');
  }
  if (!any)
    return {};
  out.value = negative ? -out.value : out.value;
  return out;
}

namespace {

constexpr sql::int128 beyond() {
  sql::int128 limit = 1;
  for (unsigned i = 0; i < digits_most; ++i)
    limit *= 10;
  return limit;
}

bool rescale(exact& e, uint8_t scale) {
  for (; e.scale < scale; ++e.scale) {
    if (e.value >= beyond() / 10 || e.value <= -(beyond() / 10))
      return false;
    e.value *= 10;
  }
  return true;
}

} // namespace

std::optional<exact> add(exact a, exact b, int sign) {
  auto scale = std::max(a.scale, b.scale);
  if (!rescale(a, scale) || !rescale(b, scale))
    return {};
  sql::int128 sum = 0;
  if (__builtin_add_overflow(a.value, sign < 0 ? -b.value : b.value, &sum) || sum >= beyond() ||
      sum <= -beyond())
    return {};
  return exact{sum, scale};
}

void append_exact(exact e, unsigned scale, std::string& out) {
  while (e.scale > scale && e.value % 10 == 0) {
    e.value /= 10;
    --e.scale;
  }
  sql::append_decimal(e.value, e.scale, out);
  if (e.scale < scale) {
    out += e.scale == 0 ? "." : "";
    out.append(scale - e.scale, '0');
  }
}

unsigned scale_of(const ums::field& f) {
  return f.native.find('(') == f.native.npos ? 0 : sql::decimal_shape_of(f.native).scale;
}

} // namespace rtdp::flow
