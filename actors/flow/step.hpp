/// One transformation of a flow: a batch in, a batch out. Plain class: no actor, no thread; owned
/// by the FLOW actor, which makes one call at a time.
#pragma once

#include "config/spec.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/batch.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::flow {

/// Rows that a step could not compute.
struct bad_rows {
  struct row {
    /// In the batch that came in.
    size_t index = 0;
    std::string reason;
  };
  std::vector<row> rows;
};

class stateful_step;

class step {
public:
  virtual ~step() = default;

  /// Itself, when it remembers rows of earlier batches (stateful_step.hpp).
  virtual stateful_step* with_state() { return nullptr; }

  /// Checks the step against the schema of its input and returns the schema of its output.
  /// `rejected` names the place in the step's text ("line 1, column 14: …").
  virtual result<ums::schema> prepare(const ums::schema& input) = 0;

  /// True when each row that comes out was computed from one row that went in and keeps its
  /// ums_id_. A change that such a step leaves out, and a delete, which carries only the key, then
  /// mean that the row is to go from the target.
  virtual bool row_wise() = 0;

  /// Carries out the step. The schema is one that was prepared, or the step prepares itself again.
  /// A row that cannot be computed goes to `bad`; the others come out.
  virtual result<ums::batch_ptr> apply(const ums::batch_ptr& input, bad_rows& bad) = 0;
};

/// Everything the platform knows about one kind of step. In the file a step is a mapping whose
/// first key is the kind's name: `- sql: select …`; a plain value is the spec's first field.
struct kind {
  config::spec spec;
  std::unique_ptr<step> (*make)(const config::section& settings);
  /// Checks what can be checked without a schema (syntax); the reason with its position.
  error (*check)(const config::section& settings);
  /// Its steps are `stateful_step`s: they keep something on disk.
  bool stateful = false;
};

/// All kinds, in the order of steps.def.
std::vector<kind> kinds();

} // namespace rtdp::flow
