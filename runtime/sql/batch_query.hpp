/// A user's SELECT over one batch at a time. The batch is a table named `batch` and as the table
/// part of its namespace; ums_id_, ums_ts_ and ums_op_ travel along unless they are selected
/// otherwise. Owned by one step; one call at a time. Compiled once per schema of the input.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/sql/limits.hpp"
#include "runtime/ums/batch.hpp"

#include <map>
#include <memory>
#include <string>

namespace rtdp::sql {

/// Rows that could not be computed: the number in the batch that came in, and why.
using bad_row_map = std::map<size_t, std::string>;

class batch_query {
public:
  /// Checks what needs no schema: syntax, that it is one SELECT, and that it reads nothing but one
  /// table. Rejects with "line L, column C: …".
  static result<std::unique_ptr<batch_query>> open(const std::string& text, const limits& most);
  ~batch_query();
  batch_query(const batch_query&) = delete;
  batch_query& operator=(const batch_query&) = delete;

  /// True when every row comes from one row of the batch: no DISTINCT, GROUP BY, UNION or WITH.
  bool row_wise() const;

  /// Compiles the query for batches of this schema and returns the schema of what comes out, the
  /// three system columns first. Rejects unknown columns, types and functions with their place.
  result<ums::schema> prepare(const ums::schema& input);

  /// Executes the query; a batch without rows of data goes through. Rows come out in the order of
  /// ums_id_, or as the query's own ORDER BY says. Rows that cannot be computed go to `bad`, the
  /// others come out. An error (memory, time) means that nothing came out; the query can be run
  /// again.
  result<ums::batch_ptr> run(const ums::batch_ptr& input, bad_row_map& bad);

private:
  struct state;
  explicit batch_query(std::unique_ptr<state> s);

  std::unique_ptr<state> state_;
};

} // namespace rtdp::sql
