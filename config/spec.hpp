/// The language of settings: a component declares each of its settings once, and defaults, checks
/// with line numbers, secret scrubbing and the reference page follow from it. Knows no component.
/// Plain values: a component makes its spec, whoever reads the file calls `parse`, any thread may.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace YAML {
class Node;
}

namespace rtdp::config {

struct tree;

/// Text that must not be seen: prints as `***`, is read only by `reveal`.
class secret {
public:
  secret() = default;
  explicit secret(std::string text) : text_(std::move(text)) {}
  const std::string& reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  bool operator==(const secret&) const = default;

private:
  std::string text_;
};

class section;
using texts = std::vector<std::string>;
using sections = std::vector<section>;
using value = std::variant<bool, int64_t, double, std::string, std::chrono::milliseconds, secret,
                           texts, sections>;

/// One problem in a config file, precise enough to fix without reading code.
struct problem {
  /// Counts from 1; 0 when the problem came from `--set` or the command line.
  int line = 0;
  /// "flows.orders.sink"
  std::string path;
  /// "must be one of: i, iud, iud_clean; found iudd"
  std::string text;
};

/// `pipeline.yaml:12: flows.orders.sink: unknown sink …`; "command line" in front for line 0.
std::string to_string(const problem& p, const std::string& file);

/// One setting: its name, type (that of the default), meaning, default and limits.
///
/// How each type is written in the file:
///   bool          true, false, yes, no, on, off
///   int64_t       100, -5, and with a size's suffix: 64KiB, 8MiB, 1GiB
///   double        0.25, 1e6
///   milliseconds  250ms, 5s, 2m, 1h, 7d; 0 needs no unit
///   texts         a list; one plain text counts as a list of one
///   sections      a list of mappings; see `of`
///   secret        only by ${env:NAME} or ${file:PATH}. A connection address may stand in the file
///                 as far as it holds no password: a URL whose user has none, or `key=value` pairs
///                 none of which is a password, secret or token. So `url: postgres://app@db/shop`
///                 and `url: postgres://app:${env:PASSWORD}@db/shop` are fine.
class field {
public:
  field(std::string name, value type_and_default, std::string doc);

  /// Both ends belong to it; milliseconds for a duration.
  field& range(int64_t min, int64_t max);
  /// For text, and for each of `texts`.
  field& one_of(std::vector<std::string> options);
  /// Must stand in the file and must not be empty.
  field& required();
  field& advanced();
  /// For `sections`: what each item may hold. An item that is a plain text is taken as the item's
  /// first field, so `tables: [a, {name: b}]` works.
  field& of(std::vector<field> item_fields);
  /// What the example in the reference shows, as YAML; else it is derived from the type.
  field& sample(std::string yaml);

  std::string name, doc, sample_text;
  value def;
  bool is_required = false, is_advanced = false;
  int64_t min = INT64_MIN, max = INT64_MAX;
  std::vector<std::string> options;
  std::vector<field> item;
};

/// Settings that passed validation: every declared name has a value. Reading an undeclared name or
/// another type is a bug and ends the program.
class section {
public:
  template<class T>
  const T& get(const std::string& name) const {
    return std::get<T>(values.at(name));
  }
  const std::string& text(const std::string& name) const { return get<std::string>(name); }
  int64_t integer(const std::string& name) const { return get<int64_t>(name); }
  bool flag(const std::string& name) const { return get<bool>(name); }
  std::chrono::milliseconds duration(const std::string& name) const {
    return get<std::chrono::milliseconds>(name);
  }

  std::map<std::string, value> values;
  /// Line of each setting that stood in the file, for later checks.
  std::map<std::string, int> lines;
  /// Line where the section itself begins.
  int line = 0;
};

/// All settings of one kind of component.
class spec {
public:
  spec(std::string name, std::string summary);
  spec& add(field f);

  /// Fills `out` from a mapping (an undefined node counts as empty); returns every problem, each
  /// path begun with `path`. Keys in `also_known` belong to somebody else and are passed over.
  /// A setting with a problem has its default in `out`.
  std::vector<problem> parse(const tree& node, const std::string& path, section& out,
                             const std::vector<std::string>& also_known = {}) const;
  /// The same for a node that did not come from `load`, where nothing came by reference.
  std::vector<problem> parse(const YAML::Node& node, const std::string& path, section& out,
                             const std::vector<std::string>& also_known = {}) const;

  /// A section with nothing but defaults, for tests.
  section defaults() const;
  /// The part of config/reference.md about this kind.
  std::string markdown() const;

  std::string name, summary;
  std::vector<field> fields;
};

} // namespace rtdp::config
