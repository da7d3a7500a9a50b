#include "runtime/state/changes.hpp"

namespace rtdp::state {
namespace {

/// In front of each entry.
constexpr char put_mark = 'p', erase_mark = 'e';

} // namespace

void append_varint(uint64_t value, std::string& out) {
  for (; value > 0x7f; value >>= 7)
    out.push_back(char(0x80 | (value & 0x7f)));
  out.push_back(char(value));
}

bool take_varint(std::string_view& from, uint64_t& value) {
  value = 0;
  for (unsigned shift = 0, at = 0; at < from.size() && shift < 64; ++at, shift += 7) {
    auto byte = uint8_t(from[at]);
    value |= uint64_t(byte & 0x7f) << shift;
    if (byte < 0x80) {
      from.remove_prefix(at + 1);
      return true;
    }
  }
  return false;
}

void append_text(std::string_view text, std::string& out) {
  append_varint(text.size(), out);
  out += text;
}

bool take_text(std::string_view& from, std::string_view& text) {
  uint64_t size = 0;
  if (!take_varint(from, size) || size > from.size())
    return false;
  text = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

void append_put(std::string_view key, std::string_view value, std::string& out) {
  out.push_back(put_mark);
  append_text(key, out);
  append_text(value, out);
}

void append_erase(std::string_view key, std::string& out) {
  out.push_back(erase_mark);
  append_text(key, out);
}

result<bool> change_cursor::next() {
  if (rest_.empty())
    return false;
  auto mark = rest_.front();
  rest_.remove_prefix(1);
  gone = mark == erase_mark;
  value = {};
  if ((mark != put_mark && !gone) || !take_text(rest_, key) || (!gone && !take_text(rest_, value)))
    return rejected("state: the bytes of a change are damaged");
  return true;
}

result<std::vector<size_t>> entries_of(std::string_view changes) {
  std::vector<size_t> begins;
  for (change_cursor at(changes);;) {
    auto begin = changes.size() - at.left();
    auto more = at.next();
    if (!more)
      return more.error();
    if (!*more)
      return begins;
    begins.push_back(begin);
  }
}

change_cursor entry_at(std::string_view changes, size_t begin) {
  change_cursor at(changes.substr(begin));
  (void)at.next();
  return at;
}

} // namespace rtdp::state
