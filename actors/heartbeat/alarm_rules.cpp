#include "actors/heartbeat/alarm_rules.hpp"

#include "config/scalar.hpp"
#include "runtime/ops/cli_layout.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace rtdp::heartbeat {

namespace {

using json = nlohmann::json;
using std::chrono::milliseconds;

constexpr size_t ended_max = 100;
constexpr int64_t ended_kept_us = int64_t{24} * 3600 * 1'000'000;
/// A component that is not reported for this long is no longer configured: after a start every one
/// reports within seconds.
constexpr int64_t gone_us = 60'000'000;

int64_t us(milliseconds d) { return d.count() * 1000; }
std::string span(int64_t time_us) { return ops::human_seconds(double(time_us) / 1e6); }

int64_t figure(const runtime::report& r, const char* name, int64_t missing) {
  auto at = r.figures.find(name);
  return at == r.figures.end() ? missing : at->second;
}

std::string text_of(const runtime::report& r, const char* name) {
  auto at = r.texts.find(name);
  return at == r.texts.end() ? std::string{} : at->second;
}

constexpr std::array behind_table = {ums::ns::version, ums::ns::db_partition,
                                     ums::ns::table_partition};

/// Versions and partitions of a table are one table for people.
ums::ns any_version(ums::ns name) {
  for (auto part : behind_table)
    name.set(part, "0");
  return name;
}

/// Whether the pattern stands for the table in some version.
bool covers(const ums::ns& pattern, ums::ns name) {
  for (auto part : behind_table)
    name.set(part, pattern[part]);
  return pattern.matches(name);
}

std::string for_people(const ums::ns& name) {
  auto text = name.text();
  for (int parts = 0; parts < 3; ++parts)
    text.resize(text.rfind('.'));
  return text;
}

bool quiet_now(const config::alarm_limits& limits, int64_t now_us) {
  auto minute = int(now_us / 60'000'000 % (24 * 60));
  return std::any_of(limits.quiet.begin(), limits.quiet.end(),
                     [&](const auto& q) { return q.hold(minute); });
}

json to_json(const runtime::alarm& a) {
  return {{"condition", a.condition}, {"component", a.component}, {"name", a.name},
          {"text", a.text},           {"since_us", a.since_us},   {"ended_us", a.ended_us}};
}

runtime::alarm from_json(const json& j) {
  runtime::alarm a;
  a.condition = j.at("condition");
  a.component = j.at("component");
  a.name = j.at("name");
  a.text = j.at("text");
  a.since_us = j.at("since_us");
  a.ended_us = j.at("ended_us");
  return a;
}

} // namespace

alarm_rules::alarm_rules(config::alarm_settings settings, int64_t now_us)
    : settings_(std::move(settings)), began_us_(now_us) {
  for (const auto& o : settings_.overrides) {
    exception e{.what = o, .pattern = {}};
    if (o.component.empty())
      if (auto pattern = ums::ns::parse(o.name))
        e.pattern = std::move(*pattern);
    exceptions_.push_back(std::move(e));
  }
}

const config::alarm_limits& alarm_rules::limits_of(const std::string& component,
                                                   const std::string& name,
                                                   const ums::ns* of_table) const {
  for (const auto& e : exceptions_)
    if (of_table ? e.pattern && covers(*e.pattern, *of_table)
              : e.what.component == component && e.what.name == name)
      return e.what.limits;
  return settings_.limits;
}

std::map<std::string, alarm_rules::table>
alarm_rules::tables_of(const std::vector<runtime::report>& reports) const {
  std::map<std::string, table> all;
  for (const auto& r : reports) {
    if (r.component != "table")
      continue;
    auto name = ums::ns::parse(r.name);
    if (!name)
      continue;
    auto whole = any_version(*name);
    auto& t = all[for_people(whole)];
    t.name = std::move(whole);
    t.source = text_of(r, "source");
    t.rows += figure(r, "rows_in", 0);
    t.marked_us = std::max(t.marked_us, figure(r, "marked_us", 0));
  }
  for (const auto& r : reports) {
    // Nobody waits for what comes out of a flow that a person stopped.
    if (r.component != "flow" || r.state == "stopped")
      continue;
    auto pattern = ums::ns::parse(text_of(r, "source"));
    if (!pattern)
      continue;
    for (auto& [name, t] : all)
      t.waited_for = t.waited_for || covers(*pattern, t.name);
  }
  return all;
}

