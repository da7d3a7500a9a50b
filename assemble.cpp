#include "assemble.hpp"

#include "actors/extract/mask_check.hpp"
#include "actors/extract/merge_check.hpp"
#include "actors/extract/source_actor.hpp"
#include "actors/extract/stages.hpp"
#include "actors/flow/flow_actor.hpp"
#include "actors/flow/step_chain.hpp"
#include "actors/flow/stream_actor.hpp"
#include "actors/heartbeat/heartbeat_actor.hpp"
#include "actors/sink/sink_actor.hpp"
#include "runtime/state/checkpoint.hpp"
#include "runtime/ums/namespace.hpp"

#include <algorithm>
#include <future>
#include <optional>
#include <set>

#include "assemble_fingerprints.hpp"
#include "assemble_merges.hpp"
#include "assemble_topics.hpp"

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

result<cluster::node_plan::source> plan_source(const config::pipeline& p,
                                               const config::component& c,
                                               const runtime::environment& env) {
  auto to = routing_of(c);
  if (!to)
    return to.error();
  extract::extraction_settings settings;
  settings.name = c.name;
  settings.to = std::move(*to);
  settings.message_bytes_max = size_t(p.bus.settings.integer("message_bytes_max"));
  settings.data_dir = env.data_dir;
  settings.clustered = env.clustered;
  settings.hide_position = extract::has_masks(c.settings);
  settings.strict = c.settings.flag("strict");
  settings.make_stages = [c, env] {
    return extract::make_stages(named(extract::kinds(), c.kind), c.name, c.settings, env.data_dir);
  };
  auto make_driver = [c] { return named(extract::kinds(), c.kind).make(c.name, c.settings); };
  cluster::node_plan::source plan;
  plan.name = c.name;
  plan.fingerprint = fingerprint(c);
  plan.spawn = [=](caf::local_actor& node, int64_t epoch) {
    auto placed = settings;
    placed.self = {env.node, epoch};
    auto work = std::make_shared<extract::extraction>(placed, env.bus, make_driver);
    return node.spawn<caf::detached>(extract::source_actor, env, work, c.kind);
  };
  plan.spawn_heartbeat = [=](caf::local_actor& node, runtime::source_actor source) {
    return node.spawn(heartbeat::heartbeat_actor, env, c.name, source, heartbeat_interval);
  };
  return plan;
}

result<cluster::node_plan::stream> plan_stream(const config::pipeline& p,
                                               const config::stream_settings& s,
                                               const runtime::environment& env) {
  flow::reading_settings settings;
  settings.name = s.name;
  settings.fetch_bytes = size_t(s.settings.integer("fetch_bytes"));
  settings.batch_rows = size_t(s.settings.integer("batch_rows"));
  settings.topics = options_of_topics(p);
  cluster::node_plan::stream plan;
  plan.name = s.name;
  plan.fingerprint = fingerprint(p, s);
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
  settings.sink = f.sink + "." + f.table;
  settings.stream = f.stream;
  settings.topics = topics_of(p, f.source);
  for (const auto& [topic, options] : options_of_topics(p))
    settings.partitions[topic] = options.partitions;
  settings.credit = uint32_t(f.queue_batches);
  settings.dead_letters_max = f.dead_letters_max;
  return settings;
}

