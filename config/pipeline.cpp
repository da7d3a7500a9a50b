#include "config/pipeline.hpp"

#include "config/check_sources.hpp"
#include "config/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace rtdp::config {

namespace {

using shape = tree::shape;
using names = std::vector<std::string>;

names names_of(const std::vector<spec>& specs) {
  names out;
  for (const auto& s : specs)
    out.push_back(s.name);
  return out;
}

const spec* find(const std::vector<spec>& specs, const std::string& name) {
  auto it = std::find_if(specs.begin(), specs.end(), [&](const spec& s) { return s.name == name; });
  return it != specs.end() ? &*it : nullptr;
}

std::string listed(const names& known) {
  // 20: what fits on a screen; a file may name thousands of sinks.
  auto shown = std::min<size_t>(known.size(), 20);
  if (known.empty())
    return "none";
  return fmt::format("{}{}",
                     fmt::join(known.begin(), known.begin() + static_cast<long>(shown), ", "),
                     shown < known.size() ? fmt::format(" and {} more", known.size() - shown) : "");
}

/// "unknown sink dww; did you mean dw? known: dw, out"
std::string unknown(const char* what, const tree& shown, const std::string& word,
                    const names& known) {
  auto hint = shown.referenced ? std::string{} : did_you_mean(word, known);
  return fmt::format("unknown {} {}{} known: {}", what, found(shown), hint.empty() ? ";" : hint,
                     listed(known));
}

/// The second part of a namespace pattern when it and the first one are plain words or stars; empty
/// when it needs real parsing.
std::string_view plain_second_part(std::string_view pattern) {
  auto dot = pattern.find('.');
  if (dot == pattern.npos ||
      (pattern.substr(0, dot) != "*" && !is_plain_word(pattern.substr(0, dot))))
    return {};
  auto rest = pattern.substr(dot + 1);
  auto part = rest.substr(0, rest.find('.'));
  return is_plain_word(part) ? part : std::string_view{};
}

class checker {
public:
  checker(const tree& root, const catalogue& kinds, checked& out)
      : root_(root), kinds_(kinds), out_(out.value), problems_(out.problems) {}

  void run() {
    section nothing;
    add(spec{"file", ""}.parse(root_, "", nothing,
                               {"node", "bus", "sources", "streams", "sinks", "flows", "alarms",
                                "nodes", "cluster"}));
    check_node();
    check_bus();
    check_components("sources", "source", kinds_.sources, out_.sources);
    add(check_sources(kinds_, out_.sources, part("sources"), problems_));
    check_streams();
    check_components("sinks", "sink", kinds_.sinks, out_.sinks);
    each("flows", [this](const tree& flow, const std::string& path) { check_flow(flow, path); });
    add(check_alarms(root_.find("alarms"), kinds_.check_pattern, out_.alarms));
    add(check_cluster(root_, kinds_, out_));
  }

private:
  void report(const tree& node, const std::string& path, std::string text) {
    problems_.push_back({node.line, path, std::move(text)});
  }
  void add(std::vector<problem> more) {
    problems_.insert(problems_.end(), std::make_move_iterator(more.begin()),
                     std::make_move_iterator(more.end()));
  }

  /// The part `name` of the file as a mapping; empty when there is none.
  const tree& part(const char* name) const {
    static const tree none;
    const auto* node = root_.find(name);
    return node != nullptr && node->is == shape::mapping ? *node : none;
  }

  names names_in(const char* name) const {
    names out;
    for (const auto& item : part(name).items)
      out.push_back(item.key);
    return out;
  }

  /// Calls `use(entry, path)` for each entry of a mapping from names.
  template<class F>
  void each(const char* name, F use) {
    const auto* node = root_.find(name);
    if (node != nullptr && (node->is == shape::list || node->is == shape::scalar))
      report(*node, name,
             fmt::format("expects a mapping from names to settings; found {}",
                         node->is == shape::list ? "a list" : "text"));
    for (const auto& item : part(name).items) {
      auto path = join(name, item.key);
      if (!is_plain_word(item.key))
        report(item, path, "a name consists of letters, digits, _ and -, at most 63");
      use(item, path);
    }
  }

  void check_node() {
    static const tree none;
    const auto* node = root_.find("node");
    section s;
    add(node_spec().parse(node != nullptr ? *node : none, "node", s));
    out_.node = {s.text("name"), s.text("data_dir"), s.text("http")};
    auto shown = [&](const char* name) -> const tree& {
      const auto* child = node != nullptr ? node->find(name) : nullptr;
      return child != nullptr ? *child : none;
    };
    if (!is_plain_word(out_.node.name))
      report(shown("name"), "node.name",
             "a name consists of letters, digits, _ and -, at most 63; found " +
                 found(shown("name")));
    if (out_.node.data_dir.empty())
      report(shown("data_dir"), "node.data_dir", "must not be empty");
    if (out_.node.http != "off" && !is_host_and_port(out_.node.http))
      report(shown("http"), "node.http",
             "expects host:port, such as 127.0.0.1:8080, or off; found " + found(shown("http")));
  }

