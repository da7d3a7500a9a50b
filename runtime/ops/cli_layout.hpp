/// How the tables of the command line are laid out: columns, of which each shows one cell of an
/// item in JSON. Pure functions. Text of components is cleaned of control characters, since it comes
/// from databases and must not drive a terminal.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::ops {

namespace colours {
inline constexpr auto red = "\x1b[31m";
inline constexpr auto green = "\x1b[32m";
inline constexpr auto yellow = "\x1b[33m";
inline constexpr auto bold = "\x1b[1m";
inline constexpr auto plain = "\x1b[0m";
} // namespace colours

struct cell {
  std::string text;
  const char* colour = nullptr;
};

struct column {
  const char* heading;
  bool right;
  cell (*show)(const nlohmann::ordered_json&);
};

/// Columns are as wide as their longest cell; one in which no item has anything is left out.
std::string table_text(std::vector<column> columns, const nlohmann::ordered_json& items,
                       bool colour);

/// Empty when there is none.
std::string text_of(const nlohmann::ordered_json& item, const char* key);
/// Negative values stand for "unknown", as on the status page.
std::optional<double> number_of(const nlohmann::ordered_json& item, const char* key);

template<class F>
cell shown(const nlohmann::ordered_json& item, const char* key, F show) {
  auto n = number_of(item, key);
  return {n ? show(*n) : "", nullptr};
}

/// Of a state of DESIGN §6; null for none.
const char* colour_of(const std::string& state);

/// Control characters become blanks.
std::string printable(std::string text);

/// 1234567 → "1,234,567"
std::string human_count(int64_t n);
/// 0.0123 → "12 ms"; 75 → "1 min 15 s"
std::string human_seconds(double s);
/// 50331648 → "48 MB"
std::string human_bytes(int64_t n);

/// As `shown` wants them.
std::string counted(double n);
std::string millis(double ms);

} // namespace rtdp::ops
