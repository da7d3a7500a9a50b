#include "runtime/cluster/node_control.hpp"

#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/table_history.hpp"
#include "runtime/cluster/table_snapshot.hpp"
#include "runtime/state/checkpoint.hpp"
#include "runtime/state/dead_letters.hpp"
#include "runtime/state/progress.hpp"
#include "runtime/ums/codec.hpp"

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>

#include <algorithm>
#include <charconv>

namespace rtdp::cluster {

namespace {

error error_of(const result<bool>& r) { return r ? error{} : r.error(); }

ops::snapshot_order named(const std::string& table) {
  ops::snapshot_order out;
  out.table = table;
  return out;
}

ops::letter show_letter(const state::dead_letter& l) {
  return {l.id, l.component, l.ns, l.topic, l.partition, l.offset, l.reason, l.bytes, l.at_us};
}

} // namespace

node_control::node_control(caf::actor_system& system, runtime::node_actor node,
                           runtime::feedback_actor feedback, std::shared_ptr<bus::bus> bus,
                           control_facts facts, runtime::member_actor member)
    : system_(system), node_(std::move(node)), feedback_(std::move(feedback)), bus_(std::move(bus)),
      facts_(std::move(facts)), member_(std::move(member)) {}

result<std::vector<runtime::report>> node_control::reports() {
  return ask<std::vector<runtime::report>>(system_, feedback_, runtime::atom::list_v);
}

result<std::vector<ops::alarm>> node_control::alarms() {
  // NODE may have started another one since the last time.
  auto found = system_.registry().get<caf::strong_actor_ptr>(caf::atom("alarm"));
  if (!found)
    return unavailable("the alarms are being started; try again in a moment");
  auto all = ask<std::vector<runtime::alarm>>(
      system_, caf::actor_cast<runtime::alarm_actor>(found), runtime::atom::list_v);
  if (!all)
    return all.error();
  std::vector<ops::alarm> shown;
  for (const auto& a : *all)
    shown.push_back({a.condition, a.component, a.name, a.text, a.since_us, a.ended_us});
  return shown;
}

void flow_directory::take(std::vector<flow_facts> all) {
  auto next = std::make_shared<const std::vector<flow_facts>>(std::move(all));
  std::lock_guard lock{mutex_};
  flows_ = std::move(next);
}

flow_directory::flows flow_directory::now() const {
  std::lock_guard lock{mutex_};
  return flows_;
}

std::optional<flow_facts> node_control::find_flow(const std::string& name) const {
  auto all = facts_.flows->now();
  auto at = std::find_if(all->begin(), all->end(),
                         [&](const flow_facts& f) { return f.name == name; });
  return at == all->end() ? std::nullopt : std::optional(*at);
}

std::string stopped_key(ops::component_class c, const std::string& name) {
  // Apart from a source's position, which is read as a whole.
  return c == ops::component_class::source ? "control.source." + name
                                           : std::string(ops::to_string(c)) + "." + name;
}

error node_control::start_or_stop(const char* verb, ops::component_class c,
                                  const std::string& name) {
  auto unit_class = std::string(ops::to_string(c));
  if (member_) {
    auto answer = order({.verb = verb, .name = unit_class + "." + name});
    return answer ? error{} : answer.error();
  }
  bool stops = verb == std::string("stop");
  auto store = state::checkpoint_store::open(facts_.data_dir);
  if (!store)
    return store.error();
  // Stored first: a node that restarts in between keeps it stopped.
  if (auto failed = store->save(stopped_key(c, name), {{"stopped", stops ? "1" : ""}}))
    return failed;
  return error_of(stops ? ask<bool>(system_, node_, runtime::atom::stop_v, unit_class, name)
                        : ask<bool>(system_, node_, runtime::atom::start_v, unit_class, name));
}

error node_control::start(ops::component_class c, const std::string& name) {
  return start_or_stop("start", c, name);
}

error node_control::stop(ops::component_class c, const std::string& name) {
  return start_or_stop("stop", c, name);
}

result<std::string> node_control::rewound_progress(const flow_facts& flow, const std::string& to) {
  state::progress wanted;
  if (to.empty() || to == "beginning")
    return wanted.text();
  int64_t offset = 0;
  auto [end, code] = std::from_chars(to.data(), to.data() + to.size(), offset);
  bool is_offset = code == std::errc{} && end == to.data() + to.size();
  auto time_us = ums::parse_datetime(to);
  if (!is_offset && !time_us)
    return rejected(
        "--to takes `beginning`, an offset or a time such as 2026-11-22T10:00:00Z; found " + to);
  for (const auto& topic : flow.topics) {
    auto ranges = bus_->ranges(topic);
    if (!ranges)
      return ranges.error();
    for (size_t i = 0; i < ranges->size(); ++i) {
      bus::partition p{topic, int32_t(i)};
      auto [first, behind] = (*ranges)[i];
      if (is_offset && (offset < first || offset > behind))
        return rejected(p.text() + " holds the offsets " + std::to_string(first) + " to " +
                        std::to_string(behind) + "; asked for " + to);
      if (!is_offset) {
        auto at = bus_->offset_at(p, *time_us / 1000);
        if (!at)
          return at.error();
        offset = *at;
      }
      wanted.offsets[p.text()] = offset;
    }
  }
  return wanted.text();
}

error node_control::rewind_flow(const std::string& name, const std::string& to) {
  auto flow = find_flow(name);
  if (!flow)
    return rejected("no flow named " + name);
  if (auto not_here = here("flow." + name))
    return not_here;
  auto progress = rewound_progress(*flow, to);
  if (!progress)
    return progress.error();
  auto unit_class = std::string(ops::to_string(ops::component_class::flow));
  auto stopped = error_of(ask<bool>(system_, node_, runtime::atom::stop_v, unit_class, name));
  // In a cluster NODE does not have a flow that a person stopped.
  bool absent = member_ && stopped == ec::rejected;
  if (stopped && !absent)
    return stopped;
  auto store = state::checkpoint_store::open(facts_.data_dir);
  if (!store)
    return store.error();
  // SINK takes it up when it opens, in place of the progress stored with the data.
  if (auto failed = store->save("flow." + name, {{"rewind", *progress}}))
    return failed;
  // Past MEMBER when it only paused: where it belongs has not changed.
  if (member_ && !absent)
    return error_of(ask<bool>(system_, node_, runtime::atom::start_v, unit_class, name));
  return start(ops::component_class::flow, name);
}

result<std::string> node_control::snapshot(const ops::snapshot_order& order) {
  auto all = reports();
  auto cluster = seen();
  if (!all || !cluster)
    return !all ? all.error() : cluster.error();
  if (member_)
    std::erase_if(*all, [&](const runtime::report& r) {
      return !counts(r, facts_.info.name, cluster->owners);
    });
  auto found = find_order(*all, order);
  if (!found) {
    auto there = elsewhere(order);
    return there ? there : found.error();
  }
  auto stored = ask<bool>(system_, node_, runtime::atom::snapshot_v, found->first);
  return stored ? result<std::string>(found->second) : stored.error();
}

result<std::optional<ops::table_history>> node_control::versions_of(const std::string& name) {
  auto found = cluster::versions_of(facts_.data_dir, name);
  if (!found || *found)
    return found;
  if (auto there = elsewhere(named(name)))
    return there;
  return found;
}

result<std::optional<ops::table_comparison>>
node_control::compare_versions(const std::string& name, int64_t from, int64_t to) {
  auto found = cluster::compare_versions(facts_.data_dir, name, from, to);
  if (!found || *found)
    return found;
  if (auto there = elsewhere(named(name)))
    return there;
  return found;
}

result<std::vector<ops::letter>> node_control::dead_letters(const std::string& component,
                                                            int64_t limit) {
  auto store = state::dead_letter_store::open(facts_.data_dir);
  if (!store)
    return store.error();
  auto letters = store->list(component, limit);
  if (!letters)
    return letters.error();
  std::vector<ops::letter> shown;
  for (const auto& l : *letters)
    shown.push_back(show_letter(l));
  return shown;
}

result<std::optional<ops::letter>> node_control::dead_letter(int64_t id) {
  auto store = state::dead_letter_store::open(facts_.data_dir);
  if (!store)
    return store.error();
  auto found = store->find(id);
  if (!found)
    return found.error();
  if (!*found)
    return std::optional<ops::letter>{};
  return std::optional<ops::letter>{show_letter(**found)};
}

error node_control::drop_dead_letter(int64_t id) {
  auto store = state::dead_letter_store::open(facts_.data_dir);
  if (!store)
    return store.error();
  return store->drop(id);
}

std::vector<std::string> node_control::receivers(const ops::letter& l) const {
  std::vector<std::string> names;
  if (l.component.starts_with("flow."))
    return {l.component.substr(5)};
  auto table = ums::ns::parse(l.ns);
  auto all = facts_.flows->now();
  for (const auto& f : *all)
    if (auto pattern = ums::ns::parse(f.pattern); pattern && table && pattern->matches(*table))
      names.push_back(f.name);
  return names;
}

error node_control::replay_dead_letter(int64_t id) {
  auto found = dead_letter(id);
  if (!found)
    return found.error();
  if (!*found)
    return rejected("no dead letter " + std::to_string(id));
  auto to = receivers(**found);
  if (to.empty())
    return rejected("no flow takes rows of " + (*found)->ns);
  for (const auto& flow : to) {
    auto owner = owner_of("flow." + flow);
    if (!owner)
      return owner.error();
    const auto& me = facts_.info.name;
    if (*owner != me)
      return rejected("flow " + flow + " is on " + *owner + ", its dead letter on " + me +
                      ": `rtdp flow " + flow + " drift --to " + me + "`, then replay it again");
    auto applied = ask<bool>(system_, node_, runtime::atom::replay_v, flow, (*found)->bytes);
    if (!applied)
      return applied.error().in("flow " + flow);
    if (!*applied)
      return rejected("flow " + flow + " cannot apply it yet; it is still a dead letter");
  }
  return drop_dead_letter(id);
}

result<int64_t> node_control::replay_dead_letters(const std::string& component) {
  // As many as one request can wait for; the caller repeats until the answer is 0.
  auto letters = dead_letters(component, 1000);
  if (!letters)
    return letters.error();
  int64_t done = 0;
  error last;
  std::sort(letters->begin(), letters->end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const auto& l : *letters) {
    last = replay_dead_letter(l.id);
    done += last ? 0 : 1;
  }
  if (done == 0 && last)
    return last;
  return done;
}

} // namespace rtdp::cluster
