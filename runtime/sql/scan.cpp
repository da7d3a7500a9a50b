#include "runtime/sql/scan.hpp"

#include "runtime/sql/fill.hpp"
#include "runtime/sql/types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace rtdp::sql {

namespace {

/// One execution's way through the batch.
struct cursor {
  size_t next = 0;
  /// Position in the batch of each column that the query uses.
  std::vector<size_t> columns;
};

int64_t& number_in(void* bind_data) { return *static_cast<int64_t*>(bind_data); }

// DuckDB calls these; none of them may throw. Memory that runs out ends the program, as everywhere.

void bind(duckdb_bind_info info) {
  auto* source = static_cast<scan*>(duckdb_bind_get_extra_info(info));
  auto parameter = duckdb_bind_get_parameter(info, 0);
  auto number = duckdb_get_int64(parameter);
  duckdb_destroy_value(&parameter);
  auto schema = source->schema(number);
  if (!schema) {
    duckdb_bind_set_error(info, "this batch is not there any more");
    return;
  }
  for (const auto& f : schema->fields)
    duckdb_bind_add_result_column(info, f.name.c_str(), type_of_field(f).get());
  duckdb_bind_set_bind_data(info, new int64_t(number),
                            [](void* data) { delete static_cast<int64_t*>(data); });
}

void start(duckdb_init_info info) {
  auto* source = static_cast<scan*>(duckdb_init_get_extra_info(info));
  if (!source->is_current(number_in(duckdb_init_get_bind_data(info)))) {
    duckdb_init_set_error(info, "this batch is not there any more");
    return;
  }
  auto made = std::make_unique<cursor>();
  for (idx_t i = 0; i < duckdb_init_get_column_count(info); ++i)
    made->columns.push_back(duckdb_init_get_column_index(info, i));
  duckdb_init_set_init_data(info, made.release(),
                            [](void* data) { delete static_cast<cursor*>(data); });
  duckdb_init_set_max_threads(info, 1);
}

void next(duckdb_function_info info, duckdb_data_chunk out) {
  auto* source = static_cast<scan*>(duckdb_function_get_extra_info(info));
  auto* at = static_cast<cursor*>(duckdb_function_get_init_data(info));
  const auto& rows = source->rows();
  auto count = std::min<size_t>(rows.count - at->next, duckdb_vector_size());
  for (size_t i = 0; i < at->columns.size(); ++i)
    // A query like count(*) asks for a column behind the last one and never looks at it.
    if (at->columns[i] < rows.data->columns.size())
      fill(*source, at->columns[i], rows.first + at->next, count,
           duckdb_data_chunk_get_vector(out, i));
  at->next += count;
  duckdb_data_chunk_set_size(out, count);
}

} // namespace

std::optional<failure> scan::register_in(duckdb_connection connection) {
  handle<duckdb_table_function, duckdb_destroy_table_function> function(
      duckdb_create_table_function());
  logical_type number(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  duckdb_table_function_set_name(function.get(), "rtdp_scan");
  duckdb_table_function_add_parameter(function.get(), number.get());
  duckdb_table_function_set_extra_info(function.get(), this, nullptr);
  duckdb_table_function_set_bind(function.get(), bind);
  duckdb_table_function_set_init(function.get(), start);
  duckdb_table_function_set_function(function.get(), next);
  duckdb_table_function_supports_projection_pushdown(function.get(), true);
  if (duckdb_register_table_function(connection, function.get()) == DuckDBError)
    return failure{"", "DuckDB refuses the table function rtdp_scan", {}, ""};
  return {};
}

ums::schema_ptr scan::schema(int64_t n) const {
  auto at = schemas_.find(n);
  return at == schemas_.end() ? nullptr : at->second;
}

void scan::note_unfit(size_t row, size_t column, std::string_view why) {
  const auto& name = rows_.data->schema->fields[column].name;
  unfit_.try_emplace(row, fmt::format("column {}: {}", name, why));
}

} // namespace rtdp::sql
