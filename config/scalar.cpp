#include "config/scalar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

namespace rtdp::config {

namespace {

struct unit {
  std::string_view name;
  int64_t scale;
};

// Largest first, for showing.
constexpr std::array<unit, 3> sizes{{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}};
constexpr std::array<unit, 5> durations{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

/// A decimal number and the text behind it.
std::optional<std::pair<int64_t, std::string_view>> number_and_rest(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-')
    text.remove_prefix(1);
  int64_t n = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec != std::errc{})
    return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (!text.empty() && text[0] == ' ')
    text.remove_prefix(1);
  return std::pair{n, text};
}

template<size_t N>
std::optional<int64_t> scaled(int64_t n, std::string_view name, const std::array<unit, N>& units) {
  auto u = std::find_if(units.begin(), units.end(), [&](const unit& x) { return x.name == name; });
  int64_t product = 0;
  if (u == units.end() || __builtin_mul_overflow(n, u->scale, &product))
    return std::nullopt;
  return product;
}

} // namespace

std::optional<bool> read_bool(std::string_view text) {
  std::string lower(text.substr(0, 6));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (lower == "true" || lower == "yes" || lower == "on")
    return true;
  if (lower == "false" || lower == "no" || lower == "off")
    return false;
  return std::nullopt;
}

std::optional<int64_t> read_integer(std::string_view text) {
  auto parts = number_and_rest(text);
  if (!parts)
    return std::nullopt;
  auto [n, suffix] = *parts;
  return suffix.empty() ? std::optional(n) : scaled(n, suffix, sizes);
}

std::optional<double> read_number(std::string_view text) {
  double x = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), x);
  if (ec != std::errc{} || end != text.data() + text.size() || !std::isfinite(x))
    return std::nullopt;
  return x;
}

std::optional<std::chrono::milliseconds> read_duration(std::string_view text) {
  auto parts = number_and_rest(text);
  if (!parts || parts->first < 0)
    return std::nullopt;
  auto [n, suffix] = *parts;
  auto ms = n == 0 && suffix.empty() ? std::optional<int64_t>(0) : scaled(n, suffix, durations);
  if (!ms)
    return std::nullopt;
  return std::chrono::milliseconds(*ms);
}

std::string show_duration(std::chrono::milliseconds d) {
  for (const auto& u : durations)
    if (d.count() != 0 && d.count() % u.scale == 0)
      return fmt::format("{}{}", d.count() / u.scale, u.name);
  return "0ms";
}

std::string show_integer(int64_t n, const std::string& setting) {
  if (setting.find("bytes") != setting.npos)
    for (const auto& u : sizes)
      if (n != 0 && n % u.scale == 0)
        return fmt::format("{}{}", n / u.scale, u.name);
  return std::to_string(n);
}

} // namespace rtdp::config
