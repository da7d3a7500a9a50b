#include "runtime/ops/cli_tables.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

constexpr auto red = "\x1b[31m";
constexpr auto green = "\x1b[32m";
constexpr auto yellow = "\x1b[33m";
constexpr auto bold = "\x1b[1m";
constexpr auto plain = "\x1b[0m";

struct cell {
  std::string text;
  const char* colour = nullptr;
};

struct column {
  const char* heading;
  bool right;
  cell (*show)(const json&);
};

std::string text_of(const json& item, const char* key) {
  auto at = item.find(key);
  if (at == item.end() || at->is_null())
    return "";
  return printable(at->is_string() ? at->get<std::string>() : dump(*at));
}

/// Negative values stand for "unknown", as on the status page.
std::optional<double> number_of(const json& item, const char* key) {
  auto at = item.find(key);
  if (at == item.end() || !at->is_number() || at->get<double>() < 0)
    return std::nullopt;
  return at->get<double>();
}

template<class F>
cell shown(const json& item, const char* key, F show) {
  auto n = number_of(item, key);
  return {n ? show(*n) : "", nullptr};
}

std::string counted(double n) { return human_count(int64_t(n)); }
std::string millis(double ms) { return human_seconds(ms / 1000); }

const char* colour_of(const std::string& state) {
  if (state == "running")
    return green;
  if (state == "failed")
    return red;
  return state == "new" || state == "stopped" ? nullptr : yellow;
}

// -- columns ------------------------------------------------------------------

const column name{"NAME", false, [](const json& i) { return cell{text_of(i, "name")}; }};
const column kind{"KIND", false, [](const json& i) { return cell{text_of(i, "kind")}; }};
const column state_{"STATE", false, [](const json& i) {
                      auto s = text_of(i, "state");
                      return cell{s, colour_of(s)};
                    }};
const column reason{
    "REASON", false, [](const json& i) {
      return cell{text_of(i, "reason"), text_of(i, "state") == "failed" ? red : nullptr};
    }};
const column rows_in{"ROWS IN", true,
                     [](const json& i) { return shown(i, facts::rows_in, counted); }};
const column rows_out{"ROWS OUT", true,
                      [](const json& i) { return shown(i, facts::rows_out, counted); }};
const column lag_rows{"LAG ROWS", true,
                      [](const json& i) { return shown(i, facts::lag_rows, counted); }};
const column lag{"LAG", true,
                 [](const json& i) { return shown(i, facts::lag_seconds, human_seconds); }};
const column p99{"P99", true,
                 [](const json& i) { return shown(i, facts::latency_p99_ms, millis); }};
const column dead{"DEAD LETTERS", true, [](const json& i) {
                    auto c = shown(i, facts::dead_letters, counted);
                    c.colour = number_of(i, facts::dead_letters).value_or(0) > 0 ? red : nullptr;
                    return c;
                  }};
const column snapshot{"SNAPSHOT", true, [](const json& i) {
                        auto done = number_of(i, facts::snapshot_rows_done);
                        auto all = number_of(i, facts::snapshot_rows_estimated);
                        if (!done || number_of(i, facts::snapshot_done).value_or(0) > 0)
                          return cell{done ? "done" : ""};
                        auto left = number_of(i, facts::snapshot_eta_seconds).value_or(0);
                        std::string more = text_of(i, "snapshot") == "paused" ? ", paused" : "";
                        if (left > 0)
                          more = ", " + human_seconds(left) + " left";
                        if (!all || *all < *done || *all <= 0)
                          return cell{counted(*done) + " rows" + more};
                        return cell{fmt::format("{:.0f}%{}", std::floor(100 * *done / *all), more)};
                      }};
const column kept{"LOG KEPT", true, [](const json& i) {
                    return shown(i, facts::retained_bytes,
                                 [](double n) { return human_bytes(int64_t(n)); });
                  }};
const column retries{"RETRIES", true,
                     [](const json& i) { return shown(i, facts::retries, counted); }};
const column from{"SOURCE", false, [](const json& i) { return cell{text_of(i, facts::source)}; }};
const column to{"SINK", false, [](const json& i) { return cell{text_of(i, facts::sink)}; }};

const std::vector<column>& columns_of(component_class c) {
  static const std::array<std::vector<column>, all_classes.size()> columns = {{
      {name, kind, state_, rows_out, lag, snapshot, kept, reason},
      {name, state_, snapshot, rows_out, lag, reason},
      {name, kind, state_, rows_out, lag_rows, reason},
      {name, state_, rows_in, rows_out, lag_rows, lag, p99, dead, from, to, reason},
      {name, kind, state_, rows_out, retries, dead, reason},
  }};
  return columns[size_t(c)];
}

