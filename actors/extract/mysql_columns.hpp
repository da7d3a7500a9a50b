/// What the columns of a table are: as the catalog and statements name their types, as the log
/// stores them, as UMS carries them. Plain values and pure functions.
#pragma once

#include "actors/extract/mysql_charset.hpp"
#include "actors/extract/mysql_events.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/schema.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::my {

/// One column of a table version, as the schema history keeps it.
struct column_def {
  std::string name;
  /// information_schema's COLUMN_TYPE: "int(10) unsigned", "enum('a','b')".
  std::string type;
  /// Of texts; "" for all others, or when it is not known.
  std::string charset = {};
  bool nullable = true;
  bool key = false;
  bool operator==(const column_def&) const = default;
};

/// What a type's text says.
struct parsed_type {
  /// Lower case, without brackets: "int", "decimal", "varchar".
  std::string base;
  std::optional<uint32_t> length = {}, scale = {};
  bool is_unsigned = false;
  std::vector<std::string> labels = {};
};
result<parsed_type> parse_type(std::string_view text);

enum class zero_dates : uint8_t { reject, null, text };

/// How a value becomes one of UMS.
enum class conversion : uint8_t {
  integer,
  unsigned_long, // decimal text of 64 bits
  real4,
  real8,
  decimal,
  date,
  datetime,
  timestamp,
  time,
  year,
  text,
  bytes,
  enumeration,
  set,
  bits,
  uuid,
  inet4,
  inet6,
  unreadable, // every row with a value is a dead letter
};

/// A column that is ready to convert.
struct plan {
  stored_column stored;
  conversion how = conversion::text;
  bool is_unsigned = false;
  /// Date kinds: what to do with 0000-00-00; "text" makes the whole column text.
  zero_dates zeros = zero_dates::reject;
  bool as_text = false;
  /// Bytes of a BINARY(n), whose trailing zeros the log leaves out.
  uint32_t pad_to = 0;
  /// Digits behind the point, of times.
  uint8_t fraction = 0;
  std::shared_ptr<charset> chars = {};
  std::vector<std::string> labels = {};
};

struct planned_column {
  ums::field field;
  plan how;
  /// What a snapshot selects.
  std::string expression;
};

/// From what the history knows. `rejected` for a type text that cannot be read.
result<planned_column> plan_column(const column_def& c, zero_dates zeros);

/// True when the log can store such a column so. `unsigned_known`: the metadata say whether.
bool fits(const column_def& c, stored_column stored);

/// The definition that the log's own metadata give; types that look alike there (uuid, binary(16))
/// become the plainer one.
column_def column_from(stored_column stored, const column_metadata& m, bool nullable,
                       const std::string& charset_name);

/// "`int`, `varchar(10)`", for messages: what the log says a column is.
std::string describe_stored(stored_column c);

} // namespace rtdp::extract::my
