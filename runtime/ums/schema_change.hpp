/// What differs between two versions of a table, and whether readers of the older one may go on.
/// Plain functions over schemas; any thread.
///
/// Compatible: every row of the new version still says what the old columns said, in types that
/// hold at least as much. Columns added, types widened, nullability changed either way (a reader of
/// changes takes null anywhere: a tombstone has nothing else).
/// Incompatible: columns dropped, renamed, narrowed or of another type, another key.
#pragma once

#include "runtime/ums/schema.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::ums {

struct schema_change {
  enum class kind : uint8_t {
    added,
    widened,
    nullability,
    dropped,
    /// By its place and type: the log says no more than that one column went and one came.
    renamed,
    narrowed,
    retyped,
    key,
  };
  schema_change::kind what = kind::added;
  /// The older name when it was renamed; empty for the key.
  std::string column;
  /// "amount: integer became bigint"
  std::string text;

  bool compatible() const { return what <= kind::nullability; }
  bool operator==(const schema_change&) const = default;
};

/// "added", "widened", …
std::string_view to_string(schema_change::kind k);

/// System columns do not count, nor does the order of columns.
std::vector<schema_change> changes_between(std::span<const field> from, std::span<const field> to);

/// True when all of them are; also when there are none.
bool compatible(std::span<const schema_change> changes);

/// "dropped note; amount: integer became text"
std::string text_of(std::span<const schema_change> changes);

/// How the values of one type lie in another.
enum class type_change : uint8_t { same, widened, narrowed, retyped };

/// By the types as the source names them where their sizes are known, such as varchar(10) and
/// numeric(12,2) of any dialect, else by the UMS types; what neither tells is `retyped`.
type_change change_of(const field& from, const field& to);

/// True when every value of `from` is one of `to`, as UMS types.
bool fits(type from, type to);

} // namespace rtdp::ums