const std::vector<column>& letter_columns() {
  static const std::vector<column> columns = {
      {"ID", true, [](const json& i) { return cell{text_of(i, "id")}; }},
      {"AT", false, [](const json& i) { return cell{text_of(i, "at").substr(0, 19)}; }},
      {"COMPONENT", false, [](const json& i) { return cell{text_of(i, "component")}; }},
      {"NAMESPACE", false, [](const json& i) { return cell{text_of(i, "namespace")}; }},
      {"POSITION", false,
       [](const json& i) {
         if (text_of(i, "topic").empty())
           return cell{"-"};
         return cell{fmt::format("{}/{}@{}", text_of(i, "topic"), text_of(i, "partition"),
                                 text_of(i, "offset"))};
       }},
      {"REASON", false, [](const json& i) { return cell{text_of(i, "reason")}; }}};
  return columns;
}

const std::vector<column>& alarm_columns() {
  static const std::vector<column> columns = {
      {"SINCE", false, [](const json& i) { return cell{text_of(i, "since").substr(0, 19)}; }},
      {"ENDED", false, [](const json& i) { return cell{text_of(i, "ended").substr(0, 19)}; }},
      {"CONDITION", false,
       [](const json& i) {
         return cell{text_of(i, "condition"), text_of(i, "ended").empty() ? red : nullptr};
       }},
      {"COMPONENT", false,
       [](const json& i) { return cell{text_of(i, "component") + "." + text_of(i, "name")}; }},
      {"TEXT", false, [](const json& i) { return cell{text_of(i, "text")}; }}};
  return columns;
}

// -- layout -------------------------------------------------------------------

/// Width in a terminal: code points, which is right for all but very wide and combined letters.
size_t width_of(const std::string& text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(const cell& c, size_t width, bool right, bool last, bool colour) {
  auto missing = width - std::min(width, width_of(c.text));
  std::string blanks(last && !right ? 0 : missing, ' ');
  auto text = colour && c.colour != nullptr ? c.colour + c.text + plain : c.text;
  return right ? blanks + text : text + blanks;
}

std::string table(std::vector<column> columns, const json& items, bool colour) {
  std::vector<std::vector<cell>> rows;
  for (const auto& item : items) {
    auto& row = rows.emplace_back();
    for (const auto& c : columns)
      row.push_back(c.show(item));
  }
  // A column in which no row has anything is left out.
  for (size_t i = columns.size(); i-- > 0;)
    if (std::all_of(rows.begin(), rows.end(), [i](const auto& r) { return r[i].text.empty(); })) {
      columns.erase(columns.begin() + long(i));
      for (auto& row : rows)
        row.erase(row.begin() + long(i));
    }
  auto& head = *rows.emplace(rows.begin());
  for (const auto& c : columns)
    head.push_back({c.heading, bold});
  std::vector<size_t> widths(columns.size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i].text));
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      out += (i == 0 ? "" : "  ") +
             padded(row[i], widths[i], columns[i].right, i + 1 == row.size(), colour);
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  }
  return out;
}

} // namespace

std::string printable(std::string text) {
  for (auto& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = ' ';
  return text;
}

std::string human_count(int64_t n) {
  auto digits = fmt::format("{}", n);
  for (auto at = int64_t(digits.size()) - 3; at > (n < 0 ? 1 : 0); at -= 3)
    digits.insert(size_t(at), 1, ',');
  return digits;
}

std::string human_seconds(double s) {
  if (s < 0.01)
    return fmt::format("{:.1f} ms", s * 1000);
  if (s < 1)
    return fmt::format("{:.0f} ms", s * 1000);
  if (s < 60)
    return fmt::format("{:.1f} s", s);
  auto whole = int64_t(s);
  if (whole < 3600)
    return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400)
    return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

std::string human_bytes(int64_t n) {
  constexpr std::array units = {"B", "KB", "MB", "GB", "TB", "PB"};
  auto value = double(n);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, value < 10 && unit > 0 ? 1 : 0, units[unit]);
}

std::string list_table(component_class c, const json& items, bool colour) {
  if (items.empty())
    return fmt::format("no {}\n", plural(c));
  return table(columns_of(c), items, colour);
}

std::string letters_table(const json& items, bool colour) {
  return items.empty() ? "no dead letters\n" : table(letter_columns(), items, colour);
}

std::string alarms_table(const json& items, bool colour) {
  return items.empty() ? "no alarms\n" : table(alarm_columns(), items, colour);
}

std::string status_text(const json& status, bool colour) {
  auto paint = [colour](const char* code, const std::string& text) {
    return colour ? code + text + plain : text;
  };
  auto ready = status.value("ready", false);
  auto out = fmt::format("node {}, version {}, up since {}: {}\n", text_of(status, "node"),
                         text_of(status, "version"), text_of(status, "started").substr(0, 19),
                         ready ? paint(green, "ready") : paint(red, "not ready"));
  for (const auto& why : status.value("reasons", json::array()))
    out += fmt::format("  {}\n", printable(why.get<std::string>()));
  if (auto alarms = status.value("alarms", json::array()); !alarms.empty())
    out += fmt::format("\n{}\n{}", paint(bold, "alarms"), alarms_table(alarms, colour));
  for (auto c : all_classes) {
    auto items = status.value(plural(c), json::array());
    if (!items.empty())
      out += fmt::format("\n{}\n{}", paint(bold, plural(c)), list_table(c, items, colour));
  }
  return out;
}

} // namespace rtdp::ops
