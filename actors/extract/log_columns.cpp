#include "actors/extract/log_columns.hpp"

#include "runtime/ums/codec.hpp"

#include <climits>

#include <charconv>
#include <cstring>
#include <ctime>

namespace rtdp::extract::logs {

namespace {

constexpr int64_t second = 1'000'000;
constexpr int64_t day = 86'400 * second;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Digits behind a point as microseconds; more than six are cut. `text` is left behind them.
std::optional<int64_t> fraction(std::string_view& text) {
  int64_t micros = 0, unit = second / 10;
  size_t n = 0;
  for (; n < text.size() && n < 9 && is_digit(text[n]); ++n, unit /= 10)
    micros += (text[n] - '0') * unit;
  text.remove_prefix(n);
  return n > 0 ? std::optional(micros) : std::nullopt;
}

/// Seconds since 1970, a fraction allowed.
std::optional<int64_t> epoch_seconds(std::string_view text) {
  int64_t whole = 0, micros = 0;
  auto minus = text.starts_with('-');
  auto [at, code] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (code != std::errc{})
    return {};
  text.remove_prefix(size_t(at - text.data()));
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    auto digits = fraction(text);
    if (!digits)
      return {};
    micros = minus ? -*digits : *digits;
  }
  int64_t out = 0;
  if (!text.empty() || __builtin_mul_overflow(whole, second, &out) ||
      __builtin_add_overflow(out, micros, &out))
    return {};
  return out;
}

std::optional<int64_t> epoch(std::string_view text, int64_t micros) {
  int64_t value = 0, out = 0;
  auto end = text.data() + text.size();
  auto [at, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || at != end || __builtin_mul_overflow(value, micros, &out))
    return {};
  return out;
}

/// The fields as they were read: a day that no calendar has comes back as another one.
std::optional<int64_t> seconds_of(const std::tm& read) {
  auto normal = read;
  auto value = timegm(&normal);
  if (normal.tm_mday != read.tm_mday || normal.tm_mon != read.tm_mon ||
      normal.tm_sec != read.tm_sec || normal.tm_hour != read.tm_hour)
    return {};
  return int64_t(value) - read.tm_gmtoff;
}

std::optional<int64_t> by_pattern(std::string_view text, const std::string& format) {
  // strptime wants ends that are zeros.
  std::string copy(text);
  if (copy.find('\0') != copy.npos)
    return {};
  std::tm tm{};
  tm.tm_year = INT_MIN;
  tm.tm_mday = 1;
  auto split = format.find("%f");
  const char* at = strptime(copy.c_str(), format.substr(0, split).c_str(), &tm);
  int64_t micros = 0;
  if (at != nullptr && split != format.npos) {
    std::string_view rest(at);
    auto digits = fraction(rest);
    if (!digits)
      return {};
    micros = *digits;
    at = strptime(rest.data(), format.substr(split + 2).c_str(), &tm);
  }
  if (at == nullptr || at != copy.c_str() + copy.size() || tm.tm_year == INT_MIN)
    return {};
  auto seconds = seconds_of(tm);
  int64_t out = 0;
  if (!seconds || __builtin_mul_overflow(*seconds, second, &out))
    return {};
  return out + micros;
}

int64_t days_of(int64_t micros) { return micros / day - (micros % day < 0); }

error wrong_type(const column_settings& column) {
  auto expected = std::string(ums::to_string(column.field.type));
  if (!column.time_format.empty())
    expected += " written as " + column.time_format;
  return rejected("column " + column.field.name + ": the value is not of type " + expected);
}

} // namespace

std::optional<int64_t> parse_time(std::string_view text, const std::string& format) {
  if (format.empty())
    return ums::parse_datetime(text);
  if (format == "epoch_s")
    return epoch_seconds(text);
  if (format == "epoch_ms" || format == "epoch_us")
    return epoch(text, format == "epoch_ms" ? 1000 : 1);
  return by_pattern(text, format);
}

error check_time_format(const std::string& format) {
  if (format.empty() || format.starts_with("epoch_")) {
    if (format.empty() || format == "epoch_s" || format == "epoch_ms" || format == "epoch_us")
      return {};
    return rejected("expects epoch_s, epoch_ms, epoch_us or a pattern; found " + format);
  }
  if (format.find('%') == format.npos)
    return rejected("expects a pattern such as %Y-%m-%d %H:%M:%S; found none of its marks");
  for (const char* year : {"%Y", "%y", "%F", "%D", "%s", "%c", "%x"})
    if (format.find(year) != format.npos)
      return {};
  return rejected("the pattern has no year (%Y or %y): a time without one cannot be placed");
}

error append_value(const column_settings& column, const cell& c, json_reader& json,
                   ums::column& to) {
  if (c.null) {
    if (column.required)
      return rejected("column " + column.field.name + ": is required, and the event has no value");
    to.append_null();
    return {};
  }
  auto type = column.field.type;
  if (!column.time_format.empty() && (type == ums::type::datetime || type == ums::type::date)) {
    auto micros = parse_time(c.text, column.time_format);
    if (!micros)
      return wrong_type(column);
    to.append_int(type == ums::type::date ? days_of(*micros) : *micros);
    return {};
  }
  if (type == ums::type::jsonarray || type == ums::type::jsonobject)
    if (json.check(c.text, type == ums::type::jsonarray ? '[' : '{'))
      return wrong_type(column);
  return ums::append_parsed(to, c.text) ? error{} : wrong_type(column);
}

} // namespace rtdp::extract::logs
