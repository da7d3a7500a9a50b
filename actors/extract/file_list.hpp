/// The files that the names of a `file` source lead to, as they are found at one moment. Plain
/// function and values.
///
/// A list is not one moment: a file that is renamed while it is made may be in it under neither
/// name, and a copy that is made meanwhile may be left out. What matters is asked of a second list.
#pragma once

#include "runtime/core/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace rtdp::extract::files {

struct seen {
  std::string path;
  uint64_t device = 0, inode = 0;
  int64_t size = 0;
  /// Nanoseconds.
  int64_t modified = 0;
};

/// Regular files, each once, whichever pattern leads to it; the one that was written last comes
/// last, so that rotated files are read before the one that is written to.
result<std::vector<seen>> list_files(const std::vector<std::string>& paths,
                                     const std::vector<std::string>& exclude);

} // namespace rtdp::extract::files
