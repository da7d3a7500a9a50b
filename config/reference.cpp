#include "config/reference.hpp"

#include "config/scalar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace rtdp::config {

namespace {

using std::chrono::milliseconds;

struct type_namer {
  const char* operator()(bool) const { return "boolean"; }
  const char* operator()(int64_t) const { return "integer"; }
  const char* operator()(double) const { return "number"; }
  const char* operator()(const std::string&) const { return "text"; }
  const char* operator()(milliseconds) const { return "duration"; }
  const char* operator()(const secret&) const { return "secret"; }
  const char* operator()(const texts&) const { return "list of texts"; }
  const char* operator()(const sections&) const { return "list of mappings"; }
};

/// A default as the file would write it; empty when there is nothing to write.
std::string as_yaml(const field& f) {
  struct {
    const std::string& name;
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(int64_t x) const { return show_integer(x, name); }
    std::string operator()(double x) const { return fmt::format("{}", x); }
    std::string operator()(const std::string& x) const { return x; }
    std::string operator()(milliseconds x) const { return show_duration(x); }
    std::string operator()(const secret&) const { return {}; }
    std::string operator()(const texts& x) const {
      return x.empty() ? std::string{} : fmt::format("[{}]", fmt::join(x, ", "));
    }
    std::string operator()(const sections&) const { return {}; }
  } show{f.name};
  return std::visit(show, f.def);
}

std::string in_cell(const std::string& text) {
  std::string out;
  for (auto c : text)
    out += c == '|' ? "\\|" : c == '\n' ? " " : std::string(1, c);
  return out;
}

std::string limits(const field& f) {
  if (!f.options.empty())
    return fmt::format("`{}`", fmt::join(f.options, "`, `"));
  auto bound = [&](int64_t n) {
    return std::holds_alternative<milliseconds>(f.def) ? show_duration(milliseconds(n))
                                                       : show_integer(n, f.name);
  };
  if (f.min != INT64_MIN && f.max != INT64_MAX)
    return fmt::format("{} to {}", bound(f.min), bound(f.max));
  if (f.min != INT64_MIN)
    return fmt::format("{} or more", bound(f.min));
  return f.max != INT64_MAX ? fmt::format("{} or less", bound(f.max)) : std::string{};
}

void add_row(std::string& out, const field& f, const std::string& prefix) {
  auto def = as_yaml(f);
  auto type = std::string(std::visit(type_namer{}, f.def));
  if (auto l = limits(f); !l.empty())
    type += ": " + l;
  out += fmt::format("| `{}{}` | {} | {} | {}{} |\n", prefix, f.name, in_cell(type),
                     f.is_required ? "**required**"
                     : def.empty() ? ""
                                   : fmt::format("`{}`", in_cell(def)),
                     in_cell(f.doc), f.is_advanced ? " *Rarely needed.*" : "");
  for (const auto& item : f.item)
    add_row(out, item, prefix + f.name + "[].");
}

/// What the example shows for a setting: its sample, its default, or something of its type.
std::string sample_of(const field& f) {
  if (!f.sample_text.empty())
    return f.sample_text;
  if (auto def = as_yaml(f); !def.empty() && !f.is_required)
    return def;
  auto upper = f.name;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  if (std::holds_alternative<secret>(f.def))
    return "${env:" + upper + "}";
  if (std::holds_alternative<texts>(f.def))
    return f.options.empty() ? "[" + f.name + "]" : "[" + f.options[0] + "]";
  if (std::holds_alternative<sections>(f.def))
    return "[" + f.name + "]";
  if (const auto* n = std::get_if<int64_t>(&f.def))
    return show_integer(std::clamp(*n, f.min, f.max), f.name);
  if (std::holds_alternative<std::string>(f.def))
    return f.options.empty() ? f.name : f.options[0];
  return as_yaml(f);
}

/// Required settings stand there, the others behind `#` with their default.
std::string sample_lines(const spec& s, const std::string& indent) {
  std::string out;
  for (const auto& f : s.fields)
    if (f.is_required)
      out += fmt::format("{}{}: {}\n", indent, f.name, sample_of(f));
  for (const auto& f : s.fields)
    if (!f.is_required && !f.is_advanced)
      out += fmt::format("{}# {}: {}\n", indent, f.name, sample_of(f));
  return out;
}

enum class group { node, nodes, cluster, bus, source, stream, sink, flow, step, alarms };

/// One kind on the page.
struct entry {
  group in;
  spec kind;
};

std::string example_of(const entry& e) {
  const auto& name = e.kind.name;
  auto named = [&](const char* part) {
    return fmt::format("{}:\n  my_{}:\n    kind: {}\n{}", part, name, name,
                       sample_lines(e.kind, "    "));
  };
  switch (e.in) {
  case group::node:
    return "node:\n" + sample_lines(e.kind, "  ");
  case group::nodes:
    return "nodes:\n  n1:\n" + sample_lines(e.kind, "    ");
  case group::cluster:
    return "cluster:\n" + sample_lines(e.kind, "  ");
  case group::bus:
    return fmt::format("bus:\n  kind: {}\n{}", name, sample_lines(e.kind, "  "));
  case group::source:
    return named("sources");
  case group::sink:
    return named("sinks");
  case group::stream:
    return "streams:\n  main:\n" + sample_lines(e.kind, "    ");
  case group::flow:
    return "flows:\n  orders:\n" + sample_lines(e.kind, "    ");
  case group::alarms:
    return "alarms:\n" + sample_lines(e.kind, "  ");
  case group::step:
    break;
  }
  // A step's mapping begins with its kind, so that the settings below it may all be comments.
  return fmt::format("    steps:\n      - {}:\n{}", name, sample_lines(e.kind, "          "));
}

std::string rendered(const entry& e) {
  return fmt::format("{}\n```yaml\n{}```\n", e.kind.markdown(), example_of(e));
}

std::vector<entry> entries(const catalogue& kinds) {
  std::vector<entry> out;
  auto add = [&](group g, const std::vector<spec>& specs) {
    for (const auto& s : specs)
      out.push_back({g, s});
  };
  add(group::node, {node_spec()});
  add(group::nodes, {member_spec()});
  add(group::cluster, {cluster_spec()});
  add(group::bus, kinds.buses);
  add(group::source, kinds.sources);
  add(group::stream, {stream_spec()});
  add(group::sink, kinds.sinks);
  add(group::flow, {flow_spec()});
  add(group::step, kinds.steps);
  add(group::alarms, {alarms_spec()});
  return out;
}

const char* heading(group g) {
  switch (g) {
  case group::node:
    return "## Node\n\n`node:` holds these settings.\n";
  case group::nodes:
    return "## Nodes\n\nA cluster's file has `nodes:` instead of `node:`, a mapping from names to "
           "these settings. It needs a Kafka bus.\n";
  case group::cluster:
    return "## Cluster\n\n`cluster:` holds these settings.\n";
  case group::bus:
    return "## Bus\n\n`bus:` holds `kind:` and the settings of that kind. Without `bus:` it is the "
           "first one below.\n";
  case group::source:
    return "## Sources\n\n`sources:` is a mapping from names to `kind:` and the settings of that "
           "kind. The name is the second part of every namespace of the source.\n";
  case group::stream:
    return "## Streams\n\n`streams:` is a mapping from names to these settings.\n";
  case group::sink:
    return "## Sinks\n\n`sinks:` is a mapping from names to `kind:` and the settings of that "
           "kind.\n";
  case group::flow:
    return "## Flows\n\n`flows:` is a mapping from names to these settings and `steps:`.\n";
  case group::alarms:
    return "## Alarms\n\n`alarms:` holds these settings. Each alarm is told once when its "
           "condition begins and once when it is over.\n";
  case group::step:
    break;
  }
  return "## Steps\n\n`steps:` of a flow is a list, carried out in its order. The first key of a "
         "step "
         "is its kind. Its value is the kind's first setting (`- sql: select …`) or a mapping of "
         "its "
         "settings; further settings may also stand beside it.\n";
}

// Kept apart from the code: this is what a person reads first.
constexpr const char* introduction = R"(# Settings

One YAML file describes what runs. `rtdp check FILE` tells every problem in it with its line.
This page is generated from the declarations in the code; `rtdp reference KIND` prints one part.

```yaml
node:    {name: n1, data_dir: ./data, http: 127.0.0.1:8080}   # a cluster has nodes: instead
bus:     {kind: …}          # what lies between sources and flows
sources: {shop: {kind: …}}  # what is read
streams: {main: {}}         # who reads the bus for flows
sinks:   {dw: {kind: …}}    # where to write
flows:   {orders: {…}}      # what goes where, and how it changes on the way
alarms:  {latency: 5s}      # what is worth telling a person
```

## How values are written

| type | in the file |
|---|---|
| text | as YAML writes it |
| boolean | `true`, `false`, `yes`, `no`, `on`, `off` |
| integer | `100`; a size may have a suffix: `64KiB`, `8MiB`, `1GiB` |
| number | `0.25` |
| duration | `250ms`, `5s`, `2m`, `1h`, `7d`; `0` needs no unit |
| list of texts | `[a, b]`; a single text is a list of one |
| list of mappings | `[a, {name: b}]`; a plain text is its first setting; one mapping is a list of one |
| secret | by reference, see below |

- **References.** In every value, `${env:NAME}` is an environment variable and `${file:PATH}` a
  file's contents without its last newline. `$${` is a plain `${`. A missing variable or file is a
  problem.
- **Secrets** stand in the file only as references. An address without a password may stand there:
  `postgres://app@db/shop`, or `postgres://app:${env:PASSWORD}@db/shop`. They are never shown.
- **Overrides.** `--set path=value` changes one value before the file is checked:
  `--set flows.orders.mutation=i`, `--set flows.orders.steps.0.sql="select 1"`. A value that begins
  with `[` or `{` is YAML, any other is plain text.
- **Names** of nodes, sources, streams, sinks and flows consist of letters, digits, `_` and `-`, at most 63.
- **Paths** are relative to the working directory.
)";

} // namespace

