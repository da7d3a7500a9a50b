#include "runtime/ums/namespace.hpp"

#include <algorithm>

namespace rtdp::ums {

namespace {

constexpr std::string_view part_names[] = {"datastore", "instance",     "database",       "table",
                                           "version",   "db partition", "table partition"};

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; }

bool needs_quotes(std::string_view part) {
  return part.empty() || std::any_of(part.begin(), part.end(), [](char c) {
           return c == '.' || c == '*' || c == '"' || is_blank(c);
         });
}

void append_quoted(std::string_view part, std::string& out) {
  out += '"';
  for (char c : part) {
    if (c == '"')
      out += '"';
    out += c;
  }
  out += '"';
}

/// Whether `text` is what `glob` says, where each star stands for any text. Goes back to the last
/// star only, so it takes at most the product of both lengths.
bool glob_matches(std::string_view glob, std::string_view text) {
  size_t g = 0, t = 0, star = glob.npos, from = 0;
  while (t < text.size())
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      from = t;
    } else if (g < glob.size() && glob[g] == text[t]) {
      ++g;
      ++t;
    } else if (star != glob.npos) {
      g = star + 1;
      t = ++from;
    } else {
      return false;
    }
  return glob.find_first_not_of('*', g) == glob.npos;
}

/// Cuts parts off the front of a name and knows where it stands.
class cutter {
public:
  explicit cutter(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  std::string_view rest() const { return text_.substr(at_); }

  error wrong(std::string_view what) const {
    return rejected("namespace " + std::string(text_.substr(0, 200)) + ", character " +
                    std::to_string(at_ + 1) + ": " + std::string(what));
  }

  /// Reads one part and the dot behind it, if there is one; `dot` says so.
  error cut(size_t number, std::string& part, bool& any, bool& dot) {
    any = false;
    auto begin = at_;
    auto e = !at_end() && text_[at_] == '"' ? quoted(part) : plain(part, any);
    if (e)
      return e;
    if (part.empty()) {
      at_ = begin;
      return wrong("the " + std::string(part_names[number]) + " is empty");
    }
    dot = !at_end();
    if (dot && text_[at_] != '.')
      return wrong("expected a dot behind the closing quote");
    at_ += dot;
    return {};
  }

private:
  error quoted(std::string& part) {
    auto open = at_++;
    for (;;) {
      auto quote = text_.find('"', at_);
      if (quote == text_.npos) {
        at_ = open;
        return wrong("this quote is never closed");
      }
      part += text_.substr(at_, quote - at_);
      at_ = quote + 1;
      if (at_end() || text_[at_] != '"')
        return {};
      part += '"';
      ++at_;
    }
  }

  error plain(std::string& part, bool& any) {
    auto begin = at_;
    for (; !at_end() && text_[at_] != '.'; ++at_)
      if (text_[at_] == '"' || is_blank(text_[at_]))
        return wrong("a name with a blank or a quote stands in double quotes");
    part = text_.substr(begin, at_ - begin);
    any = part.find('*') != part.npos;
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
};

} // namespace

ns::ns(std::string store, std::string host, std::string schema, std::string name,
       std::string number, std::string store_part, std::string table_part)
    : parts_{std::move(store),  std::move(host),       std::move(schema),    std::move(name),
             std::move(number), std::move(store_part), std::move(table_part)} {}

result<ns> ns::parse_head(std::string_view text, std::string_view& rest) {
  ns name;
  name.parts_.fill("*");
  name.any_.fill(true);
  cutter from(text);
  bool dot = true;
  for (size_t i = 0; i < name.parts_.size() && dot; ++i) {
    name.parts_[i].clear();
    if (auto e = from.cut(i, name.parts_[i], name.any_[i], dot))
      return e;
  }
  // "a.b." leaves the loop at its empty third part; a dot behind the seventh belongs to the caller.
  rest = from.rest();
  if (dot && rest.empty())
    return from.wrong("the name ends with a dot");
  return name;
}

result<ns> ns::parse(std::string_view text) {
  std::string_view rest;
  auto name = parse_head(text, rest);
  if (name && !rest.empty())
    return rejected("namespace " + std::string(text.substr(0, 200)) + ", character " +
                    std::to_string(text.size() - rest.size() + 1) + ": more than seven parts; " +
                    "a name with a dot stands in double quotes");
  return name;
}

std::string ns::text() const {
  std::string out;
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (i > 0)
      out += '.';
    if (any_[i])
      out += parts_[i];
    else if (needs_quotes(parts_[i]))
      append_quoted(parts_[i], out);
    else
      out += parts_[i];
  }
  return out;
}

void ns::set(part p, std::string value) {
  parts_[p] = std::move(value);
  any_[p] = false;
}

bool ns::is_pattern() const {
  return std::any_of(any_.begin(), any_.end(), [](bool any) { return any; });
}

bool ns::matches(const ns& name) const {
  for (size_t i = 0; i < parts_.size(); ++i)
    if (any_[i] ? parts_[i] != "*" && !glob_matches(parts_[i], name.parts_[i])
                : name.any_[i] || parts_[i] != name.parts_[i])
      return false;
  return true;
}

} // namespace rtdp::ums
