#include "runtime/ops/cli_layout.hpp"

#include "runtime/ops/component.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

/// Width in a terminal: code points, which is right for all but very wide and combined letters.
size_t width_of(const std::string& text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(const cell& c, size_t width, bool right, bool last, bool colour) {
  auto missing = width - std::min(width, width_of(c.text));
  std::string blanks(last && !right ? 0 : missing, ' ');
  auto text = colour && c.colour != nullptr ? c.colour + c.text + colours::plain : c.text;
  return right ? blanks + text : text + blanks;
}

} // namespace

std::string text_of(const json& item, const char* key) {
  auto at = item.find(key);
  if (at == item.end() || at->is_null())
    return "";
  return printable(at->is_string() ? at->get<std::string>() : dump(*at));
}

std::optional<double> number_of(const json& item, const char* key) {
  auto at = item.find(key);
  if (at == item.end() || !at->is_number() || at->get<double>() < 0)
    return std::nullopt;
  return at->get<double>();
}

std::string counted(double n) { return human_count(int64_t(n)); }
std::string millis(double ms) { return human_seconds(ms / 1000); }

const char* colour_of(const std::string& state) {
  if (state == "running")
    return colours::green;
  if (state == "failed")
    return colours::red;
  return state == "new" || state == "stopped" ? nullptr : colours::yellow;
}

std::string table_text(std::vector<column> columns, const json& items, bool colour) {
  std::vector<std::vector<cell>> rows;
  for (const auto& item : items) {
    auto& row = rows.emplace_back();
    for (const auto& c : columns)
      row.push_back(c.show(item));
  }
  for (size_t i = columns.size(); i-- > 0;)
    if (std::all_of(rows.begin(), rows.end(), [i](const auto& r) { return r[i].text.empty(); })) {
      columns.erase(columns.begin() + long(i));
      for (auto& row : rows)
        row.erase(row.begin() + long(i));
    }
  auto& head = *rows.emplace(rows.begin());
  for (const auto& c : columns)
    head.push_back({c.heading, colours::bold});
  std::vector<size_t> widths(columns.size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i].text));
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      out += (i == 0 ? "" : "  ") +
             padded(row[i], widths[i], columns[i].right, i + 1 == row.size(), colour);
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

std::string printable(std::string text) {
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = ' ';
  return text;
}

std::string human_count(int64_t n) {
  auto digits = fmt::format("{}", n);
  for (auto at = int64_t(digits.size()) - 3; at > (n < 0 ? 1 : 0); at -= 3)
    digits.insert(size_t(at), 1, ',');
  return digits;
}

std::string human_seconds(double s) {
  if (s < 0.01)
    return fmt::format("{:.1f} ms", s * 1000);
  if (s < 1)
    return fmt::format("{:.0f} ms", s * 1000);
  if (s < 60)
    return fmt::format("{:.1f} s", s);
  auto whole = int64_t(s);
  if (whole < 3600)
    return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400)
    return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

std::string human_bytes(int64_t n) {
  constexpr std::array units = {"B", "KB", "MB", "GB", "TB", "PB"};
  auto value = double(n);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, value < 10 && unit > 0 ? 1 : 0, units[unit]);
}

} // namespace rtdp::ops
