#include "assemble.hpp"

#include "actors/extract/source_actor.hpp"
#include "actors/flow/flow_actor.hpp"
#include "actors/flow/step.hpp"
#include "actors/flow/stream_actor.hpp"
#include "actors/heartbeat/heartbeat_actor.hpp"
#include "actors/sink/sink_actor.hpp"
#include "runtime/state/checkpoint.hpp"
#include "runtime/ums/namespace.hpp"

#include <algorithm>

namespace rtdp {

namespace {

using namespace std::chrono_literals;

/// A mark of each table each second: DESIGN §1, HEARTBEAT.
constexpr auto heartbeat_interval = 1000ms;

template<class Kind>
std::vector<config::spec> specs(const std::vector<Kind>& kinds) {
  std::vector<config::spec> all;
  for (const auto& k : kinds)
    all.push_back(k.spec);
  return all;
}

/// REQUIRES: the name was checked against the same list.
template<class Kind>
const Kind& named(const std::vector<Kind>& kinds, const std::string& name) {
  return *std::find_if(kinds.begin(), kinds.end(),
                       [&](const Kind& k) { return k.spec.name == name; });
}

sink::target target_of(const config::flow_settings& f) {
  sink::target to;
  to.table = f.table;
  to.keys = f.keys;
  to.mutation = f.mutation == "i"     ? sink::mutation::insert
                : f.mutation == "iud" ? sink::mutation::iud
                                      : sink::mutation::iud_clean;
  to.create = f.create;
  to.evolve = f.evolve == "add"      ? sink::evolve::add
              : f.evolve == "ignore" ? sink::evolve::ignore
                                     : sink::evolve::fail;
  to.truncate = f.truncate;
  return to;
}

cluster::node_plan::source plan_source(const config::component& c,
                                       const runtime::environment& env) {
  extract::extraction_settings settings;
  settings.name = c.name;
  settings.topic = topic_of(c.name);
  settings.data_dir = env.data_dir;
  auto make_driver = [c] { return named(extract::kinds(), c.kind).make(c.name, c.settings); };
  cluster::node_plan::source plan;
  plan.name = c.name;
  plan.spawn = [=](caf::local_actor& node) {
    auto work = std::make_shared<extract::extraction>(settings, env.bus, make_driver);
    return node.spawn<caf::detached>(extract::source_actor, env, work, c.kind);
  };
  plan.spawn_heartbeat = [=](caf::local_actor& node, runtime::source_actor source) {
    return node.spawn(heartbeat::heartbeat_actor, env, c.name, source, heartbeat_interval);
  };
  return plan;
}

result<cluster::node_plan::stream> plan_stream(const config::stream_settings& s,
                                               const runtime::environment& env) {
  flow::reading_settings settings;
  settings.name = s.name;
  settings.fetch_bytes = size_t(s.settings.integer("fetch_bytes"));
  settings.batch_rows = size_t(s.settings.integer("batch_rows"));
  cluster::node_plan::stream plan;
  plan.name = s.name;
  plan.spawn = [=](caf::local_actor& node) {
    auto work = std::make_shared<flow::reading>(settings, env.bus, env.data_dir);
    return node.spawn<caf::detached>(flow::stream_actor, env, settings.name, work);
  };
  return plan;
}

flow::flow_settings settings_of(const config::pipeline& p, const config::flow_settings& f) {
  flow::flow_settings settings;
  settings.name = f.name;
  settings.pattern = f.source;
  settings.topics = topics_of(p, f.source);
  settings.credit = uint32_t(f.queue_batches);
  settings.dead_letters_max = f.dead_letters_max;
  return settings;
}

cluster::node_plan::flow plan_flow(const config::pipeline& p, const config::flow_settings& f,
                                   const runtime::environment& env) {
  const auto& store = *std::find_if(p.sinks.begin(), p.sinks.end(),
                                    [&](const config::component& c) { return c.name == f.sink; });
  auto settings = settings_of(p, f);
  cluster::node_plan::flow plan;
  plan.name = f.name;
  plan.stream = f.stream;
  plan.spawn = [=](caf::local_actor& node, runtime::stream_actor stream,
                   std::map<std::string, runtime::heartbeat_actor> heartbeats) {
    auto driver = named(sink::kinds(), store.kind).make(store.settings, target_of(f));
    auto writer = std::make_shared<sink::writer>(sink::writer_settings{f.name, env.data_dir},
                                                 std::move(driver));
    auto sink = node.spawn<caf::detached>(sink::sink_actor, env, f.name, f.sink + "." + f.table,
                                          store.kind, writer);
    std::vector<std::unique_ptr<flow::step>> steps;
    for (const auto& s : f.steps)
      steps.push_back(named(flow::kinds(), s.kind).make(s.settings));
    flow::pipeline_settings how{.keys = f.keys, .deletes_follow = f.mutation != "i"};
    auto work = std::make_shared<flow::pipeline>(std::move(how), std::move(steps));
    auto with_heartbeats = settings;
    with_heartbeats.heartbeats = std::move(heartbeats);
    return node.spawn(flow::flow_actor, env, with_heartbeats, work, sink, stream);
  };
  return plan;
}

} // namespace

config::catalogue built_in() {
  config::catalogue all;
  all.buses = specs(bus::kinds());
  all.sources = specs(extract::kinds());
  all.sinks = specs(sink::kinds());
  all.steps = specs(flow::kinds());
  all.check_pattern = [](std::string_view pattern) {
    auto parsed = ums::ns::parse(pattern);
    return parsed ? std::string{} : parsed.error().text();
  };
  all.check_step = [](const std::string& kind, const config::section& settings) {
    return named(flow::kinds(), kind).check(settings).text();
  };
  return all;
}

std::shared_ptr<bus::bus> make_bus(const config::pipeline& p) {
  return named(bus::kinds(), p.bus.kind).make(p.bus.settings, p.node.data_dir);
}

std::string topic_of(const std::string& source) { return "rtdp." + source; }

std::vector<std::string> topics_of(const config::pipeline& p, const std::string& pattern) {
  std::vector<std::string> topics;
  auto wanted = ums::ns::parse(pattern);
  for (const auto& s : p.sources) {
    // Only the second part tells the topic; what else is on it is passed over by its key.
    const auto& instance = (*wanted)[ums::ns::instance];
    if (instance == "*" || instance == s.name)
      topics.push_back(topic_of(s.name));
  }
  return topics;
}

result<cluster::node_plan> make_plan(const config::pipeline& p, const runtime::environment& env) {
  cluster::node_plan plan;
  for (const auto& s : p.sources)
    plan.sources.push_back(plan_source(s, env));
  for (const auto& s : p.streams) {
    auto stream = plan_stream(s, env);
    if (!stream)
      return stream.error();
    plan.streams.push_back(std::move(*stream));
  }
  auto store = state::checkpoint_store::open(env.data_dir);
  if (!store)
    return store.error();
  for (const auto& f : p.flows) {
    plan.flows.push_back(plan_flow(p, f, env));
    auto saved = store->load("flow." + f.name);
    if (!saved)
      return saved.error();
    plan.flows.back().stopped = (*saved)["stopped"] == "1";
  }
  return plan;
}

std::vector<cluster::flow_facts> facts_of(const config::pipeline& p) {
  std::vector<cluster::flow_facts> all;
  for (const auto& f : p.flows)
    all.push_back({f.name, f.source, topics_of(p, f.source)});
  return all;
}

} // namespace rtdp
