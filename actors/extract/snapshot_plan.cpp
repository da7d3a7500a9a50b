#include "actors/extract/snapshot_plan.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rtdp::extract {

namespace {

std::string_view verb_text(snapshot_request::verb v) {
  switch (v) {
  case snapshot_request::verb::start:
    return "start";
  case snapshot_request::verb::pause:
    return "pause";
  case snapshot_request::verb::resume:
    return "resume";
  case snapshot_request::verb::cancel:
    return "cancel";
  }
  return "";
}

/// A key may hold any bytes, and JSON takes UTF-8 only.
std::string hex(const std::string& text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (char c : text) {
    out += digits[uint8_t(c) >> 4];
    out += digits[uint8_t(c) & 15];
  }
  return out;
}

std::string from_hex(const std::string& text) {
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    out += char(std::stoi(text.substr(i, 2), nullptr, 16));
  return out;
}

void to_json(nlohmann::json& j, const planned_snapshot& s) {
  auto last = nlohmann::json::array();
  for (const auto& part : s.last)
    last.push_back(hex(part));
  j = {{"table", s.table},   {"where", s.where},        {"sweep", s.sweep},
       {"paused", s.paused}, {"started", s.started_us}, {"first_id", s.first_id},
       {"last", last},       {"rows", s.rows},          {"estimated", s.estimated},
       {"key", s.key},       {"reason", s.reason}};
  if (!s.seam.empty())
    j["seam"] = s.seam;
}

planned_snapshot snapshot_from(const nlohmann::json& j) {
  planned_snapshot s{.table = j.at("table").get<std::string>(),
                     .where = j.at("where").get<std::string>(),
                     .sweep = j.at("sweep").get<bool>(),
                     .paused = j.at("paused").get<bool>(),
                     .started_us = j.at("started").get<int64_t>(),
                     .first_id = j.at("first_id").get<int64_t>(),
                     .rows = j.at("rows").get<int64_t>(),
                     .estimated = j.at("estimated").get<int64_t>(),
                     .key = j.at("key").get<std::string>(),
                     .reason = j.at("reason").get<std::string>(),
                     .seam = j.value("seam", std::string())};
  for (const auto& part : j.at("last"))
    s.last.push_back(from_hex(part.get<std::string>()));
  return s;
}

} // namespace

planned_snapshot* snapshot_plan::find(const std::string& table) {
  auto at = std::find_if(all_.begin(), all_.end(), [&](auto& s) { return s.table == table; });
  return at == all_.end() ? nullptr : &*at;
}

const planned_snapshot* snapshot_plan::find(const std::string& table) const {
  return const_cast<snapshot_plan*>(this)->find(table);
}

error snapshot_plan::apply(const snapshot_request& asked, const std::string& table,
                           int64_t estimated) {
  using verb = snapshot_request::verb;
  auto* there = find(table);
  if (asked.what == verb::start) {
    if (there != nullptr)
      return rejected("table " + asked.table + ": a snapshot is " +
                      (there->paused ? "paused: resume it, or cancel it first"
                                     : "under way: let it end, or cancel it first"));
    if (asked.sweep && !asked.where.empty())
      return rejected("table " + asked.table +
                      ": sweep drops every row that the snapshot did not "
                      "meet, so it cannot go with where: leave one out");
    add({.table = table, .where = asked.where, .sweep = asked.sweep, .estimated = estimated});
    return {};
  }
  auto what = std::string(verb_text(asked.what));
  if (there == nullptr)
    return rejected("table " + asked.table + ": there is no snapshot to " + what +
                    "; one begins with start");
  if (asked.what == verb::cancel) {
    remove(table);
    return {};
  }
  bool pause = asked.what == verb::pause;
  if (there->paused == pause)
    return rejected("table " + asked.table + ": its snapshot is " +
                    (pause ? "paused already; resume or cancel it" : "not paused"));
  there->paused = pause;
  there->reason.clear();
  return {};
}

void snapshot_plan::advance(const std::string& table, std::vector<std::string> last, int64_t rows) {
  if (auto* s = find(table)) {
    s->last = std::move(last);
    s->rows += rows;
  }
}

void snapshot_plan::begin_again(const std::string& table) {
  if (auto* s = find(table)) {
    s->last.clear();
    s->rows = 0;
  }
}

void snapshot_plan::refuse(const std::string& table, std::string reason) {
  if (auto* s = find(table)) {
    s->paused = true;
    s->reason = std::move(reason);
  }
}

std::optional<planned_snapshot> snapshot_plan::remove(const std::string& table) {
  auto* s = find(table);
  if (s == nullptr)
    return {};
  auto out = std::move(*s);
  all_.erase(all_.begin() + (s - all_.data()));
  return out;
}

std::string snapshot_plan::text() const {
  auto list = nlohmann::json::array();
  for (const auto& s : all_) {
    nlohmann::json j;
    to_json(j, s);
    list.push_back(std::move(j));
  }
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

result<snapshot_plan> snapshot_plan::parse(const std::string& text) {
  snapshot_plan out;
  auto parsed = nlohmann::json::parse(text, nullptr, false);
  try {
    for (const auto& j : parsed)
      out.add(snapshot_from(j));
    if (parsed.is_array())
      return out;
  } catch (const std::exception&) {
    // Said below.
  }
  return rejected("position: expected a list of snapshots as JSON; found \"" + text.substr(0, 200) +
                  "\"");
}

void tell(const planned_snapshot& s, table_progress& out) {
  out.snapshot_done = false;
  out.snapshot_paused = s.paused;
  out.snapshot_reason = s.reason;
  out.snapshot_started_us = s.started_us;
  out.snapshot_rows = s.rows;
  out.snapshot_rows_estimated = s.estimated;
}

} // namespace rtdp::extract
