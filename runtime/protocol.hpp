/// The messages actors exchange: every type, atom and typed interface in one place, one comment a
/// handler. Control is messages; data crosses by pointer, in batches, within one node.
#pragma once

#include "runtime/alarm.hpp"
#include "runtime/peer.hpp"
#include "runtime/report.hpp"
#include "runtime/state/changelog.hpp"
#include "runtime/state/progress.hpp"
#include "runtime/ums/batch.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/replies_to.hpp>
#include <caf/type_id.hpp>
#include <caf/typed_actor.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::cluster {
struct node_plan;
using plan_ptr = std::shared_ptr<const node_plan>;
} // namespace rtdp::cluster

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
  /// Of the subscription that it was read for.
  uint32_t ticket = 0;
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
  /// For the changelog of the flow's state, durable there before anything of the batch is written:
  /// the state that `after` names. Null when the batch changed none.
  std::shared_ptr<const state::log_records> changelog = {};
  /// The flow keeps state: rows of a batch that is cut off by a crash come again, all of them.
  bool whole = false;
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
  /// Stands in each delivery: a flow that joins again tells by it what is left of the time before.
  uint32_t ticket = 0;
  template<class Inspector>
  friend auto inspect(Inspector& f, subscription& x) {
    return f(x.flow, x.pattern, x.topics, x.offsets, x.credit, x.ticket);
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
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::hello))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::beat))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::running))
CAF_ADD_TYPE_ID(rtdp, (std::map<std::string, rtdp::runtime::running>))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::command))
CAF_ADD_TYPE_ID(rtdp, (rtdp::runtime::cluster_report))
CAF_ADD_TYPE_ID(rtdp, (std::vector<std::string>))
CAF_ADD_TYPE_ID(rtdp, (rtdp::cluster::plan_ptr))

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
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, freeze, "freeze")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, thaw, "thaw")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, warm, "warm")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, resume, "resume")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, place, "place")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, drop, "drop")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, progress, "progress")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, apply, "apply")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, greet, "greet")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, beat, "beat")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, peer, "peer")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, ask, "ask")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, claim, "claim")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, append, "append")
CAF_ADD_ATOM(rtdp, rtdp::runtime::atom, learn, "learn")

CAF_END_TYPE_ID_BLOCK(rtdp)

// Hold pointers to shared, immutable batches: they never leave the process.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(rtdp::runtime::delivery)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(rtdp::runtime::write_order)
// Holds functions: handed over within the process.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(rtdp::cluster::plan_ptr)

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
    // Answers when a flow that was spawned warm could run at once: its target is connected, its
    // state is there, its rows are on their way.
    caf::replies_to<atom::warm>::with<bool>,
    // A warm flow takes the fence for this epoch and runs; answers when it does.
    caf::replies_to<atom::resume, int64_t>::with<bool>,
    // Takes no more; answers with the progress when what is in flight is written. Goes on by itself
    // when nobody thaws or stops it in time.
    caf::replies_to<atom::freeze>::with<std::string>,
    // Goes on after a freeze.
    caf::reacts_to<atom::thaw>,
    // What it has applied (the text of a progress).
    caf::replies_to<atom::progress>::with<std::string>,
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
    // Connects, so that an open to come is quick; takes nothing.
    caf::replies_to<atom::warm>::with<bool>,
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
    // This component ("flow", its name) has left the node: forgets it and what came with it, the
    // sink of a flow or the tables of a source.
    caf::reacts_to<atom::drop, std::string, std::string>,
    // Every component, in the order of class and name; flows with "latency_p50_us" and
    // "latency_p99_us".
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
    // Runs a component here ("source" or "flow", name) under this epoch: starts it, or resumes the
    // warm flow; one that has the epoch already is left alone. Answers when it was told to.
    caf::replies_to<atom::place, std::string, std::string, int64_t>::with<bool>,
    // Stops it and takes it from the lists: another node has it. Answers when it has ended.
    caf::replies_to<atom::drop, std::string, std::string>::with<bool>,
    // Spawns a flow that gets ready to go on behind this progress; answers when it is ready.
    caf::replies_to<atom::warm, std::string, std::string>::with<bool>,
    // As FLOW's, for the flow of this name.
    caf::replies_to<atom::freeze, std::string>::with<std::string>,
    caf::reacts_to<atom::thaw, std::string>,
    caf::replies_to<atom::progress, std::string>::with<std::string>,
    // Another plan: stops what is not in it, restarts what changed, starts what is new.
    caf::replies_to<atom::apply, cluster::plan_ptr>::with<bool>,
    // Stops upstream first, waits for each, then ends.
    caf::reacts_to<atom::stop>,
    // INTERNAL: restarts what is due, notices what hangs.
    caf::reacts_to<atom::tick>>;

