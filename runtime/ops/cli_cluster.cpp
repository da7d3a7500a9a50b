#include "runtime/ops/cli.hpp"
#include "runtime/ops/cli_layout.hpp"
#include "runtime/ops/cli_tables.hpp"
#include "runtime/ops/cluster_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <ostream>
#include <thread>

namespace rtdp::ops {
namespace {

using value = nlohmann::ordered_json;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// A step may take some 10 ms; those that passed between two looks are told, too.
constexpr auto look_every = 25ms;
/// The leader may die after it took the order; the next one has it in the catalog or not at all.
constexpr auto silence_max = 10s;

constexpr std::array steps = {"prepare", "freeze", "commit", "resume", "done"};

cell text_cell(const value& i, const char* key) { return {text_of(i, key)}; }
cell time_cell(const value& i, const char* key) { return {text_of(i, key).substr(0, 19)}; }

const char* colour_of_node(const std::string& state) {
  return state == "running" ? colours::green : state == "lost" ? colours::red : colours::yellow;
}

const char* colour_of_step(const std::string& step) {
  return step == "done" ? colours::green : step == "failed" ? colours::red : colours::yellow;
}

const std::vector<column>& node_columns() {
  static const std::vector<column> columns = {
      {"NAME", false, [](const value& i) { return text_cell(i, "name"); }},
      {"STATE", false,
       [](const value& i) {
         auto s = text_of(i, "state");
         return cell{s, colour_of_node(s)};
       }},
      {"LEADER", false, [](const value& i) { return cell{i.value("leader", false) ? "yes" : ""}; }},
      {"VERSION", false, [](const value& i) { return text_cell(i, "version"); }},
      {"CPU", true,
       [](const value& i) {
         return shown(i, "cpu_percent", [](double n) { return fmt::format("{:.0f}%", n); });
       }},
      {"MEMORY", true,
       [](const value& i) {
         return shown(i, "rss_bytes", [](double n) { return human_bytes(int64_t(n)); });
       }},
      {"ROWS/S", true, [](const value& i) { return shown(i, "rows_per_s", counted); }},
      {"SOURCES", true, [](const value& i) { return shown(i, "sources", counted); }},
      {"FLOWS", true, [](const value& i) { return shown(i, "flows", counted); }},
      {"LAST SEEN", false, [](const value& i) { return time_cell(i, "last_seen"); }},
      {"REASON", false, [](const value& i) { return text_cell(i, "reason"); }}};
  return columns;
}

const std::vector<column>& drift_columns() {
  static const std::vector<column> columns = {
      {"FLOW", false, [](const value& i) { return text_cell(i, "flow"); }},
      {"FROM", false, [](const value& i) { return text_cell(i, "from"); }},
      {"TO", false, [](const value& i) { return text_cell(i, "to"); }},
      {"STEP", false,
       [](const value& i) {
         auto s = text_of(i, "step");
         return cell{s, colour_of_step(s)};
       }},
      {"PAUSE", true, [](const value& i) { return shown(i, "pause_ms", millis); }},
      {"EPOCH", true, [](const value& i) { return shown(i, "epoch", counted); }},
      {"STARTED", false, [](const value& i) { return time_cell(i, "started"); }},
      {"ENDED", false, [](const value& i) { return time_cell(i, "ended"); }},
      {"REASON", false, [](const value& i) { return text_cell(i, "reason"); }}};
  return columns;
}

const std::vector<column>& plan_columns() {
  static const std::vector<column> columns = {
      {"COMPONENT", false, [](const value& i) { return text_cell(i, "component"); }},
      {"FROM", false, [](const value& i) { return text_cell(i, "from"); }},
      {"TO", false, [](const value& i) { return text_cell(i, "to"); }},
      {"WHY", false, [](const value& i) { return text_cell(i, "reason"); }}};
  return columns;
}

value drifts_in(const std::string& body) {
  auto parsed = value::parse(body, nullptr, false);
  return parsed.is_object() ? parsed.value("items", value::array()) : value::array();
}

/// The newest drift of the flow that began after `after`; null when there is none.
value newest(const value& drifts, const std::string& flow, const std::string& after) {
  value found;
  for (const auto& d : drifts) {
    auto than = found.is_null() ? after : text_of(found, "started");
    if (text_of(d, "flow") == flow && text_of(d, "started") > than)
      found = d;
  }
  return found;
}

size_t position_of(const std::string& step) {
  return size_t(std::find(steps.begin(), steps.end(), step) - steps.begin());
}

} // namespace

std::string nodes_table(const value& items, bool colour) {
  return items.empty() ? "no nodes\n" : table_text(node_columns(), items, colour);
}

std::string drifts_table(const value& items, bool colour) {
  return items.empty() ? "no drifts\n" : table_text(drift_columns(), items, colour);
}

std::string plan_table(const value& items, bool colour) {
  return items.empty() ? "nothing to move\n" : table_text(plan_columns(), items, colour);
}

int cli::items(const char* path, std::string (*table)(const value&, bool)) const {
  auto body = call("GET", path, "", "rtdp status");
  if (!body)
    return 1;
  out << (json ? *body + "\n" : table(drifts_in(*body), colour));
  return 0;
}

int cli::nodes() const { return items("/api/v1/nodes", nodes_table); }
int cli::drifts() const { return items("/api/v1/drifts", drifts_table); }
int cli::plan() const { return items("/api/v1/plan", plan_table); }

int cli::order(const std::string& method, const std::string& target, const std::string& body,
               const std::string& next, const char* type) const {
  auto answer = call(method, target, body, next, type);
  if (!answer)
    return 1;
  auto told = value::parse(*answer, nullptr, false);
  out << (json ? *answer : text_of(told.is_object() ? told : value::object(), "answer")) << '\n';
  return 0;
}

int cli::change_node(const std::string& name, const std::string& verb) const {
  return order("POST", fmt::format("/api/v1/nodes/{}/{}", percent_encode(name), verb), "",
               "rtdp nodes");
}

int cli::cancel_drift(const std::string& flow) const {
  return order("DELETE", fmt::format("/api/v1/flows/{}/drift", percent_encode(flow)), "",
               "rtdp drifts");
}

int cli::apply(const std::string& file) const {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad() || text.empty()) {
    err << "rtdp: " << file << " cannot be read, or is empty: expected a settings file\n";
    return 1;
  }
  return order("POST", "/api/v1/apply", text, "rtdp check " + file, yaml_type);
}

