#include "actors/extract/log_format.hpp"

#include <algorithm>
#include <utility>

namespace rtdp::extract::logs {

namespace {

constexpr std::pair<std::string_view, format::kind> words[] = {{"json", format::kind::json},
                                                               {"logfmt", format::kind::logfmt},
                                                               {"csv", format::kind::csv},
                                                               {"regex", format::kind::regex},
                                                               {"plain", format::kind::plain}};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

error at_byte(const char* what, size_t at) {
  return rejected(std::string(what) + " at byte " + std::to_string(at + 1));
}

/// A quoted value of logfmt from the quote at `at` on; `at` is left behind the closing one.
error quoted_value(std::string_view event, size_t& at, arena& memory, std::string_view& out) {
  auto begin = at + 1;
  std::string plain;
  bool escaped = false;
  size_t i = begin;
  for (; i < event.size() && event[i] != '"'; ++i) {
    if (event[i] != '\\') {
      plain += event[i];
      continue;
    }
    if (++i == event.size())
      break;
    escaped = true;
    plain += event[i] == 'n' ? '\n' : event[i] == 't' ? '\t' : event[i] == 'r' ? '\r' : event[i];
  }
  if (i >= event.size())
    return at_byte("not logfmt: a quote does not close", at);
  at = i + 1;
  out = escaped ? memory.keep(plain) : event.substr(begin, i - begin);
  return {};
}

} // namespace

result<format> format::make(const config::section& settings) {
  format out;
  const auto& word = settings.text("format");
  for (const auto& [name, k] : words)
    if (name == word)
      out.kind_ = k;
  out.flatten_ = settings.text("nested") == "flatten";
  out.csv_columns_ = settings.get<config::texts>("csv_columns");
  const auto& delimiter = settings.text("csv_delimiter");
  if (delimiter.size() != 1 || delimiter == "\"" || delimiter == "\n")
    return rejected("csv_delimiter: expects one ASCII character that is no quote; found " +
                    std::to_string(delimiter.size()) + " bytes");
  out.delimiter_ = delimiter[0];
  if (out.kind_ != kind::regex)
    return out;
  if (settings.text("pattern").empty())
    return rejected("pattern: is required by format: regex");
  auto compiled = compile(settings.text("pattern"));
  if (!compiled)
    return compiled.error().in("pattern");
  out.pattern_ = std::move(*compiled);
  out.groups_ = group_names(*out.pattern_, "group");
  if (out.pattern_->NamedCapturingGroups().empty())
    return rejected("pattern: has no named group; write (?P<name>…) around each value");
  out.found_.resize(out.groups_.size() + 1);
  return out;
}

std::vector<std::string> format::cell_names() const {
  if (kind_ == kind::plain)
    return {"line"};
  return kind_ == kind::regex ? groups_ : csv_columns_;
}

error format::decode(std::string_view event, std::span<const std::string> csv_header, arena& memory,
                     json_reader& json, record& out, bool& matches) {
  matches = true;
  out.clear();
  switch (kind_) {
  case kind::json:
    return json.cells(event, flatten_, memory, out);
  case kind::logfmt:
    return decode_logfmt(event, memory, out);
  case kind::csv:
    return decode_csv(event, csv_columns_.empty() ? csv_header : csv_columns_, memory, out);
  case kind::regex:
    matches = decode_regex(event, out);
    return {};
  case kind::plain:
    break;
  }
  out.push_back({.name = "line", .text = event});
  return {};
}

error format::decode_logfmt(std::string_view event, arena& memory, record& out) {
  for (size_t at = 0;;) {
    while (at < event.size() && is_blank(event[at]))
      ++at;
    if (at == event.size())
      break;
    auto begin = at;
    while (at < event.size() && !is_blank(event[at]) && event[at] != '=' && event[at] != '"')
      ++at;
    cell c{.name = event.substr(begin, at - begin), .text = "true"};
    if (c.name.empty())
      return at_byte("not logfmt: expects a key", at);
    if (at < event.size() && event[at] == '"')
      return at_byte("not logfmt: a quote within a key", at);
    if (at < event.size() && event[at] == '=') {
      ++at;
      if (at < event.size() && event[at] == '"') {
        if (auto failed = quoted_value(event, at, memory, c.text))
          return failed;
        if (at < event.size() && !is_blank(event[at]))
          return at_byte("not logfmt: expects a blank behind the closing quote", at);
      } else {
        begin = at;
        while (at < event.size() && !is_blank(event[at]))
          ++at;
        c.text = event.substr(begin, at - begin);
      }
    }
    out.push_back(c);
  }
  return out.empty() ? rejected("not logfmt: an empty line") : error{};
}

error split_csv(std::string_view line, char delimiter, arena& memory, record& out) {
  out.clear();
  for (size_t at = 0;;) {
    cell c;
    if (at < line.size() && line[at] == '"') {
      auto opened = at++;
      std::string plain;
      for (;;) {
        auto end = line.find('"', at);
        if (end == line.npos)
          return at_byte("not CSV: a quote does not close on its line", opened);
        plain += line.substr(at, end - at);
        at = end + 1;
        if (at == line.size() || line[at] != '"')
          break;
        plain += '"';
        ++at;
      }
      if (at < line.size() && line[at] != delimiter)
        return at_byte("not CSV: expects the delimiter behind the closing quote", at);
      c.text = memory.keep(plain);
    } else {
      auto end = std::min(line.find(delimiter, at), line.size());
      c.text = line.substr(at, end - at);
      c.null = c.text.empty();
      if (auto quote = c.text.find('"'); quote != c.text.npos)
        return at_byte("not CSV: a quote within a field that does not begin with one", at + quote);
      at = end;
    }
    out.push_back(c);
    if (at >= line.size())
      return {};
    ++at;
  }
}

error format::decode_csv(std::string_view event, std::span<const std::string> names, arena& memory,
                         record& out) {
  if (auto failed = split_csv(event, delimiter_, memory, out))
    return failed;
  if (out.size() != names.size())
    return rejected("not the CSV that was expected: " + std::to_string(names.size()) +
                    " fields by the header or csv_columns, found " + std::to_string(out.size()));
  for (size_t i = 0; i < out.size(); ++i)
    out[i].name = names[i];
  return {};
}

bool format::decode_regex(std::string_view event, record& out) {
  if (!pattern_->Match(piece(event), 0, event.size(), re2::RE2::UNANCHORED, found_.data(),
                       int(found_.size())))
    return false;
  for (size_t i = 0; i < groups_.size(); ++i) {
    auto text = view(found_[i + 1]);
    out.push_back({.name = groups_[i], .text = text, .null = text.data() == nullptr});
  }
  return true;
}

} // namespace rtdp::extract::logs
