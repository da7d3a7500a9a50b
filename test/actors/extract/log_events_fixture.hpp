/// One source of log events in a test: settings as YAML, events as text, rows back as text.
#pragma once

#include "actors/extract/log_events.hpp"
#include "test/actors/extract/driving.hpp"

#include <memory>

namespace rtdp::test {

inline config::spec log_spec() {
  config::spec spec("log", "Any log source.");
  extract::logs::add_event_settings(spec);
  return spec;
}

inline config::section log_settings(const std::string& yaml) {
  config::section settings;
  for (const auto& p : log_spec().parse(YAML::Load(yaml), "", settings))
    FAIL(p.path << " " << p.text);
  return settings;
}

/// "line: path: text" of everything that is wrong.
inline std::vector<std::string> log_problems(const std::string& yaml) {
  config::section settings;
  std::vector<std::string> out;
  auto problems = log_spec().parse(YAML::Load(yaml), "", settings);
  if (problems.empty())
    problems = extract::logs::check_events(settings);
  for (const auto& p : problems)
    out.push_back(std::to_string(p.line) + ": " + p.path + ": " + p.text);
  return out;
}

struct log_run {
  explicit log_run(const std::string& yaml) : events("web", log_settings(yaml)) {}

  /// "table a=1 b=NULL", one for each row, columns in order of their names.
  std::vector<std::string> rows(const std::string& event, const extract::logs::origin& from = {}) {
    events.add(event, from, out);
    auto taken = out.take();
    bad = taken.bad;
    std::vector<std::string> all;
    for (const auto& r : rows_of(taken.batches)) {
      all.push_back(r.table);
      for (const auto& [name, text] : r.cells)
        all.back() += " " + name + "=" + text;
    }
    return all;
  }

  /// The cells that a list of steps leaves of an event, without names: "a|b|NULL", one a row; or
  /// the reason why there are none.
  static std::vector<std::string> after(const std::string& steps, const std::string& event,
                                        const std::string& format = "format: json") {
    auto settings =
        log_settings(format + "\ntables:\n  - name: t\n    columns: [x]\n    rules:\n" + steps);
    std::vector<config::problem> problems;
    auto plan = extract::logs::make_plan(settings, false, problems);
    for (const auto& p : problems)
      FAIL(p.path << ": " << p.text);
    std::vector<extract::logs::record> rows(1);
    bool matches = false;
    auto failed = plan->how.decode(event, {}, plan->memory, plan->json, rows[0], matches);
    REQUIRE_MESSAGE(!failed, failed.text());
    size_t step = 0;
    const extract::logs::cell facts[] = {{.name = "@file", .text = "/a.log"}};
    auto kept = plan->run(plan->tables[0], rows, facts, step);
    if (!kept)
      return {"error: " + kept.error().text()};
    if (!*kept)
      return {"dropped"};
    std::vector<std::string> out;
    for (const auto& row : rows) {
      out.emplace_back();
      for (size_t i = 0; i < row.size(); ++i)
        out.back() += (i ? "|" : "") + (row[i].null ? "NULL" : std::string(row[i].text));
    }
    return out;
  }

  extract::logs::events events;
  extract::collector out{1};
  std::vector<extract::bad_row> bad;
};

} // namespace rtdp::test
