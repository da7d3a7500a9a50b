/// What happens to rows between the driver and the bus: masks, merged tables, schema history. Plain
/// class; owned by an `extraction`, which makes its stages anew with every opening and passes
/// everything that leaves for the bus through them, in order.
#pragma once

#include "actors/extract/collector.hpp"
#include "runtime/core/error.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::extract {

class stage {
public:
  virtual ~stage() = default;

  /// Table versions that begin in the batches to come, each with all its columns, in the order in
  /// which the driver told of them; called before `apply`. May replace them as `apply` is going to
  /// replace the schemas of batches. An error stops the source.
  virtual error begin(std::vector<ums::schema_ptr>&, const std::string& /*place*/) { return {}; }

  /// Changes batches in place: rows, marks, truncates and terminations, in their order. May replace
  /// a schema, never ids, and must keep the order. A batch left without rows is not published. A
  /// row that cannot go on is taken out and added to `bad`; `bad` already holds the rows that the
  /// driver or an earlier stage could not use, and is what the dead letters keep. `place` is where
  /// the log is read (`source_progress::place`). An error stops the source.
  virtual error apply(std::vector<ums::batch>& batches, std::vector<bad_row>& bad,
                      const std::string& place) = 0;

  /// The name under which a table of the driver's `progress` leaves for the bus.
  virtual ums::ns published(const ums::ns& name) const { return name; }
};

} // namespace rtdp::extract
