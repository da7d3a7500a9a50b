/// rtdp: the command line. `run` starts a node; the other commands check a file, explain settings,
/// or talk to a node that runs.
#include "actors/extract/log_preview.hpp"
#include "actors/heartbeat/feedback_actor.hpp"
#include "config/reference.hpp"
#include "runtime/caf_error.hpp"
#include "runtime/core/time.hpp"
#include "runtime/ops/cli.hpp"
#include "runtime/ops/http.hpp"
#include "runtime/ops/log.hpp"
#include "runtime/ops/rest.hpp"
#include "runtime/state/folder_lock.hpp"
#include "runtime/system.hpp"

#include <CLI/CLI.hpp>
#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <optional>
#include <unistd.h>

#include "assemble.hpp"

namespace {

using namespace rtdp;
using namespace std::chrono_literals;

/// SIGTERM to exit takes 10 s at most. What hangs by then is left to its stored state.
constexpr unsigned stop_seconds_max = 9;
/// Once every component has ended, a thread that still waits for a dead server (a connect, a name
/// look-up) has nothing left to save.
constexpr unsigned linger_seconds_max = 1;

volatile std::sig_atomic_t code_when_late = 1;
extern "C" void exit_late(int) { ::_exit(code_when_late); }

struct options {
  std::string file, kind, name, verb, to, component;
  extract::logs::preview_request preview;
  std::vector<std::string> set;
  std::vector<int64_t> ids;
  std::vector<std::string> tables;
  ops::snapshot_order snapshot;
  bool wait = false;
  bool until_idle = false, json = false, all = false, versions = false;
  int64_t limit = 1000;
  std::string url = ops::default_url();
  ops::log_options log;
  std::string log_format = "text";
};

/// Prints every problem as `file:line: path: text`; true when there is one.
bool print_problems(const std::string& file, const std::vector<config::problem>& problems) {
  for (const auto& p : problems)
    std::cerr << config::to_string(p, file) << "\n";
  if (!problems.empty())
    std::cerr << problems.size() << (problems.size() == 1 ? " problem" : " problems")
              << "; nothing was started. `rtdp reference` explains every setting.\n";
  return !problems.empty();
}

int fail(const error& e) {
  std::cerr << "rtdp: " << e.text() << "\n";
  return 1;
}

/// The file as a model without a problem; nothing when it has one, which is printed then. `note` is
/// told what could not be checked.
template<class Note>
std::optional<config::pipeline> load_checked(const options& o, const Note& note) {
  auto checked = config::check(config::load_file(o.file, o.set), built_in());
  if (print_problems(o.file, checked.problems))
    return {};
  auto found = check_flows(checked.value);
  for (const auto& text : found.not_checked)
    note(text);
  if (print_problems(o.file, found.problems))
    return {};
  return std::move(checked.value);
}

int check(const options& o) {
  auto loaded =
      load_checked(o, [](const auto& text) { std::cerr << "not checked: " << text << "\n"; });
  if (!loaded)
    return 1;
  const auto& p = *loaded;
  std::cout << o.file << ": no problem: " << p.sources.size() << " sources, " << p.flows.size()
            << " flows, " << p.sinks.size() << " sinks\n";
  return 0;
}

int reference(const options& o) {
  auto kinds = built_in();
  auto text = o.kind.empty() ? config::reference(kinds) : config::reference(kinds, o.kind);
  if (text.empty()) {
    std::string names;
    for (const auto& n : config::reference_names(kinds))
      names += (names.empty() ? "" : ", ") + n;
    return fail(rejected("no kind is named " + o.kind + "; there are: " + names));
  }
  std::cout << text;
  return 0;
}

/// SIGTERM and SIGINT are waited for, never handled: blocked before the first thread starts.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

/// True when a signal came within `wait`.
bool signalled(const sigset_t& set, std::chrono::milliseconds wait) {
  timespec t{wait.count() / 1000, (wait.count() % 1000) * 1'000'000};
  return sigtimedwait(&set, nullptr, &t) > 0;
}

/// Returns the exit code at a signal, or when idle.
int supervise(caf::actor_system& system, const runtime::node_actor& node, const options& o,
              const sigset_t& signals) {
  caf::scoped_actor self{system};
  int idle_in_a_row = 0;
  int code = 0;
  while (!signalled(signals, 100ms)) {
    if (!o.until_idle)
      continue;
    bool idle = false;
    error stopped_by;
    self->request(node, 15s, runtime::atom::idle_v)
        .receive([&idle](bool x) { idle = x; },
                 [&stopped_by](caf::error& e) { stopped_by = runtime::from_caf(e); });
    if (stopped_by == ec::rejected) {
      code = fail(stopped_by);
      break;
    }
    // Twice: what was published between the answers of two actors shows at the second look.
    idle_in_a_row = idle ? idle_in_a_row + 1 : 0;
    if (idle_in_a_row == 2)
      break;
  }
  return code;
}

/// Returns `code` when the node has ended, upstream first, and with it all actors.
int stop(caf::actor_system& system, const runtime::node_actor& node,
         const runtime::feedback_actor& feedback, int code) {
  caf::scoped_actor self{system};
  std::signal(SIGALRM, exit_late);
  alarm(stop_seconds_max);
  self->monitor(node);
  self->send(node, runtime::atom::stop_v);
  self->receive([](caf::down_msg&) {});
  caf::anon_send_exit(feedback, caf::exit_reason::user_shutdown);
  code_when_late = code;
  alarm(linger_seconds_max);
  return code;
}

int run(const options& o) {
  if (o.log_format != "text" && o.log_format != "json")
    return fail(rejected("--log-format takes text or json; found " + o.log_format));
  auto log = o.log;
  log.format = o.log_format == "json" ? ops::log_format::json : ops::log_format::text;
  if (auto e = ops::setup_log(log))
    return fail(e);
  auto loaded = load_checked(o, [](const auto& text) {
    ops::logger("node")->warn("not checked before the start: {}", text);
  });
  if (!loaded)
    return 1;
  const auto& p = *loaded;
  auto lock = state::folder_lock::take(p.node.data_dir);
  if (!lock)
    return fail(lock.error());
  auto signals = block_signals();
  runtime::system_config config;
  caf::actor_system system{config};
  runtime::environment env;
  env.node = p.node.name;
  env.data_dir = p.node.data_dir;
  env.bus = make_bus(p);
  env.metrics = std::make_shared<ops::metrics>(p.node.name);
  env.feedback = system.spawn(heartbeat::feedback_actor, env.metrics);
  auto plan = make_plan(p, env);
  if (!plan)
    return fail(plan.error());
  auto node = system.spawn(cluster::node_actor, env, *plan);
  cluster::node_control control{
      system,  node,        env.feedback,
      env.bus, env.metrics, {{p.node.name, RTDP_VERSION, now_us()}, p.node.data_dir, facts_of(p)}};
  std::unique_ptr<ops::http_server> http;
  if (p.node.http != "off") {
    auto started = ops::http_server::start({.listen = p.node.http},
                                           ops::router{ops::rest_routes(control, *env.metrics)});
    if (!started)
      return stop(system, node, env.feedback, fail(started.error()));
    http = std::move(*started);
    ops::logger("node")->info("status page and REST at {}", http->url());
  }
  return stop(system, node, env.feedback, supervise(system, node, o, signals));
}

CLI::App* with_file(CLI::App* c, options& o) {
  c->add_option("file", o.file, "Settings, in YAML")->required();
  c->add_option("--set", o.set, "path=value: overrides a setting; may be repeated");
  return c;
}

CLI::App* remote(CLI::App* c, options& o) {
  c->add_option("--url", o.url, "Address of the node (or RTDP_URL)")->capture_default_str();
  c->add_flag("--json", o.json, "What machines read");
  return c;
}

ops::cli cli(const options& o) {
  return {o.url, o.json, ops::wants_colour(STDOUT_FILENO), std::cout, std::cerr};
}

void add_local_commands(CLI::App& app, options& o, int& code) {
  auto* c = with_file(app.add_subcommand("run", "Start a node and stay until SIGTERM"), o);
  c->add_flag("--until-idle", o.until_idle, "Stop when snapshots are done and flows caught up");
  c->add_option("--log-level", o.log.level, "trace, debug, info, warn, error, off");
  c->add_option("--log-format", o.log_format, "text or json");
  c->callback([&] { code = run(o); });
  c = with_file(app.add_subcommand("check", "Tell every problem of a settings file"), o);
  c->callback([&] { code = check(o); });
  c = app.add_subcommand("reference", "Explain the settings, of all kinds or one");
  c->add_option("kind", o.kind, "postgres, kafka, flow, …");
  c->callback([&] { code = reference(o); });
}

void add_rules_command(CLI::App& app, options& o, int& code) {
  auto* rules = app.add_subcommand("rules", "The rules of log sources");
  rules->require_subcommand(1);
  auto* c = rules->add_subcommand("preview", "Show what each rule makes of the events of a file");
  c->add_option("file", o.preview.file, "Events, as a log source would read them")->required();
  c->add_option("--config", o.preview.config, "Settings, in YAML")->required();
  c->add_option("--source", o.preview.source, "Default: the only log source");
  c->add_option("--table", o.preview.table, "Try only this one; default: all, in their order");
  c->add_option("--limit", o.preview.limit, "So many events")->capture_default_str();
  c->add_option("--set", o.set, "path=value: overrides a setting; may be repeated");
  c->add_flag("--json", o.preview.json, "One JSON object an event");
  c->callback([&] {
    auto settings = config::check(config::load_file(o.preview.config, o.set), built_in());
    code = extract::logs::preview_rules(settings, o.preview, std::cout, std::cerr);
  });
}

void add_node_commands(CLI::App& app, options& o, int& code) {
  auto* c = remote(app.add_subcommand("status", "The node and everything on it"), o);
  c->callback([&] { code = cli(o).status(); });
  for (auto which : ops::all_classes) {
    auto name = ops::plural(which);
    c = remote(app.add_subcommand(name, std::string("List the ") + name), o);
    auto* only = c->add_option("name", o.name, "Only this one");
    if (which == ops::component_class::table)
      c->add_flag("--versions", o.versions, "Its columns over time, and what changed")->needs(only);
    c->callback([&, which] {
      code = o.versions ? cli(o).versions(o.name) : cli(o).list(which, o.name);
    });
  }
  c = remote(app.add_subcommand("source", "start or stop a source"), o);
  c->add_option("name", o.name, "Name of the source")->required();
  c->add_option("verb", o.verb, "start or stop")
      ->required()
      ->check(CLI::IsMember({"start", "stop"}));
  c->callback([&] { code = cli(o).change(ops::component_class::source, o.name, o.verb, {}); });
  c = remote(app.add_subcommand("flow", "start, stop or rewind a flow"), o);
  c->add_option("name", o.name, "Name of the flow")->required();
  c->add_option("verb", o.verb, "start, stop or rewind")
      ->required()
      ->check(CLI::IsMember({"start", "stop", "rewind"}));
  c->add_option("--to", o.to, "rewind: beginning, an offset, or a time");
  c->callback([&] { code = cli(o).change(ops::component_class::flow, o.name, o.verb, o.to); });
}

void add_snapshot_command(CLI::App& app, options& o, int& code) {
  auto* c = remote(app.add_subcommand("snapshot", "Read tables whole while their changes flow"), o);
  c->add_option("table", o.tables, "As `tables:` names it, or its namespace")->required();
  auto* where = c->add_option("--where", o.snapshot.where, "Only rows of this condition, in SQL");
  auto* sweep = c->add_flag("--sweep", o.snapshot.sweep,
                            "Afterwards sinks drop the rows that it did not meet");
  sweep->excludes(where);
  c->add_option("--source", o.snapshot.source, "When several sources have a table of this name");
  c->add_flag("--wait", o.wait, "Until it is done, with progress on a terminal");
  auto* verbs = c->add_option_group("verb");
  for (const char* verb : {"pause", "resume", "cancel"})
    verbs->add_flag_callback(
        std::string("--") + verb, [&o, verb] { o.snapshot.verb = verb; },
        std::string(verb) + " the snapshot under way");
  verbs->require_option(0, 1);
  c->callback([&] { code = cli(o).snapshot(o.tables, o.snapshot, o.wait); });
}

void add_alarm_command(CLI::App& app, options& o, int& code) {
  auto* c = remote(app.add_subcommand("alarms", "What needs somebody to look; open alarms"), o);
  c->add_flag("--all", o.all, "Those that ended lately, too");
  c->callback([&] { code = cli(o).alarms(o.all); });
}

void add_dead_letter_commands(CLI::App& app, options& o, int& code) {
  auto* letters =
      remote(app.add_subcommand("dead-letters", "Rows that could not be processed; lists them"), o);
  letters->require_subcommand(0, 1);
  letters->callback([&, letters] {
    if (letters->get_subcommands().empty())
      code = cli(o).dead_letters(o.component, o.limit);
  });
  auto* c = remote(letters->add_subcommand("list", "Oldest first"), o);
  c->add_option("--component", o.component, "Only of this one, such as flow.orders");
  c->add_option("--limit", o.limit, "At most so many");
  c->callback([&] { code = cli(o).dead_letters(o.component, o.limit); });
  c = remote(letters->add_subcommand("show", "One, with its bytes"), o);
  c->add_option("id", o.ids)->required()->expected(1);
  c->callback([&] { code = cli(o).show_dead_letter(o.ids.front()); });
  c = remote(letters->add_subcommand("replay", "Hand rows to their component again"), o);
  c->add_option("id", o.ids);
  c->add_flag("--all", o.all, "All there are");
  c->add_option("--component", o.component, "With --all: only of this one");
  c->callback([&] {
    if (o.ids.empty() != o.all)
      throw CLI::ValidationError("dead-letters replay", "takes ids, or --all");
    code = cli(o).replay_dead_letters(o.ids, o.component);
  });
  c = remote(letters->add_subcommand("drop", "Forget rows for good"), o);
  c->add_option("id", o.ids)->required();
  c->callback([&] { code = cli(o).drop_dead_letters(o.ids); });
}

} // namespace

int main(int argc, char** argv) {
  options o;
  int code = 0;
  CLI::App app{"RTDP: change data from databases, through SQL flows, into any store."};
  app.set_version_flag("--version", std::string("rtdp ") + RTDP_VERSION);
  app.require_subcommand(1);
  add_local_commands(app, o, code);
  add_rules_command(app, o, code);
  add_node_commands(app, o, code);
  add_snapshot_command(app, o, code);
  add_alarm_command(app, o, code);
  add_dead_letter_commands(app, o, code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // 2: usage; --help and --version are no mistake.
    return app.exit(e) == 0 ? 0 : 2;
  }
  return code;
}
