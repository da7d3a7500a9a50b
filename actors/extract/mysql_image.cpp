#include "actors/extract/mysql_image.hpp"

#include "actors/extract/mysql_times.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

namespace rtdp::extract::my {

namespace {

using std::string_view;

/// Bytes that hold so many digits of a DECIMAL.
constexpr size_t digit_bytes[] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
constexpr size_t group_digits = 9, group_bytes = 4;

size_t decimal_bytes(unsigned precision, unsigned scale) {
  auto whole = precision - scale;
  return whole / group_digits * group_bytes + digit_bytes[whole % group_digits] +
         scale / group_digits * group_bytes + digit_bytes[scale % group_digits];
}

/// Bytes of a value of fixed size; 0: the type is none.
size_t fixed_size(stored_column s) {
  auto fraction = size_t(s.meta + 1) / 2;
  switch (s.type) {
  case 1:  // TINY
  case 13: // YEAR
    return 1;
  case 2: // SHORT
    return 2;
  case 9:  // INT24
  case 10: // DATE
  case 11: // TIME
  case 14: // NEWDATE
    return 3;
  case 3: // LONG
  case 4: // FLOAT
  case 7: // TIMESTAMP
    return 4;
  case 5:  // DOUBLE
  case 8:  // LONGLONG
  case 12: // DATETIME
    return 8;
  case 17: // TIMESTAMP2
    return s.meta > 6 ? 0 : 4 + fraction;
  case 18: // DATETIME2
    return s.meta > 6 ? 0 : 5 + fraction;
  case 19: // TIME2
    return s.meta > 6 ? 0 : 3 + fraction;
  case 16: // BIT
    return size_t(s.meta >> 8) + ((s.meta & 0xff) != 0 ? 1 : 0);
  case 246: { // NEWDECIMAL
    unsigned precision = s.meta & 0xff, scale = s.meta >> 8;
    return scale > precision ? 0 : decimal_bytes(precision, scale);
  }
  case 247: // ENUM
  case 248: // SET
    return s.meta >> 8;
  case 254: // STRING
    return (s.meta & 0xff) == 247 || (s.meta & 0xff) == 248 ? s.meta >> 8 : 0;
  default:
    return 0;
  }
}

/// Bytes in front of a value that hold its length; 0: the type is none of those.
size_t length_bytes(stored_column s) {
  switch (s.type) {
  case 15:  // VARCHAR
  case 141: // VARCHAR_COMPRESSED
  case 253: // VAR_STRING
    return s.meta < 256 ? 1 : 2;
  case 140: // BLOB_COMPRESSED
  case 245: // JSON
  case 249: // TINY_BLOB
  case 250: // MEDIUM_BLOB
  case 251: // LONG_BLOB
  case 252: // BLOB
  case 255: // GEOMETRY
    return s.meta <= 4 ? s.meta : 0;
  case 254: // STRING, whose length beyond 255 hides its upper bits in the real type
    return (s.meta & 0x30) != 0x30 ? 2 : 1;
  default:
    return 0;
  }
}

fit append_number(ums::column& c, uint64_t n, bool is_signed) {
  if (ums::storage_of(c.type()) == ums::storage::ints) {
    c.append_int(int64_t(n));
    return fit::good;
  }
  char text[24];
  auto end = is_signed ? std::to_chars(text, text + sizeof text, int64_t(n))
                       : std::to_chars(text, text + sizeof text, n);
  c.append_text({text, size_t(end.ptr - text)});
  return fit::good;
}

fit append_integer(ums::column& c, const plan& how, string_view v) {
  auto n = little_endian(v, 0, v.size());
  if (how.is_unsigned || v.size() == 8)
    return append_number(c, n, !how.is_unsigned);
  auto shift = 64 - v.size() * 8;
  return append_number(c, uint64_t(int64_t(n << shift) >> shift), true);
}

fit append_label(ums::column& c, const plan& how, string_view v) {
  auto n = little_endian(v, 0, v.size());
  if (n > how.labels.size())
    return fit::bad;
  // 0 is the empty text that the server stores for a wrong value.
  c.append_text(n == 0 ? string_view() : string_view(how.labels[n - 1]));
  return fit::good;
}

fit append_set(ums::column& c, const plan& how, string_view v) {
  auto bits = little_endian(v, 0, v.size());
  if (how.labels.size() < 64 && bits >> how.labels.size() != 0)
    return fit::bad;
  std::string out;
  for (; bits != 0; bits &= bits - 1) {
    if (!out.empty())
      out += ',';
    out += how.labels[size_t(std::countr_zero(bits))];
  }
  c.append_text(out);
  return fit::good;
}

/// The log leaves zeros at the end of a binary of fixed length out.
template<size_t N>
string_view padded(string_view v, size_t size, std::array<char, N>& room) {
  if (v.size() >= size || size > N)
    return v;
  std::memcpy(room.data(), v.data(), v.size());
  std::memset(room.data() + v.size(), 0, size - v.size());
  return {room.data(), size};
}

fit append_bytes(ums::column& c, const plan& how, string_view v) {
  std::array<char, 255> room;
  v = padded(v, how.pad_to, room);
  if (how.how == conversion::bytes) {
    c.append_text(v);
    return fit::good;
  }
  if (v.size() != how.pad_to)
    return fit::bad;
  if (how.how == conversion::uuid) {
    char text[40];
    auto* to = text;
    for (size_t i = 0; i < v.size(); ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10)
        *to++ = '-';
      *to++ = "0123456789abcdef"[uint8_t(v[i]) >> 4];
      *to++ = "0123456789abcdef"[uint8_t(v[i]) & 15];
    }
    c.append_text({text, size_t(to - text)});
    return fit::good;
  }
  char text[INET6_ADDRSTRLEN];
  auto family = how.how == conversion::inet4 ? AF_INET : AF_INET6;
  if (inet_ntop(family, v.data(), text, sizeof text) == nullptr)
    return fit::bad;
  c.append_text(text);
  return fit::good;
}

fit append_chars(ums::column& c, const plan& how, string_view v) {
  auto utf8 = how.chars->to_utf8(v);
  if (utf8.data() == nullptr)
    return fit::bad;
  c.append_text(utf8);
  return fit::good;
}

template<class T>
fit append_parsed(ums::column& c, string_view text) {
  T value{};
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size())
    return fit::bad;
  if constexpr (std::is_integral_v<T>)
    c.append_int(int64_t(value));
  else
    c.append_real(double(value));
  return fit::good;
}

