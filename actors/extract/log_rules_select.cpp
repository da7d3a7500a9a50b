/// Operators that choose: rows (filter, keyFilter) and cells (select, excludeField, toIndex,
/// saveAs).
#include "actors/extract/log_expression.hpp"
#include "actors/extract/log_rules.hpp"

#include <algorithm>
#include <iterator>

namespace rtdp::extract::logs {

namespace {

using config::field;

// -- filter, keyFilter --------------------------------------------------------

/// What both filters ask of a value.
struct condition {
  std::string by, value;
  expression regex;

  bool holds(const cell& c) const {
    if (c.null)
      return false;
    if (by == "regex")
      return re2::RE2::PartialMatch(piece(c.text), *regex);
    return by == "equal" ? c.text == value : c.text.find(value) != c.text.npos;
  }
};

result<condition> read_condition(const config::section& item) {
  condition out{.by = item.text("by"), .value = item.text("value"), .regex = {}};
  if (out.by != "regex")
    return out;
  auto compiled = compile(out.value);
  if (!compiled)
    return compiled.error();
  out.regex = std::move(*compiled);
  return out;
}

std::vector<field> condition_fields(field first) {
  return {std::move(first),
          field("value", std::string{}, "What the value is compared with.").required(),
          field("by", std::string("contains"), "How it is compared.")
              .one_of({"contains", "equal", "regex"}),
          field("op", std::string("=="), "`!=` keeps the rows for which `==` does not hold.")
              .one_of({"==", "!="})};
}

/// Keeps rows in which at least one cell of the scope fulfils the condition, or none of them.
class filter_rule final : public rule {
public:
  filter_rule(scope s, condition c, bool wanted)
      : scope_(std::move(s)), condition_(std::move(c)), wanted_(wanted) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    std::erase_if(rows, [&](const record& row) {
      scope_.resolve(row, with.origin, at_);
      auto any = std::any_of(at_.begin(), at_.end(), [&](size_t i) {
        return condition_.holds(cell_at(row, with.origin, i));
      });
      return any != wanted_;
    });
    return {};
  }
  bool selects() const override { return true; }

private:
  scope scope_;
  condition condition_;
  bool wanted_;
  std::vector<size_t> at_;
};

error make_filters(const config::sections& items, const char* scope_from,
                   std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = scope::parse(item.text(scope_from));
    if (!where)
      return where.error();
    auto asked = read_condition(item);
    if (!asked)
      return asked.error();
    out.push_back(std::make_unique<filter_rule>(std::move(*where), std::move(*asked),
                                                item.text("op") == "=="));
  }
  return {};
}

error make_filter(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  return make_filters(items, "scope", out);
}

/// A key is one name, whatever it looks like.
class key_filter_rule final : public rule {
public:
  key_filter_rule(std::string key, condition c, bool wanted)
      : key_(std::move(key)), condition_(std::move(c)), wanted_(wanted) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    std::erase_if(rows, [&](const record& row) {
      auto at = find(row, key_);
      if (at != none)
        return condition_.holds(row[at]) != wanted_;
      auto fact = std::find_if(with.origin.begin(), with.origin.end(),
                               [&](const cell& c) { return c.name == key_; });
      return (fact != with.origin.end() && condition_.holds(*fact)) != wanted_;
    });
    return {};
  }
  bool selects() const override { return true; }

private:
  std::string key_;
  condition condition_;
  bool wanted_;
};

error make_key_filter(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto asked = read_condition(item);
    if (!asked)
      return asked.error();
    out.push_back(std::make_unique<key_filter_rule>(item.text("key"), std::move(*asked),
                                                    item.text("op") == "=="));
  }
  return {};
}

// -- select, excludeField, toIndex, saveAs ------------------------------------

result<std::vector<scope>> read_scopes(const config::sections& items) {
  std::vector<scope> out;
  for (const auto& item : items) {
    auto one = scope::parse(item.text("scope"));
    if (!one)
      return one.error();
    out.push_back(std::move(*one));
  }
  return out;
}

/// The cells of its scopes, one scope after the other, and no others.
class select_rule final : public rule {
public:
  explicit select_rule(std::vector<scope> scopes) : scopes_(std::move(scopes)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    for (auto& row : rows) {
      next_.clear();
      for (const auto& s : scopes_) {
        s.resolve(row, with.origin, at_);
        for (auto i : at_)
          next_.push_back(cell_at(row, with.origin, i));
      }
      row.swap(next_);
    }
    return {};
  }

private:
  std::vector<scope> scopes_;
  std::vector<size_t> at_;
  record next_;
};

