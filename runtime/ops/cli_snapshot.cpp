#include "runtime/ops/cli.hpp"
#include "runtime/ops/cli_layout.hpp"
#include "runtime/ops/table_snapshot.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <thread>

namespace rtdp::ops {

namespace {

using value = nlohmann::ordered_json;
using namespace std::chrono_literals;

/// A node tells how far its snapshots are once a second.
constexpr auto ask_every = 500ms;

} // namespace

int cli::snapshot(const std::vector<std::string>& tables, const snapshot_order& order,
                  bool wait) const {
  value body{{"verb", order.verb}};
  if (!order.source.empty())
    body["source"] = order.source;
  if (!order.where.empty())
    body["where"] = order.where;
  if (order.sweep)
    body["sweep"] = true;
  std::vector<std::string> names;
  int code = 0;
  for (const auto& t : tables) {
    auto answer = call("POST", "/api/v1/tables/" + percent_encode(t) + "/snapshot", body.dump(),
                       "rtdp tables");
    if (!answer) {
      code = 1;
      continue;
    }
    names.push_back(text_of(value::parse(*answer, nullptr, false), "name"));
    if (json)
      out << *answer << '\n';
    else
      out << "table " << names.back() << ": snapshot " << order.verb << '\n';
  }
  return wait && order.verb != "cancel" && order.verb != "pause" ? std::max(code, watch(names))
                                                                 : code;
}

int cli::watch(std::vector<std::string> names) const {
  size_t width = 0;
  int code = 0;
  while (!names.empty()) {
    std::this_thread::sleep_for(ask_every);
    std::string line;
    for (const auto& name : std::vector<std::string>(names)) {
      auto body = call("GET", "/api/v1/tables/" + percent_encode(name), "", "rtdp tables");
      if (!body)
        return 1;
      auto table = value::parse(*body, nullptr, false);
      auto state = text_of(table, "snapshot");
      auto why = text_of(table, "snapshot_reason");
      if (state == "done" || state == "paused") {
        std::erase(names, name);
        code = state == "done" ? code : 1;
        err << (colour ? "\r" : "") << name << ": snapshot " << state
            << (why.empty() ? "" : ", " + why) << ", " << snapshot_progress(table) << '\n';
        continue;
      }
      line += (line.empty() ? "" : " | ") + name + ": " + snapshot_progress(table);
    }
    // Over itself on a terminal; elsewhere only the end is told.
    if (colour && !line.empty()) {
      err << '\r' << line << std::string(width > line.size() ? width - line.size() : 0, ' ')
          << std::flush;
      width = line.size();
    }
  }
  return code;
}

} // namespace rtdp::ops
