/// Follows a flow's changelog on the bus and brings a `keyed_state` to a state that it leads to.
/// Owned by FLOW's pipeline; one thread. Each call works for about `limit` and can be called again.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/state/changelog.hpp"
#include "runtime/state/keyed_state.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::bus {

class changelog_reader {
public:
  /// Makes the topic when it is missing, at the first call. Keeps about `recent_bytes` of the last
  /// messages, so that a state which follows closely reads each once.
  changelog_reader(std::shared_ptr<bus> from, std::string flow, size_t recent_bytes = 64 << 20)
      : bus_(std::move(from)), flow_(std::move(flow)), topic_{state::changelog_topic(flow_), 0},
        recent_most_(recent_bytes) {}

  /// Reads what there is. True when it has come to the end, as it was when the call began.
  result<bool> read_on(std::chrono::milliseconds limit);

  /// Takes a step towards `wanted`. True when `data` is there. REQUIRES: `read_on` was true just
  /// before. `rejected`: the changelog does not lead there.
  result<bool> bring(state::keyed_state& data, state::state_point wanted,
                     std::chrono::milliseconds limit);

  const state::changelog_index& index() const { return index_; }
  /// Lets go of what it holds of the bus; goes on from where it was with the next `read_on`.
  void rest();
  /// What `data` has taken in need not be kept.
  void forget(int64_t version) { index_.forget(version); }

private:
  using steady = std::chrono::steady_clock;

  error open();
  error keep(message&& m);
  /// Null when it is not there any more.
  result<const std::string*> value_at(int64_t offset);
  /// False: the same.
  result<bool> apply(state::keyed_state& data, int64_t offset);
  void start_over();

  std::shared_ptr<bus> bus_;
  const std::string flow_;
  const partition topic_;
  const size_t recent_most_;
  std::unique_ptr<reader> reader_;
  /// Next offset to read.
  int64_t position_ = 0;
  state::changelog_index index_;
  std::map<int64_t, std::string> recent_;
  size_t recent_bytes_ = 0;

  /// The way to `wanted_`: offsets that are left, and what of a record in pieces was read.
  state::state_point wanted_;
  std::deque<int64_t> way_;
  bool on_the_way_ = false;
  std::string pieces_;
  /// Reads again what is not recent; what it brought beyond the message that was asked for.
  std::unique_ptr<reader> again_;
  /// What it reads next; -1 before it was told where to begin.
  int64_t again_next_ = -1;
  std::deque<message> ahead_;
};

} // namespace rtdp::bus
