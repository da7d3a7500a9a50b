/// Values in the text of SQL: numbers in answers, arrays in parameters. Pure functions.
#pragma once

#include <charconv>
#include <optional>
#include <string>

namespace rtdp::extract::pg {

/// 0 for null.
template<class T>
T number(const std::optional<std::string>& text) {
  T out = 0;
  if (text)
    std::from_chars(text->data(), text->data() + text->size(), out);
  return out;
}

/// An array literal: {"a","b"}
template<class Range, class Text>
std::string array_of(const Range& items, Text text) {
  std::string out = "{";
  for (const auto& item : items) {
    out += out.size() > 1 ? ",\"" : "\"";
    for (char c : text(item)) {
      if (c == '"' || c == '\\')
        out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

} // namespace rtdp::extract::pg
