/// The work of one FLOW, without an actor around it: leaves out what was applied already, runs the
/// steps, and knows the progress before and after each batch. Owned by the FLOW actor; one thread.
///
/// Where the target holds one row per key, a step like `select … where qty > 0` describes which
/// rows it holds. So deletes pass the steps by, as deletes of the key, and an update that the steps
/// leave out becomes one: otherwise the row would stay as it was before.
///
/// Steps that remember rows share one state (`step_state`). A batch changes state and progress
/// together: its orders carry the changes for the changelog, and the progress that the target stores
/// with the rows names the state they lead to. So after any death the target says which state is
/// the right one, and the changelog leads there.
#pragma once

#include "actors/flow/stateful_step.hpp"
#include "actors/flow/step_state.hpp"
#include "runtime/core/error.hpp"
#include "runtime/protocol.hpp"
#include "runtime/state/progress.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::flow {

struct pipeline_settings {
  /// The flow's keys; empty means the source's primary key.
  std::vector<std::string> keys = {};
  /// False where the target appends every change: then the steps see deletes too.
  bool deletes_follow = true;
  /// By topic; one that is missing has a single partition.
  std::map<std::string, int32_t> partitions = {};
};

class pipeline {
public:
  /// `state`: needed when a step is stateful.
  pipeline(pipeline_settings settings, std::vector<std::unique_ptr<step>> steps,
           std::shared_ptr<step_state> state = nullptr);

  /// Where the flow stands; what `process` builds on.
  void restore(state::progress p) { progress_ = std::move(p); }
  const state::progress& progress() const { return progress_; }

  bool stateful() const { return state_ != nullptr; }
  /// Brings the steps' state to where `restore` says, for about `limit`. True when it is there, as
  /// it is at once without stateful steps; `process` only then. `rejected`: it cannot be had.
  result<bool> restore_state(std::chrono::milliseconds limit);
  /// While another node runs the flow: keeps close behind its state, for about `limit`. True when
  /// there is nothing more for now.
  result<bool> catch_up(std::chrono::milliseconds limit);
  /// Everything is stored, and another node goes on. The last call.
  void leave_behind(shelf& on);
  /// The target has stored this progress.
  error committed(const state::progress& stored);

  /// What SINK has to do for a delivery, in this order; nothing for a mark or rows that were
  /// applied before. Only the last one completes the delivery's progress. An error means that a
  /// step cannot work on this schema: the flow must stop.
  result<std::vector<runtime::write_order>> process(const runtime::delivery& d);

private:
  /// Steps that run together: without state, or a single one with it.
  struct stage {
    size_t first = 0, end = 0;
    stateful_step* with_state = nullptr;
    /// A later step counts rows, so it must see each one that is gone.
    bool is_counted = false;
  };
  /// What is under way from stage to stage.
  struct passage {
    /// As it came off the bus.
    const ums::batch& origin;
    /// What tells the rows apart at this stage.
    std::vector<std::string> keys;
    batches rows = {};
    std::vector<runtime::unfit_row> unfit = {};
    /// Of these, those that the stage in hand could not compute.
    std::vector<int64_t> unfit_ids = {};
  };

  static bool counts_rows(const stage& s);
  /// False when this truncate was applied before.
  bool take_truncate(const runtime::delivery& d);
  /// False when this sweep was applied before, or is not for this target: it appends every change,
  /// or holds rows of other tables too, which the sweep knows nothing of.
  bool take_sweep(const runtime::delivery& d);
  /// True when each partition of the delivery's topic has brought its table up to this id.
  bool brought_everywhere(const runtime::delivery& d, int64_t id) const;
  /// Rows of the delivery up to this id are applied, or a truncate took them.
  int64_t done_before(const runtime::delivery& d) const;
  using orders = std::vector<runtime::write_order>;
  result<orders> apply(const runtime::delivery& d);
  error transform(const ums::batch_ptr& rows, orders& out);
  error run_stateless(const stage& s, const ums::batch_ptr& rows, passage& p, batches& out);
  error run_stateful(const stage& s, passage& p, batches& out);
  result<ums::batch_ptr> run_steps(const stage& s, const ums::batch_ptr& rows, passage& p);
  bool deletes_pass_by(const stage& s);
  bool may_lack_columns(const ums::batch& rows);

  pipeline_settings settings_;
  std::vector<std::unique_ptr<step>> steps_;
  std::vector<stage> stages_;
  std::shared_ptr<step_state> state_;
  state::progress progress_;
  /// How many columns the inserts of a namespace have: what the log of an update did not carry is
  /// missing from its rows.
  std::map<std::string, size_t> whole_;
};

} // namespace rtdp::flow