cluster::node_plan::flow plan_flow(const config::pipeline& p, const config::flow_settings& f,
                                   const runtime::environment& env) {
  const auto& store = *std::find_if(p.sinks.begin(), p.sinks.end(),
                                    [&](const config::component& c) { return c.name == f.sink; });
  auto settings = settings_of(p, f);
  auto merged = merged_instances(p);
  bool stateful = std::any_of(f.steps.begin(), f.steps.end(), [](const auto& s) {
    return named(flow::kinds(), s.kind).stateful;
  });
  flow::step_state_settings remembering{.flow = f.name, .data_dir = env.data_dir};
  remembering.limits.message_bytes = size_t(p.bus.settings.integer("message_bytes_max"));
  cluster::node_plan::flow plan;
  plan.name = f.name;
  plan.stream = f.stream;
  plan.fingerprint = fingerprint(p, f, store);
  plan.spawn = [=](caf::local_actor& node, runtime::stream_actor stream,
                   cluster::node_plan::heartbeats heartbeats, int64_t epoch,
                   std::optional<std::string> warm) {
    auto driver = named(sink::kinds(), store.kind).make(store.settings, target_of(f));
    sink::writer_settings writing{.flow = f.name, .data_dir = env.data_dir, .bus = env.bus};
    auto writer = std::make_shared<sink::writer>(std::move(writing), std::move(driver));
    auto sink = node.spawn<caf::detached>(sink::sink_actor, env, f.name, f.sink + "." + f.table,
                                          store.kind, writer);
    std::vector<std::unique_ptr<flow::step>> steps;
    for (const auto& s : f.steps)
      steps.push_back(named(flow::kinds(), s.kind).make(s.settings));
    flow::pipeline_settings how{.keys = f.keys,
                                .deletes_follow = f.mutation != "i",
                                .partitions = settings.partitions};
    auto state = stateful
                     ? flow::step_state::take_or_make(remembering, env.bus, *env.left_behind)
                     : nullptr;
    auto work =
        std::make_shared<flow::pipeline>(std::move(how), std::move(steps), std::move(state));
    auto now = settings;
    now.epoch = epoch;
    now.warm = std::move(warm);
    // The source may be on another node: then nobody here waits for its marks.
    for (const auto& [instance, source] : merged)
      if (auto at = heartbeats.find(source); at != heartbeats.end())
        heartbeats.try_emplace(instance, at->second);
    now.heartbeats = std::move(heartbeats);
    // State is on a disk and in the bus: such a flow blocks, and must not hold up the others.
    return stateful ? node.spawn<caf::detached>(flow::flow_actor, env, now, work, sink, stream)
                    : node.spawn(flow::flow_actor, env, now, work, sink, stream);
  };
  return plan;
}

// -- check_flows ----

struct described_source {
  const config::component* settings;
  result<std::vector<ums::schema>> schemas;
};

/// All at once, so that several sources that do not answer cost the time of one.
std::vector<described_source> describe_all(const std::vector<config::component>& sources) {
  std::vector<std::future<result<std::vector<ums::schema>>>> under_way;
  for (const auto& s : sources)
    under_way.push_back(std::async(std::launch::async, [&s]() -> result<std::vector<ums::schema>> {
      auto describe = named(extract::kinds(), s.kind).describe;
      return describe ? describe(s.name, s.settings)
                      : rejected("a source of kind " + s.kind + " cannot tell its tables");
    }));
  std::vector<described_source> all;
  for (size_t i = 0; i < sources.size(); ++i)
    all.push_back({&sources[i], under_way[i].get()});
  return all;
}

/// The schemas become those behind the masks.
void check_masks(described_source& s, std::vector<config::problem>& problems) {
  std::vector<ums::schema> none;
  auto found = extract::check_masks(named(extract::kinds(), s.settings->kind), s.settings->name,
                                    s.settings->settings, s.schemas ? *s.schemas : none);
  problems.insert(problems.end(), found.begin(), found.end());
}

/// One flow against the schemas that it will read.
class flow_check {
public:
  flow_check(const config::flow_settings& f, std::vector<config::problem>& problems)
      : flow_(f), problems_(problems) {
    for (const auto& s : f.steps)
      steps_.push_back(named(flow::kinds(), s.kind).make(s.settings));
  }

  void check(const ums::schema& input) {
    auto chain = flow::prepare_chain(steps_, input);
    if (const auto i = chain.step; chain.failed)
      return report("steps." + std::to_string(i) + "." + flow_.steps[i].kind, flow_.steps[i].line,
                    "step " + std::to_string(i + 1) + ": " + chain.failed.text(), input);
    const auto& schema = chain.schema;
    for (const auto& key : flow_.keys)
      if (!schema.find(key))
        report_key("no column is named " + key + "; there are: " + columns_of(schema), input);
      else if (flow_.mutation != "i" && chain.keeps_rows && !input.find(key))
        report_key(key + " is made by a step, but a delete brings only the source's columns: take "
                         "the source's key under its own name, or mutation: i",
                   input);
  }

  void report(const std::string& path, int line, const std::string& text,
              const ums::schema& input) {
    // Many tables of a pattern fail alike.
    if (told_.insert(path + text).second)
      problems_.push_back({line, "flows." + flow_.name + "." + path,
                           text + " (table " + input.name[ums::ns::table] + ")"});
  }

private:
  void report_key(const std::string& text, const ums::schema& input) {
    auto at = flow_.settings.lines.find("keys");
    report("keys", at == flow_.settings.lines.end() ? flow_.line : at->second, text, input);
  }