int cli::drift(const std::string& flow, const std::string& to, bool wait) const {
  auto path = fmt::format("/api/v1/flows/{}/drift", percent_encode(flow));
  auto body = dump({{"to", to}});
  if (!wait)
    return order("POST", path, body, "rtdp nodes");
  auto before = call("GET", "/api/v1/drifts", "", "rtdp status");
  if (!before || !call("POST", path, body, "rtdp nodes"))
    return 1;
  auto last = newest(drifts_in(*before), flow, "");
  return watch_drift(flow, last.is_null() ? "" : text_of(last, "started"));
}

int cli::watch_drift(const std::string& flow, const std::string& after) const {
  auto began = clock::now(), heard = began;
  size_t told = 0;
  for (;; std::this_thread::sleep_for(look_every)) {
    auto node = client::make(url);
    auto got = node ? node->get("/api/v1/drifts") : result<answer>(node.error());
    auto d = got && got->status == 200 ? newest(drifts_in(got->body), flow, after) : value();
    if (d.is_null() && clock::now() - heard > silence_max) {
      err << "rtdp: nothing was heard of the drift of " << flow << " for 10 s"
          << (got ? "" : " (" + got.error().text() + ")") << "\nnext: rtdp drifts\n";
      return 1;
    }
    if (d.is_null())
      continue;
    heard = clock::now();
    auto step = text_of(d, "step");
    auto& to = json ? err : out;
    auto elapsed = std::chrono::duration<double>(heard - began).count();
    // "done" is told below, with the pause.
    auto until = std::min(position_of(step) + 1, steps.size() - 1);
    for (; position_of(step) < steps.size() && told < until; ++told)
      to << fmt::format("{:>8}  {}\n", human_seconds(elapsed), steps[told]);
    if (text_of(d, "ended").empty())
      continue;
    to << fmt::format("{:>8}  {}\n", human_seconds(elapsed), drift_step(d));
    if (json)
      out << dump(d) << '\n';
    if (step == "done")
      return 0;
    err << "rtdp: flow " << flow << " did not move to " << text_of(d, "to") << ": "
        << (text_of(d, "reason").empty() ? step : text_of(d, "reason")) << "\nnext: rtdp flows\n";
    return 1;
  }
}

} // namespace rtdp::ops