std::vector<notice> alarm_rules::look(const std::vector<runtime::report>& reports,
                                      const std::map<std::string, int64_t>& errors,
                                      int64_t now_us) {
  std::map<std::string, std::string> sources;
  for (const auto& r : reports) {
    if (r.component == "source")
      sources[r.name] = r.state;
    // SINK and TABLE end with their FLOW and SOURCE, which tell why.
    if (r.component == "table" || r.component == "sink")
      continue;
    auto counted = errors.find(r.component + "." + r.name);
    look_at_component(r, counted == errors.end() ? 0 : counted->second, now_us);
  }
  for (const auto& [name, t] : tables_of(reports))
    look_at_table(t, name, sources[t.source], now_us);
  let_go_of_the_gone(sources, now_us);
  return std::exchange(notices_, {});
}

void alarm_rules::look_at_table(const table& t, const std::string& name,
                                const std::string& source_state, int64_t now_us) {
  const auto& limits = limits_of("table", name, &t.name);
  auto& h = histories_["table." + name];
  if (h.first_us == 0)
    h.first_us = now_us;
  // The counter begins anew with its SOURCE.
  if (t.rows > h.rows || (t.rows < h.rows && t.rows > 0))
    h.last_row_us = now_us;
  h.rows = t.rows;
  // A failed source is told once, not once a table as well.
  bool blind = source_state == "failed" || quiet_now(limits, now_us);
  bool stopped = source_state == "stopped";
  auto compare = [&](int64_t age_us, bool known, int64_t limit_us) {
    if (blind || stopped)
      return stopped ? verdict::clear : verdict::unknown;
    if (age_us > limit_us)
      return verdict::holds;
    return known && age_us <= limit_us / 5 * 4 ? verdict::clear : verdict::unknown;
  };
  // Until the first mark came it is at least as late as it has been waited for.
  bool marked = t.marked_us > 0;
  auto late_us = now_us - (marked ? t.marked_us : h.first_us);
  auto late = [&](milliseconds limit) {
    return t.waited_for ? compare(late_us, marked, us(limit)) : verdict::clear;
  };
  if (limits.latency.count() > 0)
    judge("latency", "table", name,
          {late(limits.latency), "what comes out of its flows is " + span(late_us) + " old; " +
                                     config::show_duration(limits.latency) + " is allowed"},
          now_us);
  if (limits.heartbeat.count() > 0)
    judge("heartbeat", "table", name,
          {late(limits.heartbeat), "no mark has come out for " + span(late_us) +
                                       ": the path from the source to the sink stands still"},
          now_us);
  bool had_row = h.last_row_us > 0;
  auto silent_us = now_us - (had_row ? h.last_row_us : h.first_us);
  if (limits.silence.count() > 0)
    judge("silence", "table", name,
          {compare(silent_us, had_row, us(limits.silence)),
           "no row has come for " + span(silent_us) + "; one is expected every " +
               config::show_duration(limits.silence)},
          now_us);
}

void alarm_rules::look_at_component(const runtime::report& r, int64_t errors, int64_t now_us) {
  const auto& limits = limits_of(r.component, r.name, nullptr);
  if (limits.failed)
    judge("failed", r.component, r.name,
          {r.state == "failed"                              ? verdict::holds
           : r.state == "running" || r.state == "stopped" ? verdict::clear
                                                            : verdict::unknown,
           r.reason},
          now_us);
  if (limits.errors >= 0) {
    auto& h = histories_[r.component + "." + r.name];
    count_errors(h, errors + figure(r, "dead_letters", 0), now_us);
    judge("errors", r.component, r.name,
          {h.errors_in_window > limits.errors ? verdict::holds : verdict::clear,
           ops::human_count(h.errors_in_window) + " errors and dead letters within " +
               config::show_duration(settings_.errors_window) + "; " + ops::human_count(limits.errors) +
               " are allowed"},
          now_us);
  }
  auto kept = figure(r, "retained_bytes", -1);
  if (r.component == "source" && limits.retained_log_bytes > 0)
    judge("retained_log", r.component, r.name,
          {kept < 0                                     ? verdict::unknown
           : kept > limits.retained_log_bytes           ? verdict::holds
           : kept <= limits.retained_log_bytes / 5 * 4 ? verdict::clear
                                                        : verdict::unknown,
           "its database keeps " + ops::human_bytes(kept) + " of log for this node; " +
               ops::human_bytes(limits.retained_log_bytes) + " are allowed"},
          now_us);
}

