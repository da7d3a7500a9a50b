#include "config/spec.hpp"

#include "config/scalar.hpp"
#include "config/substitute.hpp"
#include "config/tree.hpp"
#include "config/words.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace rtdp::config {

namespace {

using shape = tree::shape;
using std::chrono::milliseconds;

/// One setting in the file, while it is read.
struct place {
  const field& f;
  const tree& node;
  std::string path;
  std::vector<problem>& problems;

  void report(std::string text) const { problems.push_back({node.line, path, std::move(text)}); }
  void expects(std::string_view what) const {
    report(fmt::format("expects {}; found {}", what, found(node)));
  }
  place item(size_t i) const { return {f, node.items[i], join(path, std::to_string(i)), problems}; }
};

/// Within the field's range; `show` writes a bound as the file would.
template<class T, class Show>
bool in_range(const place& at, T n, Show show) {
  const auto& f = at.f;
  if (n >= static_cast<T>(f.min) && n <= static_cast<T>(f.max))
    return true;
  if (f.max == INT64_MAX)
    at.report(fmt::format("must be at least {}; found {}", show(f.min), found(at.node)));
  else if (f.min == INT64_MIN)
    at.report(fmt::format("must be at most {}; found {}", show(f.max), found(at.node)));
  else
    at.report(
        fmt::format("must lie in [{}, {}]; found {}", show(f.min), show(f.max), found(at.node)));
  return false;
}

bool is_option(const place& at, const std::string& text) {
  const auto& options = at.f.options;
  if (options.empty() || std::find(options.begin(), options.end(), text) != options.end())
    return true;
  at.report(fmt::format("must be one of: {}; found {}", fmt::join(options, ", "), found(at.node)));
  return false;
}

bool is_missing(const place& at, bool empty) {
  if (at.f.is_required && empty)
    at.report("is required and must not be empty");
  return at.f.is_required && empty;
}

// Each `read` fills `out` with the setting's value, or reports why not and returns false.

bool read(const place& at, bool& out) {
  auto x = read_bool(at.node.text);
  if (!x)
    at.expects("true or false");
  else
    out = *x;
  return x.has_value();
}

bool read(const place& at, int64_t& out) {
  auto x = read_integer(at.node.text);
  if (!x) {
    auto is_size = at.f.name.find("bytes") != std::string::npos;
    at.expects(is_size ? "a size such as 65536, 64KiB, 8MiB or 1GiB" : "an integer");
    return false;
  }
  out = *x;
  return in_range(at, *x, [&](int64_t n) { return show_integer(n, at.f.name); });
}

bool read(const place& at, double& out) {
  auto x = read_number(at.node.text);
  if (!x) {
    at.expects("a number");
    return false;
  }
  out = *x;
  return in_range(at, *x, [](int64_t n) { return std::to_string(n); });
}

bool read(const place& at, milliseconds& out) {
  auto x = read_duration(at.node.text);
  if (!x) {
    at.expects("a duration such as 250ms, 5s, 2m, 1h or 7d");
    return false;
  }
  out = *x;
  return in_range(at, x->count(), [](int64_t n) { return show_duration(milliseconds(n)); });
}

bool read(const place& at, std::string& out) {
  out = at.node.text;
  return !is_missing(at, out.empty()) && is_option(at, out);
}

bool read(const place& at, secret& out) {
  if (shows_secret(at.node.raw)) {
    at.report("secrets only by ${env:NAME} or ${file:PATH}; "
              "an address without a password may stand here");
    return false;
  }
  out = secret(at.node.text);
  return !is_missing(at, out.empty());
}

bool read(const place& at, texts& out) {
  out.clear();
  if (at.node.is == shape::scalar) {
    out.push_back(at.node.text);
    return !is_missing(at, at.node.text.empty()) && is_option(at, out[0]);
  }
  auto good = !is_missing(at, at.node.items.empty());
  for (size_t i = 0; i < at.node.items.size(); ++i) {
    auto item = at.item(i);
    if (item.node.is != shape::scalar)
      item.expects("text");
    good &= item.node.is == shape::scalar && (item.node.broken || is_option(item, item.node.text));
    out.push_back(item.node.text);
  }
  return good;
}

/// `a` where `{name: a}` could stand.
tree as_mapping(const tree& node, const std::string& first_field) {
  tree out;
  out.is = shape::mapping;
  out.line = node.line;
  out.items.push_back(node);
  out.items.back().key = first_field;
  return out;
}

bool read(const place& at, sections& out) {
  out.clear();
  if (at.f.item.empty()) {
    at.report("is a list of mappings without a declared field; this is a bug in the component");
    return false;
  }
  spec items(at.f.name, at.f.doc);
  items.fields = at.f.item;
  auto known = at.problems.size();
  auto add = [&](const tree& node, const std::string& path) {
    auto is_short = node.is == shape::scalar;
    auto found_here = items.parse(is_short ? as_mapping(node, items.fields[0].name) : node, path,
                                  out.emplace_back());
    at.problems.insert(at.problems.end(), found_here.begin(), found_here.end());
  };
  if (at.node.is == shape::scalar || at.node.is == shape::mapping) {
    add(at.node, at.path);
  } else {
    is_missing(at, at.node.items.empty());
    for (size_t i = 0; i < at.node.items.size(); ++i)
      add(at.node.items[i], join(at.path, std::to_string(i)));
  }
  return at.problems.size() == known;
}

const char* expected_text(const value& def) {
  return std::holds_alternative<texts>(def) || std::holds_alternative<sections>(def) ? "a list"
                                                                                     : "text";
}

value read_value(const place& at) {
  auto is_list =
      std::holds_alternative<texts>(at.f.def) || std::holds_alternative<sections>(at.f.def);
  auto fits = at.node.is == shape::scalar || (is_list && at.node.is == shape::list) ||
              (std::holds_alternative<sections>(at.f.def) && at.node.is == shape::mapping);
  if (!fits) {
    if (at.node.is == shape::nothing)
      at.report("has no value; write one, or leave the line out for the default");
    else
      at.expects(std::holds_alternative<secret>(at.f.def) || is_list ||
                         std::holds_alternative<std::string>(at.f.def)
                     ? expected_text(at.f.def)
                     : "a single value");
    return at.f.def;
  }
  // The problem with the reference is told already.
  if (at.node.broken)
    return at.f.def;
  return std::visit(
      [&](auto x) -> value {
        if (read(at, x))
          return x;
        return at.f.def;
      },
      at.f.def);
}

} // namespace

