#include "runtime/sql/fill.hpp"

#include "runtime/sql/types.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace rtdp::sql {

namespace {

/// Where the cells come from and go to.
struct cells {
  scan& source;
  size_t column;
  const ums::column& from;
  size_t first, count;
  duckdb_vector to;

  template<class T>
  T* data() const {
    return static_cast<T*>(duckdb_vector_get_data(to));
  }

  void unfit(size_t i, const std::string& why) const {
    duckdb_vector_ensure_validity_writable(to);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(to), i);
    source.note_unfit(first + i, column, why);
  }
};

void fill_validity(const cells& c) {
  if (!c.from.has_nulls())
    return;
  duckdb_vector_ensure_validity_writable(c.to);
  auto* bits = duckdb_vector_get_validity(c.to);
  auto from = c.from.validity();
  auto shift = c.first % 64;
  for (size_t word = 0; word * 64 < c.count; ++word) {
    auto at = c.first / 64 + word;
    bits[word] = from[at] >> shift;
    if (shift != 0 && at + 1 < from.size())
      bits[word] |= from[at + 1] << (64 - shift);
  }
}

/// Copies integers into a narrower type.
template<class T>
void fill_narrow(const cells& c, const char* type) {
  const auto* from = c.from.ints().data() + c.first;
  auto* to = c.data<T>();
  bool fits = true;
  for (size_t i = 0; i < c.count; ++i) {
    to[i] = T(from[i]);
    fits &= to[i] == from[i];
  }
  for (size_t i = 0; !fits && i < c.count; ++i)
    if (to[i] != from[i])
      c.unfit(i, fmt::format("{} does not fit {}", from[i], type));
}

void fill_date(const cells& c) {
  const auto* from = c.from.ints().data() + c.first;
  auto* to = c.data<int32_t>();
  // DuckDB's ±infinity are the largest 32-bit integer and its negative.
  constexpr int64_t most = std::numeric_limits<int32_t>::max();
  for (size_t i = 0; i < c.count; ++i) {
    bool infinite = from[i] == ums::plus_infinity || from[i] == ums::minus_infinity;
    to[i] = int32_t(std::clamp(from[i], -most, most));
    if (!infinite && (from[i] >= most || from[i] <= -most))
      c.unfit(i, fmt::format("{} days from 1970 do not fit DATE", from[i]));
  }
}

void fill_timestamp(const cells& c) {
  const auto* from = c.from.ints().data() + c.first;
  auto* to = c.data<int64_t>();
  // DuckDB's -infinity is -INT64_MAX, one above ours.
  for (size_t i = 0; i < c.count; ++i)
    to[i] = from[i] == ums::minus_infinity ? -ums::plus_infinity : from[i];
}

void fill_float(const cells& c) {
  const auto* from = c.from.reals().data() + c.first;
  auto* to = c.data<float>();
  for (size_t i = 0; i < c.count; ++i)
    to[i] = float(from[i]);
}

/// True when every cell is UTF-8. The text of all cells at once, at several GB/s, and then that no
/// cell begins inside a character.
bool is_utf8(const cells& c) {
  const char* begin = c.from.text(c.first).data();
  auto last = c.from.text(c.first + c.count - 1);
  const char* end = last.data() + last.size();
  if (!simdjson::validate_utf8(begin, size_t(end - begin)))
    return false;
  bool inside = false;
  for (size_t i = 0; i < c.count; ++i) {
    auto text = c.from.text(c.first + i);
    inside |= !text.empty() && (text[0] & 0xC0) == 0x80;
  }
  return !inside;
}

/// Strings of up to 12 bytes stand in the vector itself; longer ones stay in the batch, which
/// outlives the execution.
void fill_text(const cells& c, bool is_text) {
  auto* to = c.data<duckdb_string_t>();
  for (size_t i = 0; i < c.count; ++i) {
    auto text = c.from.text(c.first + i);
    auto& cell = to[i].value;
    cell.pointer.length = uint32_t(text.size());
    if (text.size() <= sizeof cell.inlined.inlined) {
      // Unused bytes must be zero: DuckDB compares all of them.
      std::memset(cell.inlined.inlined, 0, sizeof cell.inlined.inlined);
      std::memcpy(cell.inlined.inlined, text.data(), text.size());
    } else {
      std::memcpy(cell.pointer.prefix, text.data(), sizeof cell.pointer.prefix);
      cell.pointer.ptr = const_cast<char*>(text.data());
    }
  }
  if (!is_text || is_utf8(c))
    return;
  for (size_t i = 0; i < c.count; ++i) {
    auto text = c.from.text(c.first + i);
    if (!simdjson::validate_utf8(text.data(), text.size()))
      c.unfit(i, "the text is not valid UTF-8");
  }
}

template<class T>
void fill_decimal(const cells& c, decimal_shape shape) {
  auto* to = c.data<T>();
  for (size_t i = 0; i < c.count; ++i) {
    auto text = c.from.text(c.first + i);
    auto value = parse_decimal(text, shape);
    to[i] = T(value.value_or(0));
    if (!value && !c.from.is_null(c.first + i))
      c.unfit(i, fmt::format("'{}' does not fit DECIMAL({},{}) exactly", text.substr(0, 100),
                             shape.width, shape.scale));
  }
}

void fill_decimals(const cells& c, decimal_shape shape) {
  // DuckDB stores a decimal in the smallest integer that holds all its digits.
  if (shape.width <= 4)
    fill_decimal<int16_t>(c, shape);
  else if (shape.width <= 9)
    fill_decimal<int32_t>(c, shape);
  else if (shape.width <= 18)
    fill_decimal<int64_t>(c, shape);
  else
    fill_decimal<int128>(c, shape);
}

} // namespace

void fill(scan& source, size_t column, size_t first, size_t count, duckdb_vector to) {
  if (count == 0)
    return;
  const auto& data = *source.rows().data;
  cells c{source, column, data.columns[column], first, count, to};
  fill_validity(c);
  switch (c.from.type()) {
  case ums::type::int_:
    return fill_narrow<int32_t>(c, "INTEGER");
  case ums::type::boolean:
    return fill_narrow<bool>(c, "BOOLEAN");
  case ums::type::long_:
    std::memcpy(c.data<int64_t>(), c.from.ints().data() + first, count * sizeof(int64_t));
    return;
  case ums::type::double_:
    std::memcpy(c.data<double>(), c.from.reals().data() + first, count * sizeof(double));
    return;
  case ums::type::float_:
    return fill_float(c);
  case ums::type::date:
    return fill_date(c);
  case ums::type::datetime:
    return fill_timestamp(c);
  case ums::type::decimal:
    return fill_decimals(c, decimal_shape_of(data.schema->fields[column].native));
  case ums::type::binary:
    return fill_text(c, false);
  default:
    return fill_text(c, true);
  }
}

} // namespace rtdp::sql
