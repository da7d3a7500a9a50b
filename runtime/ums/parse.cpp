/// Text of single cells into values. The twin of cell.cpp.
#include "runtime/ums/base64.hpp"
#include "runtime/ums/calendar.hpp"
#include "runtime/ums/codec.hpp"
#include "runtime/ums/scan.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace rtdp::ums {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Cuts small things off the front of a text.
struct text_cutter {
  std::string_view text;

  bool at_end() const { return text.empty(); }
  bool starts_with_digit() const { return !text.empty() && is_digit(text[0]); }

  bool skip(char c) {
    if (text.empty() || text[0] != c)
      return false;
    text.remove_prefix(1);
    return true;
  }

  /// Exactly two digits.
  bool two(uint32_t& value) {
    if (text.size() < 2 || !is_digit(text[0]) || !is_digit(text[1]))
      return false;
    value = uint32_t(text[0] - '0') * 10 + uint32_t(text[1] - '0');
    text.remove_prefix(2);
    return true;
  }

  /// Four digits, or a sign and four to seventeen.
  bool year(int64_t& value) {
    bool minus = skip('-');
    bool sign = minus || skip('+');
    size_t n = 0;
    for (value = 0; n < 17 && n < text.size() && is_digit(text[n]); ++n)
      value = value * 10 + (text[n] - '0');
    if (n < 4 || (n > 4 && !sign) || value > calendar::year_max)
      return false;
    value = minus ? -value : value;
    text.remove_prefix(n);
    return true;
  }

  /// "2026-11-22" as days.
  bool date(int64_t& days) {
    int64_t y = 0;
    uint32_t m = 0, d = 0;
    if (!year(y) || !skip('-') || !two(m) || !skip('-') || !two(d) || !calendar::is_day(y, m, d))
      return false;
    days = calendar::to_days(y, m, d);
    return true;
  }

  /// "10:13:24", with 0 to 9 digits behind a point, as micros.
  bool time(int64_t& micros) {
    uint32_t h = 0, m = 0, s = 0;
    if (!two(h) || !skip(':') || !two(m) || !skip(':') || !two(s) || h > 23 || m > 59 || s > 59)
      return false;
    micros = (int64_t{h} * 3600 + m * 60 + s) * calendar::second_us;
    if (!skip('.'))
      return true;
    size_t n = 0;
    for (int64_t unit = calendar::second_us / 10; n < 9 && starts_with_digit();
         ++n, unit /= 10, text.remove_prefix(1))
      micros += (text[0] - '0') * unit;
    return n > 0;
  }

  /// "Z", "+02", "+02:00", "+0200" or nothing, as micros east of UTC. PostgreSQL adds seconds for
  /// local mean time ("+00:53:28").
  bool zone(int64_t& east) {
    east = 0;
    if (skip('Z'))
      return true;
    bool minus = skip('-');
    if (!minus && !skip('+'))
      return at_end();
    uint32_t h = 0, m = 0, s = 0;
    if (!two(h) || h > 23)
      return false;
    if (skip(':') ? !two(m) : !at_end() && !two(m))
      return false;
    if (skip(':') && !two(s))
      return false;
    if (m > 59 || s > 59)
      return false;
    east = (int64_t{h} * 3600 + m * 60 + s) * (minus ? -calendar::second_us : calendar::second_us);
    return true;
  }
};

/// Eight bytes against a pattern of digits ('0') and separators. Afterwards `v` holds the digits as
/// numbers; `bad` gathers a top bit for each byte that does not fit: a digit above 9 (9 + 0x76 =
/// 0x7f), a separator that differs (0 + 0x7f = 0x7f).
struct eight {
  uint64_t v;

  eight(const char* text, const char* pattern, uint64_t& bad) {
    auto want = scan::load8(pattern);
    v = scan::load8(text) ^ want;
    auto is_zero_digit = scan::below(want ^ scan::ones * '0', 1) >> 7;
    bad |= (v + (scan::ones * 0x7f - is_zero_digit * 9)) | v;
  }
  /// The number of the two digits at byte `at`.
  uint32_t two(unsigned at) const { return uint32_t((v * 10 + (v >> 8)) >> (at * 8)) & 0xff; }
};

/// "2026-11-22 10:13:24.213456" without a branch per character. False: read it the long way.
bool parse_canonical(const char* text, int64_t& micros) {
  uint64_t bad = 0;
  eight a(text, "0000-00-", bad);
  eight b(text + 8, "00 00:00", bad);
  eight c(text + 16, ":00.0000", bad);
  eight d(text + 18, "0.000000", bad);
  auto y = a.two(0) * 100 + a.two(2);
  auto m = a.two(5);
  auto dd = b.two(0);
  auto h = b.two(3);
  auto mi = b.two(6);
  auto s = c.two(1);
  auto f = c.two(4) * 10'000 + c.two(6) * 100 + d.two(6);
  if ((bad & scan::tops) != 0 || !calendar::is_day(y, m, dd) || h > 23 || mi > 59 || s > 59)
    return false;
  micros = calendar::to_days(y, m, dd) * calendar::day_us +
           (int64_t{h} * 3600 + mi * 60 + s) * calendar::second_us + f;
  return true;
}

std::optional<int64_t> infinity(std::string_view text) {
  if (text == "infinity")
    return plus_infinity;
  if (text == "-infinity")
    return minus_infinity;
  return {};
}

