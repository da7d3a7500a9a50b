/// Operators that change the text of cells, one by one: trim, replace, subString, prefixOrAppend.
#include "actors/extract/log_expression.hpp"
#include "actors/extract/log_rules.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace rtdp::extract::logs {

namespace {

using config::field;

/// Changes each cell of a scope that has a value; null stays null.
class text_rule : public rule {
public:
  explicit text_rule(scope s) : scope_(std::move(s)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    for (auto& row : rows) {
      scope_.resolve(row, {}, at_);
      for (auto i : at_)
        if (!row[i].null)
          change(row[i], with.memory);
    }
    return {};
  }

protected:
  virtual void change(cell& c, arena& memory) = 0;

private:
  scope scope_;
  std::vector<size_t> at_;
};

/// Byte position behind the UTF-8 character at `at`.
size_t next_character(std::string_view text, size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    ++at;
  return at;
}

std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    auto end = next_character(text, at);
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

// -- trim ---------------------------------------------------------------------

class trim_rule final : public text_rule {
public:
  trim_rule(scope s, std::string side, const std::string& set)
      : text_rule(std::move(s)), side_(std::move(side)), set_(characters(set)) {}

private:
  bool has(std::string_view character) const {
    return std::find(set_.begin(), set_.end(), character) != set_.end();
  }

  void change(cell& c, arena& memory) override {
    if (side_ == "all") {
      std::string kept;
      for (size_t at = 0; at < c.text.size();) {
        auto end = next_character(c.text, at);
        if (auto one = c.text.substr(at, end - at); !has(one))
          kept += one;
        at = end;
      }
      c.text = memory.keep(kept);
      return;
    }
    if (side_ != "right")
      while (!c.text.empty() && has(c.text.substr(0, next_character(c.text, 0))))
        c.text.remove_prefix(next_character(c.text, 0));
    while (side_ != "left" && !c.text.empty()) {
      auto last = c.text.size() - 1;
      while (last > 0 && (static_cast<unsigned char>(c.text[last]) & 0xc0) == 0x80)
        --last;
      if (!has(c.text.substr(last)))
        break;
      c.text = c.text.substr(0, last);
    }
  }

  std::string side_;
  std::vector<std::string> set_;
};

error make_trim(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = changeable_scope(item);
    if (!where)
      return where.error();
    out.push_back(
        std::make_unique<trim_rule>(std::move(*where), item.text("side"), item.text("characters")));
  }
  return {};
}

// -- replace ------------------------------------------------------------------

class replace_rule final : public text_rule {
public:
  replace_rule(scope s, std::string find, expression regex, std::string with)
      : text_rule(std::move(s)), find_(std::move(find)), regex_(std::move(regex)),
        with_(std::move(with)) {}

private:
  void change(cell& c, arena& memory) override {
    std::string out;
    if (regex_) {
      out = c.text;
      if (re2::RE2::GlobalReplace(&out, *regex_, with_) > 0)
        c.text = memory.keep(out);
      return;
    }
    size_t begin = 0;
    for (size_t at; (at = c.text.find(find_, begin)) != c.text.npos; begin = at + find_.size())
      out.append(c.text.substr(begin, at - begin)).append(with_);
    if (begin == 0)
      return;
    c.text = memory.keep(out.append(c.text.substr(begin)));
  }

  std::string find_;
  expression regex_;
  std::string with_;
};

error make_replace(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = changeable_scope(item);
    if (!where)
      return where.error();
    expression regex;
    if (item.text("by") == "regex") {
      auto compiled = compile(item.text("find"));
      if (!compiled)
        return compiled.error();
      regex = std::move(*compiled);
      std::string wrong;
      if (!regex->CheckRewriteString(item.text("with"), &wrong))
        return rejected("with: " + wrong + "; groups are written \\1 to \\9");
    }
    out.push_back(std::make_unique<replace_rule>(std::move(*where), item.text("find"),
                                                 std::move(regex), item.text("with")));
  }
  return {};
}

// -- subString ----------------------------------------------------------------

/// Where a cut begins or ends: a character's position, or a text that is looked for.
struct edge {
  std::optional<int64_t> index;
  std::string text;
};

