/// Operators on JSON within cells: jsonPath, flattenJsonArray, flattenUms.
#include "actors/extract/log_rules.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <optional>

namespace rtdp::extract::logs {

namespace {

/// The scope of a rule that works on one cell of the row.
result<scope> one_cell(const config::section& item) {
  auto where = scope::parse(item.text("scope"));
  if (where && (!where->is_single() || where->names_origin()))
    return rejected("the scope is one position or name; found " + item.text("scope"));
  return where;
}

using config::field;

error in_cell(const error& e, std::string_view name) { return e.in("cell " + std::string(name)); }

// -- jsonPath -----------------------------------------------------------------

class json_path_rule final : public rule {
public:
  json_path_rule(scope s, json_path path, std::string name)
      : scope_(std::move(s)), path_(std::move(path)), name_(std::move(name)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    for (auto& row : rows) {
      scope_.resolve(row, with.origin, at_);
      for (auto i : at_) {
        auto from = cell_at(row, with.origin, i);
        cell out{.name = name_, .text = {}, .null = true};
        std::string_view raw;
        if (!from.null)
          if (auto failed = with.json.find(from.text, path_, raw))
            return in_cell(failed, from.name);
        if (!raw.empty())
          if (auto failed = with.json.value(raw, with.memory, out))
            return in_cell(failed, from.name);
        row.push_back(out);
      }
    }
    return {};
  }

private:
  scope scope_;
  json_path path_;
  std::string name_;
  std::vector<size_t> at_;
};

error make_json_path(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = scope::parse(item.text("scope"));
    if (!where)
      return where.error();
    auto path = json_path::parse(item.text("path"));
    if (!path)
      return path.error();
    auto name = item.text("name").empty() ? item.text("path") : item.text("name");
    out.push_back(
        std::make_unique<json_path_rule>(std::move(*where), std::move(*path), std::move(name)));
  }
  return {};
}

// -- flattenJsonArray ---------------------------------------------------------

class flatten_array_rule final : public rule {
public:
  flatten_array_rule(scope s, std::optional<json_path> path)
      : scope_(std::move(s)), path_(std::move(path)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    std::vector<record> next;
    for (auto& row : rows) {
      scope_.resolve(row, {}, at_);
      if (at_.empty() || row[at_[0]].null)
        next.push_back(std::move(row));
      else if (auto failed = flatten(row, at_[0], with, next))
        return in_cell(failed, row[at_[0]].name);
    }
    rows.swap(next);
    return {};
  }

private:
  error flatten(const record& row, size_t at, const surroundings& with, std::vector<record>& next) {
    auto whole = row[at].text;
    auto array = whole;
    if (path_)
      if (auto failed = with.json.find(whole, *path_, array))
        return failed;
    if (array.empty())
      return rejected("nothing is at the path");
    std::vector<std::string_view> elements;
    if (auto failed = with.json.elements(array, elements))
      return failed;
    for (auto element : elements) {
      auto& copy = next.emplace_back(row);
      if (!path_) {
        if (auto failed = with.json.value(element, with.memory, copy[at]))
          return failed;
        continue;
      }
      // What stands around the array stays around the element.
      std::string text(whole.substr(0, size_t(array.data() - whole.data())));
      text.append(element).append(whole.substr(size_t(array.data() - whole.data()) + array.size()));
      copy[at].text = with.memory.keep(text);
    }
    return {};
  }

  scope scope_;
  std::optional<json_path> path_;
  std::vector<size_t> at_;
};

error make_flatten_array(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = one_cell(item);
    if (!where)
      return where.error();
    std::optional<json_path> path;
    if (!item.text("path").empty()) {
      auto parsed = json_path::parse(item.text("path"));
      if (!parsed)
        return parsed.error();
      path = std::move(*parsed);
    }
    out.push_back(std::make_unique<flatten_array_rule>(std::move(*where), std::move(path)));
  }
  return {};
}

// -- flattenUms ---------------------------------------------------------------

class flatten_ums_rule final : public rule {
public:
  flatten_ums_rule(scope s, ums::ns pattern) : scope_(std::move(s)), pattern_(std::move(pattern)) {}

  error apply(std::vector<record>& rows, const surroundings& with) override {
    std::vector<record> next;
    for (auto& row : rows) {
      scope_.resolve(row, {}, at_);
      if (at_.empty() || row[at_[0]].null)
        continue;
      if (auto failed = flatten(row[at_[0]], with.memory, next))
        return failed;
    }
    rows.swap(next);
    return {};
  }
  bool selects() const override { return true; }

private:
  error flatten(const cell& from, arena& memory, std::vector<record>& next) {
    std::vector<ums::batch> batches;
    std::vector<ums::bad_row> bad;
    if (auto failed = reader_.read(from.text, batches, bad))
      return in_cell(failed, from.name);
    if (!bad.empty())
      return in_cell(rejected(std::to_string(bad.size()) + " tuples of the UMS message do not "
                                                           "decode"),
                     from.name);
    for (const auto& b : batches)
      if (b.carries_rows() && pattern_.matches(b.schema->name))
        add_rows(b, memory, next);
    return {};
  }

  static void add_rows(const ums::batch& b, arena& memory, std::vector<record>& next) {
    auto name = memory.keep(b.schema->name.text());
    std::vector<std::string_view> names;
    for (const auto& f : b.schema->fields)
      names.push_back(memory.keep(f.name));
    std::string text;
    for (size_t r = 0; r < b.rows(); ++r) {
      auto& row = next.emplace_back();
      row.push_back({.name = "namespace", .text = name});
      for (size_t c = 0; c < b.columns.size(); ++c) {
        text.clear();
        if (!b.columns[c].is_null(r))
          ums::append_cell(b.columns[c], r, text);
        row.push_back(
            {.name = names[c], .text = memory.keep(text), .null = b.columns[c].is_null(r)});
      }
    }
  }

  scope scope_;
  ums::ns pattern_;
  ums::reader reader_;
  std::vector<size_t> at_;
};

error make_flatten_ums(const config::sections& items, std::vector<std::unique_ptr<rule>>& out) {
  for (const auto& item : items) {
    auto where = one_cell(item);
    if (!where)
      return where.error();
    auto pattern = ums::ns::parse(item.text("namespace"));
    if (!pattern)
      return pattern.error();
    out.push_back(std::make_unique<flatten_ums_rule>(std::move(*where), std::move(*pattern)));
  }
  return {};
}

} // namespace

operation jsonPath_operation() {
  return {
      "jsonPath",
      "Adds behind the last cell what a path finds in a cell's JSON; null when there is "
      "nothing.",
      {scope_field(),
       field("path", std::string{}, "`$.name`, `$['name']`, `$[0]`, `$[-1]`, chained.").required(),
       field("name", std::string{}, "Name of the new cell. Default: the path.")},
      &make_json_path};
}

operation flattenJsonArray_operation() {
  return {"flattenJsonArray",
          "Makes one row of each element of an array in a cell; the other cells are repeated. An "
          "empty array makes no row.",
          {scope_field(),
           field("path", std::string{},
                 "Where the array is within the cell's JSON; the cell then keeps the JSON around "
                 "it, with the element in the array's place. Default: the cell is the array.")},
          &make_flatten_array};
}

operation flattenUms_operation() {
  return {"flattenUms",
          "Takes a UMS message apart: one row for each tuple, with the cells `namespace` and all "
          "fields by name.",
          {field("scope", std::string("0"), "The cell that holds the message."),
           field("namespace", std::string("*"), "Only messages of this namespace pattern.")},
          &make_flatten_ums};
}

} // namespace rtdp::extract::logs