fit append_decimal_text(ums::column& c, string_view text) {
  // ZEROFILL shows zeros that the value does not have.
  while (text.size() > 1 && text[0] == '0' && text[1] != '.')
    text.remove_prefix(1);
  c.append_text(text);
  return fit::good;
}

void put_group(std::string& out, uint64_t value, size_t digits) {
  fmt::format_to(std::back_inserter(out), "{:0{}}", value, digits);
}

} // namespace

std::string decimal_text(string_view bytes, unsigned precision, unsigned scale) {
  if (scale > precision || precision == 0 || precision > 65 ||
      bytes.size() != decimal_bytes(precision, scale))
    return {};
  std::array<char, 40> room;
  std::memcpy(room.data(), bytes.data(), bytes.size());
  bool negative = (uint8_t(room[0]) & 0x80) == 0;
  room[0] = char(uint8_t(room[0]) ^ 0x80);
  if (negative)
    for (size_t i = 0; i < bytes.size(); ++i)
      room[i] = char(~room[i]);
  string_view rest(room.data(), bytes.size());
  auto take = [&](size_t size) {
    auto n = big_endian(rest.substr(0, size));
    rest.remove_prefix(size);
    return n;
  };
  std::string out;
  size_t whole = precision - scale, first = whole % group_digits;
  if (first > 0)
    put_group(out, take(digit_bytes[first]), first);
  for (size_t i = 0; i < whole / group_digits; ++i)
    put_group(out, take(group_bytes), group_digits);
  out.erase(0, std::min(out.find_first_not_of('0'), out.size()));
  if (out.empty())
    out.push_back('0');
  if (scale > 0)
    out += '.';
  for (size_t i = 0; i < scale / group_digits; ++i)
    put_group(out, take(group_bytes), group_digits);
  if (auto last = scale % group_digits; last > 0)
    put_group(out, take(digit_bytes[last]), last);
  return negative && out.find_first_of("123456789") != out.npos ? "-" + out : out;
}

