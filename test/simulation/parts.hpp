/// All parts of one simulated cluster: real MEMBERs, NODEs, FLOWs, SINKs, STREAMs and FEEDBACKs on
/// three machines, between a simulated network, log, bus and targets. Owned by the world of a seed.
#pragma once

#include "actors/flow/flow_actor.hpp"
#include "actors/flow/stream_actor.hpp"
#include "actors/heartbeat/feedback_actor.hpp"
#include "actors/sink/sink_actor.hpp"
#include "runtime/cluster/handshake.hpp"
#include "runtime/cluster/member_actor.hpp"
#include "runtime/cluster/node_actor.hpp"
#include "test/simulation/network.hpp"
#include "test/simulation/tap.hpp"
#include "test/support/temp_folder.hpp"

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace rtdp::simulation {

inline const std::array<std::string, 3> flows = {"f1", "f2", "f3"};
inline const std::string first_settings = "settings f1@0 f2@0 f3@0";

/// Kept from seed to seed: what is in it decides nothing, and making it takes longer than a seed.
struct surroundings {
  rtdp::test::temp_folder folder;
  std::shared_ptr<ops::metrics> metrics = std::make_shared<ops::metrics>("simulation");
  std::string data_dir(int machine) const { return folder.file(name_of(machine)); }
};

struct machine {
  int boots = 0;
  /// Its process as the targets see it, "n1#2".
  std::string process;
  runtime::environment env;
  std::shared_ptr<machine_bus> bus;
  int64_t cpu_permille = 0;
  std::string trouble;
};

class parts {
public:
  parts(const surroundings& around, uint64_t seed, bug planted, bool trace)
      : clock(seed), events(clock, trace), log(clock, events, planted), source(clock),
        net(clock, events), around_(around) {
    for (const auto& flow : flows)
      stores.try_emplace(flow, flow, flow != "f3", clock, events, log, source);
  }
  /// Before anything that the actors use is gone.
  ~parts() {
    for (int i = nowhere; i < machines; ++i)
      clock.kill(i);
  }

  clockwork clock;
  journal events;
  shared_log log;
  topics source;
  std::map<std::string, target_store> stores;
  network net;
  std::array<machine, machines> nodes;
  config::placement_mode placement = config::placement_mode::off;
  /// A drift came to this step.
  std::function<void(const char*)> on_step = [](const char*) {};

  bool up(int i) const { return net.ends[size_t(i)].up; }
  const runtime::member_actor& member(int i) const { return net.ends[size_t(i)].member; }
  std::vector<int> running() const {
    std::vector<int> out;
    for (int i = 0; i < machines; ++i)
      if (up(i))
        out.push_back(i);
    return out;
  }

  void start(int i);
  void crash(int i);

  /// "settings f1@0 f2@3": the flows, each with a number that stands for its settings.
  result<cluster::settings_in_force> read_settings(int i, const std::string& text);
  static std::vector<std::string> flows_of(const std::string& text);

private:
  cluster::node_plan::flow plan_flow(int i, const std::string& name);
  cluster::node_plan make_plan(int i, const std::string& text);
  cluster::member_options plan_member(int i);

  const surroundings& around_;
};

inline std::vector<std::string> parts::flows_of(const std::string& text) {
  std::istringstream in{text};
  std::vector<std::string> out;
  for (std::string word; in >> word;)
    if (auto at = word.find('@'); at != word.npos)
      out.push_back(word.substr(0, at));
  return out;
}

inline cluster::node_plan::flow parts::plan_flow(int i, const std::string& name) {
  auto process = nodes[size_t(i)].process;
  auto env = nodes[size_t(i)].env;
  cluster::node_plan::flow out;
  out.name = name;
  out.stream = "main";
  out.spawn = [this, i, name, process, env](caf::local_actor& parent, runtime::stream_actor stream,
                                            cluster::node_plan::heartbeats, int64_t epoch,
                                            std::optional<std::string> warm) {
    auto work = std::make_shared<sink::writer>(
        sink::writer_settings{name, env.data_dir},
        std::make_unique<store_driver>(stores.at(name), clock, process));
    auto sink =
        clock.belongs(i, parent.spawn(sink::sink_actor, env, name, "t." + name,
                                            std::string("simulated"), work));
    flow::flow_settings s;
    s.name = name;
    s.pattern = name == "f3" ? "sqlite.shop.main." + tables[0] : "sqlite.shop";
    s.sink = "t." + name;
    s.stream = "main";
    s.topics = {topic};
    s.partitions = {{topic, partitions}};
    s.epoch = epoch;
    s.warm = std::move(warm);
    auto steps = std::make_shared<flow::pipeline>(
        flow::pipeline_settings{.partitions = {{topic, partitions}}},
        std::vector<std::unique_ptr<flow::step>>{});
    return clock.belongs(i, parent.spawn(flow::flow_actor, env, std::move(s), steps, sink, stream));
  };
  return out;
}

inline cluster::node_plan parts::make_plan(int i, const std::string& text) {
  auto env = nodes[size_t(i)].env;
  cluster::node_plan plan;
  plan.placed = true;
  plan.streams.push_back(
      {"main",
       [this, i, env](caf::local_actor& parent) {
         auto work = std::make_shared<flow::reading>(
             flow::reading_settings{.name = "main", .queue_batches = 3}, env.bus, env.data_dir);
         return clock.belongs(i, parent.spawn(flow::stream_actor, env, "main", work));
       },
       ""});
  std::istringstream in{text};
  for (std::string word; in >> word;)
    if (auto at = word.find('@'); at != word.npos) {
      plan.flows.push_back(plan_flow(i, word.substr(0, at)));
      plan.flows.back().fingerprint = word.substr(at);
    }
  return plan;
}

inline result<cluster::settings_in_force> parts::read_settings(int i, const std::string& text) {
  if (!text.starts_with("settings "))
    return rejected("line 1: expected `settings`");
  cluster::settings_in_force out;
  for (const auto& flow : flows_of(text))
    out.components.push_back({"flow." + flow});
  for (int m = 0; m < machines; ++m)
    out.nodes.nodes.push_back({name_of(m), "", "off", "", {}});
  out.nodes.placement = placement;
  out.plan = std::make_shared<const cluster::node_plan>(make_plan(i, text));
  return out;
}

inline cluster::member_options parts::plan_member(int i) {
  cluster::member_options out;
  auto boot = log.planted == bug::boot_reused ? name_of(i) + "#1" : nodes[size_t(i)].process;
  out.self = cluster::current_hello(name_of(i), "1.0.0", boot);
  out.settings_text = first_settings;
  out.settings = *read_settings(i, first_settings);
  out.settings.plan = nullptr;
  out.read_settings = [this, i](const std::string& text) { return read_settings(i, text); };
  out.measure = [this, i](runtime::beat& b) {
    b.cpu_permille = nodes[size_t(i)].cpu_permille;
    b.trouble = nodes[size_t(i)].trouble;
  };
  out.spawn_catalog = [this, i, boot](caf::local_actor& parent, runtime::member_actor member) {
    return clock.belongs(i, parent.spawn(catalog_on_log, &clock, &log, member, boot));
  };
  return out;
}

inline void parts::start(int i) {
  auto& m = nodes[size_t(i)];
  m.process = name_of(i) + "#" + std::to_string(++m.boots);
  m.bus = std::make_shared<machine_bus>(source);
  m.env.node = name_of(i);
  m.env.data_dir = around_.data_dir(i);
  m.env.clustered = true;
  m.env.bus = m.bus;
  m.env.metrics = around_.metrics;
  m.env.feedback = clock.spawn(i, heartbeat::feedback_actor, around_.metrics);
  auto node = clock.spawn(i, cluster::node_actor, m.env, make_plan(i, first_settings));
  tap_plan taps{&clock, &log, &events, &stores, m.process, [this](const char* s) { on_step(s); }};
  auto between = clock.spawn(i, tap, std::move(taps), node);
  auto options = plan_member(i);
  auto hello = options.self;
  auto member = clock.spawn(i, cluster::member_actor, m.env, std::move(options), between);
  net.ends[size_t(i)] = {true, hello, member};
  events.note("{} is started", m.process);
}

inline void parts::crash(int i) {
  events.note("{} crashes", nodes[size_t(i)].process);
  net.ends[size_t(i)].up = false;
  nodes[size_t(i)].trouble.clear();
  clock.kill(i);
  net.crashed(i);
}

} // namespace rtdp::simulation
