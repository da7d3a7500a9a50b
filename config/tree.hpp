/// One file as a tree that knows the line of everything in it. Made by `load`, read by `spec`.
/// A plain value; at most `depth_max` levels deep, so recursion over it is safe.
#pragma once

#include "config/spec.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::config {

struct tree {
  enum class shape : uint8_t { nothing, scalar, list, mapping };

  shape is = shape::nothing;
  /// Its name in the mapping around it.
  std::string key;
  /// Where its key stands, or it itself when it has none; 0 when it came from `--set`.
  int line = 0;
  /// What a scalar says, references replaced.
  std::string text;
  /// What a scalar says in the file: the only form that may be shown.
  std::string raw;
  /// Some of `text` came by reference.
  bool referenced = false;
  /// A reference could not be followed; that problem is told already.
  bool broken = false;
  /// Of a list or a mapping, in the file's order.
  std::vector<tree> items;

  /// The first entry of that name; null when there is none.
  const tree* find(std::string_view name) const;
  tree* find(std::string_view name);
};

/// True when anything in it came by reference: a text made of it must not be shown.
bool has_reference(const tree& node);

/// True when a reference in it could not be followed: what is wrong with it is told already.
bool is_broken(const tree& node);

/// For problems: "iudd", "a list", "nothing", "${env:MODE} (its value is not shown)".
std::string found(const tree& node);

/// "a.b"; "b" when `path` is empty. A long name is cut.
std::string join(const std::string& path, std::string_view name);

/// Deeper files are refused: no setting needs 10, and every recursion must end.
inline constexpr size_t depth_max = 100;
/// Aliases count as often as they are used: an alias bomb ends here.
inline constexpr size_t nodes_max = 100'000;
/// Of the file, and of all its texts with aliases counted as often as used.
inline constexpr size_t bytes_max = 4 << 20;

/// Reads YAML text: one document, UTF-8. Duplicate keys stay in the tree. On a syntax error the
/// tree is empty and the problem names line and column.
tree parse_yaml(std::string_view text, std::vector<problem>& problems);

/// A node of somebody else's making as a tree.
tree from_yaml(const YAML::Node& node);

} // namespace rtdp::config
