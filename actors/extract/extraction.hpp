/// The work of one source, without an actor around it: read with the driver, publish on the bus,
/// store the position, let the source forget. Owned by the SOURCE actor; one thread.
///
/// The order is the promise: rows are durable on the bus before their position is stored, and the
/// position is stored before the source may forget its log.
///
/// In a cluster the position is stored on the bus first, in one transaction with the rows, and
/// whatever another node has stored there is gone on from; see shared_place.hpp.
#pragma once

#include "actors/extract/driver.hpp"
#include "actors/extract/publisher.hpp"
#include "actors/extract/shared_place.hpp"
#include "actors/extract/stage.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"
#include "runtime/state/checkpoint.hpp"
#include "runtime/state/dead_letters.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace rtdp::extract {

struct extraction_settings {
  /// The source's name; its component name in state and dead letters is "source.<name>".
  std::string name;
  routing to{{}};
  std::string data_dir;
  size_t rows_max = 50'000;
  /// A message holds about this much; Kafka's own default limit is 1 MB.
  size_t message_bytes = 256 * 1024;
  /// The largest message that the bus takes.
  size_t message_bytes_max = 1 << 20;
  /// Unconfirmed bytes on the bus before a flush is waited for.
  size_t flush_bytes = 16 << 20;
  /// A position may hold the key of the last row read, which may be masked: it is not shown.
  bool hide_position = false;
  /// A row that cannot go on stops the source instead of becoming a dead letter.
  bool strict = false;
  /// Another node may take the source over at any time: `self` is who has it here.
  bool clustered = false;
  shared_place::owner self = {};
  /// Makes what rows pass on their way to the bus, in this order. May be empty.
  std::function<result<std::vector<std::unique_ptr<stage>>>()> make_stages = {};
};

/// What one `step` did, per table, for TABLE and metrics.
struct step_outcome {
  struct table {
    ums::ns name;
    uint64_t rows = 0;
    ums::schema_ptr schema;
  };
  std::vector<table> tables;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t dead_letters = 0;
};

class extraction {
public:
  using factory = std::function<std::unique_ptr<driver>()>;

  extraction(extraction_settings settings, std::shared_ptr<bus::bus> bus, factory make_driver);

  /// Loads the stored position and opens topic, producer and driver; also after any error of
  /// `step`, since it is then unknown what reached the bus: everything behind the stored position
  /// is read again. `fenced`: another node runs the source. Any other call that is `fenced` does not
  /// know that yet: open again.
  error open();

  /// Reads for up to `wait`, publishes, and when nothing more is waiting, flushes and stores.
  result<step_outcome> step(std::chrono::milliseconds wait);

  /// Puts a mark of each table behind what was published: all before its time has been handed over.
  /// Where the source has a heartbeat table, only writes to that; the mark is put by the `step` that
  /// the row comes back in.
  error mark();

  /// Hands the request to the driver: an error is its refusal, and nothing has happened. The position
  /// of the next `step` holds it, and `finish` stores that. REQUIRES: open succeeded.
  error snapshot(const snapshot_request& asked) { return driver_->snapshot(asked); }

  /// Flushes and stores what can be. REQUIRES: open succeeded.
  error finish();

  /// True when the source has nothing more and all of it is durable on the bus.
  bool idle() const;
  /// The driver's, with the tables as they are named on the bus.
  source_progress progress() const;
  int64_t next_id() const { return stored_.next_id; }
  const std::string& position() const { return stored_.position; }
  /// When the position was stored last; 0 before the first time.
  int64_t stored_us() const { return stored_us_; }
  const extraction_settings& settings() const { return settings_; }

private:
  error load();
  error make_topics();
  /// In a cluster also what the bus holds of the source.
  result<std::unique_ptr<bus::producer>> take_producer();
  error save(const source_place& at);
  error announce(bus::producer& with);
  bool must_flush(bool more, const collector::taken& taken) const;
  /// What the bus holds behind the stored position. Stores where the source begins, so that the
  /// next run knows it.
  result<bus_tail> read_held();
  /// All rows up to the committed position, then those behind it: see tail.hpp.
  error publish(const collector::taken& taken, step_outcome& outcome);
  error keep_bad(const std::vector<bad_row>& rows);
  error pass_stages(collector::taken& taken);
  error settle();
  error publish_marks(int64_t until_us);

  extraction_settings settings_;
  std::shared_ptr<bus::bus> bus_;
  factory make_driver_;
  std::unique_ptr<driver> driver_;
  std::optional<collector> collector_;
  std::vector<std::unique_ptr<stage>> stages_;
  std::optional<publisher> publisher_;
  std::optional<state::checkpoint_store> store_;
  std::optional<state::dead_letter_store> dead_letters_;
  /// Of a cluster.
  std::optional<shared_place> shared_;
  source_place stored_;
  /// `stored_` was stored outside of a cluster: the bus does not have it.
  bool alone_ = false;
  /// Time of the last marks that a row of the heartbeat table brought.
  int64_t beaten_us_ = 0;
  int64_t stored_us_ = 0;
  /// The highest id that the bus held behind the position when the source was opened.
  int64_t held_id_ = 0;
  /// Published, not yet durable.
  std::optional<source_place> pending_;
};

} // namespace rtdp::extract