/// MEMBER: this node among the others. Watches them, follows the catalog, and leads when it is its
/// turn.
using member_actor = caf::typed_actor<
    // A peer says who it is; answered by who this is. `rejected`: the two cannot work together.
    caf::replies_to<atom::greet, hello>::with<hello>,
    // How a peer is.
    caf::reacts_to<atom::beat, beat>,
    // From the leader, for a flow of this node: what NODE has under these names.
    caf::replies_to<atom::progress, std::string>::with<std::string>,
    caf::replies_to<atom::warm, std::string, std::string>::with<bool>,
    caf::replies_to<atom::freeze, std::string>::with<std::string>,
    caf::reacts_to<atom::thaw, std::string>,
    // The warm flow is not needed any more.
    caf::reacts_to<atom::drop, std::string>,
    // From people, at any node: handed to the leader, answered by it in a sentence.
    caf::replies_to<atom::ask, command>::with<std::string>,
    // The cluster as this node sees it.
    caf::replies_to<atom::list>::with<cluster_report>,
    // Every component of this node.
    caf::replies_to<atom::status>::with<std::vector<report>>,
    // What the node of this name answers to the two above, asked over its link; `unavailable` within
    // 2 s when that is lost. Only the leader knows what drifts and what placement would move.
    caf::replies_to<atom::status, std::string>::with<std::vector<report>>,
    caf::replies_to<atom::list, std::string>::with<cluster_report>,
    // LINK, of this node or of the peer, has opened the way to that peer; null: it lost it.
    caf::reacts_to<atom::peer, std::string, caf::strong_actor_ptr>,
    // INTERNAL: CATALOG read these records, in their order.
    caf::reacts_to<atom::learn, std::vector<std::string>>,
    // Lets go of what this node has, then ends.
    caf::reacts_to<atom::stop>,
    // INTERNAL: beats, looks for who is gone, acts on what the catalog says.
    caf::reacts_to<atom::tick>>;

/// CATALOG: the ordered log of what the cluster has decided.
using catalog_actor = caf::typed_actor<
    // Takes the leader's place: whoever had it cannot append any more. Answers when MEMBER has
    // learned every record before that.
    caf::replies_to<atom::claim>::with<bool>,
    // Appends all of the records or none; answers when they are durable and MEMBER has learned them.
    // `fenced`: somebody else leads.
    caf::replies_to<atom::append, std::vector<std::string>>::with<bool>,
    // INTERNAL: reads on.
    caf::reacts_to<atom::read>>;

/// LINK: the way to one other node. Tells MEMBER when it is open and when it is lost.
using link_actor = caf::typed_actor<
    // INTERNAL: connects, or tries again after a failure.
    caf::reacts_to<atom::open>>;

/// CONNECTOR: finds the actor that another node publishes at "host:port", for LINK.
using connector_actor = caf::typed_actor<
    // Never null; whether a MEMBER is behind it shows when it is greeted.
    caf::replies_to<atom::open, std::string>::with<caf::strong_actor_ptr>>;

} // namespace rtdp::runtime
