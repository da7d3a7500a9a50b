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
#include <future>
#include <set>

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
  settings.sink = f.sink + "." + f.table;
  settings.stream = f.stream;
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

/// The four parts that people know a table by.
std::string name_for_people(const ums::ns& name) {
  auto text = name.text();
  for (int parts = 0; parts < 3; ++parts)
    text.resize(text.rfind('.'));
  return text;
}

/// Whether the flow reads the table in some version: which one there is, only the start tells.
bool reads(const ums::ns& pattern, const ums::ns& table) {
  auto any_version = table;
  for (auto part : {ums::ns::version, ums::ns::db_partition, ums::ns::table_partition})
    any_version.set(part, pattern[part]);
  return pattern.matches(any_version);
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
    auto schema = input;
    bool row_wise = true;
    for (size_t i = 0; i < steps_.size(); ++i) {
      auto next = steps_[i]->prepare(schema);
      if (!next)
        return report("steps." + std::to_string(i) + "." + flow_.steps[i].kind, flow_.steps[i].line,
                      "step " + std::to_string(i + 1) + ": " + next.error().text(), input);
      schema = std::move(*next);
      row_wise = row_wise && steps_[i]->row_wise();
    }
    for (const auto& key : flow_.keys)
      if (!schema.find(key))
        report_key("no column is named " + key + "; there are: " + columns_of(schema), input);
      else if (flow_.mutation != "i" && row_wise && !input.find(key))
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
    const auto& instance = (*pattern)[ums::ns::instance];
    if (instance != "*" && instance != source.settings->name)
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
  all.check_source = [](const std::string& kind, const config::section& settings) {
    auto check = named(extract::kinds(), kind).check;
    return check ? check(settings) : std::vector<config::problem>{};
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

flow_findings check_flows(const config::pipeline& p) {
  flow_findings out;
  auto sources = describe_all(p.sources);
  for (const auto& s : sources)
    if (!s.schemas)
      out.not_checked.push_back(
          "source " + s.settings->name +
          (s.schemas.error() == ec::unavailable ? " cannot be reached: " : ": ") +
          s.schemas.error().text());
  for (const auto& f : p.flows)
    check_flow(f, sources, out.problems);
  return out;
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
