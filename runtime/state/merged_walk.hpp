/// The keys of one table in memory and in the file as one sequence. Part of `keyed_state`.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/cell_table.hpp"
#include "runtime/state/sqlite.hpp"

#include <string_view>

namespace rtdp::state {

class merged_walk {
public:
  merged_walk(statement& rows, const cell_table& cells, bool downwards)
      : rows_(rows), cells_(cells), downwards_(downwards) {}

  /// From `at` to `end`: keys with their cells, which count where the file has the same keys.
  /// `visit(key, value)`: false ends the walk.
  template<class Place, class Visit>
  error run(Place at, Place end, const Visit& visit) {
    auto failed = walk(at, end, visit);
    rows_.reset();
    return failed;
  }

private:
  template<class Place, class Visit>
  error walk(Place at, Place end, const Visit& visit) {
    auto row = rows_.step();
    while (row && (*row || at != end)) {
      int order = !*row ? 1 : at == end ? -1 : compare(rows_.text(0), at->first);
      if (order < 0) {
        if (!visit(rows_.text(0), rows_.text(1)))
          return {};
        row = rows_.step();
        continue;
      }
      const auto& [key, cell] = *at++;
      if (!cells_.gone(cell) && !visit(key, cells_.value(cell)))
        return {};
      if (order == 0)
        row = rows_.step();
    }
    return row ? error{} : row.error();
  }

  int compare(std::string_view file, std::string_view memory) const {
    auto order = file.compare(memory);
    return downwards_ ? -order : order;
  }

  statement& rows_;
  const cell_table& cells_;
  bool downwards_;
};

} // namespace rtdp::state
