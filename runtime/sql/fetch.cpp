#include "runtime/sql/fetch.hpp"

#include "runtime/sql/decimal.hpp"

#include <limits>

namespace rtdp::sql {

namespace {

/// Calls `append(row)` for every row with a value; the test for nulls is paid only by columns that
/// have some.
template<class Append>
void each(duckdb_vector from, size_t count, ums::column& to, const Append& append) {
  const auto* bits = duckdb_vector_get_validity(from);
  for (size_t i = 0; i < count; ++i) {
    if (bits != nullptr && !(bits[i / 64] >> (i % 64) & 1))
      to.append_null();
    else
      append(i);
  }
}

template<class T>
void append_ints(duckdb_vector from, size_t count, ums::column& to) {
  const auto* cells = static_cast<const T*>(duckdb_vector_get_data(from));
  each(from, count, to, [&](size_t i) { to.append_int(int64_t(cells[i])); });
}

template<class T>
void append_reals(duckdb_vector from, size_t count, ums::column& to) {
  const auto* cells = static_cast<const T*>(duckdb_vector_get_data(from));
  each(from, count, to, [&](size_t i) { to.append_real(double(cells[i])); });
}

/// DATE and TIMESTAMP: ±infinity are the largest integer and its negative.
template<class T>
void append_times(duckdb_vector from, size_t count, ums::column& to) {
  const auto* cells = static_cast<const T*>(duckdb_vector_get_data(from));
  constexpr T most = std::numeric_limits<T>::max();
  each(from, count, to, [&](size_t i) {
    auto value = int64_t(cells[i]);
    to.append_int(cells[i] == most ? ums::plus_infinity
                                   : (cells[i] == -most ? ums::minus_infinity : value));
  });
}

template<class T>
void append_decimals(duckdb_vector from, size_t count, const fetched_column& c, ums::column& to) {
  const auto* cells = static_cast<const T*>(duckdb_vector_get_data(from));
  std::string text;
  each(from, count, to, [&](size_t i) {
    text.clear();
    append_decimal(int128(cells[i]), c.scale, text);
    if (c.trim && c.scale > 0)
      text.resize(text.find_last_not_of('0') + (text[text.find_last_not_of('0')] != '.'));
    to.append_text(text);
  });
}

void append_texts(duckdb_vector from, size_t count, ums::column& to) {
  auto* cells = static_cast<duckdb_string_t*>(duckdb_vector_get_data(from));
  each(from, count, to, [&](size_t i) {
    const auto& cell = cells[i].value;
    bool inlined = cell.inlined.length <= sizeof cell.inlined.inlined;
    to.append_text({inlined ? cell.inlined.inlined : cell.pointer.ptr, cell.inlined.length});
  });
}

void append_column(duckdb_vector from, size_t count, const fetched_column& c, ums::column& to) {
  bool decimal = to.type() == ums::type::decimal;
  switch (c.stored) {
  case DUCKDB_TYPE_BOOLEAN:
    return append_ints<bool>(from, count, to);
  case DUCKDB_TYPE_SMALLINT:
    return append_decimals<int16_t>(from, count, c, to);
  case DUCKDB_TYPE_INTEGER:
    return decimal ? append_decimals<int32_t>(from, count, c, to)
                   : append_ints<int32_t>(from, count, to);
  case DUCKDB_TYPE_BIGINT:
    return decimal ? append_decimals<int64_t>(from, count, c, to)
                   : append_ints<int64_t>(from, count, to);
  case DUCKDB_TYPE_HUGEINT:
    return append_decimals<int128>(from, count, c, to);
  case DUCKDB_TYPE_FLOAT:
    return append_reals<float>(from, count, to);
  case DUCKDB_TYPE_DOUBLE:
    return append_reals<double>(from, count, to);
  case DUCKDB_TYPE_DATE:
    return append_times<int32_t>(from, count, to);
  case DUCKDB_TYPE_TIMESTAMP:
  case DUCKDB_TYPE_TIMESTAMP_TZ:
    return append_times<int64_t>(from, count, to);
  default:
    return append_texts(from, count, to);
  }
}

} // namespace

fetched_column fetched_column_of(size_t index, duckdb_logical_type type) {
  auto id = duckdb_get_type_id(type);
  if (id != DUCKDB_TYPE_DECIMAL)
    return {index, id, 0, false};
  return {index, duckdb_decimal_internal_type(type), duckdb_decimal_scale(type), false};
}

void append_chunk(duckdb_data_chunk chunk, const std::vector<fetched_column>& columns,
                  ums::batch& out) {
  auto count = duckdb_data_chunk_get_size(chunk);
  for (size_t i = 0; i < columns.size(); ++i)
    append_column(duckdb_data_chunk_get_vector(chunk, columns[i].index), count, columns[i],
                  out.columns[i]);
}

} // namespace rtdp::sql
