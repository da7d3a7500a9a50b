/// Operators that make several cells of one or one of several: split, concat, regexExtract.
#include "actors/extract/log_expression.hpp"
#include "actors/extract/log_rules.hpp"

#include <algorithm>

namespace rtdp::extract::logs {

namespace {

using config::field;

/// Puts several cells where one stood, for each cell of the scope as the row was before.
class spread_rule : public rule {
public:
  explicit spread_rule(scope s) : scope_(std::move(s)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    for (auto& row : rows) {
      scope_.resolve(row, {}, at_);
      next_.clear();
      for (size_t i = 0; i < row.size(); ++i)
        if (std::find(at_.begin(), at_.end(), i) == at_.end())
          next_.push_back(row[i]);
        else
          spread(row[i], with.memory, next_);
      row.swap(next_);
    }
    return {};
  }

protected:
  virtual void spread(const cell& c, arena& memory, record& out) = 0;

private:
  scope scope_;
  std::vector<size_t> at_;
  record next_;
};

// -- split --------------------------------------------------------------------

class split_rule final : public spread_rule {
public:
  split_rule(scope s, std::string separator, expression regex)
      : spread_rule(std::move(s)), separator_(std::move(separator)), regex_(std::move(regex)) {}

private:
  /// Where the next separator lies from `from` on; `end` is behind it.
  size_t next_separator(std::string_view text, size_t from, size_t& end) const {
    if (!regex_) {
      auto at = text.find(separator_, from);
      end = at + separator_.size();
      return at;
    }
    re2::StringPiece found;
    while (from <= text.size() &&
           regex_->Match(piece(text), from, text.size(), re2::RE2::UNANCHORED, &found, 1)) {
      auto at = size_t(found.data() - text.data());
      end = at + found.size();
      if (!found.empty())
        return at;
      // An empty match separates nothing.
      from = at + 1;
    }
    return text.npos;
  }

  void spread(const cell& c, arena& memory, record& out) override {
    if (c.null) {
      out.push_back(c);
      return;
    }
    size_t begin = 0, end = 0, n = 0;
    auto add = [&](std::string_view part) {
      auto name = std::string(c.name) + "." + std::to_string(n++);
      out.push_back({.name = memory.keep(name), .text = part});
    };
    for (size_t at; (at = next_separator(c.text, begin, end)) != c.text.npos; begin = end)
      add(c.text.substr(begin, at - begin));
    add(c.text.substr(begin));
  }

  std::string separator_;
  expression regex_;
};

error make_split(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = changeable_scope(item);
    if (!where)
      return where.error();
    expression regex;
    if (item.text("by") == "regex") {
      auto compiled = compile(item.text("separator"));
      if (!compiled)
        return compiled.error();
      regex = std::move(*compiled);
    }
    out.push_back(
        std::make_unique<split_rule>(std::move(*where), item.text("separator"), std::move(regex)));
  }
  return {};
}

// -- regexExtract -------------------------------------------------------------

class regex_extract_rule final : public spread_rule {
public:
  regex_extract_rule(scope s, expression regex)
      : spread_rule(std::move(s)), regex_(std::move(regex)),
        found_(size_t(regex_->NumberOfCapturingGroups()) + 1) {}

private:
  void spread(const cell& c, arena& memory, record& out) override {
    auto matches = !c.null && regex_->Match(piece(c.text), 0, c.text.size(), re2::RE2::UNANCHORED,
                                            found_.data(), int(found_.size()));
    auto names = group_names(*regex_, c.name);
    for (size_t i = 0; i < names.size(); ++i) {
      auto text = matches ? view(found_[i + 1]) : std::string_view{};
      // A group that took no part in the match has no data.
      out.push_back({.name = memory.keep(names[i]), .text = text, .null = text.data() == nullptr});
    }
  }

  expression regex_;
  std::vector<re2::StringPiece> found_;
};

error make_regex_extract(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = changeable_scope(item);
    if (!where)
      return where.error();
    auto compiled = compile(item.text("pattern"));
    if (!compiled)
      return compiled.error();
    if ((*compiled)->NumberOfCapturingGroups() == 0)
      return rejected("the pattern has no group; put ( ) or (?P<name> ) around what to extract");
    out.push_back(std::make_unique<regex_extract_rule>(std::move(*where), std::move(*compiled)));
  }
  return {};
}

// -- concat -------------------------------------------------------------------

class concat_rule final : public rule {
public:
  concat_rule(scope s, std::string separator)
      : scope_(std::move(s)), separator_(std::move(separator)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    for (auto& row : rows) {
      scope_.resolve(row, {}, at_);
      if (at_.empty())
        continue;
      std::string joined;
      for (size_t n = 0; n < at_.size(); ++n)
        joined.append(n > 0 ? separator_ : "").append(row[at_[n]].text);
      auto name = row[at_[0]].name;
      std::sort(at_.begin(), at_.end(), std::greater<>{});
      auto first = at_.back();
      for (auto i : at_)
        row.erase(row.begin() + long(i));
      row.insert(row.begin() + long(first), {.name = name, .text = with.memory.keep(joined)});
    }
    return {};
  }

private:
  scope scope_;
  std::string separator_;
  std::vector<size_t> at_;
};

error make_concat(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = changeable_scope(item);
    if (!where)
      return where.error();
    out.push_back(std::make_unique<concat_rule>(std::move(*where), item.text("separator")));
  }
  return {};
}

} // namespace

operation split_operation() {
  return {"split",
          "Cuts cells at every separator into cells named `<name>.0`, `<name>.1`, …; empty pieces "
          "stay.",
          {scope_field(),
           field("separator", std::string{}, "What stands between the pieces.")
               .required()
               .sample("'|'"),
           field("by", std::string("text"), "What `separator` is.").one_of({"text", "regex"})},
          &make_split};
}

operation regexExtract_operation() {
  return {"regexExtract",
          "Puts the groups of a regular expression in a cell's place, named as the groups or "
          "`<name>.1`, `<name>.2`, …; all null when it does not match.",
          {scope_field(),
           field("pattern", std::string{}, "Regular expression (RE2) with groups.").required()},
          &make_regex_extract};
}

operation concat_operation() {
  return {"concat",
          "Joins the cells of the scope, in its order, into one that stands where the leftmost "
          "stood; null counts as empty.",
          {scope_field(), field("separator", std::string{}, "What goes between them.")},
          &make_concat};
}

} // namespace rtdp::extract::logs
