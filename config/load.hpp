/// Reads a settings file into one tree: YAML, then `--set` on top, then references followed. Owned
/// by main, called once before anything starts. Knows no setting: `spec` and `pipeline` check them.
///
/// In every value (not in keys) `${env:NAME}` stands for an environment variable and `${file:PATH}`
/// for the contents of a file without its last newline; `$${` is a plain `${`. A relative PATH is
/// relative to the working directory, as every path in the file is. What a reference gives is
/// always one text: it is typed by its setting as if it stood there, and never becomes a list or
/// mapping.
#pragma once

#include "config/tree.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::config {

/// What `${file:…}` gives: the contents, or why there are none.
struct file_text {
  std::string contents, reason;
};

/// Where references look.
struct world {
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::function<file_text(const std::string& path)> file;
};

/// This process's environment, and regular files up to 1 MiB.
world this_process();

struct loaded {
  tree root;
  /// Syntax, duplicate keys, references and overrides; the tree is as complete as can be.
  std::vector<problem> problems;
};

/// Each override is `path=value`: `flows.orders.mutation=i`, `flows.orders.steps.0.sql=select 1`.
/// Missing mappings on the way are made; the index of a list is one that exists, or the next one.
/// The value is plain text; one that begins with `[` or `{` is read as YAML.
loaded load_text(std::string_view text, const std::vector<std::string>& overrides = {},
                 const world& from = this_process());

/// The same for a file of at most 4 MiB.
loaded load_file(const std::string& path, const std::vector<std::string>& overrides = {},
                 const world& from = this_process());

} // namespace rtdp::config
