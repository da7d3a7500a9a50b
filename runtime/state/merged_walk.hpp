/// The keys of one table in memory and in the file as one sequence. Part of `keyed_state`.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/overlay.hpp"
#include "runtime/state/sqlite.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace rtdp::state {

class merged_walk {
public:
  merged_walk(statement& rows, std::vector<const overlay::entry*> fresh, bool downwards)
      : rows_(rows), fresh_(std::move(fresh)), downwards_(downwards) {}

  /// `visit(key, value)`: false ends the walk.
  template<class Visit>
  error run(const Visit& visit) {
    auto failed = walk(visit);
    rows_.reset();
    return failed;
  }

private:
  template<class Visit>
  error walk(const Visit& visit) {
    auto row = rows_.step();
    for (size_t at = 0; row && (*row || at < fresh_.size());) {
      int order = !*row ? 1 : at == fresh_.size() ? -1 : compare(rows_.text(0), fresh_[at]->first);
      if (order < 0) {
        if (!visit(rows_.text(0), rows_.text(1)))
          return {};
        row = rows_.step();
        continue;
      }
      const auto& [key, cell] = *fresh_[at++];
      if (!cell.gone && !visit(key, cell.value))
        return {};
      // What memory holds of a key counts.
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
  std::vector<const overlay::entry*> fresh_;
  bool downwards_;
};

} // namespace rtdp::state
