/// How far a flow has come: one value, committed with the data (fence row) or in the checkpoint.
#pragma once

#include "runtime/core/error.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace rtdp::state {

struct progress {
  /// Next offset to read, by "topic/partition".
  std::map<std::string, int64_t> offsets;
  /// Highest ums_id_ applied, by namespace text. A row that is not above it was applied already.
  std::map<std::string, int64_t> ids;

  bool operator==(const progress&) const = default;

  /// One line of JSON.
  std::string text() const;
  /// Empty text is empty progress. Rejects what `text` did not write.
  static result<progress> parse(std::string_view text);
};

} // namespace rtdp::state
