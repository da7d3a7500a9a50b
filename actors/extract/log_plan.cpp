#include "actors/extract/log_plan.hpp"

#include <algorithm>
#include <set>

namespace rtdp::extract::logs {

namespace {

int line_of(const config::section& s, const std::string& name) {
  auto at = s.lines.find(name);
  return at == s.lines.end() ? s.line : at->second;
}

/// Builds one table and tells what is wrong with it.
class table_builder {
public:
  table_builder(const config::section& item, std::string path,
                std::vector<config::problem>& problems)
      : item_(item), path_(std::move(path)), problems_(problems) {}

  table_plan build() {
    out_.name = item_.text("name");
    read_match();
    const auto& steps = item_.get<config::sections>("rules");
    for (size_t i = 0; i < steps.size(); ++i)
      add_step(steps[i], path_ + ".rules." + std::to_string(i), i + 1 == steps.size());
    read_columns();
    read_time();
    return std::move(out_);
  }

private:
  void report(int line, const std::string& path, std::string text) {
    problems_.push_back({line, path, std::move(text)});
  }

  void read_match() {
    if (item_.text("match").empty())
      return;
    auto compiled = compile(item_.text("match"));
    if (compiled)
      out_.match = std::move(*compiled);
    else
      report(line_of(item_, "match"), path_ + ".match", compiled.error().text());
  }

  void add_step(const config::section& step, const std::string& path, bool is_last) {
    auto found = operation_of(step);
    if (!found)
      return report(step.line, path, found.error().text());
    const auto& operation = **found;
    auto line = line_of(step, operation.name);
    auto here = path + "." + operation.name;
    const auto& items = step.get<config::sections>(operation.name);
    if (auto failed = operation.make(items, out_.rules))
      return report(line, here, failed.text());
    out_.steps.resize(out_.rules.size(), {operation.name, line});
    if (std::string_view(operation.name) != "saveAs")
      return;
    if (!is_last)
      report(line, here, "makes the columns of the table and must be the last step");
    if (!item_.get<config::sections>("columns").empty())
      report(line, here, "makes the columns of the table, and columns: does, too; keep one");
    out_.by_position = true;
    out_.columns = save_as_columns(items);
    for (size_t i = 0; i < items.size(); ++i)
      check_column(out_.columns[i], items[i], here + "." + std::to_string(i));
  }

  void read_columns() {
    const auto& columns = item_.get<config::sections>("columns");
    if (out_.by_position)
      return;
    if (columns.empty())
      return report(item_.line, path_,
                    "has no columns: give columns:, or end rules: with a saveAs step");
    for (size_t i = 0; i < columns.size(); ++i) {
      auto c = read_column(columns[i]);
      c.from = columns[i].text("from").empty() ? c.field.name : columns[i].text("from");
      check_column(c, columns[i], path_ + ".columns." + std::to_string(i));
      out_.columns.push_back(std::move(c));
    }
  }

  void check_column(const column_settings& c, const config::section& at, const std::string& path) {
    if (ums::is_system(c.field.name) || c.field.name == ums::active_name)
      report(line_of(at, "name"), path + ".name", "is the name of a system column; take another");
    if (!names_.insert(c.field.name).second)
      report(line_of(at, "name"), path + ".name", "is the name of an earlier column, too");
    if (c.time_format.empty())
      return;
    if (c.field.type != ums::type::datetime && c.field.type != ums::type::date)
      report(line_of(at, "time_format"), path + ".time_format",
             "is for columns of type date or datetime");
    else if (auto failed = check_time_format(c.time_format))
      report(line_of(at, "time_format"), path + ".time_format", failed.text());
  }

  void read_time() {
    const auto& name = item_.text("time");
    if (name.empty())
      return;
    auto at = std::find_if(out_.columns.begin(), out_.columns.end(),
                           [&](const column_settings& c) { return c.field.name == name; });
    if (at != out_.columns.end() && at->field.type == ums::type::datetime)
      out_.time = size_t(at - out_.columns.begin());
    else
      report(line_of(item_, "time"), path_ + ".time", "expects a column of type datetime");
  }

