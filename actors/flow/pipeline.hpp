/// The work of one FLOW, without an actor around it: leaves out what was applied already, runs the
/// steps, and knows the progress before and after each batch. Owned by the FLOW actor; one thread.
///
/// Where the target holds one row per key, a step like `select … where qty > 0` describes which
/// rows it holds. So deletes pass the steps by, as deletes of the key, and an update that the steps
/// leave out becomes one: otherwise the row would stay as it was before.
#pragma once

#include "actors/flow/step.hpp"
#include "runtime/core/error.hpp"
#include "runtime/protocol.hpp"
#include "runtime/state/progress.hpp"

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
  pipeline(pipeline_settings settings, std::vector<std::unique_ptr<step>> steps)
      : settings_(std::move(settings)), steps_(std::move(steps)) {}

  /// Where the flow stands; what `process` builds on.
  void restore(state::progress p) { progress_ = std::move(p); }
  const state::progress& progress() const { return progress_; }

  /// What SINK has to do for a delivery, in this order; nothing for a mark or rows that were
  /// applied before. Only the last one completes the delivery's progress. An error means that a
  /// step cannot work on this schema: the flow must stop.
  result<std::vector<runtime::write_order>> process(const runtime::delivery& d);

private:
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
  error transform(const ums::batch_ptr& rows, orders& out);
  result<ums::batch_ptr> run_steps(const ums::batch_ptr& rows,
                                   std::vector<runtime::unfit_row>& unfit);
  bool deletes_pass_by();
  result<ums::batch_ptr> deletes_of(const ums::batch& rows, const std::vector<size_t>& which) const;
  bool may_lack_columns(const ums::batch& rows);

  pipeline_settings settings_;
  std::vector<std::unique_ptr<step>> steps_;
  state::progress progress_;
  /// How many columns the inserts of a namespace have: what the log of an update did not carry is
  /// missing from its rows.
  std::map<std::string, size_t> whole_;
};

} // namespace rtdp::flow