bool take_image(string_view& bytes, const std::vector<stored_column>& columns, image& out) {
  auto bitmap = (columns.size() + 7) / 8;
  if (bytes.size() < bitmap)
    return false;
  auto nulls = bytes.substr(0, bitmap);
  size_t at = bitmap;
  out.resize(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    if ((uint8_t(nulls[i / 8]) >> (i % 8) & 1) != 0) {
      out[i] = {};
      continue;
    }
    auto size = fixed_size(columns[i]);
    if (size == 0) {
      auto prefix = length_bytes(columns[i]);
      if (prefix == 0 || bytes.size() - at < prefix)
        return false;
      size = little_endian(bytes, at, prefix);
      at += prefix;
    }
    if (bytes.size() - at < size)
      return false;
    out[i] = bytes.substr(at, size);
    at += size;
  }
  bytes.remove_prefix(at);
  return true;
}

fit append_stored(ums::column& c, const plan& how, string_view v) {
  constexpr uint8_t json_type = 245;
  if (how.stored.type == json_type)
    return fit::bad;
  switch (how.how) {
  case conversion::integer:
  case conversion::unsigned_long:
    return append_integer(c, how, v);
  case conversion::real4:
    c.append_real(double(std::bit_cast<float>(uint32_t(little_endian(v, 0, 4)))));
    return fit::good;
  case conversion::real8:
    c.append_real(std::bit_cast<double>(little_endian(v, 0, 8)));
    return fit::good;
  case conversion::decimal: {
    auto text = decimal_text(v, how.stored.meta & 0xff, how.stored.meta >> 8);
    if (text.empty())
      return fit::bad;
    c.append_text(text);
    return fit::good;
  }
  case conversion::date:
    return append_date(c, how, v);
  case conversion::datetime:
    return append_datetime(c, how, v);
  case conversion::timestamp:
    return append_timestamp(c, how, v);
  case conversion::time:
    return append_time(c, how, v);
  case conversion::year:
    c.append_int(v[0] == 0 ? 0 : 1900 + uint8_t(v[0]));
    return fit::good;
  case conversion::text:
    return append_chars(c, how, v);
  case conversion::bytes:
  case conversion::uuid:
  case conversion::inet4:
  case conversion::inet6:
    return append_bytes(c, how, v);
  case conversion::enumeration:
    return append_label(c, how, v);
  case conversion::set:
    return append_set(c, how, v);
  case conversion::bits:
    return append_number(c, big_endian(v), false);
  case conversion::unreadable:
    break;
  }
  return fit::bad;
}

fit append_text(ums::column& c, const plan& how, string_view text) {
  switch (how.how) {
  case conversion::integer:
  case conversion::year:
    return append_parsed<int64_t>(c, text);
  case conversion::bits:
    if (ums::storage_of(c.type()) == ums::storage::ints)
      return append_parsed<int64_t>(c, text);
    c.append_text(text);
    return fit::good;
  case conversion::unsigned_long:
  case conversion::decimal:
    return append_decimal_text(c, text);
  case conversion::real4:
    return append_parsed<float>(c, text);
  case conversion::real8:
    return append_parsed<double>(c, text);
  case conversion::date:
  case conversion::datetime:
  case conversion::timestamp:
    return append_moment_text(c, how, text);
  case conversion::time:
  case conversion::bytes:
  case conversion::uuid:
  case conversion::inet4:
  case conversion::inet6:
    c.append_text(text);
    return fit::good;
  case conversion::text:
  case conversion::enumeration:
  case conversion::set:
    return append_chars(c, how, text);
  case conversion::unreadable:
    break;
  }
  return fit::bad;
}

} // namespace rtdp::extract::my
