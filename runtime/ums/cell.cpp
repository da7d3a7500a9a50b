#include "runtime/ums/cell.hpp"

#include "runtime/ums/base64.hpp"
#include "runtime/ums/calendar.hpp"
#include "runtime/ums/codec.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

namespace rtdp::ums {

namespace {

constexpr auto pairs = [] {
  std::array<char, 200> table{};
  for (size_t i = 0; i < 100; ++i) {
    table[2 * i] = char('0' + i / 10);
    table[2 * i + 1] = char('0' + i % 10);
  }
  return table;
}();

char* put_two(uint32_t value, char* to) {
  std::memcpy(to, &pairs[2 * value], 2);
  return to + 2;
}

char* put(std::string_view word, char* to) {
  std::memcpy(to, word.data(), word.size());
  return to + word.size();
}

/// At least four digits; a sign outside 1..9999.
char* put_year(int64_t year, char* to) {
  if (year >= 1 && year <= 9999) {
    to = put_two(uint32_t(year) / 100, to);
    return put_two(uint32_t(year) % 100, to);
  }
  *to++ = year < 0 ? '-' : '+';
  auto size = uint64_t(year < 0 ? -year : year);
  for (uint64_t limit = 1000; limit > 1 && size < limit; limit /= 10)
    *to++ = '0';
  return std::to_chars(to, to + 20, size).ptr;
}

} // namespace

char* cell::put_int(int64_t value, char* to) { return std::to_chars(to, to + 20, value).ptr; }

char* cell::put_date(int64_t days, char* to) {
  if (days == plus_infinity)
    return put("infinity", to);
  if (days == minus_infinity)
    return put("-infinity", to);
  auto date = calendar::from_days(days);
  to = put_year(date.year, to);
  *to++ = '-';
  to = put_two(date.month, to);
  *to++ = '-';
  return put_two(date.day, to);
}

char* cell::put_datetime(int64_t micros, char* to) {
  if (micros == plus_infinity || micros == minus_infinity)
    return put_date(micros, to);
  auto days = calendar::floor_div(micros, calendar::day_us);
  // Not days * day: the product of the first day of all does not fit.
  auto rest = micros % calendar::day_us;
  rest += rest < 0 ? calendar::day_us : 0;
  to = put_date(days, to);
  *to++ = ' ';
  auto seconds = uint32_t(rest / calendar::second_us);
  auto fraction = uint32_t(rest % calendar::second_us);
  to = put_two(seconds / 3600, to);
  *to++ = ':';
  to = put_two(seconds / 60 % 60, to);
  *to++ = ':';
  to = put_two(seconds % 60, to);
  if (fraction == 0)
    return to;
  *to++ = '.';
  to = put_two(fraction / 10'000, to);
  to = put_two(fraction / 100 % 100, to);
  return put_two(fraction % 100, to);
}

char* cell::put_real(double value, bool is_float, char* to) {
  if (std::isnan(value))
    return put("NaN", to);
  if (std::isinf(value))
    return put(value > 0 ? "Infinity" : "-Infinity", to);
  // A value that no float holds, in a float column, keeps all its digits.
  if (is_float && std::abs(value) <= double(std::numeric_limits<float>::max()) &&
      double(float(value)) == value)
    return std::to_chars(to, to + size_max, float(value)).ptr;
  return std::to_chars(to, to + size_max, value).ptr;
}

char* cell::put_boolean(int64_t value, char* to) { return put(value != 0 ? "true" : "false", to); }

void append_date(int64_t days, std::string& out) {
  char text[cell::size_max];
  out.append(text, cell::put_date(days, text));
}

void append_datetime(int64_t micros, std::string& out) {
  char text[cell::size_max];
  out.append(text, cell::put_datetime(micros, text));
}

void append_real(double value, bool is_float, std::string& out) {
  char text[cell::size_max];
  out.append(text, cell::put_real(value, is_float, text));
}

void append_cell(const column& c, size_t row, std::string& out) {
  char text[cell::size_max];
  switch (c.type()) {
  case type::int_:
  case type::long_:
    out.append(text, cell::put_int(c.ints()[row], text));
    break;
  case type::boolean:
    out.append(text, cell::put_boolean(c.ints()[row], text));
    break;
  case type::date:
    append_date(c.ints()[row], out);
    break;
  case type::datetime:
    append_datetime(c.ints()[row], out);
    break;
  case type::float_:
  case type::double_:
    append_real(c.reals()[row], c.type() == type::float_, out);
    break;
  case type::binary: {
    auto bytes = c.text(row);
    auto begin = out.size();
    out.resize(begin + base64::encoded_size(bytes.size()));
    base64::encode(bytes, out.data() + begin);
    break;
  }
  default:
    out += c.text(row);
  }
}

} // namespace rtdp::ums