bool is_sentinel(int64_t value) { return value == plus_infinity || value == minus_infinity; }

/// from_chars alone would also take "inf", "nan(1)" and the like.
template<class T>
std::optional<T> parse_float(std::string_view text) {
  T value{};
  auto digits = text.substr(!text.empty() && text[0] == '-');
  if (digits.empty() || !(is_digit(digits[0]) || digits[0] == '.')) {
    if (text == "NaN")
      return std::numeric_limits<T>::quiet_NaN();
    if (digits == "Infinity")
      return text[0] == '-' ? -std::numeric_limits<T>::infinity()
                            : std::numeric_limits<T>::infinity();
    return {};
  }
  auto end = text.data() + text.size();
  auto [ptr, code] = std::from_chars(text.data(), end, value);
  if (ptr != end || code != std::errc{})
    return {};
  return value;
}

template<class T>
bool append_parsed_int(column& c, std::string_view text) {
  T value{};
  auto end = text.data() + text.size();
  auto [ptr, code] = std::from_chars(text.data(), end, value);
  if (ptr != end || code != std::errc{})
    return false;
  c.append_int(value);
  return true;
}

bool append_parsed_boolean(column& c, std::string_view text) {
  constexpr std::string_view yes[] = {"true", "1", "t", "TRUE", "True"};
  constexpr std::string_view no[] = {"false", "0", "f", "FALSE", "False"};
  auto is_text = [text](std::string_view word) { return word == text; };
  bool is_yes = std::any_of(std::begin(yes), std::end(yes), is_text);
  if (!is_yes && std::none_of(std::begin(no), std::end(no), is_text))
    return false;
  c.append_int(is_yes);
  return true;
}

/// Sign, digits with at most one point, exponent; or a word. The text itself is the value.
bool is_decimal(std::string_view text) {
  auto p = text.begin(), end = text.end();
  p += p != end && (*p == '-' || *p == '+');
  auto digits = [&p, end] {
    auto begin = p;
    while (p != end && is_digit(*p))
      ++p;
    return p - begin;
  };
  auto n = digits();
  if (p != end && *p == '.') {
    ++p;
    n += digits();
  }
  if (n == 0)
    return text == "NaN" || text == "Infinity" || text == "-Infinity" || text == "+Infinity";
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    p += p != end && (*p == '-' || *p == '+');
    if (digits() == 0)
      return false;
  }
  return p == end;
}

bool append_parsed_binary(column& c, std::string_view text) {
  thread_local std::string bytes;
  if (!base64::decode(text, bytes))
    return false;
  c.append_text(bytes);
  return true;
}

template<class T>
bool append_value(column& c, std::optional<T> value) {
  if (!value)
    return false;
  if constexpr (std::is_same_v<T, int64_t>)
    c.append_int(*value);
  else
    c.append_real(*value);
  return true;
}

} // namespace

std::optional<int64_t> parse_date(std::string_view text) {
  text_cutter in{text};
  int64_t days = 0;
  if (!in.date(days) || !in.at_end())
    return infinity(text);
  return days;
}

std::optional<int64_t> parse_datetime(std::string_view text) {
  int64_t micros = 0;
  if (text.size() == 26 && parse_canonical(text.data(), micros))
    return micros;
  if (text.size() == 19 || (text.size() > 20 && text.size() < 26)) {
    char padded[] = "0000-00-00 00:00:00.000000";
    std::memcpy(padded, text.data(), text.size());
    if (parse_canonical(padded, micros))
      return micros;
  }
  text_cutter in{text};
  int64_t days = 0, east = 0;
  if (!in.date(days))
    return infinity(text);
  if ((!in.skip(' ') && !in.skip('T')) || !in.time(micros) || !in.zone(east) || !in.at_end())
    return {};
  // The day after, less a day: the earliest instants lie behind a midnight that 64 bits do not
  // hold.
  bool before = days < 0;
  int64_t sum = 0;
  if (__builtin_mul_overflow(days + before, calendar::day_us, &sum) ||
      __builtin_add_overflow(sum, micros - east - (before ? calendar::day_us : 0), &sum) ||
      is_sentinel(sum))
    return {};
  return sum;
}

std::optional<double> parse_real(std::string_view text) { return parse_float<double>(text); }

bool append_parsed(column& c, std::string_view text) {
  switch (c.type()) {
  case type::int_:
    return append_parsed_int<int32_t>(c, text);
  case type::long_:
    return append_parsed_int<int64_t>(c, text);
  case type::boolean:
    return append_parsed_boolean(c, text);
  case type::date:
    return append_value(c, parse_date(text));
  case type::datetime:
    return append_value(c, parse_datetime(text));
  case type::float_: {
    // As a float first: 0.1 in a float column is the float nearest to 0.1.
    auto value = parse_float<float>(text);
    return append_value(c, value ? std::optional<double>(*value) : std::nullopt);
  }
  case type::double_:
    return append_value(c, parse_float<double>(text));
  case type::decimal:
    if (!is_decimal(text))
      return false;
    c.append_text(text);
    return true;
  case type::binary:
    return append_parsed_binary(c, text);
  default:
    c.append_text(text);
    return true;
  }
}

} // namespace rtdp::ums