  static std::string columns_of(const ums::schema& s) {
    std::string out;
    for (const auto& f : s.fields)
      if (!ums::is_system(f.name))
        out += (out.empty() ? "" : ", ") + f.name;
    return out;
  }

  const config::flow_settings& flow_;
  std::vector<config::problem>& problems_;
  std::vector<std::unique_ptr<flow::step>> steps_;
  std::set<std::string> told_;
};

void check_flow(const config::flow_settings& f, const std::vector<described_source>& sources,
                std::vector<config::problem>& problems) {
  auto pattern = ums::ns::parse(f.source);
  flow_check check(f, problems);
  bool found = false;
  std::string tables;
  for (const auto& source : sources) {
    if (!may_feed(*pattern, *source.settings))
      continue;
    // It may have the table.
    found = found || !source.schemas;
    for (size_t i = 0; source.schemas && i < source.schemas->size(); ++i) {
      const auto& schema = (*source.schemas)[i];
      tables += (tables.empty() ? "" : ", ") + name_for_people(schema.name);
      if (!reads(*pattern, schema.name))
        continue;
      found = true;
      check.check(schema);
    }
  }
  if (found)
    return;
  auto at = f.settings.lines.find("source");
  problems.push_back({at == f.settings.lines.end() ? f.line : at->second,
                      "flows." + f.name + ".source",
                      "matches no table that a source captures; there are: " + tables});
}

} // namespace

config::catalogue built_in() {
  config::catalogue all;
  for (const auto& k : bus::kinds()) {
    all.buses.push_back(k.spec);
    if (k.shared)
      all.shared_buses.push_back(k.spec.name);
  }
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
  all.merged_names = [](const std::string& kind, const std::string& source,
                        const config::section& settings) {
    return merged_names({.name = source, .kind = kind, .settings = settings});
  };
  all.check_source = [](const std::string& kind, const config::section& settings) {
    auto check = named(extract::kinds(), kind).check;
    return check ? check(settings) : std::vector<config::problem>{};
  };
  return all;
}

std::shared_ptr<bus::bus> make_bus(const config::pipeline& p) {
  return named(bus::kinds(), p.bus.kind).make(p.bus.settings, p.node.data_dir);
}

flow_findings check_flows(const config::pipeline& p) {
  flow_findings out;
  auto sources = describe_all(p.sources);
  for (auto& s : sources)
    check_masks(s, out.problems);
  check_merges(p, out.problems);
  for (auto& s : sources)
    if (s.schemas)
      extract::merge_schemas(configured(*s.settings), *s.schemas);
  for (const auto& s : sources)
    if (!s.schemas)
      out.not_checked.push_back(
          "source " + s.settings->name +
          (s.schemas.error() == ec::unavailable ? " cannot be reached: " : ": ") +
          s.schemas.error().text());
  check_topics(p, out.problems);
  for (const auto& f : p.flows)
    check_flow(f, sources, out.problems);
  return out;
}

result<cluster::node_plan> make_plan(const config::pipeline& p, const runtime::environment& env) {
  cluster::node_plan plan;
  for (const auto& s : p.streams) {
    auto stream = plan_stream(p, s, env);
    if (!stream)
      return stream.error();
    plan.streams.push_back(std::move(*stream));
  }
  plan.spawn_alarm = plan_alarm(p.alarms, env);
  plan.placed = p.cluster.on();
  auto store = state::checkpoint_store::open(env.data_dir);
  if (!store)
    return store.error();
  auto is_stopped = [&](ops::component_class c, const std::string& name) -> result<bool> {
    auto saved = store->load(cluster::stopped_key(c, name));
    return saved ? result<bool>{(*saved)["stopped"] == "1"} : saved.error();
  };
  for (const auto& s : p.sources) {
    auto stopped = is_stopped(ops::component_class::source, s.name);
    if (!stopped)
      return stopped.error();
    auto source = plan_source(p, s, env);
    if (!source)
      return source.error();
    plan.sources.push_back(std::move(*source));
    plan.sources.back().stopped = *stopped;
  }
  for (const auto& f : p.flows) {
    auto stopped = is_stopped(ops::component_class::flow, f.name);
    if (!stopped)
      return stopped.error();
    plan.flows.push_back(plan_flow(p, f, env));
    plan.flows.back().stopped = *stopped;
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
