/// Where a source of a cluster stands, kept on the bus beside its rows, so that another node can go
/// on: {position, next id} in `_rtdp.sources`, the history of its tables' columns in
/// `_rtdp.schemas`, both compacted. Both are written with the producer that publishes the rows, whose
/// id `rtdp.source.<name>` one node at a time owns: the place is never ahead of the rows, and who has
/// lost the source moves neither. Owned by an `extraction`; one thread; calls wait for the bus.
///
/// Who has the source is decided by the epoch that it was placed with; without epochs, by who took
/// it last. The producer's fence alone does not tell: Kafka fences its only owner too, when a
/// transaction became too old.
#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace rtdp::extract {

struct source_place {
  std::string position;
  int64_t next_id = 1;
};

class shared_place {
public:
  struct owner {
    std::string node;
    /// Of the placement; 0: there are no epochs.
    int64_t epoch = 0;
  };
  /// How a message is queued.
  using sender =
      std::function<error(const bus::partition&, const std::string& key, const std::string& value)>;

  shared_place(std::shared_ptr<bus::bus> bus, std::string source, std::string data_dir, owner self);

  /// Takes the source from whoever has it. `local` is what this node has stored; it becomes what the
  /// bus holds, and so does the local schema history: whatever a node of the cluster stores, the bus
  /// had before. Only when `alone`, stored by a run outside of a cluster, it may be the newer one: it
  /// is kept unless the bus has had rows since. `fenced`: another node runs the source.
  result<std::unique_ptr<bus::producer>> take(source_place& local, bool alone);
  /// Publishes what `take` answered: from then on the source is this node's for everybody. A fence
  /// is `unavailable` until then: a node that has not yet seen that the source is not its own may
  /// have taken the producer's id in between, so take it again.
  error announce(bus::producer& with, const source_place& at, std::chrono::milliseconds timeout);

  /// Queues what is new of the local schema history; before rows of a new version are.
  error send_schemas(const sender& send);
  /// Queues the place; flushed with the rows before it, or later.
  error send_place(const source_place& at, const sender& send) const;

private:
  error publish(bus::producer& with, const source_place& at, std::chrono::milliseconds timeout);
  /// What a message about the place says.
  struct record {
    owner by;
    std::string run;
    source_place at;
  };

  error make_topics();
  result<std::optional<record>> last_record();
  /// `fenced` when the record is of a newer owner.
  error check(const std::optional<record>& last) const;
  error read_schemas();
  result<record> parse(const std::string& text) const;

  const std::shared_ptr<bus::bus> bus_;
  const std::string source_, data_dir_;
  const owner self_;
  /// Random: tells this run from others of the same epoch.
  const std::string run_;
  bool had_it_ = false;
  /// What the bus holds of the schema history, or will when what is queued is flushed.
  std::map<std::string, std::string> schemas_;
};

} // namespace rtdp::extract
