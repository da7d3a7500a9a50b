#include "actors/extract/postgres_types.hpp"

#include "actors/extract/postgres_pgoutput.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace rtdp::extract::pg {

namespace {

/// Numbers of pg_type.dat; they never change.
enum oid : uint32_t {
  bool_oid = 16,
  bytea_oid = 17,
  char_oid = 18,
  name_oid = 19,
  int8_oid = 20,
  int2_oid = 21,
  int4_oid = 23,
  text_oid = 25,
  oid_oid = 26,
  json_oid = 114,
  xml_oid = 142,
  cidr_oid = 650,
  float4_oid = 700,
  float8_oid = 701,
  inet_oid = 869,
  bpchar_oid = 1042,
  varchar_oid = 1043,
  date_oid = 1082,
  timestamp_oid = 1114,
  timestamptz_oid = 1184,
  numeric_oid = 1700,
  jsonb_oid = 3802,
  first_user_oid = 16384,
};

constexpr int64_t day_us = 86'400'000'000;
constexpr int64_t epoch_shift_days = 10'957;

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar; year 0 is 1 BC. std::chrono
/// ends at the year 32767, PostgreSQL at 5874897.
int64_t days_from_civil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  auto era = (year >= 0 ? year : year - 399) / 400;
  auto year_of_era = unsigned(year - era * 400);
  auto day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  auto day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + int64_t(day_of_era) - 719'468;
}

class digits {
public:
  explicit digits(std::string_view text) : rest_(text) {}

  bool two(unsigned& out) {
    if (rest_.size() < 2)
      return false;
    unsigned high = unsigned(rest_[0]) - '0', low = unsigned(rest_[1]) - '0';
    if (high > 9 || low > 9)
      return false;
    out = high * 10 + low;
    rest_.remove_prefix(2);
    return true;
  }
  bool number(int64_t& out) {
    auto [end, code] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out);
    if (code != std::errc{} || out < 0)
      return false;
    rest_.remove_prefix(size_t(end - rest_.data()));
    return true;
  }
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c)
      return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Up to six digits after a point, as microseconds.
  bool fraction(int64_t& out) {
    if (!take('.'))
      return true;
    int64_t scale = 100'000;
    for (; !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; scale /= 10) {
      if (scale == 0)
        return false;
      out += (rest_[0] - '0') * scale;
      rest_.remove_prefix(1);
    }
    return scale != 100'000;
  }
  std::string_view rest() const { return rest_; }

private:
  std::string_view rest_;
};

struct civil {
  int64_t year = 0;
  unsigned month = 0, day = 0;
};

/// Where PostgreSQL's dates end.
constexpr int64_t year_max = 5'874'897;

bool read_civil(digits& in, civil& out) {
  return in.number(out.year) && out.year <= year_max && in.take('-') && in.two(out.month) &&
         in.take('-') && in.two(out.day) && out.month >= 1 && out.month <= 12 && out.day >= 1 &&
         out.day <= 31;
}

bool read_era(std::string_view rest, civil& out) {
  if (rest == " BC")
    out.year = 1 - out.year;
  else if (!rest.empty())
    return false;
  return true;
}

std::optional<int64_t> infinite(std::string_view text) {
  if (text == "infinity")
    return ums::plus_infinity;
  if (text == "-infinity")
    return ums::minus_infinity;
  return {};
}

template<class T>
bool append_real_text(ums::column& c, std::string_view text) {
  T value = 0;
  if (text == "NaN") {
    value = std::numeric_limits<T>::quiet_NaN();
  } else if (text == "Infinity" || text == "-Infinity") {
    value = std::numeric_limits<T>::infinity() * (text[0] == '-' ? T(-1) : T(1));
  } else {
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size())
      return false;
  }
  c.append_real(double(value));
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return -1;
}

bool append_hex(ums::column& c, std::string_view text) {
  if (text.substr(0, 2) != "\\x" || text.size() % 2 != 0)
    return false;
  std::string bytes;
  bytes.reserve(text.size() / 2 - 1);
  for (size_t i = 2; i < text.size(); i += 2) {
    auto high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0)
      return false;
    bytes.push_back(char(high << 4 | low));
  }
  c.append_text(bytes);
  return true;
}

bool append_optional(ums::column& c, std::optional<int64_t> value) {
  if (value)
    c.append_int(*value);
  return value.has_value();
}

template<class T>
T big_endian(std::string_view bytes) {
  std::make_unsigned_t<T> n = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    n = std::make_unsigned_t<T>(uint64_t(n) << 8 | uint8_t(bytes[i]));
  return T(n);
}

bool append_binary_integer(ums::column& c, std::string_view bytes) {
  switch (bytes.size()) {
  case 2:
    c.append_int(big_endian<int16_t>(bytes));
    return true;
  case 4:
    // A long of four bytes is an oid, which has no sign.
    c.append_int(c.type() == ums::type::long_ ? int64_t{big_endian<uint32_t>(bytes)}
                                              : int64_t{big_endian<int32_t>(bytes)});
    return true;
  case 8:
    c.append_int(big_endian<int64_t>(bytes));
    return true;
  default:
    return false;
  }
}

