#include "actors/extract/file_settings.hpp"

#include "actors/extract/log_events.hpp"

#include <unistd.h>

namespace rtdp::extract::files {

namespace {

using std::chrono::milliseconds;

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// Of all settings that decide which rows the bytes make.
void describe_settings(const config::section& s, std::string& out) {
  for (const auto& [name, held] : s.values) {
    out += name + "=";
    if (const auto* text = std::get_if<std::string>(&held))
      out += *text;
    else if (const auto* flag = std::get_if<bool>(&held))
      out += *flag ? "1" : "0";
    else if (const auto* texts = std::get_if<config::texts>(&held))
      for (const auto& t : *texts)
        out += t + ",";
    else if (const auto* items = std::get_if<config::sections>(&held))
      for (const auto& item : *items)
        describe_settings(item, out += "{");
    out += ";";
  }
  out += "}";
}

} // namespace

config::spec make_spec() {
  using config::field;
  config::spec spec(
      "file",
      "Reads log files as they grow, through rotation by renaming and by copying and truncating. "
      "Namespaces are `log.<source>.main.<table>`, part 6 is the host. Let `paths` cover the "
      "rotated names (`app.log*`): then what was rotated away while rtdp was down is read, too. "
      "Rules and columns find `@file`, `@offset` (of the event's first byte) and `@host`. Empty "
      "lines are passed over.");
  spec.add(field("paths", config::texts{},
                 "Files: paths with `*`, `?` and `[…]` as the shell has them. Ones that appear "
                 "later are found.")
               .required()
               .sample("[/var/log/app/*.log*]"));
  logs::add_event_settings(spec);
  spec.add(field("exclude", config::texts{"*.gz", "*.bz2", "*.xz", "*.zst", "*.zip"},
                 "Paths to leave out, written as `paths`; `*` matches a slash, too."));
  spec.add(field("multiline", config::sections{}, "Joins lines that are one event.")
               .sample("{start: '^\\d{4}-'}")
               .of({field("start", std::string{},
                          "Regular expression (RE2) that is found in the first line of each event.")
                        .required(),
                    field("timeout", milliseconds{2000},
                          "The last event of a file that does not grow ends after so long.")
                        .range(10, 3'600'000)}));
  spec.add(field("from", std::string("beginning"),
                 "Where files that exist at the very first start are begun.")
               .one_of({"beginning", "end"}));
  spec.add(field("host", std::string{},
                 "Part 6 of the namespaces and `@host`. Default: the name of this machine."));
  spec.add(field("poll_interval", milliseconds{200}, "How often to look for more.")
               .range(1, 60'000)
               .advanced());
  spec.add(field("incomplete_after", milliseconds{60'000},
                 "A last line without a line end is taken as it is when the file has not grown for "
                 "so long.")
               .range(10, 24LL * 3600 * 1000)
               .advanced());
  spec.add(field("event_bytes_max", int64_t{256} << 10,
                 "A longer line goes to the dead letters, cut; lines are joined up to here.")
               .range(64, 16 << 20)
               .advanced());
  spec.add(field("files_max", int64_t{500}, "More files than this are refused; each is kept open.")
               .range(1, 100'000)
               .advanced());
  return spec;
}

options read_options(const std::string& name, const config::section& s) {
  options o;
  o.source = name;
  o.host = s.text("host").empty() ? host_name() : s.text("host");
  auto rows = s;
  for (const char* other : {"paths", "exclude", "from", "unmatched"})
    rows.values.erase(other);
  std::string text;
  describe_settings(rows, text);
  o.plan = hash_of(text + std::to_string(s.integer("event_bytes_max")) + s.text("unmatched"));
  o.watch = {.paths = s.get<config::texts>("paths"),
             .exclude = s.get<config::texts>("exclude"),
             .from_end = s.text("from") == "end",
             .files_max = size_t(s.integer("files_max"))};
  for (const auto& m : s.get<config::sections>("multiline")) {
    o.start = logs::compile(m.text("start")) ? *logs::compile(m.text("start")) : nullptr;
    o.join_timeout = m.duration("timeout");
  }
  o.event_bytes_max = size_t(s.integer("event_bytes_max"));
  o.poll_interval = s.duration("poll_interval");
  o.incomplete_after = s.duration("incomplete_after");
  o.csv_header = s.text("format") == "csv" && s.get<config::texts>("csv_columns").empty();
  o.csv_delimiter = s.text("csv_delimiter").empty() ? ',' : s.text("csv_delimiter")[0];
  return o;
}

std::vector<config::problem> check_settings(const config::section& s) {
  auto problems = logs::check_events_with_header(s);
  auto line = s.lines.contains("multiline") ? s.lines.at("multiline") : s.line;
  const auto& joined = s.get<config::sections>("multiline");
  if (joined.size() > 1)
    problems.push_back({line, "multiline", "is one mapping; found a list of several"});
  for (const auto& m : joined)
    if (auto start = logs::compile(m.text("start")); !start)
      problems.push_back({m.line, "multiline.start", start.error().text()});
  return problems;
}

} // namespace rtdp::extract::files