std::string spec::markdown() const {
  auto out = fmt::format("### {}\n\n{}\n", name, summary);
  if (fields.empty())
    return out + "\nIt has no settings.\n";
  out += "\n| setting | type | default | meaning |\n|---|---|---|---|\n";
  for (const auto& f : fields)
    add_row(out, f, "");
  return out;
}

std::string reference(const catalogue& kinds) {
  std::string out = introduction;
  std::optional<group> last;
  for (const auto& e : entries(kinds)) {
    if (e.in != last)
      out += fmt::format("\n{}", heading(e.in));
    last = e.in;
    out += "\n" + rendered(e);
  }
  return out;
}

std::string reference(const catalogue& kinds, const std::string& kind) {
  std::string out;
  for (const auto& e : entries(kinds))
    if (e.kind.name == kind)
      out += fmt::format("{}{}\n{}", out.empty() ? "" : "\n", heading(e.in), rendered(e));
  return out;
}

std::vector<std::string> reference_names(const catalogue& kinds) {
  std::vector<std::string> out;
  for (const auto& e : entries(kinds))
    if (std::find(out.begin(), out.end(), e.kind.name) == out.end())
      out.push_back(e.kind.name);
  return out;
}

std::vector<std::string> reference_examples(const catalogue& kinds) {
  std::vector<std::string> out;
  for (const auto& e : entries(kinds))
    out.push_back(example_of(e));
  return out;
}

} // namespace rtdp::config
