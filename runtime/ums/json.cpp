#include "runtime/ums/json.hpp"

#include "runtime/ums/scan.hpp"

#include <algorithm>
#include <bit>

namespace rtdp::ums::json {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Four hexadecimal digits, or -1.
int hex4(std::string_view text) {
  if (text.size() < 4)
    return -1;
  int value = 0;
  for (char c : text.substr(0, 4)) {
    auto low = char(c | 0x20);
    if (is_digit(c))
      value = value * 16 + (c - '0');
    else if (low >= 'a' && low <= 'f')
      value = value * 16 + (low - 'a' + 10);
    else
      return -1;
  }
  return value;
}

void append_utf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += char(code);
    return;
  }
  if (code < 0x800) {
    out += char(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      out += char(0xe0 | code >> 12);
    } else {
      out += char(0xf0 | code >> 18);
      out += char(0x80 | (code >> 12 & 0x3f));
    }
    out += char(0x80 | (code >> 6 & 0x3f));
  }
  out += char(0x80 | (code & 0x3f));
}

/// Reads what follows `\u`, a pair of surrogates together, and cuts it off.
bool unescape_unicode(std::string_view& rest, std::string& out) {
  auto code = hex4(rest);
  if (code < 0)
    return false;
  rest.remove_prefix(4);
  if (code >= 0xd800 && code < 0xe000) {
    if (code >= 0xdc00 || !rest.starts_with("\\u"))
      return false;
    auto low = hex4(rest.substr(2));
    if (low < 0xdc00 || low >= 0xe000)
      return false;
    rest.remove_prefix(6);
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  append_utf8(uint32_t(code), out);
  return true;
}

} // namespace

bool cursor::skip_object(int depth) {
  ++at_;
  if (skip('}'))
    return true;
  do {
    std::string_view name;
    if (!key(name) || !skip_value(depth))
      return false;
  } while (skip(','));
  return skip('}');
}

bool cursor::skip_array(int depth) {
  ++at_;
  if (skip(']'))
    return true;
  do {
    if (!skip_value(depth))
      return false;
  } while (skip(','));
  return skip(']');
}

bool cursor::skip_value(int depth) {
  if (depth > depth_max)
    return false;
  switch (peek()) {
  case '{':
    return skip_object(depth + 1);
  case '[':
    return skip_array(depth + 1);
  case '"':
    scalar();
    return true;
  case '\0':
  case '}':
  case ']':
  case ':':
  case ',':
    return false;
  default:
    return is_plain_scalar(scalar());
  }
}

bool is_number(std::string_view text) {
  auto p = text.begin(), end = text.end();
  auto digits = [&p, end] {
    auto begin = p;
    p = std::find_if_not(p, end, is_digit);
    return p - begin;
  };
  if (p != end && *p == '-')
    ++p;
  bool zero = p != end && *p == '0';
  auto whole = digits();
  if (whole == 0 || (zero && whole > 1))
    return false;
  if (p != end && *p == '.') {
    ++p;
    if (digits() == 0)
      return false;
  }
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p != end && (*p == '-' || *p == '+'))
      ++p;
    if (digits() == 0)
      return false;
  }
  return p == end;
}

bool is_plain_scalar(std::string_view text) {
  return text == "null" || text == "true" || text == "false" || is_number(text);
}

bool unescape(std::string_view raw, std::string& out) {
  out.clear();
  for (;;) {
    auto n = scan::find<scan::backslash>(raw);
    out.append(raw.substr(0, n));
    if (n == raw.size())
      return true;
    raw.remove_prefix(n + 1);
    if (raw.empty())
      return false;
    char c = raw[0];
    raw.remove_prefix(1);
    constexpr std::string_view letters = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
    if (auto at = letters.find(c); at != letters.npos)
      out += meant[at];
    else if (c != 'u' || !unescape_unicode(raw, out))
      return false;
  }
}

error indexer::index(std::string_view text, cursor& out) {
  // 256 MiB: the index takes four bytes for each byte of the longest message seen.
  constexpr size_t size_max = size_t{256} << 20;
  constexpr size_t size_kept = size_t{16} << 20;
  if (text.size() > size_max)
    return rejected("message of " + std::to_string(text.size()) + " bytes, at most 256 MiB");
  // In powers of two, so that slowly growing messages do not move it each time.
  auto wanted = std::bit_ceil(std::max<size_t>(text.size(), 4096));
  auto code = simdjson::SUCCESS;
  if (!stage_)
    code = simdjson::get_active_implementation()->create_dom_parser_implementation(
        wanted, depth_max, stage_);
  else if (stage_->capacity() < wanted || (stage_->capacity() > size_kept && wanted <= size_kept))
    code = stage_->set_capacity(wanted);
  if (code)
    return unavailable("no memory to index a message of " + std::to_string(text.size()) + " bytes");
  code = stage_->stage1(reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                        simdjson::stage1_mode::regular);
  if (code)
    return rejected(std::string("not JSON: ") + simdjson::error_message(code));
  out = cursor(text, stage_->structural_indexes.get(), stage_->n_structural_indexes);
  return {};
}

} // namespace rtdp::ums::json