error make_select(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  auto scopes = read_scopes(items);
  if (!scopes)
    return scopes.error();
  out.push_back(std::make_unique<select_rule>(std::move(*scopes)));
  return {};
}

class exclude_rule final : public rule {
public:
  explicit exclude_rule(scope s) : scope_(std::move(s)) {}

  error apply(std::vector<record>& rows, const surroundings&) override {
    for (auto& row : rows) {
      scope_.resolve(row, {}, at_);
      std::sort(at_.begin(), at_.end(), std::greater<>{});
      for (auto i : at_)
        row.erase(row.begin() + long(i));
    }
    return {};
  }

private:
  scope scope_;
  std::vector<size_t> at_;
};

error make_exclude(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  auto scopes = read_scopes(items);
  if (!scopes)
    return scopes.error();
  for (auto& s : *scopes)
    out.push_back(std::make_unique<exclude_rule>(std::move(s)));
  return {};
}

/// Exactly these names in this order; null for one that is not there. Positions are fixed from here
/// on, whatever the event held.
class to_index_rule final : public rule {
public:
  explicit to_index_rule(std::vector<std::string> keys) : keys_(std::move(keys)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    for (auto& row : rows) {
      next_.clear();
      for (const auto& key : keys_) {
        auto at = find(row, key);
        auto fact = std::find_if(with.origin.begin(), with.origin.end(),
                                 [&](const cell& c) { return at == none && c.name == key; });
        next_.push_back(at != none                  ? row[at]
                        : fact != with.origin.end() ? *fact
                                                    : cell{.name = key, .text = {}, .null = true});
      }
      row.swap(next_);
    }
    return {};
  }

private:
  std::vector<std::string> keys_;
  record next_;
};

error make_to_index(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  std::vector<std::string> keys;
  for (const auto& item : items)
    keys.push_back(item.text("key"));
  out.push_back(std::make_unique<to_index_rule>(std::move(keys)));
  return {};
}

/// The cells of its scopes under new names, one for each; null where a scope means nothing.
class save_as_rule final : public rule {
public:
  save_as_rule(std::vector<scope> scopes, std::vector<std::string> names)
      : scopes_(std::move(scopes)), names_(std::move(names)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    for (auto& row : rows) {
      next_.clear();
      for (size_t n = 0; n < scopes_.size(); ++n) {
        scopes_[n].resolve(row, with.origin, at_);
        auto c = at_.empty() ? cell{.name = {}, .text = {}, .null = true}
                             : cell_at(row, with.origin, at_[0]);
        c.name = names_[n];
        next_.push_back(c);
      }
      row.swap(next_);
    }
    return {};
  }

private:
  std::vector<scope> scopes_;
  std::vector<std::string> names_;
  std::vector<size_t> at_;
  record next_;
};

error make_save_as(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  auto scopes = read_scopes(items);
  if (!scopes)
    return scopes.error();
  std::vector<std::string> names;
  for (size_t i = 0; i < items.size(); ++i) {
    names.push_back(items[i].text("name"));
    if (!(*scopes)[i].is_single())
      return rejected("column " + names.back() +
                      ": a scope of saveAs is one position or name; "
                      "found " +
                      items[i].text("scope"));
  }
  out.push_back(std::make_unique<save_as_rule>(std::move(*scopes), std::move(names)));
  return {};
}

std::vector<field> save_as_fields() {
  std::vector<field> fields{scope_field(),
                            field("name", std::string{}, "Name of the column.").required()};
  auto shared = column_fields();
  fields.insert(fields.end(), std::make_move_iterator(shared.begin()),
                std::make_move_iterator(shared.end()));
  return fields;
}

} // namespace

operation filter_operation() {
  return {"filter", "Keeps rows by the value of a cell; all items must hold.",
          condition_fields(scope_field()), &make_filter};
}

operation keyFilter_operation() {
  return {"keyFilter", "Keeps rows by the value under one name; all items must hold.",
          condition_fields(field("key", std::string{}, "Name of the cell.").required()),
          &make_key_filter};
}

operation select_operation() {
  return {"select", "Keeps these cells, in this order.", {scope_field()}, &make_select};
}

operation excludeField_operation() {
  return {"excludeField", "Leaves these cells out.", {scope_field()}, &make_exclude};
}

operation toIndex_operation() {
  return {"toIndex",
          "Keeps the cells of these names in this order, null for one that is missing, so that "
          "positions mean the same in every event.",
          {field("key", std::string{}, "Name of a cell.").required()},
          &make_to_index};
}

operation saveAs_operation() {
  return {"saveAs",
          "Names and types the columns of the table; the last step. A table has this or "
          "`columns:`.",
          save_as_fields(), &make_save_as};
}

} // namespace rtdp::extract::logs
