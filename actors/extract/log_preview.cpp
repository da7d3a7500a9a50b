#include "actors/extract/log_preview.hpp"

#include "actors/extract/file_splitter.hpp"
#include "actors/extract/log_events.hpp"
#include "runtime/ums/codec.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>

namespace rtdp::extract::logs {

namespace {

using value = nlohmann::ordered_json;

/// More of a file than anybody reads.
constexpr size_t bytes_max = 16 << 20;
constexpr size_t event_bytes_max = 256 << 10;

value shown(const record& row) {
  auto out = value::array();
  for (const auto& c : row)
    out.push_back({{"name", c.name}, {"value", c.null ? value() : value(c.text)}});
  return out;
}

value shown(const std::vector<record>& rows) {
  auto out = value::array();
  for (const auto& row : rows)
    out.push_back(shown(row));
  return out;
}

/// The row as it would be published, or why it is a dead letter.
value typed(plan& p, const table_plan& t, const record& row, std::span<const cell> facts) {
  auto columns = value::object();
  for (size_t i = 0; i < t.columns.size(); ++i) {
    ums::column made(t.columns[i].field.type);
    if (auto failed = append_value(t.columns[i], plan::value_of(t, i, row, facts), p.json, made))
      return {{"dead_letter", failed.text()}};
    std::string text;
    if (!made.is_null(0))
      ums::append_cell(made, 0, text);
    columns[t.columns[i].field.name] = made.is_null(0) ? value() : value(text);
  }
  return {{"row", std::move(columns)}};
}

/// Tries one table; `verdict` is "kept", "dropped" or "dead letter".
value tried(plan& p, table_plan& t, const record& cells, std::string_view event,
            std::span<const cell> facts) {
  value out{{"table", t.name}, {"verdict", "kept"}, {"steps", value::array()}};
  if (t.match && !re2::RE2::PartialMatch(piece(event), *t.match)) {
    out["verdict"] = "dropped";
    out["reason"] = "match: is not in it";
    return out;
  }
  std::vector<record> rows{cells};
  surroundings with{p.memory, facts, p.json};
  for (size_t i = 0; i < t.rules.size(); ++i) {
    auto failed = t.rules[i]->apply(rows, with);
    value step{{"step", i + 1}, {"operator", t.steps[i].first}, {"line", t.steps[i].second}};
    if (!failed)
      step["rows"] = shown(rows);
    out["steps"].push_back(std::move(step));
    if (failed || (rows.empty() && t.rules[i]->selects())) {
      out["verdict"] = failed ? "dead letter" : "dropped";
      out["reason"] = fmt::format("{} (step {}, line {}){}", t.steps[i].first, i + 1,
                                  t.steps[i].second, failed ? ": " + failed.text() : "");
      return out;
    }
  }
  out["result"] = value::array();
  for (const auto& row : rows)
    out["result"].push_back(typed(p, t, row, facts));
  return out;
}

value traced(plan& p, std::string_view event, const origin& from, const std::string& only) {
  p.memory.clear();
  value out{{"text", event}};
  record cells;
  bool matches = true;
  auto failed = simdjson::validate_utf8(event.data(), event.size())
                    ? p.how.decode(event, from.csv_header, p.memory, p.json, cells, matches)
                    : rejected("not UTF-8");
  if (failed) {
    out["verdict"] = "dead letter: " + failed.text();
    return out;
  }
  out["cells"] = shown(cells);
  out["tables"] = value::array();
  out["verdict"] = matches ? "unmatched" : "unmatched: the pattern of the format does not match";
  for (auto& t : p.tables) {
    if (!matches || (!only.empty() && t.name != only))
      continue;
    auto result = tried(p, t, cells, event, from.facts);
    auto verdict = result["verdict"].get<std::string>();
    out["tables"].push_back(std::move(result));
    if (verdict == "dropped")
      continue;
    out["verdict"] = verdict == "kept" ? "table " + t.name : "dead letter";
    break;
  }
  return out;
}

// -- for people ---------------------------------------------------------------

/// On one line, and no character that drives a terminal.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

std::string shown_text(const value& v) {
  return v.is_null() ? "null" : printable(v.get<std::string>());
}

std::string cells_line(const value& row) {
  std::string out;
  for (size_t i = 0; i < row.size(); ++i)
    out += fmt::format("{}{}:{}={}", i ? " | " : "", i, shown_text(row[i]["name"]),
                       shown_text(row[i]["value"]));
  return out;
}

void print_line(std::ostream& out, const std::string& step, const std::string& name,
                const std::string& text) {
  out << fmt::format("  {:<5}{:<18}{}\n", step, name, text);
}

void print_table(std::ostream& out, const value& t) {
  print_line(out, "", "table " + shown_text(t["table"]), "");
  for (const auto& step : t["steps"]) {
    auto number = std::to_string(step["step"].get<int>());
    const auto rows = step.value("rows", value::array());
    if (rows.empty())
      print_line(out, number, shown_text(step["operator"]), "(no row)");
    for (size_t i = 0; i < rows.size(); ++i)
      print_line(out, i ? "" : number, i ? "" : shown_text(step["operator"]), cells_line(rows[i]));
  }
  for (const auto& made : t.value("result", value::array())) {
    if (made.contains("dead_letter")) {
      print_line(out, "", "dead letter", shown_text(made["dead_letter"]));
      continue;
    }
    std::string row;
    for (const auto& [name, held] : made["row"].items())
      row += (row.empty() ? "" : " | ") + printable(name) + "=" + shown_text(held);
    print_line(out, "", "row", row);
  }
  if (t.contains("reason"))
    print_line(out, "", shown_text(t["verdict"]), shown_text(t["reason"]));
}

void print_event(std::ostream& out, const value& event) {
  out << fmt::format("event {}: {}\n", event["event"].get<int>(), shown_text(event["verdict"]));
  print_line(out, "", "text", shown_text(event["text"]));
  if (event.contains("cells"))
    print_line(out, "", "format", cells_line(event["cells"]));
  for (const auto& t : event.value("tables", value::array()))
    print_table(out, t);
}

// -- the command --------------------------------------------------------------

struct log_source {
  const config::component* settings = nullptr;
  std::string wrong;
};

log_source find_source(const config::pipeline& p, const std::string& name) {
  log_source out;
  std::string known;
  auto all = kinds();
  for (const auto& s : p.sources) {
    auto is_log = std::any_of(all.begin(), all.end(), [&](const kind& k) {
      return k.spec.name == s.kind && k.describe == &describe_events;
    });
    if (!is_log)
      continue;
    known += (known.empty() ? "" : ", ") + s.name;
    if (name.empty() ? out.settings != nullptr : s.name != name)
      out.wrong = name.empty() ? "several log sources; choose one with --source" : "";
    else
      out.settings = &s;
  }
  if (out.settings == nullptr)
    out.wrong = name.empty() ? "no log source" : "no log source is named " + name;
  if (!out.wrong.empty())
    out.wrong += "; there are: " + (known.empty() ? "none" : known);
  return out;
}

files::splitter splitter_of(const config::section& s) {
  expression start;
  if (auto at = s.values.find("multiline"); at != s.values.end())
    for (const auto& m : std::get<config::sections>(at->second))
      if (auto compiled = compile(m.text("start")))
        start = *compiled;
  return {std::move(start), event_bytes_max};
}

/// Names in the first line when settings give none; that line is no event then.
error take_header(const config::section& s, std::string_view& bytes,
                  std::vector<std::string>& out) {
  if (s.text("format") != "csv" || !s.get<config::texts>("csv_columns").empty())
    return {};
  auto end = std::min(bytes.find('\n'), bytes.size());
  auto line = bytes.substr(0, end);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  bytes.remove_prefix(std::min(bytes.size(), end + 1));
  arena memory;
  record fields;
  if (auto failed = split_csv(line, s.text("csv_delimiter")[0], memory, fields))
    return failed.in("the header");
  for (const auto& f : fields)
    out.emplace_back(f.text);
  return {};
}

error preview(const config::section& s, const preview_request& asked, std::ostream& out) {
  std::vector<config::problem> problems;
  auto plan = make_plan(s, true, problems);
  if (!plan)
    return rejected(config::to_string(problems.front(), asked.config));
  auto has_table = std::any_of(plan->tables.begin(), plan->tables.end(),
                               [&](const table_plan& t) { return t.name == asked.table; });
  if (!asked.table.empty() && !has_table)
    return rejected("the source has no table " + asked.table);
  std::ifstream file(asked.file, std::ios::binary);
  if (!file)
    return rejected("cannot open " + asked.file);
  std::string text(bytes_max, '\0');
  file.read(text.data(), std::streamsize(text.size()));
  text.resize(size_t(file.gcount()));
  std::string_view rest = text;
  std::vector<std::string> header;
  if (auto failed = take_header(s, rest, header))
    return failed;
  auto split = splitter_of(s);
  files::cut c;
  bool skipping = false;
  for (int n = 0; n < asked.limit && split.next(rest, true, skipping, c);) {
    auto offset = std::to_string(rest.data() - text.data());
    rest.remove_prefix(c.used);
    if (c.is == files::cut::what::skipped)
      continue;
    const cell facts[] = {{.name = "@file", .text = asked.file},
                          {.name = "@offset", .text = offset},
                          {.name = "@host", .text = "host"}};
    auto event = traced(*plan, c.text, {.facts = facts, .csv_header = header}, asked.table);
    event["event"] = ++n;
    if (asked.json)
      out << event.dump(-1, ' ', false, value::error_handler_t::replace) << '\n';
    else
      print_event(out, event);
  }
  return {};
}

} // namespace

int preview_rules(const config::checked& settings, const preview_request& asked, std::ostream& out,
                  std::ostream& err) {
  auto source = find_source(settings.value, asked.source);
  auto path = source.settings ? "sources." + source.settings->name : std::string{};
  bool wrong = false;
  for (const auto& p : settings.problems) {
    // A file that cannot be read, or no source in it, is everybody's problem.
    if (!path.empty() && !(p.path + ".").starts_with(path + "."))
      continue;
    err << config::to_string(p, asked.config) << '\n';
    wrong = true;
  }
  if (wrong)
    return 1;
  auto failed = source.wrong.empty() ? preview(source.settings->settings, asked, out)
                                     : rejected(asked.config + ": " + source.wrong);
  if (failed)
    err << "rtdp: " << failed.text() << '\n';
  return failed ? 1 : 0;
}

} // namespace rtdp::extract::logs
