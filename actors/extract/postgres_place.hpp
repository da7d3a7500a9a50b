/// Where reading begins: what was stored, compared with the server, the slot, the publication and
/// the tables as they are now. A function over connections of the driver; bounded by their
/// time-outs.
#pragma once

#include "actors/extract/postgres_settings.hpp"

#include <string>
#include <vector>

namespace rtdp::extract::pg {

struct place {
  std::vector<captured_table> tables;
  /// With a state for each of `tables`, in their order; the plan as it was stored.
  position at;
  /// One a table: rows that it has no more may have been published, which only a new snapshot and
  /// what it sweeps away sets right. Always when the log has a gap.
  std::vector<bool> unknown;
  /// One a table: some of its rows were published, or may have been, and its snapshot is not done.
  std::vector<bool> in_part;
  bool slot_exists = false;
  /// The source has never run.
  bool first = false;
  /// Rows may have been published whose position was not stored.
  bool skip_ids = false;
};

/// Makes the publication hold the tables. A position that cannot be gone on from is `rejected`, or
/// with `on_lost: resnapshot` its slot is dropped and all tables are to be read anew.
/// `unavailable` while another reads the slot.
result<place> find_place(connection& catalog, connection& replication, const settings& set,
                         const std::string& stored);

} // namespace rtdp::extract::pg
