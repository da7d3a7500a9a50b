#include "runtime/ops/component.hpp"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace rtdp::ops {
namespace {

using json = nlohmann::ordered_json;

constexpr std::array class_names = {"source", "table", "stream", "flow", "sink"};
constexpr std::array plural_names = {"sources", "tables", "streams", "flows", "sinks"};
constexpr std::array state_names = {"new",       "starting", "running", "drifting",
                                    "suspended", "stopping", "stopped", "failed"};
static_assert(class_names.size() == all_classes.size());
static_assert(plural_names.size() == all_classes.size());
static_assert(state_names.size() == all_states.size());

constexpr uint8_t bit(state s) { return uint8_t(1U << unsigned(s)); }

/// For each state, where a component may go from there.
constexpr std::array<uint8_t, all_states.size()> moves = {
    // new: nothing has been opened yet, so it may be stopped without stopping.
    uint8_t(bit(state::starting) | bit(state::stopped) | bit(state::failed)),
    // starting
    uint8_t(bit(state::running) | bit(state::suspended) | bit(state::stopping) |
            bit(state::failed)),
    // running: back to starting when the peer is lost or a supervisor restarts the actor.
    uint8_t(bit(state::starting) | bit(state::drifting) | bit(state::suspended) |
            bit(state::stopping) | bit(state::failed)),
    // drifting: running again when the drift is called off, stopped when the other node has it.
    uint8_t(bit(state::running) | bit(state::stopping) | bit(state::stopped) | bit(state::failed)),
    // suspended
    uint8_t(bit(state::starting) | bit(state::running) | bit(state::drifting) |
            bit(state::stopping) | bit(state::failed)),
    // stopping
    uint8_t(bit(state::stopped) | bit(state::failed)),
    // stopped
    bit(state::starting),
    // failed: only a person's start, stop or shutdown leads out.
    uint8_t(bit(state::starting) | bit(state::stopping) | bit(state::stopped)),
};

} // namespace

const char* to_string(component_class c) { return class_names[size_t(c)]; }
const char* plural(component_class c) { return plural_names[size_t(c)]; }
const char* to_string(state s) { return state_names[size_t(s)]; }

std::optional<state> parse_state(std::string_view text) {
  for (auto s : all_states)
    if (text == to_string(s))
      return s;
  return std::nullopt;
}

bool legal(state from, state to) { return from == to || (moves[size_t(from)] & bit(to)) != 0; }

error move(state& current, state to) {
  if (!legal(current, to))
    return rejected(
        fmt::format("a component that is {} cannot become {}", to_string(current), to_string(to)));
  current = to;
  return {};
}

component& component::set(std::string_view fact_name, fact value) {
  auto same = [&](const auto& f) { return f.first == fact_name; };
  if (auto at = std::find_if(facts.begin(), facts.end(), same); at != facts.end())
    at->second = std::move(value);
  else
    facts.emplace_back(fact_name, std::move(value));
  return *this;
}

const fact* component::find(std::string_view fact_name) const {
  auto same = [&](const auto& f) { return f.first == fact_name; };
  auto at = std::find_if(facts.begin(), facts.end(), same);
  return at == facts.end() ? nullptr : &at->second;
}

std::string rfc3339(int64_t time_us) {
  using namespace std::chrono;
  auto time = sys_time<microseconds>(microseconds(time_us));
  auto second = floor<seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(system_clock::to_time_t(second)),
                     (time - second).count());
}

json to_json(const component& c) {
  json out = {{"name", c.name},
              {"class", to_string(c.class_)},
              {"kind", c.kind},
              {"state", to_string(c.state)},
              {"reason", c.reason},
              {"node", c.node},
              {"since", c.since_us == 0 ? json() : json(rfc3339(c.since_us))}};
  for (const auto& [name, value] : c.facts)
    std::visit([&out, &key = name](const auto& v) { out[key] = v; }, value);
  return out;
}

json to_json(const std::vector<component>& list) {
  auto out = json::array();
  for (const auto& c : list)
    out.push_back(to_json(c));
  return out;
}

std::string items_json(json items) { return dump(json{{"items", std::move(items)}}); }

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace rtdp::ops