  void check_bus() {
    if (const auto* bus = root_.find("bus"); bus != nullptr && bus->is != shape::nothing) {
      check_component(*bus, "bus", "bus", kinds_.buses, out_.bus);
    } else if (!kinds_.buses.empty()) {
      tree none;
      none.is = shape::mapping;
      out_.bus.kind = kinds_.buses.front().name;
      add(kinds_.buses.front().parse(none, "bus", out_.bus.settings));
    }
    out_.bus.name = out_.bus.kind;
  }

  void check_components(const char* part_name, const char* what, const std::vector<spec>& specs,
                        std::vector<component>& out) {
    each(part_name, [&](const tree& node, const std::string& path) {
      component c;
      c.name = node.key;
      // Where a source runs is not its kind's matter.
      bool pinned = part_name == std::string_view("sources");
      check_component(node, path, what, specs, c, pinned ? names{"kind", "node"} : names{"kind"});
      if (const auto* pin = pinned ? node.find("node") : nullptr)
        c.pin = pin->text;
      out.push_back(std::move(c));
    });
  }

  void check_component(const tree& node, const std::string& path, const char* what,
                       const std::vector<spec>& specs, component& out,
                       const names& common = {"kind"}) {
    out.line = node.line;
    if (node.is == shape::list || node.is == shape::scalar) {
      report(node, path,
             fmt::format("expects a mapping with kind: and its settings; found {}",
                         node.is == shape::list ? "a list" : "text"));
      return;
    }
    const auto* kind = node.find("kind");
    if (kind == nullptr) {
      report(node, join(path, "kind"), "is required; known: " + listed(names_of(specs)));
      return;
    }
    if (kind->broken)
      return;
    const auto* known = find(specs, kind->text);
    if (known == nullptr) {
      report(*kind, join(path, "kind"),
             unknown(fmt::format("kind of {}", what).c_str(), *kind, kind->text, names_of(specs)));
      return;
    }
    out.kind = known->name;
    add(known->parse(node, path, out.settings, common));
  }

  void check_streams() {
    each("streams", [&](const tree& node, const std::string& path) {
      stream_settings s{node.key, {}, node.line};
      add(stream_spec().parse(node, path, s.settings));
      out_.streams.push_back(std::move(s));
    });
    auto has_main = std::any_of(out_.streams.begin(), out_.streams.end(),
                                [](const auto& s) { return s.name == "main"; });
    if (!has_main)
      out_.streams.insert(out_.streams.begin(), {"main", stream_spec().defaults(), 0});
  }

  void check_flow(const tree& node, const std::string& path) {
    flow_settings flow;
    flow.name = node.key;
    flow.line = node.line;
    auto& s = flow.settings;
    add(flow_spec().parse(node, path, s, {"steps"}));
    flow.source = s.text("source");
    auto target = split_sink(s.text("sink"));
    flow.sink = target.sink;
    flow.table = target.table;
    flow.keys = s.get<texts>("keys");
    flow.mutation = s.text("mutation");
    flow.create = s.flag("create");
    flow.evolve = s.text("evolve");
    flow.truncate = s.text("truncate") == "apply";
    flow.stream = s.text("stream");
    flow.dead_letters_max = s.integer("dead_letters_max");
    flow.queue_batches = s.integer("queue_batches");
    flow.pin = s.text("node");
    flow.not_with = s.get<texts>("not_with");
    if (const auto* source = node.find("source"); source != nullptr && !flow.source.empty())
      check_source(flow, *source, join(path, "source"));
    if (const auto* sink = node.find("sink"); sink != nullptr && !s.text("sink").empty())
      check_sink(flow, *sink, join(path, "sink"));
    if (const auto* stream = node.find("stream"); stream != nullptr && stream->is == shape::scalar)
      check_stream(flow, *stream, join(path, "stream"));
    if (const auto* steps = node.find("steps"))
      check_steps(flow, *steps, join(path, "steps"));
    out_.flows.push_back(std::move(flow));
  }

  void check_source(const flow_settings& flow, const tree& node, const std::string& path) {
    auto wrong = kinds_.check_pattern ? kinds_.check_pattern(flow.source) : std::string{};
    if (!wrong.empty()) {
      report(node, path,
             node.referenced ? "is not a namespace pattern; found " + found(node) : wrong);
      return;
    }
    auto name = std::string(plain_second_part(flow.source));
    auto known = names_in("sources");
    for (const auto& s : out_.sources)
      for (auto& merged : kinds_.merged_names ? kinds_.merged_names(s.kind, s.name, s.settings)
                                              : std::vector<std::string>{})
        known.push_back(std::move(merged));
    if (name.empty() || std::find(known.begin(), known.end(), name) != known.end())
      return;
    auto hint = node.referenced ? std::string{} : did_you_mean(name, known);
    report(node, path,
           fmt::format("names the source {}, which is not configured{} known: {}",
                       node.referenced ? found(node) : name, hint.empty() ? ";" : hint,
                       listed(known)));
  }

