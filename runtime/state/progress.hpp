/// How far a flow has come: one value, committed with the data (fence row) or in the checkpoint.
#pragma once

#include "runtime/core/error.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace rtdp::state {

/// A state of a flow's steps: the one that `incarnation` had after the batch with this number. An
/// incarnation is one life of the flow's pipeline and draws its name by lot, so two of them never
/// make the same point, whatever a frozen one does when it wakes. Incarnation 0 is the empty state;
/// its version says where the next one counts on, so that versions never fall.
struct state_point {
  int64_t incarnation = 0;
  int64_t version = 0;

  auto operator<=>(const state_point&) const = default;
  bool is_empty() const { return incarnation == 0; }
  std::string text() const { return std::to_string(incarnation) + '/' + std::to_string(version); }
};

struct progress {
  /// Next offset to read, by "topic/partition".
  std::map<std::string, int64_t> offsets;
  /// Highest ums_id_ applied, by namespace text and "topic/partition" with a blank between. A
  /// namespace alone is what flows stored when each topic had one partition: it holds for every
  /// partition that has no id of its own yet.
  std::map<std::string, int64_t> ids;
  /// Id of the last truncate applied, by namespace text in version 0. A truncate comes through
  /// every partition; the first copy counts, and no older row of another partition after it.
  std::map<std::string, int64_t> truncated;
  /// What the steps with state hold once all of this is applied.
  state_point state = {};

  bool operator==(const progress&) const = default;

  /// A row of this partition that is not above it was applied already; 0 when none was.
  int64_t applied(const std::string& ns, const std::string& partition) const;
  /// Never lowers the id.
  void apply(const std::string& ns, const std::string& partition, int64_t id);

  /// One line of JSON.
  std::string text() const;
  /// Empty text is empty progress. Rejects what `text` did not write.
  static result<progress> parse(std::string_view text);
};

} // namespace rtdp::state
