/// What reads one source: a database's log, a file, a generator. Plain class: no actor, no thread.
/// Owned by the SOURCE actor, which calls it from one thread, publishes what it collected, stores
/// the position and owns restarts and back-off.
#pragma once

#include "actors/extract/collector.hpp"
#include "config/spec.hpp"
#include "runtime/core/error.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::extract {

/// For REST, metrics and `--until-idle`; as the driver knows it now.
struct table_progress {
  ums::ns name;
  bool snapshot_done = false;
  bool snapshot_paused = false;
  /// Of the snapshot under way or the last one: when it began, 0 before the first.
  int64_t snapshot_started_us = 0;
  int64_t snapshot_rows = 0;
  /// -1 when the source cannot say.
  int64_t snapshot_rows_estimated = -1;
  /// Why the source paused it by itself; empty when it did not.
  std::string snapshot_reason = {};
};

struct source_progress {
  std::vector<table_progress> tables;
  /// True when the last `read` found nothing more in the source.
  bool idle = false;
  /// Log that the source must keep for us; -1 when it has no such thing.
  int64_t retained_bytes = -1;
  /// Every change committed in the source before this time has been read.
  int64_t complete_until_us = 0;
  /// Where in its log the source is read, for people: an LSN, a binlog file and offset. May be
  /// empty.
  std::string place = {};
};

/// What an operator asks of a running source about one table.
struct snapshot_request {
  enum class verb : uint8_t { start, pause, resume, cancel };
  verb what = verb::start;
  /// As `tables:` names it, or the table part of its namespace.
  std::string table = {};
  /// Only rows for which this condition of the source's SQL holds; empty: all.
  std::string where = {};
  /// Afterwards sinks drop the rows that the snapshot did not meet. Not together with `where`.
  bool sweep = false;
};

class driver {
public:
  virtual ~driver() = default;

  /// Called before `open` when this node has taken the source from another one: whoever still reads
  /// it there has no right to any more, and is ended instead of waited for.
  virtual void take_over() {}

  /// Called first, and again after `unavailable`. `position` is the last stored one, empty at the
  /// very first start. Continues exactly there, with the same rows in the same order. A position
  /// that the source no longer has is `rejected` with the reason.
  virtual error open(const std::string& position) = 0;

  /// Waits up to `wait` for something to read, then reads on until the collector is full or nothing
  /// more is there. Calls `collector.commit` whenever a position may be stored: at least once per
  /// call that handed over rows.
  virtual error read(collector& out, std::chrono::milliseconds wait) = 0;

  /// Everything up to `position` (one that was committed to the collector) is durable on the bus:
  /// the source may forget its log before it.
  virtual error confirm(const std::string& position) = 0;

  /// Takes the request over; the position that the next `read` commits holds it. `rejected` with
  /// what is wrong with it.
  virtual error snapshot(const snapshot_request& asked);

  /// False when reading on from a position may give other rows than it gave before, as where
  /// senders deliver again what was not acknowledged: ids then go on behind all that were given,
  /// and rows that were not settled may come twice. Asked behind `open`.
  virtual bool replays() const { return true; }

  /// Writes a row with this time into the source itself, where the source has a place for it; its
  /// way back through the log is what `beaten_us` tells. Called once a second.
  virtual error beat(int64_t now_us);
  /// The time in the last such row that came back: marks carry it then, and go out when it comes. 0
  /// before the first; -1: there is no such place, and marks go out by the clock.
  virtual int64_t beaten_us() const { return -1; }

  virtual source_progress progress() const = 0;
};

/// Everything the platform knows about one kind of source.
struct kind {
  config::spec spec;
  /// `name` is the source's name in the file; it is the second part of its namespaces.
  std::unique_ptr<driver> (*make)(const std::string& name, const config::section& settings);
  /// The schemas of the captured tables as their first batches will have them, for checks before
  /// the start; the version is not known. Takes `describe_time` or not much more, any thread may
  /// call it, and nothing is written: no slot, no trigger. Null: the kind cannot tell.
  result<std::vector<ums::schema>> (*describe)(const std::string& name,
                                               const config::section& settings) = nullptr;
  /// The namespaces that an item of `tables:` stands for, from the item's name as written; its
  /// version and partitions are `*`. Null: the kind has no `tables:`.
  result<ums::ns> (*pattern)(const std::string& source, const std::string& item) = nullptr;
  /// What is wrong with settings beyond the spec, with the line of each setting; paths are relative
  /// to the source. Null: nothing can be.
  std::vector<config::problem> (*check)(const config::section& settings) = nullptr;
};

constexpr std::chrono::milliseconds describe_time{5000};

/// All kinds, in the order of sources.def.
std::vector<kind> kinds();

} // namespace rtdp::extract
