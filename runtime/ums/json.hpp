/// Walks JSON over simdjson's first stage: an index of every bracket, colon, comma and first
/// character of a value, found with SIMD at GB/s, in text that is checked UTF-8 with closed
/// strings. Its on-demand layer would be compiled for plain x86-64 (Debian's baseline), so strings
/// are looked at here, eight bytes at a time. Internal to runtime/ums; one thread at a time.
#pragma once

#include "runtime/core/error.hpp"

#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>

namespace rtdp::ums::json {

/// Deeper nesting is refused; no UMS message needs more than eight levels.
constexpr int depth_max = 64;

/// A position in the index of one text. Copies are cheap; every method that moves forward stops at
/// the end.
class cursor {
public:
  cursor() = default;
  cursor(std::string_view text, const uint32_t* index, size_t count)
      : text_(text.data()), index_(index), count_(count) {}

  /// First character of the token here; '\0' at the end.
  char peek() const { return at_ < count_ ? text_[index_[at_]] : '\0'; }
  bool at_end() const { return at_ == count_; }
  size_t token() const { return at_; }
  void go_to(size_t token) { at_ = token; }
  /// Byte position of the token here, or of the end of the text.
  size_t byte() const { return index_[at_]; }
  /// REQUIRES: begin <= end <= the end of the text.
  std::string_view between(size_t begin, size_t end) const { return {text_ + begin, end - begin}; }

  /// The text of the value that begins at token `first` and was just stepped over.
  std::string_view stepped_over(size_t first) const {
    auto end = size_t{index_[at_]};
    while (is_white(text_[end - 1]))
      --end;
    return between(index_[first], end);
  }
  /// True when the text from the token here on begins so.
  bool starts_with(std::string_view wanted) const {
    return between(byte(), index_[count_]).starts_with(wanted);
  }

  /// Steps over one token if it begins with `c`.
  bool skip(char c) {
    if (peek() != c)
      return false;
    ++at_;
    return true;
  }

  /// The characters of a string between its quotes, still escaped, or of another scalar. Steps over
  /// it. REQUIRES: !at_end() and the token is no bracket, comma or colon.
  std::string_view scalar() {
    size_t begin = index_[at_];
    size_t end = index_[++at_];
    while (is_white(text_[end - 1]))
      --end;
    if (text_[begin] != '"')
      return between(begin, end);
    // Nothing but white space lies between the closing quote and the next token.
    return between(begin + 1, end - 1);
  }

  /// "key": of an object; steps over both.
  bool key(std::string_view& name) {
    if (peek() != '"')
      return false;
    name = scalar();
    return skip(':');
  }

  /// Steps over a whole value and checks its grammar (not the escapes in its strings). False: it is
  /// not JSON, or too deep; the cursor then stands near the mistake.
  bool skip_value(int depth = 0);

  static bool is_white(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

private:
  bool skip_object(int depth);
  bool skip_array(int depth);

  const char* text_ = nullptr;
  const uint32_t* index_ = nullptr;
  size_t count_ = 0;
  size_t at_ = 0;
};

/// true, false, null or a number as RFC 8259 writes it.
bool is_plain_scalar(std::string_view text);
bool is_number(std::string_view text);

/// Replaces `out` with the text that `raw` escapes. False: an unknown escape, or half a surrogate
/// pair, which has no UTF-8.
bool unescape(std::string_view raw, std::string& out);

/// The first stage, and its memory.
class indexer {
public:
  /// REQUIRES: the text outlives the cursor; the cursor dies with the next call.
  error index(std::string_view text, cursor& out);

private:
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage_;
};

} // namespace rtdp::ums::json