void alarm_rules::count_errors(history& h, int64_t total, int64_t now_us) const {
  // A smaller total is that of a component that was started again.
  auto more = total >= h.errors_total ? total - h.errors_total : total;
  h.errors_total = total;
  if (more > 0) {
    h.errors.emplace_back(now_us, more);
    h.errors_in_window += more;
  }
  while (!h.errors.empty() && h.errors.front().first <= now_us - us(settings_.errors_window)) {
    h.errors_in_window -= h.errors.front().second;
    h.errors.pop_front();
  }
}

void alarm_rules::judge(const char* condition, const std::string& component,
                        const std::string& name, finding f, int64_t now_us) {
  auto at = watches_.find({condition, component, name});
  if (at == watches_.end()) {
    if (f.is != verdict::holds)
      return;
    watch w;
    w.what = {condition, component, name, {}, 0, 0};
    at = watches_.emplace(key{condition, component, name}, std::move(w)).first;
  }
  auto& w = at->second;
  w.looked_us = now_us;
  if (f.is == verdict::holds)
    w.what.text = std::move(f.text);
  bool turns = w.open ? f.is == verdict::clear : f.is == verdict::holds;
  if (!turns) {
    w.turning_us = 0;
    if (w.open && settings_.remind.count() > 0 && now_us - w.told_us >= us(settings_.remind)) {
      w.told_us = now_us;
      notices_.push_back({"lasts", w.what});
    } else if (!w.open && f.is == verdict::clear) {
      watches_.erase(at);
    }
    return;
  }
  if (w.turning_us == 0)
    w.turning_us = now_us;
  if (now_us - w.turning_us < us(settings_.hold))
    return;
  if (!w.open)
    return open(w, now_us);
  close(w, w.turning_us, {});
  watches_.erase(at);
}

void alarm_rules::open(watch& w, int64_t now_us) {
  w.open = true;
  w.what.since_us = w.turning_us;
  w.turning_us = 0;
  w.told_us = now_us;
  notices_.push_back({"began", w.what});
}

void alarm_rules::close(watch& w, int64_t now_us, const std::string& why) {
  w.what.ended_us = now_us;
  if (!why.empty())
    w.what.text += "; " + why;
  notices_.push_back({"ended", w.what});
  ended_.push_front(w.what);
  while (ended_.size() > ended_max || ended_.back().ended_us < now_us - ended_kept_us)
    ended_.pop_back();
}

void alarm_rules::let_go_of_the_gone(const std::map<std::string, std::string>& sources,
                                     int64_t now_us) {
  for (auto at = watches_.begin(); at != watches_.end();) {
    auto& w = at->second;
    // A source that does not run yet has not told its tables.
    if (w.what.component == "table")
      if (auto name = ums::ns::parse(w.what.name))
        if (auto source = sources.find((*name)[ums::ns::instance]);
            source != sources.end() && source->second != "running")
          w.looked_us = now_us;
    if (now_us - std::max(w.looked_us, began_us_) < gone_us) {
      ++at;
      continue;
    }
    if (w.open)
      close(w, now_us, "it is not watched any more");
    at = watches_.erase(at);
  }
}

std::vector<runtime::alarm> alarm_rules::list() const {
  std::vector<runtime::alarm> all;
  for (const auto& [id, w] : watches_)
    if (w.open)
      all.push_back(w.what);
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.since_us > b.since_us; });
  all.insert(all.end(), ended_.begin(), ended_.end());
  return all;
}

std::string alarm_rules::text() const {
  auto open = json::array(), ended = json::array();
  for (const auto& [id, w] : watches_)
    if (w.open) {
      open.push_back(to_json(w.what));
      open.back()["told_us"] = w.told_us;
    }
  for (const auto& a : ended_)
    ended.push_back(to_json(a));
  // Reasons of components come from databases and need not be UTF-8.
  return json{{"open", open}, {"ended", ended}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

error alarm_rules::restore(const std::string& text) {
  if (text.empty())
    return {};
  try {
    auto stored = json::parse(text);
    for (const auto& j : stored.at("open")) {
      watch w;
      w.what = from_json(j);
      w.open = true;
      w.told_us = j.at("told_us");
      watches_[{w.what.condition, w.what.component, w.what.name}] = std::move(w);
    }
    for (const auto& j : stored.at("ended"))
      ended_.push_back(from_json(j));
  } catch (const json::exception& e) {
    return rejected(std::string("stored alarms cannot be read: ") + e.what());
  }
  return {};
}

} // namespace rtdp::heartbeat
