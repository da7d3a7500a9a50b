#include "actors/extract/log_json.hpp"

#include <charconv>

namespace rtdp::extract::logs {

namespace {

error not_json(std::string_view what) { return rejected("not JSON: " + std::string(what)); }

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || static_cast<unsigned char>(c) >= 0x80;
}

} // namespace

result<json_path> json_path::parse(std::string_view text) {
  json_path out;
  auto wrong = [&](size_t at, const char* what) {
    return rejected(std::string(what) + " at character " + std::to_string(at + 1) + " of \"" +
                    std::string(text) + "\"; a path is written $.name, $['name'] and $[0]");
  };
  if (text.empty() || text[0] != '$')
    return wrong(0, "expects $");
  for (size_t i = 1; i < text.size();) {
    auto begin = i + 1;
    if (text[i] == '.') {
      for (i = begin; i < text.size() && is_bare(text[i]);)
        ++i;
      if (i == begin)
        return wrong(i, "expects a name (wildcards and .. are not taken)");
      out.parts_.emplace_back(std::string(text.substr(begin, i - begin)));
      continue;
    }
    if (text[i] != '[')
      return wrong(i, "expects . or [");
    auto is_name = begin < text.size() && (text[begin] == '\'' || text[begin] == '"');
    auto end = is_name ? text.find(text[begin], begin + 1) : text.find(']', begin);
    if (end == text.npos || (is_name && (end + 1 >= text.size() || text[end + 1] != ']')))
      return wrong(i, "the bracket does not close");
    if (is_name) {
      out.parts_.emplace_back(std::string(text.substr(begin + 1, end - begin - 1)));
      i = end + 2;
      continue;
    }
    int64_t index = 0;
    auto [at, code] = std::from_chars(text.data() + begin, text.data() + end, index);
    if (end == begin || code != std::errc{} || at != text.data() + end)
      return wrong(begin, "expects a number or a quoted name (wildcards are not taken)");
    out.parts_.emplace_back(index);
    i = end + 1;
  }
  return out;
}

error json_reader::scalar(std::string_view raw, bool quoted, arena& memory, cell& out) {
  out.null = false;
  if (!quoted) {
    if (!ums::json::is_plain_scalar(raw))
      return not_json("\"" + std::string(raw.substr(0, 20)) + "\" is no value");
    out.null = raw == "null";
    out.text = out.null ? std::string_view{} : raw;
    return {};
  }
  out.text = raw;
  if (raw.find('\\') == raw.npos)
    return {};
  if (!ums::json::unescape(raw, unescaped_))
    return not_json("a string with an escape that JSON does not have");
  out.text = memory.keep(unescaped_);
  return {};
}

error json_reader::object(const std::string& prefix, bool flatten, int depth, arena& memory,
                          record& out) {
  if (depth > ums::json::depth_max)
    return not_json("more than 64 levels deep");
  at_.skip('{');
  if (at_.skip('}'))
    return {};
  do {
    cell c;
    std::string_view name;
    if (!at_.key(name))
      return not_json("expects a name and a colon at byte " + std::to_string(at_.byte() + 1));
    cell key;
    if (auto failed = scalar(name, true, memory, key))
      return failed;
    c.name = prefix.empty() ? key.text : memory.keep(prefix + std::string(key.text));
    auto first = at_.token();
    auto opens = at_.peek();
    if (opens == '{' && flatten) {
      if (auto failed = object(std::string(c.name) + ".", flatten, depth + 1, memory, out))
        return failed;
      continue;
    }
    if (opens == '{' || opens == '[') {
      if (!at_.skip_value(depth))
        return not_json("a value that does not close, or more than 64 levels deep");
      c.text = at_.stepped_over(first);
    } else if (opens == '\0' || opens == '}' || opens == ']' || opens == ':' || opens == ',') {
      return not_json("expects a value at byte " + std::to_string(at_.byte() + 1));
    } else if (auto failed = scalar(at_.scalar(), opens == '"', memory, c)) {
      return failed;
    }
    out.push_back(c);
  } while (at_.skip(','));
  if (!at_.skip('}'))
    return not_json("expects , or } at byte " + std::to_string(at_.byte() + 1));
  return {};
}

