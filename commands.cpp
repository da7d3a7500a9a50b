#include "commands.hpp"

#include <iostream>
#include <unistd.h>

namespace rtdp {

namespace {

CLI::App* remote(CLI::App* c, remote_options& o) {
  c->add_option("--url", o.url, "Address of the node (or RTDP_URL)")->capture_default_str();
  c->add_flag("--json", o.json, "What machines read");
  return c;
}

ops::cli cli(const remote_options& o) {
  return {o.url, o.json, ops::wants_colour(STDOUT_FILENO), std::cout, std::cerr};
}

void add_node_commands(CLI::App& app, remote_options& o, int& code) {
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
}

void add_change_commands(CLI::App& app, remote_options& o, int& code) {
  auto* c = remote(app.add_subcommand("source", "start or stop a source"), o);
  c->add_option("name", o.name, "Name of the source")->required();
  c->add_option("verb", o.verb, "start or stop")
      ->required()
      ->check(CLI::IsMember({"start", "stop"}));
  c->callback([&] { code = cli(o).change(ops::component_class::source, o.name, o.verb, {}); });
  c = remote(app.add_subcommand("flow", "start, stop, rewind or move a flow"), o);
  c->add_option("name", o.name, "Name of the flow")->required();
  c->add_option("verb", o.verb, "start, stop, rewind, drift (to another node) or cancel (a drift)")
      ->required()
      ->check(CLI::IsMember({"start", "stop", "rewind", "drift", "cancel"}));
  c->add_option("--to", o.to, "rewind: beginning, an offset, or a time; drift: the node");
  c->add_flag("--no-wait", o.no_wait, "drift: do not tell the steps until it has ended");
  c->callback([&] {
    if (o.verb == "drift" && o.to.empty())
      throw CLI::ValidationError("flow drift", "takes --to, a node of `rtdp nodes`");
    if (o.verb == "drift")
      code = cli(o).drift(o.name, o.to, !o.no_wait);
    else if (o.verb == "cancel")
      code = cli(o).cancel_drift(o.name);
    else
      code = cli(o).change(ops::component_class::flow, o.name, o.verb, o.to);
  });
}

void add_cluster_commands(CLI::App& app, remote_options& o, int& code) {
  auto* c = remote(app.add_subcommand("nodes", "The nodes of the cluster, and their load"), o);
  c->callback([&] { code = cli(o).nodes(); });
  c = remote(app.add_subcommand("node", "drain or undrain a node"), o);
  c->add_option("name", o.name, "Name of the node")->required();
  c->add_option("verb", o.verb, "drain (move all it has to others) or undrain")
      ->required()
      ->check(CLI::IsMember({"drain", "undrain"}));
  c->callback([&] { code = cli(o).change_node(o.name, o.verb); });
  c = remote(app.add_subcommand("drifts", "Moves of flows: those under way, then the last ones"), o);
  c->callback([&] { code = cli(o).drifts(); });
  c = remote(app.add_subcommand("plan", "What placement would move between nodes, and why"), o);
  c->callback([&] { code = cli(o).plan(); });
  c = remote(app.add_subcommand("apply", "Put a settings file in force on all nodes"), o);
  c->add_option("file", o.file, "Settings, in YAML")->required();
  c->callback([&] { code = cli(o).apply(o.file); });
}

void add_snapshot_command(CLI::App& app, remote_options& o, int& code) {
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

void add_alarm_command(CLI::App& app, remote_options& o, int& code) {
  auto* c = remote(app.add_subcommand("alarms", "What needs somebody to look; open alarms"), o);
  c->add_flag("--all", o.all, "Those that ended lately, too");
  c->callback([&] { code = cli(o).alarms(o.all); });
}

void add_dead_letter_commands(CLI::App& app, remote_options& o, int& code) {
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

void add_remote_commands(CLI::App& app, remote_options& o, int& code) {
  add_node_commands(app, o, code);
  add_change_commands(app, o, code);
  add_cluster_commands(app, o, code);
  add_snapshot_command(app, o, code);
  add_alarm_command(app, o, code);
  add_dead_letter_commands(app, o, code);
}

} // namespace rtdp