  void check_sink(const flow_settings& flow, const tree& node, const std::string& path) {
    if (flow.sink.empty() || flow.table.empty()) {
      report(node, path, "expects <sink>.<table as the store names it>; found " + found(node));
      return;
    }
    auto known = names_in("sinks");
    if (std::find(known.begin(), known.end(), flow.sink) == known.end())
      report(node, path, unknown("sink in", node, flow.sink, known));
    auto [first, is_new] =
        pairs_.emplace(std::pair{flow.source, node.text}, std::pair{flow.name, flow.line});
    if (!is_new)
      report(
          node, path,
          fmt::format("has the same source and sink as flow {} in line {}; rows would be written "
                      "twice",
                      excerpt(first->second.first), first->second.second));
  }

  void check_stream(const flow_settings& flow, const tree& node, const std::string& path) {
    names known;
    for (const auto& s : out_.streams)
      known.push_back(s.name);
    if (!node.broken && std::find(known.begin(), known.end(), flow.stream) == known.end())
      report(node, path, unknown("stream", node, flow.stream, known));
  }

  void check_steps(flow_settings& flow, const tree& node, const std::string& path) {
    if (node.is == shape::scalar || node.is == shape::mapping)
      report(node, path,
             fmt::format("expects a list of steps; found {}",
                         node.is == shape::mapping ? "a mapping" : "text"));
    if (node.is != shape::list)
      return;
    for (size_t i = 0; i < node.items.size(); ++i)
      check_step(flow, node.items[i], join(path, std::to_string(i)));
  }

  void check_step(flow_settings& flow, const tree& node, const std::string& path) {
    auto known = names_of(kinds_.steps);
    if (node.is != shape::mapping || node.items.empty()) {
      report(node, path,
             fmt::format("expects a mapping that begins with the step's kind; found {}; known: {}",
                         node.is == shape::scalar ? "text" : found(node), listed(known)));
      return;
    }
    const auto& first = node.items.front();
    const auto* kind = find(kinds_.steps, first.key);
    if (kind == nullptr) {
      auto hint = did_you_mean(first.key, known);
      report(first, path,
             fmt::format("unknown step {}{} known: {}; a step's kind is its first key",
                         excerpt(first.key), hint.empty() ? ";" : hint, listed(known)));
      return;
    }
    step_settings step{kind->name, {}, node.line};
    auto settings = settings_of_step(node, *kind, join(path, kind->name));
    auto wrong = kind->parse(settings, join(path, kind->name), step.settings);
    if (wrong.empty() && !is_broken(settings) && kinds_.check_step) {
      if (auto text = kinds_.check_step(step.kind, step.settings); !text.empty())
        report(first, join(path, kind->name),
               has_reference(settings) ? "is wrong, but its text came by reference and is not shown"
                                       : text);
    }
    add(std::move(wrong));
    flow.steps.push_back(std::move(step));
  }

  /// `- sql: select …`, `- sql: {…}` and the keys beside it, as one mapping.
  tree settings_of_step(const tree& node, const spec& kind, const std::string& path) {
    const auto& first = node.items.front();
    tree out;
    out.line = node.line;
    out.is = shape::mapping;
    if (first.is == shape::mapping) {
      out.items = first.items;
    } else if (first.is != shape::nothing && kind.fields.empty()) {
      report(first, path, "takes no value; found " + found(first));
    } else if (first.is != shape::nothing) {
      out.items.push_back(first);
      out.items.back().key = kind.fields.front().name;
    }
    for (size_t i = 1; i < node.items.size(); ++i) {
      const auto& beside = node.items[i];
      if (out.find(beside.key) != nullptr)
        report(beside, join(path, beside.key), "is given twice, inside of the step and beside it");
      else
        out.items.push_back(beside);
    }
    return out;
  }

  const tree& root_;
  const catalogue& kinds_;
  pipeline& out_;
  std::vector<problem>& problems_;
  /// (source, sink) of the flows so far, with the flow's name and line.
  std::map<std::pair<std::string, std::string>, std::pair<std::string, int>> pairs_;
};

} // namespace

checked check(loaded file, const catalogue& kinds) {
  checked out;
  auto is_readable = file.problems.empty() || file.root.is != shape::nothing;
  out.problems = std::move(file.problems);
  if (is_readable)
    checker(file.root, kinds, out).run();
  std::stable_sort(out.problems.begin(), out.problems.end(),
                   [](const problem& a, const problem& b) { return a.line < b.line; });
  return out;
}

sink_name split_sink(std::string_view text) {
  auto quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    quoted ^= text[i] == '"';
    if (text[i] == '.' && !quoted)
      return {std::string(text.substr(0, i)), std::string(text.substr(i + 1))};
  }
  return {std::string(text), {}};
}

} // namespace rtdp::config
