/// The seven-part name of a table version, and patterns over it.
/// The only place that splits or joins such names.
#pragma once

#include "runtime/core/error.hpp"

#include <array>
#include <compare>
#include <string>
#include <string_view>

namespace rtdp::ums {

/// `datastore.instance.database.table.version.dbpartition.tablepartition`.
/// For PostgreSQL the third part is the schema; for SQLite it is `main`.
class ns {
public:
  enum part : size_t {
    datastore,
    instance,
    database,
    table,
    version,
    db_partition,
    table_partition
  };

  ns() = default;
  /// Takes each part as it is: "*" here is a table of that name. Only `parse` makes wildcards.
  ns(std::string datastore, std::string instance, std::string database, std::string table,
     std::string version = "0", std::string db_partition = "0", std::string table_partition = "0");

  /// Reads a name or a pattern: a star stands for any text, `orders_*`. A part with a dot, a star of
  /// its own, a blank or a quote stands in double quotes, doubled inside, as SQL writes it. Missing
  /// trailing parts are `*`. Rejects an eighth part, an empty one, an open quote, and says where.
  static result<ns> parse(std::string_view text);

  /// The same for text that goes on after the seventh part, as keys of other systems do: what
  /// stands behind the dot there is left in `rest`.
  static result<ns> parse_head(std::string_view text, std::string_view& rest);

  /// The inverse of `parse`, always seven parts.
  std::string text() const;

  const std::string& operator[](part p) const { return parts_[p]; }
  /// Takes the part as it is, like the constructor.
  void set(part p, std::string value);

  /// True when any part is the wildcard.
  bool is_pattern() const;

  /// Part by part: equal, or what a wildcard on this side stands for. A wildcard is a part with an
  /// unquoted `*`; a table really named `*` is written `"*"` and matches only itself.
  bool matches(const ns& name) const;

  auto operator<=>(const ns&) const = default;

private:
  std::array<std::string, 7> parts_;
  std::array<bool, 7> any_{};
};

} // namespace rtdp::ums
