/// The work of one SINK, without an actor around it: connects the driver, takes the fence, prepares
/// the target for each schema, writes batches, keeps bad rows as dead letters and stores progress
/// where the driver cannot. Owned by the SINK actor; one thread.
#pragma once

#include "actors/sink/driver.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"
#include "runtime/protocol.hpp"
#include "runtime/state/checkpoint.hpp"
#include "runtime/state/dead_letters.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::sink {

struct writer_settings {
  /// The flow's name; its component name in state and dead letters is "flow.<name>".
  std::string flow;
  std::string data_dir;
  /// A sink without transactions: progress is stored at most this often.
  std::chrono::milliseconds store_interval{200};
  /// For the changelog of a flow that keeps state; its topic is there.
  std::shared_ptr<bus::bus> bus = nullptr;
};

class writer {
public:
  writer(writer_settings settings, std::unique_ptr<driver> target)
      : settings_(std::move(settings)), target_(std::move(target)) {}

  /// Connects only, so that the `open` to come is quick. Also after `unavailable`.
  error warm();

  /// Connects and takes the fence; also after `unavailable`. `epoch` 0: one more than the stored
  /// one, kept for all later calls. Returns the progress stored with the data or in the checkpoint.
  result<std::string> open(int64_t epoch);

  /// Returns when the batch is durable, dead letters first. `unavailable`: call `open`, then this
  /// again with the same order; what was written before counts. Otherwise the flow cannot go on.
  result<runtime::write_receipt> write(const runtime::write_order& order);

  /// Stores progress (its text) without rows.
  error advance(const std::string& progress);

  int64_t epoch() const { return epoch_; }

private:
  error open_stores();
  /// Makes what the order says of the flow's state durable in its changelog.
  error append(const runtime::write_order& order);
  error append_records(const state::log_records& records);
  error prepare(const ums::schema_ptr& schema);
  error write_rows(const runtime::write_order& order);
  /// Keeps rows of `order.origin` as dead letters, all or none.
  error keep(const runtime::write_order& order, const std::vector<runtime::unfit_row>& rows);
  error store(const std::string& progress, bool now);

  writer_settings settings_;
  /// Ends with the writer.
  std::shared_ptr<const bool> life_ = std::make_shared<bool>(true);
  std::unique_ptr<driver> target_;
  std::optional<state::checkpoint_store> checkpoints_;
  std::optional<state::dead_letter_store> dead_letters_;
  std::unique_ptr<bus::producer> changelog_;
  ums::schema_ptr prepared_;
  int64_t epoch_ = 0;
  /// `warm` has connected, for the next `open`.
  bool warm_ = false;
  /// How far the order in hand has come, for the next try after `unavailable`.
  struct {
    bool unfit_kept = false;
    bool changelog_kept = false;
    /// Rows from the front that are written or kept as dead letters, and how many were kept.
    size_t rows = 0;
    size_t bad = 0;
  } done_;
  int64_t stored_us_ = 0;
};

} // namespace rtdp::sink
