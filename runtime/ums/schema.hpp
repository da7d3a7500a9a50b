/// What the rows of one message look like. Immutable once shared.
#pragma once

#include "runtime/ums/namespace.hpp"
#include "runtime/ums/type.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::ums {

/// System columns: the first three of every row that rtdp writes, in this order.
inline constexpr std::string_view id_name = "ums_id_";
inline constexpr std::string_view ts_name = "ums_ts_";
inline constexpr std::string_view op_name = "ums_op_";
inline constexpr std::string_view uid_name = "ums_uid_";
inline constexpr std::string_view active_name = "ums_active_";
/// Of a sweep: the first id that its snapshot gave.
inline constexpr std::string_view before_name = "before";
constexpr size_t system_columns = 3;

constexpr bool is_system(std::string_view name) {
  return name == id_name || name == ts_name || name == op_name || name == uid_name;
}

struct field {
  std::string name;
  ums::type type = ums::type::string;
  bool nullable = true;
  /// True for a part of the source's primary key. Key of the field object: "key", left out if
  /// false.
  bool key = false;
  /// True when the value was masked. "encoded", left out if false.
  bool encoded = false;
  /// The type as the source names it, e.g. "numeric(12,2)". A sink of the same datastore creates
  /// its column from it. "native", left out if empty.
  std::string native = {};

  bool operator==(const field&) const = default;
};

struct schema {
  ns name;
  int64_t batch_id = 0;
  std::vector<field> fields;

  /// Position of a field by its exact name.
  std::optional<size_t> find(std::string_view field_name) const;
  std::vector<std::string> keys() const;

  bool operator==(const schema&) const = default;
};

using schema_ptr = std::shared_ptr<const schema>;

} // namespace rtdp::ums