error json_reader::cells(std::string_view text, bool flatten, arena& memory, record& out) {
  out.clear();
  if (auto failed = indexer_.index(text, at_))
    return failed;
  if (at_.peek() != '{')
    return not_json("expects an object");
  if (auto failed = object({}, flatten, 1, memory, out))
    return failed;
  return at_.at_end() ? error{} : not_json("more text behind the object");
}

bool json_reader::step_into_object(const std::string& name) {
  at_.skip('{');
  size_t found = 0;
  bool has = false;
  if (at_.peek() == '}')
    return false;
  do {
    std::string_view raw;
    if (!at_.key(raw))
      return false;
    auto is_it = raw == name || (raw.find('\\') != raw.npos &&
                                 ums::json::unescape(raw, unescaped_) && unescaped_ == name);
    if (is_it) {
      found = at_.token();
      has = true;
    }
    if (!at_.skip_value())
      return false;
  } while (at_.skip(','));
  if (has)
    at_.go_to(found);
  return has;
}

bool json_reader::step_into_array(int64_t index) {
  at_.skip('[');
  std::vector<size_t> starts;
  if (at_.peek() == ']')
    return false;
  do {
    starts.push_back(at_.token());
    if (!at_.skip_value())
      return false;
  } while (at_.skip(','));
  auto wanted = index < 0 ? index + int64_t(starts.size()) : index;
  if (wanted < 0 || wanted >= int64_t(starts.size()))
    return false;
  at_.go_to(starts[size_t(wanted)]);
  return true;
}

bool json_reader::step(const json_path& path, bool& well_formed) {
  auto start = at_.token();
  well_formed = at_.skip_value() && at_.at_end();
  at_.go_to(start);
  for (const auto& part : path.parts()) {
    if (!well_formed)
      return false;
    const auto* name = std::get_if<std::string>(&part);
    if (name != nullptr ? at_.peek() != '{' : at_.peek() != '[')
      return false;
    if (name != nullptr ? !step_into_object(*name) : !step_into_array(std::get<int64_t>(part)))
      return false;
  }
  return well_formed;
}

error json_reader::find(std::string_view text, const json_path& path, std::string_view& raw) {
  raw = {};
  if (auto failed = indexer_.index(text, at_))
    return failed;
  bool well_formed = false;
  auto found = step(path, well_formed);
  if (!well_formed)
    return not_json("one value is expected");
  if (!found)
    return {};
  auto first = at_.token();
  at_.skip_value();
  raw = at_.stepped_over(first);
  return {};
}

error json_reader::elements(std::string_view array, std::vector<std::string_view>& out) {
  out.clear();
  if (auto failed = check(array, '['))
    return failed;
  if (auto failed = indexer_.index(array, at_))
    return failed;
  at_.skip('[');
  if (at_.peek() == ']')
    return {};
  do {
    auto first = at_.token();
    at_.skip_value();
    out.push_back(at_.stepped_over(first));
  } while (at_.skip(','));
  return {};
}

error json_reader::value(std::string_view raw, arena& memory, cell& out) {
  if (!raw.empty() && (raw[0] == '{' || raw[0] == '[')) {
    out.text = raw;
    out.null = false;
    return {};
  }
  auto quoted = raw.size() >= 2 && raw[0] == '"';
  return scalar(quoted ? raw.substr(1, raw.size() - 2) : raw, quoted, memory, out);
}

error json_reader::check(std::string_view text, char first) {
  if (auto failed = indexer_.index(text, at_))
    return failed;
  if (first != '\0' && at_.peek() != first)
    return not_json(first == '[' ? "expects an array" : "expects an object");
  return at_.skip_value() && at_.at_end() ? error{} : not_json("one value is expected");
}

} // namespace rtdp::extract::logs
