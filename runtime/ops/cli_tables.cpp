#include "runtime/ops/cli_tables.hpp"

#include "runtime/ops/cli_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

using colours::bold;
using colours::green;
using colours::plain;
using colours::red;

// -- columns ------------------------------------------------------------------

const column name{"NAME", false, [](const json& i) { return cell{text_of(i, "name")}; }};
const column kind{"KIND", false, [](const json& i) { return cell{text_of(i, "kind")}; }};
const column state_{"STATE", false, [](const json& i) {
                      auto s = text_of(i, "state");
                      return cell{s, colour_of(s)};
                    }};
const column node{"NODE", false, [](const json& i) { return cell{text_of(i, "node")}; }};
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
      {name, kind, state_, node, rows_out, lag, snapshot, kept, reason},
      {name, state_, node, snapshot, rows_out, lag, reason},
      {name, kind, state_, node, rows_out, lag_rows, reason},
      {name, state_, node, rows_in, rows_out, lag_rows, lag, p99, dead, from, to, reason},
      {name, kind, state_, node, rows_out, retries, dead, reason},
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

} // namespace

std::string list_table(component_class c, const json& items, bool colour) {
  if (items.empty())
    return fmt::format("no {}\n", plural(c));
  std::set<std::string> nodes;
  for (const auto& item : items)
    nodes.insert(text_of(item, "node"));
  auto columns = columns_of(c);
  if (nodes.size() < 2)
    std::erase_if(columns, [](const column& x) { return x.show == node.show; });
  return table_text(std::move(columns), items, colour);
}

std::string letters_table(const json& items, bool colour) {
  return items.empty() ? "no dead letters\n" : table_text(letter_columns(), items, colour);
}

std::string alarms_table(const json& items, bool colour) {
  return items.empty() ? "no alarms\n" : table_text(alarm_columns(), items, colour);
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
  auto cluster = status.value("cluster", json::object());
  if (cluster.value("clustered", false)) {
    auto leader = text_of(cluster, "leader");
    out += fmt::format("\n{}, led by {}\n{}", paint(bold, "nodes"), leader.empty() ? "none" : leader,
                       nodes_table(cluster.value("nodes", json::array()), colour));
    auto drifts = cluster.value("drifts", json::array());
    drifts.erase(std::remove_if(drifts.begin(), drifts.end(),
                                [](const json& d) { return !text_of(d, "ended").empty(); }),
                 drifts.end());
    if (!drifts.empty())
      out += fmt::format("\n{}\n{}", paint(bold, "drifts"), drifts_table(drifts, colour));
  }
  for (auto c : all_classes) {
    auto items = status.value(plural(c), json::array());
    if (!items.empty())
      out += fmt::format("\n{}\n{}", paint(bold, plural(c)), list_table(c, items, colour));
  }
  return out;
}

} // namespace rtdp::ops
