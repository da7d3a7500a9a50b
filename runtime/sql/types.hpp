/// Which DuckDB type stands for which UMS field, in both directions.
#pragma once

#include "runtime/sql/decimal.hpp"
#include "runtime/sql/engine.hpp"
#include "runtime/ums/schema.hpp"

#include <string>

namespace rtdp::sql {

/// The type of the column that a query sees.
logical_type type_of_field(const ums::field& f);

/// How a column of a result becomes a UMS column.
struct result_type {
  ums::type type = ums::type::string;
  /// "numeric(p,s)" of a decimal whose size is known, for the next step and for the sink.
  std::string native;
  /// Put around the column by an outer SELECT when its cells are not read directly; "{}" is the
  /// column: "CAST({} AS VARCHAR)". Empty: read as it is.
  std::string conversion;
};

result_type type_of_result(duckdb_logical_type type);

} // namespace rtdp::sql
