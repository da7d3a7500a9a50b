/// The messages actors exchange: every type, atom and typed interface in one place, one comment a
/// handler. Control is messages; data crosses by pointer, in batches, within one node.
#pragma once

#include "runtime/alarm.hpp"
#include "runtime/report.hpp"
#include "runtime/state/progress.hpp"
#include "runtime/ums/batch.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/replies_to.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>

#include <map>
#include <string>
#include <vector>

namespace rtdp::runtime {

/// Rows on their way from STREAM to FLOW: decoded once, read by everybody, changed by nobody.
struct delivery {
  ums::batch_ptr data;
  /// "topic/partition" the rows came from, the first offset in it and the offset behind the last;
  /// empty for a replayed dead letter.
  std::string partition;
  int64_t first_offset = 0;
  int64_t next_offset = 0;
  /// When the bus took them and when they left it, for the latency per stage.
  int64_t bus_us = 0;
  int64_t read_us = 0;
};

/// A row of the delivery that a step could not compute; SINK keeps it as a dead letter before it
/// acknowledges the batch.
struct unfit_row {
  /// In `write_order::origin`.
  size_t index = 0;
  std::string reason;
};

/// One batch for SINK.
struct write_order {
  /// What to write; null when no row came out of the steps.
  ums::batch_ptr data;
  /// The flow's progress before this batch and after it.
  state::progress before, after;
  /// The rows as they came off the bus: what dead letters keep, so that a replay runs all steps.
  delivery origin;
  std::vector<unfit_row> unfit;
};

struct write_receipt {
  uint64_t rows = 0;
  uint64_t dead_letters = 0;
  int64_t done_us = 0;
  template<class Inspector>
  friend auto inspect(Inspector& f, write_receipt& x) {
    return f(x.rows, x.dead_letters, x.done_us);
  }
};

/// Where a flow wants to begin, and how STREAM reaches it.
struct subscription {
  std::string flow;
  /// UMS namespace pattern.
  std::string pattern;
  std::vector<std::string> topics;
  /// Next offset by "topic/partition"; what is missing begins at the first offset held.
  std::map<std::string, int64_t> offsets;
  uint32_t credit = 0;
  template<class Inspector>
  friend auto inspect(Inspector& f, subscription& x) {
    return f(x.flow, x.pattern, x.topics, x.offsets, x.credit);
  }
};

/// What an operator asks about the snapshot of one table.
struct snapshot_order {
  std::string source;
  /// As the source's `tables:` names it, or the table part of its namespace.
  std::string table;
  /// "start", "pause", "resume" or "cancel".
  std::string verb;
  /// A condition in the source's SQL; empty: all rows.
  std::string where;
  bool sweep = false;
  template<class Inspector>
  friend auto inspect(Inspector& f, snapshot_order& x) {
    return f(x.source, x.table, x.verb, x.where, x.sweep);
  }
};

} // namespace rtdp::runtime

CAF_BEGIN_TYPE_ID_BLOCK(rtdp, caf::first_custom_type_id)

CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::delivery))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::write_order))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::write_receipt))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::subscription))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::report))
CAF_ADD_TYPE_ID(rtdp, (std::vector<rtdp::runtime::report>))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::snapshot_order))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::alarm))
CAF_ADD_TYPE_ID(rtdp, (std::vector<rtdp::runtime::alarm>))

CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, open, "open")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, read, "read")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, write, "write")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, advance, "advance")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, retry, "retry")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, mark, "mark")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, tick, "tick")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, seen, "seen")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, join, "join")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, deliver, "deliver")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, credit, "credit")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, status, "status")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, list, "list")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, idle, "idle")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, replay, "replay")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, snapshot, "snapshot")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, start, "start")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, stop, "stop")

CAF_END_TYPE_ID_BLOCK(rtdp)

// Hold pointers to shared, immutable batches: they never leave the process.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(rtdp::runtime::delivery)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(rtdp::runtime::write_order)

