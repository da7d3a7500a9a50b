/// What writes to one target table. Plain class: no actor, no thread. Owned by the SINK actor of
/// one flow, which makes one call at a time and owns retries, splitting, dead letters and acks.
#pragma once

#include "config/spec.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::sink {

/// What a change does to the target table.
enum class mutation : uint8_t {
  /// `i`: every row is appended; updates and deletes too, told apart by ums_op_.
  insert,
  /// `iud`: one row per key, the newest; a delete sets ums_active_ to 0.
  iud,
  /// `iud_clean`: only business columns, a delete removes the row; ids and tombstones live in a
  /// side table `<table>_ums_`.
  iud_clean,
};

enum class evolve : uint8_t { add, ignore, fail };

/// What a flow says about its target.
struct target {
  /// As the store names it, behind the first dot of the flow's `sink:`.
  std::string table;
  std::vector<std::string> keys;
  sink::mutation mutation = mutation::iud;
  /// Create the table from the UMS schema when it is missing.
  bool create = false;
  sink::evolve evolve = evolve::add;
  /// Apply TRUNCATE of the source; otherwise it is `rejected`.
  bool truncate = true;
};

/// Who writes, and how far the data reaches; stored by transactional sinks in `rtdp_fence`, in the
/// same transaction as the rows.
struct fence {
  std::string flow;
  int64_t epoch = 0;
  /// `state::progress::text()`. Empty: check the epoch, leave the stored progress (the slice is
  /// not the last of its batch).
  std::string progress;
};

class driver {
public:
  virtual ~driver() = default;

  /// Reaches the store. Called first, and again after `unavailable`.
  virtual error connect() = 0;

  /// Takes the fence for `epoch` and returns the progress stored with the data; empty when there
  /// is none. `fenced` when the store has seen a newer epoch. A store without transactions
  /// returns empty text always; then the flow's checkpoint counts.
  virtual result<std::string> take(const std::string& flow, int64_t epoch) = 0;

  /// Makes the target ready for rows of this schema: creates the table, adds columns, or `rejected`
  /// with the difference. Called whenever the schema changes, before `write`, and again after a
  /// `rejected` write: then it must look at the store anew. What it rejects is the table's fault,
  /// so the component fails and no row becomes a dead letter. A schema of system columns only (a
  /// heartbeat, a truncate) needs nothing.
  virtual error prepare(const ums::schema& schema) = 0;

  /// Applies the rows and the fence in one transaction; returns only when they are durable.
  /// Idempotent: a row whose ums_id_ is not above the stored one of its key changes nothing.
  /// Columns that the slice does not carry keep their values. `b` rows are left out.
  /// `rejected` means that at least one row cannot be written and nothing was; the caller then
  /// tries smaller slices. A slice of kind increment_truncate empties the table; one of
  /// increment_sweep deletes, as `mutation` says, the rows whose ums_id_ is below its `before`.
  virtual error write(const ums::slice& rows, const fence& f) = 0;

  /// Stores progress when there are no rows to write (heartbeats, filtered batches).
  virtual error advance(const fence& f) = 0;

  /// True when `write` stores the fence in the transaction of the rows.
  virtual bool transactional() const = 0;
};

/// Everything the platform knows about one kind of sink.
struct kind {
  config::spec spec;
  /// `to` was checked against the file, not yet against the store.
  std::unique_ptr<driver> (*make)(const config::section& settings, const target& to);
};

/// All kinds, in the order of sinks.def.
std::vector<kind> kinds();

} // namespace rtdp::sink
