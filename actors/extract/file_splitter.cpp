#include "actors/extract/file_splitter.hpp"

namespace rtdp::extract::files {

namespace {

std::string_view without_line_end(std::string_view text) {
  if (text.ends_with('\n'))
    text.remove_suffix(1);
  if (text.ends_with('\r'))
    text.remove_suffix(1);
  return text;
}

cut event_of(std::string_view bytes) {
  auto text = without_line_end(bytes);
  return {text.empty() ? cut::what::skipped : cut::what::event, text, bytes.size()};
}

} // namespace

bool splitter::next(std::string_view buffer, bool last, bool& skipping, cut& out) const {
  if (buffer.empty())
    return false;
  auto end = buffer.find('\n');
  if (skipping) {
    skipping = end == buffer.npos && !last;
    out = {cut::what::skipped, {}, end == buffer.npos ? buffer.size() : end + 1};
    return true;
  }
  // A carriage return before the line end may stand behind the limit.
  auto length = end == buffer.npos ? buffer.size() : end;
  if (length > bytes_max_ + 1 ||
      (length == bytes_max_ + 1 && (end == buffer.npos ? last : buffer[length - 1] != '\r'))) {
    skipping = true;
    out = {cut::what::too_long, buffer.substr(0, bytes_max_), bytes_max_};
    return true;
  }
  if (end == buffer.npos) {
    if (last)
      out = event_of(buffer);
    return last;
  }
  if (start_)
    return joined(buffer, end + 1, last, out);
  out = event_of(buffer.substr(0, end + 1));
  return true;
}

bool splitter::joined(std::string_view buffer, size_t first_end, bool last, cut& out) const {
  for (auto at = first_end;;) {
    auto end = buffer.find('\n', at);
    auto is_whole = end != buffer.npos;
    auto next = is_whole ? end + 1 : buffer.size();
    if (!is_whole && !last && next <= bytes_max_)
      return false;
    auto line = without_line_end(buffer.substr(at, next - at));
    auto ends_here = next > bytes_max_ || at == buffer.size() ||
                     re2::RE2::PartialMatch(logs::piece(line), *start_);
    if (ends_here || (!is_whole && last)) {
      out = event_of(buffer.substr(0, ends_here ? at : next));
      return true;
    }
    at = next;
  }
}

} // namespace rtdp::extract::files
