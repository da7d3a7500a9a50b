/// A user's SELECT compiled for batches of one schema. Owned by a batch_query.
#pragma once

#include "runtime/sql/engine.hpp"
#include "runtime/sql/fetch.hpp"
#include "runtime/sql/parse.hpp"
#include "runtime/sql/scan.hpp"
#include "runtime/ums/schema.hpp"

#include <memory>
#include <vector>

namespace rtdp::sql {

struct plan {
  /// The scan's number for the schema.
  int64_t number = 0;
  ums::schema_ptr input, output;
  prepared statement;
  /// One per field of the output.
  std::vector<fetched_column> columns;
};

/// Compiles `query` for `input` under the scan's `number`, which stays announced when it worked.
/// Rejects what DuckDB rejects, with the place in the query's text.
result<std::unique_ptr<plan>> compile(engine& db, scan& source, const select_tree& query,
                                      int64_t number, const ums::schema_ptr& input);

/// Takes back what compile() left in the engine and the scan. The plan's statement must be gone.
void forget(engine& db, scan& source, int64_t number);

} // namespace rtdp::sql