bool append_binary_date(ums::column& c, std::string_view bytes) {
  auto days = big_endian<int32_t>(bytes);
  if (days == INT32_MAX)
    c.append_int(ums::plus_infinity);
  else if (days == INT32_MIN)
    c.append_int(ums::minus_infinity);
  else
    c.append_int(days + epoch_shift_days);
  return true;
}

bool append_binary_timestamp(ums::column& c, std::string_view bytes) {
  auto micros = big_endian<int64_t>(bytes);
  // ±infinity is the same number on both sides.
  if (micros != INT64_MAX && micros != INT64_MIN &&
      __builtin_add_overflow(micros, epoch_shift_us, &micros))
    return false;
  c.append_int(micros);
  return true;
}

} // namespace

type_mapping mapping_of(uint32_t oid) {
  using ums::type;
  switch (oid) {
  case int2_oid:
  case int4_oid:
    return {type::int_, conversion::integer};
  case int8_oid:
  case oid_oid:
    return {type::long_, conversion::integer};
  case float4_oid:
    return {type::float_, conversion::real4};
  case float8_oid:
    return {type::double_, conversion::real8};
  case bool_oid:
    return {type::boolean, conversion::boolean};
  case date_oid:
    return {type::date, conversion::date};
  case timestamp_oid:
  case timestamptz_oid:
    return {type::datetime, conversion::timestamp};
  case numeric_oid:
    return {type::decimal, conversion::text};
  case json_oid:
  case jsonb_oid:
    return {type::jsonobject, conversion::text};
  case bytea_oid:
    return {type::binary, conversion::bytes};
  default:
    return {};
  }
}

std::string copy_expression(const std::string& quoted_column, uint32_t oid) {
  auto how = mapping_of(oid).how;
  if (how != conversion::text || oid == text_oid || oid == varchar_oid || oid == bpchar_oid ||
      oid == name_oid || oid == json_oid)
    return quoted_column; // These are sent as what they are.
  // A cast to text is the type's own output, except where a cast function exists: three built-in
  // types have one, and a user may have made one. `format` always takes the output function.
  if (oid >= first_user_oid || oid == char_oid || oid == cidr_oid || oid == inet_oid ||
      oid == xml_oid)
    return fmt::format("case when {0} is distinct from null then pg_catalog.format('%s', {0}) end",
                       quoted_column);
  return quoted_column + "::pg_catalog.text";
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::string unfit(std::string_view column, std::string_view native) {
  return fmt::format("column {}: expected a {} that UMS can hold; found something else", column,
                     native);
}

std::optional<int64_t> parse_date(std::string_view text) {
  digits in(text);
  civil c;
  if (!read_civil(in, c) || !read_era(in.rest(), c))
    return infinite(text);
  return days_from_civil(c.year, c.month, c.day);
}

std::optional<int64_t> parse_timestamp(std::string_view text) {
  digits in(text);
  civil c;
  unsigned hour = 0, minute = 0, second = 0;
  int64_t micros = 0;
  if (!read_civil(in, c))
    return infinite(text);
  if (!in.take(' ') || !in.two(hour) || !in.take(':') || !in.two(minute) || !in.take(':') ||
      !in.two(second) || !in.fraction(micros))
    return {};
  // The session's zone is UTC.
  if (in.take('+') && !(in.take('0') && in.take('0')))
    return {};
  if (!read_era(in.rest(), c))
    return {};
  micros += ((hour * 60 + minute) * int64_t{60} + second) * 1'000'000;
  int64_t sum = 0;
  if (__builtin_mul_overflow(days_from_civil(c.year, c.month, c.day), day_us, &sum) ||
      __builtin_add_overflow(sum, micros, &sum))
    return {};
  return sum;
}

bool append_text(ums::column& c, conversion how, std::string_view text) {
  switch (how) {
  case conversion::integer: {
    int64_t value = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size())
      return false;
    c.append_int(value);
    return true;
  }
  case conversion::real4:
    return append_real_text<float>(c, text);
  case conversion::real8:
    return append_real_text<double>(c, text);
  case conversion::boolean:
    if (text != "t" && text != "f")
      return false;
    c.append_int(text == "t");
    return true;
  case conversion::date:
    return append_optional(c, parse_date(text));
  case conversion::timestamp:
    return append_optional(c, parse_timestamp(text));
  case conversion::bytes:
    return append_hex(c, text);
  case conversion::text:
    c.append_text(text);
    return true;
  }
  return false;
}

bool append_binary(ums::column& c, conversion how, std::string_view bytes) {
  switch (how) {
  case conversion::integer:
    return append_binary_integer(c, bytes);
  case conversion::real4:
    if (bytes.size() != 4)
      return false;
    c.append_real(double(std::bit_cast<float>(big_endian<uint32_t>(bytes))));
    return true;
  case conversion::real8:
    if (bytes.size() != 8)
      return false;
    c.append_real(std::bit_cast<double>(big_endian<uint64_t>(bytes)));
    return true;
  case conversion::boolean:
    if (bytes.size() != 1)
      return false;
    c.append_int(bytes[0] != 0);
    return true;
  case conversion::date:
    return bytes.size() == 4 && append_binary_date(c, bytes);
  case conversion::timestamp:
    return bytes.size() == 8 && append_binary_timestamp(c, bytes);
  case conversion::bytes:
  case conversion::text:
    c.append_text(bytes);
    return true;
  }
  return false;
}

} // namespace rtdp::extract::pg
