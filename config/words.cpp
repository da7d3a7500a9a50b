#include "config/words.hpp"

#include <algorithm>
#include <numeric>

namespace rtdp::config {

namespace {

/// Edits between two words: a letter put in, left out, replaced, or two neighbours swapped. Optimal
/// string alignment, three rows of the table at a time.
size_t edits(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      auto same = a[i - 1] == b[j - 1];
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above.back();
}

/// Bytes of the character that begins with `first`; 0 when none does.
size_t utf8_length(unsigned char first) {
  return first < 0x80   ? 1
         : first < 0xC2 ? 0
         : first < 0xE0 ? 2
         : first < 0xF0 ? 3
         : first < 0xF5 ? 4
                        : 0;
}

} // namespace

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  // 64: no setting has a longer name, and the table grows with the product of the lengths.
  if (word.size() > 64)
    return {};
  std::string best;
  auto best_edits = std::max<size_t>(1, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    auto n = edits(word, candidate);
    if (n < best_edits && n < candidate.size()) {
      best_edits = n;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  auto near = closest(word, candidates);
  return near.empty() ? near : "; did you mean " + near + "?";
}

std::string excerpt(std::string_view text) {
  constexpr size_t bytes = 60;
  auto cut = text.substr(0, bytes);
  std::string out(cut.substr(0, valid_utf8(cut)));
  for (auto& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      c = ' ';
  return out.size() < text.size() ? out + "…" : out;
}

size_t valid_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    auto byte = [&](size_t k) { return static_cast<unsigned char>(text[i + k]); };
    auto n = utf8_length(byte(0));
    if (n == 0 || i + n > text.size())
      return i;
    for (size_t k = 1; k < n; ++k)
      if ((byte(k) & 0xC0) != 0x80)
        return i;
    // Overlong forms, surrogates and what lies above U+10FFFF.
    if ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) > 0x9F) ||
        (byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) > 0x8F))
      return i;
    i += n;
  }
  return i;
}

bool is_plain_word(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

} // namespace rtdp::config
