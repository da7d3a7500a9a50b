#include "actors/extract/mysql_times.hpp"

#include "actors/extract/mysql_changes.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace rtdp::extract::my {

namespace {

using std::string_view;

constexpr int64_t day_us = 86'400 * second_us;

struct moment {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0;

  bool is_date() const {
    return std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(month),
                                       std::chrono::day(day))
        .ok();
  }
  int64_t days() const {
    return std::chrono::sys_days(std::chrono::year(year) / std::chrono::month(month) /
                                 std::chrono::day(day))
        .time_since_epoch()
        .count();
  }
  int64_t time_us() const {
    return int64_t(hour * 3600 + minute * 60 + second) * second_us + micros;
  }
};

char* put_fraction(char* to, unsigned micros, unsigned digits) {
  if (digits == 0)
    return to;
  *to++ = '.';
  unsigned unit = 100'000;
  for (unsigned i = 0; i < digits; ++i, unit /= 10)
    *to++ = char('0' + micros / unit % 10);
  return to;
}

fit append_moment(ums::column& c, const plan& how, const moment& m, bool with_time) {
  if (how.as_text) {
    char text[48];
    auto* end = fmt::format_to(text, "{:04}-{:02}-{:02}", m.year, m.month, m.day);
    if (with_time) {
      end = fmt::format_to(end, " {:02}:{:02}:{:02}", m.hour, m.minute, m.second);
      end = put_fraction(end, m.micros, how.fraction);
    }
    c.append_text({text, size_t(end - text)});
    return fit::good;
  }
  if (!m.is_date()) {
    if (how.zeros == zero_dates::reject)
      return fit::no_date;
    c.append_null();
    return fit::good;
  }
  if (m.hour > 23 || m.minute > 59 || m.second > 59)
    return fit::bad;
  c.append_int(with_time ? m.days() * day_us + m.time_us() : m.days());
  return fit::good;
}

/// Behind the whole part: 1 to 3 bytes, in units that have twice as many digits.
unsigned fraction_us(string_view v) {
  constexpr unsigned units[] = {0, 10'000, 100, 1};
  return v.size() > 3 ? 0 : unsigned(big_endian(v)) * units[v.size()];
}

moment from_packed_date(uint64_t ymd) {
  return {.year = int(ymd >> 9), .month = unsigned(ymd >> 5 & 15), .day = unsigned(ymd & 31)};
}

moment from_digits(uint64_t n) {
  moment m;
  m.second = unsigned(n % 100);
  m.minute = unsigned(n / 100 % 100);
  m.hour = unsigned(n / 10'000 % 100);
  m.day = unsigned(n / 1'000'000 % 100);
  m.month = unsigned(n / 100'000'000 % 100);
  m.year = int(n / 10'000'000'000 % 10'000);
  return m;
}

} // namespace

uint64_t big_endian(string_view bytes) {
  uint64_t n = 0;
  for (char c : bytes)
    n = n << 8 | uint8_t(c);
  return n;
}

fit append_date(ums::column& c, const plan& how, string_view v) {
  return append_moment(c, how, from_packed_date(little_endian(v, 0, 3)), false);
}

fit append_datetime(ums::column& c, const plan& how, string_view v) {
  if (how.stored.type == 12) // The old form: decimal digits, no fraction.
    return append_moment(c, how, from_digits(little_endian(v, 0, 8)), true);
  auto whole = big_endian(v.substr(0, 5)) - 0x80'0000'0000ULL;
  auto months = whole >> 22;
  moment m{.year = int(months / 13),
           .month = unsigned(months % 13),
           .day = unsigned(whole >> 17 & 31),
           .hour = unsigned(whole >> 12 & 31),
           .minute = unsigned(whole >> 6 & 63),
           .second = unsigned(whole & 63),
           .micros = fraction_us(v.substr(5))};
  return append_moment(c, how, m, true);
}

fit append_timestamp(ums::column& c, const plan& how, string_view v) {
  bool old = how.stored.type == 7;
  auto seconds = int64_t(old ? little_endian(v, 0, 4) : big_endian(v.substr(0, 4)));
  auto micros = old ? 0 : fraction_us(v.substr(4));
  if (seconds == 0 && micros == 0) // What the server stores for 0000-00-00.
    return append_moment(c, how, {}, true);
  if (!how.as_text) {
    c.append_int(seconds * second_us + micros);
    return fit::good;
  }
  auto days = std::chrono::sys_days(std::chrono::days(seconds / 86'400));
  std::chrono::year_month_day date(days);
  auto time = unsigned(seconds % 86'400);
  return append_moment(c, how,
                       {.year = int(date.year()),
                        .month = unsigned(date.month()),
                        .day = unsigned(date.day()),
                        .hour = time / 3600,
                        .minute = time / 60 % 60,
                        .second = time % 60,
                        .micros = micros},
                       true);
}

fit append_time(ums::column& c, const plan& how, string_view v) {
  bool negative = false;
  unsigned hour = 0, minute = 0, second = 0, micros = 0;
  if (how.stored.type == 11) { // The old form: decimal digits, no fraction.
    auto n = int32_t(uint32_t(little_endian(v, 0, 3)) << 8) >> 8;
    negative = n < 0;
    auto digits = unsigned(negative ? -n : n);
    hour = digits / 10'000, minute = digits / 100 % 100, second = digits % 100;
  } else {
    auto behind = v.size() - 3;
    auto n = int64_t(big_endian(v)) - (int64_t{0x800000} << (8 * behind));
    negative = n < 0;
    auto all = uint64_t(negative ? -n : n);
    auto whole = all >> (8 * behind);
    constexpr unsigned units[] = {0, 10'000, 100, 1};
    micros = unsigned(all & ((uint64_t{1} << (8 * behind)) - 1)) * units[behind & 3];
    hour = unsigned(whole >> 12 & 1023), minute = unsigned(whole >> 6 & 63),
    second = unsigned(whole & 63);
  }
  char text[32];
  auto* end = fmt::format_to(text, "{}{:02}:{:02}:{:02}", negative ? "-" : "", hour, minute, second);
  end = put_fraction(end, micros, how.fraction);
  c.append_text({text, size_t(end - text)});
  return fit::good;
}

fit append_moment_text(ums::column& c, const plan& how, string_view text) {
  unsigned parts[7] = {};
  const auto* at = text.data();
  const auto* end = at + text.size();
  for (size_t i = 0; i < 7 && at < end; ++i) {
    const auto* begin = at;
    auto [next, failed] = std::from_chars(at, end, parts[i]);
    if (failed != std::errc{})
      return fit::bad;
    if (i == 6)
      for (auto digits = next - begin; digits < 6; ++digits)
        parts[i] *= 10;
    at = next + (next < end ? 1 : 0);
  }
  moment m{int(parts[0]), parts[1], parts[2], parts[3], parts[4], parts[5], parts[6]};
  return append_moment(c, how, m, how.how != conversion::date);
}

std::string unfit(const ums::field& f, fit why) {
  if (why == fit::no_date)
    return fmt::format("column {}: expected a date; found a zero or impossible one: set zero_dates "
                       "to null or text to let it pass",
                       f.name);
  return fmt::format("column {}: expected a {} that UMS can hold; found something else", f.name,
                     f.native);
}

} // namespace rtdp::extract::my
