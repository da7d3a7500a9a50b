#include "runtime/cluster/catalog.hpp"

#include <nlohmann/json.hpp>

namespace rtdp::cluster {

namespace {

using json = nlohmann::json;

constexpr std::string_view placement_prefix = "placement/";
constexpr std::string_view draining_prefix = "draining/";

std::string record(std::string key, const json& value) {
  return std::move(key) + "\n" + value.dump(-1, ' ', false, json::error_handler_t::replace);
}

template<class T>
T get(const json& value, const char* name) {
  auto at = value.find(name);
  return at == value.end() ? T{} : at->get<T>();
}

} // namespace

error catalog::learn(std::string_view text) {
  auto end = text.find('\n');
  if (end == text.npos)
    return rejected("a record of the catalog has a key and a value; found " +
                    std::string(text.substr(0, 80)));
  auto key = text.substr(0, end);
  auto value = json::object();
  if (end + 1 < text.size())
    value = json::parse(text.substr(end + 1), nullptr, false);
  if (!value.is_object())
    return rejected("record " + std::string(key) + " of the catalog holds no JSON object");
  // A type that is not the expected one is the only thing that throws here.
  try {
    if (key == "leader") {
      auto boot = get<std::string>(value, "boot");
      auto term = get<int64_t>(value, "term");
      auto node = get<std::string>(value, "node");
      // It only shows that it leads on.
      if (term == term_ && boot == leader_boot_ && node == leader_)
        return {};
      leader_ = std::move(node);
      leader_boot_ = std::move(boot);
      term_ = term;
    } else if (key == "settings") {
      auto revision = get<int64_t>(value, "revision");
      settings_ = get<std::string>(value, "text");
      revision_ = revision;
    } else if (key.starts_with(placement_prefix)) {
      auto component = std::string(key.substr(placement_prefix.size()));
      if (value.empty() || get<bool>(value, "gone")) {
        gone_[component] = get<int64_t>(value, "epoch");
        placements_.erase(component);
      } else {
        placements_[component] = {get<std::string>(value, "node"), get<std::string>(value, "boot"),
                                  get<int64_t>(value, "epoch"), get<bool>(value, "stopped")};
      }
    } else if (key.starts_with(draining_prefix)) {
      draining_[std::string(key.substr(draining_prefix.size()))] = get<bool>(value, "draining");
    }
    // A key of a newer version says nothing to this one.
  } catch (const json::exception& e) {
    return rejected("record " + std::string(key) + " of the catalog: " + e.what());
  }
  ++changes_;
  return {};
}

const placement* catalog::find(const std::string& component) const {
  auto at = placements_.find(component);
  return at == placements_.end() ? nullptr : &at->second;
}

int64_t catalog::epoch(const std::string& component) const {
  if (const auto* p = find(component))
    return p->epoch;
  auto at = gone_.find(component);
  return at == gone_.end() ? 0 : at->second;
}

bool catalog::draining(const std::string& node) const {
  auto at = draining_.find(node);
  return at != draining_.end() && at->second;
}

std::string leader_record(const std::string& node, const std::string& boot, int64_t term) {
  return record("leader", {{"node", node}, {"boot", boot}, {"term", term}});
}

std::string settings_record(const std::string& text, int64_t revision) {
  return record("settings", {{"revision", revision}, {"text", text}});
}

std::string placement_record(const std::string& component, const placement& p) {
  return record(std::string(placement_prefix) + component,
                {{"node", p.node}, {"boot", p.boot}, {"epoch", p.epoch}, {"stopped", p.stopped}});
}

std::string gone_record(const std::string& component, int64_t epoch) {
  return record(std::string(placement_prefix) + component, {{"gone", true}, {"epoch", epoch}});
}

std::string draining_record(const std::string& node, bool draining) {
  return record(std::string(draining_prefix) + node, {{"draining", draining}});
}

} // namespace rtdp::cluster