std::string to_string(const problem& p, const std::string& file) {
  auto place = p.line > 0 ? fmt::format("{}:{}", file, p.line) : std::string("command line");
  return p.path.empty() ? fmt::format("{}: {}", place, p.text)
                        : fmt::format("{}: {}: {}", place, p.path, p.text);
}

field::field(std::string n, value d, std::string t)
    : name(std::move(n)), doc(std::move(t)), def(std::move(d)) {}

field& field::range(int64_t lo, int64_t hi) {
  min = lo;
  max = hi;
  return *this;
}

field& field::one_of(std::vector<std::string> x) {
  options = std::move(x);
  return *this;
}

field& field::required() {
  is_required = true;
  return *this;
}

field& field::advanced() {
  is_advanced = true;
  return *this;
}

field& field::of(std::vector<field> item_fields) {
  item = std::move(item_fields);
  return *this;
}

field& field::sample(std::string yaml) {
  sample_text = std::move(yaml);
  return *this;
}

spec::spec(std::string n, std::string s) : name(std::move(n)), summary(std::move(s)) {}

spec& spec::add(field f) {
  fields.push_back(std::move(f));
  return *this;
}

std::vector<problem> spec::parse(const tree& node, const std::string& path, section& out,
                                 const std::vector<std::string>& also_known) const {
  std::vector<problem> problems;
  out = defaults();
  out.line = node.line;
  if (node.is == shape::list || node.is == shape::scalar) {
    problems.push_back({node.line, path,
                        node.is == shape::list ? "expects a mapping; found a list"
                                               : "expects a mapping; found text"});
    return problems;
  }
  auto known = also_known;
  for (const auto& f : fields) {
    known.push_back(f.name);
    auto child_path = join(path, f.name);
    const auto* child = node.find(f.name);
    if (child == nullptr) {
      if (f.is_required)
        problems.push_back({node.line, child_path, "is required: " + f.doc});
      continue;
    }
    out.lines[f.name] = child->line;
    out.values[f.name] = read_value({f, *child, child_path, problems});
  }
  for (const auto& item : node.items) {
    if (std::find(known.begin(), known.end(), item.key) != known.end())
      continue;
    auto hint = did_you_mean(item.key, known);
    if (hint.empty())
      hint = fmt::format("; known: {}", fmt::join(known, ", "));
    problems.push_back({item.line, join(path, item.key), "is not a known setting" + hint});
  }
  return problems;
}

std::vector<problem> spec::parse(const YAML::Node& node, const std::string& path, section& out,
                                 const std::vector<std::string>& also_known) const {
  return parse(from_yaml(node), path, out, also_known);
}

section spec::defaults() const {
  section out;
  for (const auto& f : fields)
    out.values[f.name] = f.def;
  return out;
}

} // namespace rtdp::config
