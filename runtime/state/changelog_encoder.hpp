/// Makes the records that one incarnation appends to its flow's changelog: each batch's changes,
/// now and then a snapshot, and the end of what that makes needless. Owned by FLOW's pipeline; one
/// thread.
#pragma once

#include "runtime/state/changelog.hpp"
#include "runtime/state/keyed_state.hpp"

#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace rtdp::state {

struct changelog_limits {
  /// Of one message.
  size_t message_bytes = 900 << 10;
  /// A snapshot begins when the changes since the last one have more bytes than this and twice as
  /// many as the state.
  size_t snapshot_bytes = 64 << 20;
};

class changelog_encoder {
public:
  /// `from`: what `incarnation` goes on from. `bytes`: of changes since the last snapshot.
  /// `old_keys`: of other incarnations, needless after the first snapshot of this one.
  changelog_encoder(changelog_limits limits, int64_t incarnation, state_point from, size_t bytes,
                    std::set<std::string> old_keys)
      : limits_(limits), incarnation_(incarnation), from_(from), committed_(from),
        old_keys_(std::move(old_keys)), bytes_(bytes) {}

  void committed(state_point p) { committed_ = p; }

  /// The records of one batch, in the order to append them. `data` is at the batch's version.
  log_records encode(const keyed_state& data, std::string_view changes, int64_t last_id);
  /// Begins a snapshot when one is due, and appends a part of it. Called after `encode`. One that
  /// fails is given up: another is due soon, and nothing depends on it meanwhile.
  void snapshot(keyed_state& data, int64_t last_id, log_records& out);

private:
  record_header header(record_kind kind, state_point of, int64_t last_id) const;
  /// `key_of(n)` names the key of the piece with number n.
  void begin_snapshot(keyed_state& data);
  template<class KeyOf>
  size_t append(record_header h, std::string_view bytes, const KeyOf& key_of, log_records& out);
  std::string prefix() const { return std::to_string(incarnation_) + '/'; }

  const changelog_limits limits_;
  const int64_t incarnation_;
  const state_point from_;
  state_point committed_;
  std::set<std::string> old_keys_;
  /// Of changes since the last snapshot began, and of those of this batch.
  size_t bytes_ = 0, batch_bytes_ = 0;
  /// The numbers of changes run in one of three lanes. A lane ends where a snapshot begins; it is
  /// used again two snapshots later, when nobody needs what is in it.
  int64_t lane_ = 0, number_ = 0;
  /// The version at which the lane began.
  int64_t lane_from_ = 0;
  /// Two snapshots have a place each, so that the last complete one stays while the next is made.
  int64_t place_ = 0;
  int64_t part_ = 0;
  std::unique_ptr<state_file::snapshot> running_;
  /// A snapshot was appended in full with the last batch: once that is durable, old keys may go.
  bool old_go_ = false;
};

} // namespace rtdp::state