  const config::section& item_;
  std::string path_;
  std::vector<config::problem>& problems_;
  table_plan out_;
  std::set<std::string> names_;
};

/// "pattern: is required" as a problem of that setting.
config::problem as_problem(const config::section& settings, const error& e) {
  auto colon = e.text().find(": ");
  auto name = e.text().substr(0, colon);
  return {line_of(settings, settings.lines.contains(name) ? name : "format"), name,
          e.text().substr(colon + 2)};
}

/// With names that settings fix, a column of a table without rules that nothing can ever fill is a
/// mistake.
void check_names(const format& how, const table_plan& t, const config::section& item,
                 const std::string& path, std::vector<config::problem>& problems) {
  auto names = how.cell_names();
  if (names.empty() || !t.rules.empty())
    return;
  const auto& columns = item.get<config::sections>("columns");
  for (size_t i = 0; i < t.columns.size(); ++i) {
    const auto& from = t.columns[i].from;
    if (from.starts_with('@') || std::find(names.begin(), names.end(), from) != names.end())
      continue;
    std::string known;
    for (const auto& n : names)
      known += (known.empty() ? "" : ", ") + n;
    problems.push_back({columns[i].line, path + ".columns." + std::to_string(i),
                        "no cell is named " + from + "; the format gives: " + known});
  }
}

} // namespace

std::vector<ums::field> table_plan::fields() const {
  std::vector<ums::field> out;
  for (const auto& c : columns)
    out.push_back(c.field);
  return out;
}

result<bool> plan::run(table_plan& t, std::vector<record>& rows, std::span<const cell> origin,
                       size_t& step) {
  surroundings with{memory, origin, json};
  for (step = 0; step < t.rules.size(); ++step) {
    if (auto failed = t.rules[step]->apply(rows, with))
      return failed.in(t.steps[step].first + " (step " + std::to_string(step + 1) + ")");
    if (rows.empty())
      return !t.rules[step]->selects();
  }
  return true;
}

cell plan::value_of(const table_plan& t, size_t column, const record& row,
                    std::span<const cell> origin) {
  if (t.by_position)
    return row[column];
  const auto& name = t.columns[column].from;
  if (auto at = find(row, name); at != none)
    return row[at];
  if (name.starts_with('@'))
    for (const auto& fact : origin)
      if (fact.name == name)
        return fact;
  return {.name = name, .text = {}, .null = true};
}

std::unique_ptr<plan> make_plan(const config::section& settings, bool has_header,
                                std::vector<config::problem>& problems) {
  auto known = problems.size();
  auto how = format::make(settings);
  if (!how) {
    problems.push_back(as_problem(settings, how.error()));
    how = format{};
  } else if (how->which() == format::kind::csv && !how->has_csv_columns() && !has_header) {
    problems.push_back({line_of(settings, "format"), "csv_columns",
                        "is required by format: csv: this kind of source has no header line"});
  }
  auto out = std::make_unique<plan>(std::move(*how));
  out->keep_unmatched = settings.text("unmatched") == "table";
  const auto& items = settings.get<config::sections>("tables");
  std::set<std::string> names;
  for (size_t i = 0; i < items.size(); ++i) {
    auto path = "tables." + std::to_string(i);
    auto mask = items[i].values.find("mask");
    out->conceals = out->conceals || (mask != items[i].values.end() &&
                                      !std::get<config::sections>(mask->second).empty());
    const auto& name = items[i].text("name");
    if (name == unmatched_table)
      problems.push_back({line_of(items[i], "name"), path + ".name",
                          "is where events go that no table takes; take another name"});
    else if (!names.insert(name).second)
      problems.push_back(
          {line_of(items[i], "name"), path + ".name", "is the name of an earlier table, too"});
    out->tables.push_back(table_builder(items[i], path, problems).build());
    if (problems.size() == known)
      check_names(out->how, out->tables.back(), items[i], path, problems);
  }
  return problems.size() == known ? std::move(out) : nullptr;
}

std::vector<ums::field> unmatched_fields() {
  return {{.name = "event", .type = ums::type::string, .nullable = false},
          {.name = "reason", .type = ums::type::string, .nullable = false},
          {.name = "origin", .type = ums::type::string, .nullable = false}};
}

} // namespace rtdp::extract::logs
