#include "actors/extract/log_events.hpp"

#include "actors/extract/table_options.hpp"

#include <simdjson.h>

namespace rtdp::extract::logs {

namespace {

/// DBus calls the database of a log source what it likes; here there is one.
constexpr const char* database = "main";
constexpr std::string_view concealed = "(not kept: a table of this source masks columns)";

ums::ns name_of(const std::string& source, const std::string& table, std::string_view host) {
  return {"log", source, database, table, "0", std::string(host), "0"};
}

std::string_view named(std::string_view host) { return host.empty() ? "0" : host; }

/// "@file=/var/log/app.log @offset=1234"
std::string text_of(std::span<const cell> facts) {
  std::string out;
  for (const auto& f : facts) {
    if (f.null)
      continue;
    out.append(out.empty() ? "" : " ").append(f.name).append("=").append(f.text);
  }
  return out;
}

std::vector<config::problem> check(const config::section& settings, bool has_header) {
  std::vector<config::problem> problems;
  make_plan(settings, has_header, problems);
  return problems;
}

} // namespace

events::events(std::string source, const config::section& settings) : source_(std::move(source)) {
  std::vector<config::problem> none_expected;
  plan_ = make_plan(settings, true, none_expected);
}

error events::decodes(std::string_view event, const origin& from) {
  plan_->memory.clear();
  if (!simdjson::validate_utf8(event.data(), event.size()))
    return rejected("not UTF-8");
  record cells;
  bool matches = true;
  return plan_->how.decode(event, from.csv_header, plan_->memory, plan_->json, cells, matches);
}

void events::add(std::string_view event, const origin& from, collector& out) {
  auto& p = *plan_;
  p.memory.clear();
  if (!simdjson::validate_utf8(event.data(), event.size()))
    return refuse("not UTF-8", event, from, out);
  bool matches = true;
  rows_.resize(1);
  if (auto failed = p.how.decode(event, from.csv_header, p.memory, p.json, rows_[0], matches))
    return refuse(failed.text(), event, from, out);
  if (!matches)
    return add_unmatched("the pattern of the format does not match", event, from, out);
  std::string reason;
  for (size_t i = 0; i < p.tables.size(); ++i) {
    auto& t = p.tables[i];
    reason.append(reason.empty() ? "" : "; ").append(t.name);
    if (t.match && !re2::RE2::PartialMatch(piece(event), *t.match)) {
      reason += ": match: is not in it";
      continue;
    }
    if (t.rules.empty())
      return add_rows(i, rows_, event, from, out);
    auto made = std::vector<record>{rows_[0]};
    size_t step = 0;
    auto kept = p.run(t, made, from.facts, step);
    if (!kept)
      return add_spoiled(handles(from.host, out)[i], kept.error().text(), event, from, out);
    if (*kept)
      return add_rows(i, made, event, from, out);
    reason += ": " + t.steps[step].first + " (step " + std::to_string(step + 1) + ") dropped it";
  }
  add_unmatched(reason, event, from, out);
}

const std::vector<collector::handle>& events::handles(std::string_view host, collector& out) {
  host = named(host);
  if (auto at = handles_.find(host); at != handles_.end())
    return at->second;
  std::vector<collector::handle> made;
  for (const auto& t : plan_->tables)
    made.push_back(out.table(name_of(source_, t.name, host), t.fields()));
  made.push_back(out.table(name_of(source_, unmatched_table, host), unmatched_fields()));
  return handles_.emplace(std::string(host), std::move(made)).first->second;
}

void events::add_rows(size_t table, const std::vector<record>& rows, std::string_view event,
                      const origin& from, collector& out) {
  const auto& t = plan_->tables[table];
  auto to = handles(from.host, out)[table];
  for (const auto& row : rows) {
    auto ts = from.ts_us;
    if (t.time != none)
      if (auto c = plan::value_of(t, t.time, row, from.facts); !c.null)
        ts = parse_time(c.text, t.columns[t.time].time_format).value_or(ts);
    auto& b = out.row(to, 'i', ts);
    error failed;
    for (size_t i = 0; i < t.columns.size() && !failed; ++i)
      failed = append_value(t.columns[i], plan::value_of(t, i, row, from.facts), plan_->json,
                            b.columns[ums::system_columns + i]);
    if (failed)
      out.spoil(failed.text(), std::string(keepable(event)));
    ++(failed ? counted_.dead_letters : counted_.rows);
  }
}

void events::add_unmatched(const std::string& reason, std::string_view event, const origin& from,
                           collector& out) {
  ++counted_.unmatched;
  auto to = handles(from.host, out).back();
  if (!plan_->keep_unmatched)
    return add_spoiled(to, "no table takes it: " + reason, event, from, out);
  auto* cells = &out.row(to, 'i', from.ts_us).columns[ums::system_columns];
  cells[0].append_text(keepable(event));
  cells[1].append_text(reason);
  cells[2].append_text(text_of(from.facts));
}

void events::refuse(const std::string& reason, std::string_view event, const origin& from,
                    collector& out) {
  add_spoiled(handles(from.host, out).back(), reason, event, from, out);
}

void events::add_spoiled(collector::handle to, std::string reason, std::string_view event,
                         const origin& from, collector& out) {
  ++counted_.dead_letters;
  out.row(to, 'i', from.ts_us);
  auto where = text_of(from.facts);
  out.spoil(where.empty() ? std::move(reason) : reason + " (" + where + ")",
            std::string(keepable(event)));
}

std::string_view events::keepable(std::string_view event) const {
  return plan_->conceals ? concealed : event;
}

std::vector<table_progress> events::tables(std::string_view host) const {
  std::vector<table_progress> out;
  auto add = [&](std::string_view of) {
    for (const auto& t : plan_->tables)
      out.push_back({.name = name_of(source_, t.name, of), .snapshot_done = true});
    if (plan_->keep_unmatched)
      out.push_back({.name = name_of(source_, unmatched_table, of), .snapshot_done = true});
  };
  add(named(host));
  for (const auto& [other, made] : handles_)
    if (other != named(host))
      add(other);
  return out;
}

std::vector<config::problem> check_events(const config::section& settings) {
  return check(settings, false);
}

std::vector<config::problem> check_events_with_header(const config::section& settings) {
  return check(settings, true);
}

result<std::vector<ums::schema>> describe_events(const std::string& source,
                                                 const config::section& settings) {
  std::vector<config::problem> problems;
  auto made = make_plan(settings, true, problems);
  if (!made)
    return rejected(problems.front().path + ": " + problems.front().text);
  std::vector<ums::schema> out;
  for (const auto& t : made->tables)
    out.push_back(schema_of(name_of(source, t.name, "0"), t.fields()));
  if (made->keep_unmatched)
    out.push_back(schema_of(name_of(source, unmatched_table, "0"), unmatched_fields()));
  return out;
}

result<ums::ns> event_pattern(const std::string& source, const std::string& item) {
  return pattern_of("log", source, database, item);
}

std::optional<ums::ns> unmatched_pattern(const kind& k, const std::string& source) {
  if (k.describe != &describe_events)
    return {};
  auto pattern = event_pattern(source, unmatched_table);
  return pattern ? std::optional(*pattern) : std::nullopt;
}

} // namespace rtdp::extract::logs
