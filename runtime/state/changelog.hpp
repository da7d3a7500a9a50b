/// The records of a flow's changelog: what the changes of its state look like on a bus, and which
/// of them lead to a given state. Plain values; knows no bus.
///
/// Each record names the incarnation that made it and the point that this one went on from, so a
/// state is found by walking from its point backwards. Nobody's order of writing matters: what a
/// frozen incarnation appends when it wakes leads to no point that the target names.
///
/// Keys are chosen for a compacted topic. An incarnation numbers its changes from 0 again with each
/// snapshot, so the new ones overwrite those that the snapshot made needless.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/progress.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::state {

/// A message for the topic. Without a value: what stood under the key is needed no more.
struct log_record {
  std::string key, value;
};
using log_records = std::vector<log_record>;

/// The compacted topic of one partition that holds a flow's changelog.
inline std::string changelog_topic(const std::string& flow) { return "_rtdp.state." + flow; }

/// What the batch with this number changed; or a part of all that there is at this number.
enum class record_kind : uint8_t { change, snapshot };

struct record_header {
  record_kind kind = record_kind::change;
  state_point of;
  /// Where the incarnation went on from.
  state_point from;
  /// The target has this one for sure.
  state_point committed;
  /// The highest ums_id_ that the flow gave to a row of its own.
  int64_t last_id = 0;
  /// Of a snapshot: which part this is, and whether it is the last.
  int64_t part = 0;
  bool is_last = true;
  /// A record too large for a message comes in pieces.
  int64_t piece = 0, pieces = 1;
};

/// A header in front of `bytes`.
std::string encode(const record_header& header, std::string_view bytes);
struct decoded_record {
  record_header header;
  /// Into the message.
  std::string_view bytes;
};
result<decoded_record> decode(std::string_view message);

/// Which records there are and where. One thread.
class changelog_index {
public:
  /// Takes a message of the topic in.
  error add(int64_t offset, std::string_view key, std::string_view value);

  /// What to do for a state.
  struct plan {
    /// Offsets of the messages to apply, in this order, after `reset` when it says so.
    std::vector<int64_t> offsets;
    bool from_nothing = false;
  };
  /// From `have`, or from a snapshot, to `wanted`. `rejected`: the changelog does not lead there; the
  /// text says what is missing.
  result<plan> way(state_point have, state_point wanted) const;

  /// The latest point that some record says the target has; {0, 0} when none does.
  state_point last_committed() const { return last_committed_; }
  int64_t last_id() const { return last_id_; }
  int64_t last_version() const { return last_version_; }
  /// Of changes since the last snapshot.
  size_t bytes() const { return bytes_; }
  /// Keys with a value: those that the next snapshot makes needless.
  const std::set<std::string>& keys() const { return keys_; }
  /// Forgets changes up to this version: a state that is further needs them no more.
  void forget(int64_t version);

private:
  /// Offsets by piece.
  struct pieces {
    std::map<int64_t, int64_t> offsets;
    int64_t count = 0;
    bool is_complete() const { return count > 0 && int64_t(offsets.size()) == count; }
  };
  struct snapshot {
    std::map<int64_t, pieces> parts;
    int64_t last = -1;
    bool is_complete() const;
  };
  struct incarnation {
    state_point from;
    std::map<int64_t, pieces> changes;
    std::map<int64_t, snapshot> snapshots;
  };

  /// Prepends the changes behind `after` up to `upto`; names the first one that is missing, or 0.
  static int64_t collect(const incarnation& of, int64_t after, int64_t upto,
                         std::vector<int64_t>& offsets);
  /// From `wanted` back to `have`, or with `snapshots` to the nearest complete one.
  result<plan> walk(state_point have, state_point wanted, bool snapshots) const;

  std::map<int64_t, incarnation> all_;
  std::set<std::string> keys_;
  state_point last_committed_;
  int64_t last_id_ = 0, last_version_ = 0;
  size_t bytes_ = 0;
};

} // namespace rtdp::state
