/// rtdp: the command line. `run` starts a node; the other commands check a file, explain settings,
/// or talk to a node that runs (commands.cpp).
#include "actors/extract/log_preview.hpp"
#include "config/reference.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

#include "assemble.hpp"
#include "commands.hpp"
#include "serve.hpp"

namespace {

using namespace rtdp;

struct options {
  std::string kind;
  serve_options serve;
  extract::logs::preview_request preview;
};

int check(const options& o) {
  auto loaded = load_checked(
      o.serve, [](const std::string& text) { std::cerr << "not checked: " << text << "\n"; });
  if (!loaded)
    return 1;
  const auto& p = *loaded;
  std::cout << o.serve.file << ": no problem: " << p.sources.size() << " sources, "
            << p.flows.size() << " flows, " << p.sinks.size() << " sinks";
  if (p.cluster.on())
    std::cout << ", " << p.cluster.nodes.size() << " nodes";
  std::cout << "\n";
  return 0;
}

int reference(const options& o) {
  auto kinds = built_in();
  auto text = o.kind.empty() ? config::reference(kinds) : config::reference(kinds, o.kind);
  if (text.empty()) {
    std::string names;
    for (const auto& n : config::reference_names(kinds))
      names += (names.empty() ? "" : ", ") + n;
    return failed(rejected("no kind is named " + o.kind + "; there are: " + names));
  }
  std::cout << text;
  return 0;
}

CLI::App* with_file(CLI::App* c, options& o) {
  c->add_option("file", o.serve.file, "Settings, in YAML")->required();
  c->add_option("--set", o.serve.set, "path=value: overrides a setting; may be repeated");
  return c;
}

void add_local_commands(CLI::App& app, options& o, int& code) {
  auto* c = with_file(app.add_subcommand("run", "Start a node and stay until SIGTERM"), o);
  c->add_option("--node", o.serve.node, "Which node of a cluster's file this one is");
  c->add_flag("--until-idle", o.serve.until_idle,
              "Stop when snapshots are done and flows caught up");
  c->add_option("--log-level", o.serve.log.level, "trace, debug, info, warn, error, off");
  c->add_option("--log-format", o.serve.log_format, "text or json");
  c->callback([&] { code = serve(o.serve); });
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
  c->add_option("--set", o.serve.set, "path=value: overrides a setting; may be repeated");
  c->add_flag("--json", o.preview.json, "One JSON object an event");
  c->callback([&] {
    auto settings = config::check(config::load_file(o.preview.config, o.serve.set), built_in());
    code = extract::logs::preview_rules(settings, o.preview, std::cout, std::cerr);
  });
}

} // namespace

int main(int argc, char** argv) {
  options o;
  remote_options asked;
  int code = 0;
  CLI::App app{"RTDP: change data from databases, through SQL flows, into any store."};
  app.set_version_flag("--version", std::string("rtdp ") + RTDP_VERSION);
  app.require_subcommand(1);
  add_local_commands(app, o, code);
  add_rules_command(app, o, code);
  add_remote_commands(app, asked, code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    // 2: usage; --help and --version are no mistake.
    return app.exit(e) == 0 ? 0 : 2;
  }
  return code;
}
