/// The twelve UMS types and how a column of each is stored in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rtdp::ums {

enum class type : uint8_t {
  string,
  int_,
  long_,
  float_,
  double_,
  boolean,
  date,
  datetime,
  decimal,
  binary,
  jsonarray,
  jsonobject,
};

/// `ints`: int, long, boolean (0 or 1), date (days since 1970-01-01), datetime (microseconds since
/// 1970-01-01 00:00). `reals`: float, double. `texts`: string, decimal (exact text), jsonarray,
/// jsonobject (UTF-8) and binary (the bytes themselves; base64 only on the wire).
enum class storage : uint8_t { ints, reals, texts };

constexpr storage storage_of(type t) {
  switch (t) {
  case type::int_:
  case type::long_:
  case type::boolean:
  case type::date:
  case type::datetime:
    return storage::ints;
  case type::float_:
  case type::double_:
    return storage::reals;
  default:
    return storage::texts;
  }
}

/// A date or datetime column holds these for ±infinity; the wire says `infinity`, `-infinity`.
constexpr int64_t plus_infinity = INT64_MAX;
constexpr int64_t minus_infinity = INT64_MIN;

/// As written in a schema: "string", "int", "long", …
std::string_view to_string(type t);
std::optional<type> type_from(std::string_view name);

} // namespace rtdp::ums
