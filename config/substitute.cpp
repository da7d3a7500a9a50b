#include "config/substitute.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace rtdp::config {

namespace {

/// Stands for a reference while a text is searched for secrets.
constexpr char hidden = '\x01';

/// Linux's longest path, and `file:}` around it: else each `${` without its `}` costs a search
/// through all that follows, 4 MiB at most.
constexpr size_t value_bytes_max = 4096 + 6;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)); }

bool is_variable_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), is_word);
}

piece reference(std::string_view body) {
  if (body.substr(0, 4) == "env:" && is_variable_name(body.substr(4)))
    return {piece::what::variable, std::string(body.substr(4))};
  if (body.substr(0, 5) == "file:" && body.size() > 5)
    return {piece::what::file, std::string(body.substr(5))};
  return {piece::what::bad, {}};
}

/// `raw` with each reference as one `hidden`.
std::string mask(std::string_view raw) {
  std::string out;
  for (const auto& p : pieces_of(raw)) {
    if (p.is == piece::what::text)
      out += p.text;
    else if (p.is != piece::what::bad)
      out += hidden;
  }
  return out;
}

bool all_hidden(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == hidden; });
}

/// "scheme://user:password@host": from the first ':' to the last '@', whatever stands between,
/// since people forget to escape '/', '?' and '@' in a password.
bool user_has_password(std::string_view text) {
  auto begin = text.find("://");
  if (begin == text.npos)
    return false;
  auto rest = text.substr(begin + 3);
  auto at = rest.rfind('@');
  auto colon = rest.find(':');
  return at != rest.npos && colon < at && !all_hidden(rest.substr(colon + 1, at - colon - 1));
}

bool is_secret_key(std::string key) {
  static constexpr std::array<std::string_view, 5> words{"pass", "pwd", "secret", "token",
                                                         "credential"};
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return key != "passfile" &&
         std::any_of(words.begin(), words.end(), [&](auto w) { return key.find(w) != key.npos; });
}

/// Any `password=value` in "host=h password=value" or "?a=b&password=value".
bool pair_has_password(std::string_view text) {
  for (auto eq = text.find('='); eq != text.npos; eq = text.find('=', eq + 1)) {
    auto end = eq;
    while (end > 0 && is_space(text[end - 1]))
      --end;
    auto begin = end;
    while (begin > 0 && is_word(text[begin - 1]))
      --begin;
    if (!is_secret_key(std::string(text.substr(begin, end - begin))))
      continue;
    auto value = text.substr(eq + 1);
    while (!value.empty() && is_space(value[0]))
      value.remove_prefix(1);
    if (!value.empty() && (value[0] == '\'' || value[0] == '"'))
      value.remove_prefix(1);
    if (!all_hidden(value.substr(0, value.find_first_of("'\" \t\r\n&;"))))
      return true;
  }
  return false;
}

/// A URL, or text that begins with `word =`.
bool is_address(std::string_view text) {
  if (text.find("://") != text.npos)
    return true;
  auto at = std::find_if_not(text.begin(), text.end(), is_space);
  auto end = std::find_if_not(at, text.end(), is_word);
  auto eq = std::find_if_not(end, text.end(), is_space);
  return at != end && eq != text.end() && *eq == '=';
}

} // namespace

std::vector<piece> pieces_of(std::string_view raw) {
  std::vector<piece> out;
  auto text = [&](std::string_view t) {
    if (t.empty())
      return;
    if (out.empty() || out.back().is != piece::what::text)
      out.push_back({piece::what::text, {}});
    out.back().text += t;
  };
  while (!raw.empty()) {
    auto at = raw.find("${");
    if (at == raw.npos) {
      text(raw);
      break;
    }
    if (at > 0 && raw[at - 1] == '$') {
      text(raw.substr(0, at - 1));
      text("${");
      raw.remove_prefix(at + 2);
      continue;
    }
    text(raw.substr(0, at));
    raw.remove_prefix(at + 2);
    auto end = raw.substr(0, value_bytes_max).find('}');
    auto p = end == raw.npos ? piece{piece::what::bad, {}} : reference(raw.substr(0, end));
    raw.remove_prefix(end == raw.npos || p.is == piece::what::bad ? 0 : end + 1);
    out.push_back(std::move(p));
  }
  return out;
}

bool is_address_with_password(std::string_view raw) {
  auto text = mask(raw);
  return is_address(text) && (user_has_password(text) || pair_has_password(text));
}

bool shows_secret(std::string_view raw) {
  auto text = mask(raw);
  if (all_hidden(text))
    return false;
  return is_address(text) ? is_address_with_password(raw) : text.find(hidden) == text.npos;
}

} // namespace rtdp::config