namespace rtdp::runtime {

/// SOURCE: reads one source with a driver and publishes UMS on the bus.
using source_actor = caf::typed_actor<
    // Puts a mark of each table into the data path.
    caf::reacts_to<atom::mark>,
    // Answers whether the source has nothing more to read and everything read is on the bus.
    caf::replies_to<atom::idle>::with<bool>,
    // Begins, pauses, resumes or cancels a snapshot; answers when the request is stored.
    caf::replies_to<atom::snapshot, snapshot_order>::with<bool>,
    // Publishes what is in flight, stores the position, then ends with exit_reason::normal.
    caf::reacts_to<atom::stop>,
    // INTERNAL: opens the driver, or tries again after a failure.
    caf::reacts_to<atom::open>,
    // INTERNAL: reads and publishes once.
    caf::reacts_to<atom::read>>;

/// TABLE: one namespace of a source; its schema version, snapshot progress and counts.
using table_actor = caf::typed_actor<
    // What SOURCE published since the last time; merged into the table's own state.
    caf::reacts_to<atom::status, report>>;

/// FLOW: takes batches of its namespaces through its steps to its SINK.
using flow_actor = caf::typed_actor<
    // The next rows; each costs one credit.
    caf::reacts_to<atom::deliver, delivery>,
    // Runs a dead letter (a UMS message of one row) through again.
    caf::replies_to<atom::replay, std::string>::with<bool>,
    // Answers whether it has joined its stream and nothing is under way.
    caf::replies_to<atom::idle>::with<bool>,
    // Lets what is in flight be written, stores progress, then ends with exit_reason::normal.
    caf::reacts_to<atom::stop>,
    // The HEARTBEAT of this source was started again: its marks are told to this one from now on.
    caf::reacts_to<atom::join, std::string, caf::strong_actor_ptr>,
    // INTERNAL: asks SINK for the stored progress and joins STREAM.
    caf::reacts_to<atom::open>,
    // INTERNAL: once a second: stores progress without rows, reports.
    caf::reacts_to<atom::tick>>;

/// STREAM: reads the bus once for all its flows.
using stream_actor = caf::typed_actor<
    // A flow wants batches from the given offsets on, sent as (atom::deliver, delivery).
    caf::reacts_to<atom::join, caf::strong_actor_ptr, subscription>,
    // The flow can take `n` more batches.
    caf::reacts_to<atom::credit, std::string, uint32_t>,
    // Answers whether every flow has applied everything that the bus holds for it.
    caf::replies_to<atom::idle>::with<bool>, caf::reacts_to<atom::stop>,
    // INTERNAL: reads once, hands out what there is credit for.
    caf::reacts_to<atom::read>>;

/// SINK: writes the batches of one flow to its target, exactly once each.
using sink_actor = caf::typed_actor<
    // Connects, takes the fence for the epoch (by retrying while the store is unavailable) and
    // answers with the stored progress.
    caf::replies_to<atom::open, int64_t>::with<std::string>,
    // Answers when the batch and its progress are durable. Retries while the store is unavailable.
    // An error means that the flow cannot go on.
    caf::replies_to<atom::write, write_order>::with<write_receipt>,
    // Stores progress (its text) without rows.
    caf::replies_to<atom::advance, std::string>::with<bool>,
    // INTERNAL: tries again after a failure.
    caf::reacts_to<atom::retry>,
    // INTERNAL: tells its figures, once a second.
    caf::reacts_to<atom::tick>>;

/// HEARTBEAT: sends marks through one source's data path and sees them come out.
using heartbeat_actor = caf::typed_actor<
    // A flow applied a mark: flow, namespace, time of the mark. An empty namespace: a person stopped
    // the flow, and nobody waits for its marks.
    caf::reacts_to<atom::seen, std::string, std::string, int64_t>,
    // Its SOURCE was started again: marks go to this one from now on.
    caf::reacts_to<atom::join, caf::strong_actor_ptr>,
    // INTERNAL: once a second.
    caf::reacts_to<atom::tick>>;

/// FEEDBACK: knows the last report of every component of the node.
using feedback_actor = caf::typed_actor<
    // A component tells how it is; merged with what it told before.
    caf::reacts_to<atom::status, report>,
    // Every component, in the order of class and name.
    caf::replies_to<atom::list>::with<std::vector<report>>>;

/// ALARM: watches the reports of the node's components and tells once when a condition begins and
/// when it ends.
using alarm_actor = caf::typed_actor<
    // The open alarms, and those that ended lately.
    caf::replies_to<atom::list>::with<std::vector<alarm>>,
    // INTERNAL: looks again.
    caf::reacts_to<atom::tick>>;

/// CHANNEL: takes the notices of ALARM out of the house, in their order.
using channel_actor = caf::typed_actor<
    // The event ("began", "lasts", "ended") and its alarm. Answers when somebody took it, by
    // retrying while nobody does; `rejected` when nobody ever will.
    caf::replies_to<atom::deliver, std::string, alarm>::with<bool>,
    // INTERNAL: tries again after a failure.
    caf::reacts_to<atom::retry>>;

/// NODE: starts, supervises and stops everything on this machine.
using node_actor = caf::typed_actor<
    // Starts a source or a flow ("source" or "flow", its name) that is stopped or failed.
    caf::replies_to<atom::start, std::string, std::string>::with<bool>,
    // Stops a source or a flow; answers when it has ended.
    caf::replies_to<atom::stop, std::string, std::string>::with<bool>,
    // Runs a dead letter of a flow (name, UMS message) through again; true when it was applied.
    caf::replies_to<atom::replay, std::string, std::string>::with<bool>,
    // Hands the order to its source; answers when it is stored.
    caf::replies_to<atom::snapshot, snapshot_order>::with<bool>,
    // Answers whether snapshots are done and every flow is caught up; an error when a component
    // failed.
    caf::replies_to<atom::idle>::with<bool>,
    // Stops upstream first, waits for each, then ends.
    caf::reacts_to<atom::stop>,
    // INTERNAL: restarts what is due, notices what hangs.
    caf::reacts_to<atom::tick>>;

} // namespace rtdp::runtime