class sub_string_rule final : public text_rule {
public:
  sub_string_rule(scope s, edge start, edge end)
      : text_rule(std::move(s)), start_(std::move(start)), end_(std::move(end)) {}

private:
  /// Byte position of the n-th character; a negative n counts from the end. Never outside.
  static size_t byte_of(std::string_view text, int64_t n) {
    if (n < 0)
      n = std::max<int64_t>(0, n + std::count_if(text.begin(), text.end(), [](char c) {
                                 return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
                               }));
    size_t at = 0;
    while (n-- > 0 && at < text.size())
      at = next_character(text, at);
    return at;
  }

  void change(cell& c, arena&) override {
    auto begin = start_.index ? byte_of(c.text, *start_.index) : c.text.find(start_.text);
    auto end = c.text.size();
    if (end_.index)
      end = byte_of(c.text, *end_.index);
    else if (!end_.text.empty())
      end = c.text.rfind(end_.text);
    if (begin == c.text.npos || end == c.text.npos) {
      c = {.name = c.name, .text = {}, .null = true};
      return;
    }
    if (!end_.index)
      end = std::min(c.text.size(), end + end_.text.size());
    c.text = begin < end ? c.text.substr(begin, end - begin) : std::string_view{};
  }

  edge start_, end_;
};

result<edge> read_edge(const config::section& item, const std::string& name) {
  const auto& text = item.text(name);
  if (item.text(name + "_by") == "text")
    return edge{.index = {}, .text = text};
  if (text.empty())
    return edge{};
  int64_t n = 0;
  auto last = text.data() + text.size();
  auto [at, code] = std::from_chars(text.data(), last, n);
  if (code != std::errc{} || at != last)
    return rejected(name + " expects a position; found a text: set " + name + "_by: text");
  return edge{.index = n, .text = {}};
}

error make_sub_string(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = changeable_scope(item);
    if (!where)
      return where.error();
    auto start = read_edge(item, "start");
    auto end = read_edge(item, "end");
    if (!start || !end)
      return !start ? start.error() : end.error();
    if (!start->index && start->text.empty())
      start->index = 0;
    out.push_back(
        std::make_unique<sub_string_rule>(std::move(*where), std::move(*start), std::move(*end)));
  }
  return {};
}

// -- prefixOrAppend -----------------------------------------------------------

class affix_rule final : public text_rule {
public:
  affix_rule(scope s, bool before, std::string text)
      : text_rule(std::move(s)), before_(before), text_(std::move(text)) {}

private:
  void change(cell& c, arena& memory) override {
    std::string whole(before_ ? std::string_view(text_) : c.text);
    whole += before_ ? c.text : std::string_view(text_);
    c.text = memory.keep(whole);
  }

  bool before_;
  std::string text_;
};

error make_affix(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = changeable_scope(item);
    if (!where)
      return where.error();
    out.push_back(std::make_unique<affix_rule>(std::move(*where), item.text("side") == "before",
                                               item.text("text")));
  }
  return {};
}

} // namespace

operation trim_operation() {
  return {"trim",
          "Takes characters off the ends of cells.",
          {scope_field(),
           field("side", std::string("both"), "`all` takes them out everywhere.")
               .one_of({"left", "right", "both", "all"}),
           field("characters", std::string(" \t\r\n"), "What to take off. Default: white space.")
               .sample("'\"[]'")},
          &make_trim};
}

operation replace_operation() {
  return {"replace",
          "Replaces every occurrence of a text or of a regular expression.",
          {scope_field(), field("find", std::string{}, "What to look for.").required(),
           field("with", std::string{}, "What stands there afterwards; `\\1` is the first group."),
           field("by", std::string("text"), "What `find` is.").one_of({"text", "regex"})},
          &make_replace};
}

operation subString_operation() {
  return {"subString",
          "Keeps a part of a cell; null when a text that it is to begin or end with is not there.",
          {scope_field(),
           field("start", std::string{},
                 "First character kept, counted from 0, negative from the end; or the text whose "
                 "first occurrence begins the part."),
           field("end", std::string{},
                 "First character left out; or the text whose last occurrence ends the part. "
                 "Default: the end."),
           field("start_by", std::string("index"), "What `start` is.").one_of({"index", "text"}),
           field("end_by", std::string("index"), "What `end` is.").one_of({"index", "text"})},
          &make_sub_string};
}

operation prefixOrAppend_operation() {
  return {"prefixOrAppend",
          "Puts a text before or behind cells.",
          {scope_field(), field("text", std::string{}, "The text.").required(),
           field("side", std::string("before"), "Where it goes.").one_of({"before", "after"})},
          &make_affix};
}

} // namespace rtdp::extract::logs
