/// Where the tables of one item of `tables:` go together: the one table that they are on the bus.
/// Plain value, made from checked settings; any thread.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/ums/namespace.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace rtdp::extract {

/// True when an item of `tables:` has a star outside of double quotes, and so stands for every
/// table that it matches.
bool has_star(std::string_view item);

struct merge_target {
  /// Empty: stays what it is with each table.
  std::string instance, database;
  std::string table;
  /// Empty: no column tells the shard.
  std::string shard_column;

  /// The name on the bus: the logical parts, and the shard as seventh part. The version stays.
  ums::ns published(const ums::ns& physical) const;

  /// What tells one shard from the others: the physical table, with its database and instance in
  /// front where those were replaced, such as `orders_07` or `eu.shop_1.orders_07`.
  std::string shard_of(const ums::ns& physical) const;

  /// Whether tables of this pattern come out under this name. Version and partitions do not count.
  bool stands_for(const ums::ns& pattern, const ums::ns& published) const;
  /// The pattern of the names that come out.
  ums::ns logical(const ums::ns& pattern) const;
};

/// Reads the options `into` and `shard_column`; nothing when both are empty. `rejected` says what
/// is wrong with them.
result<std::optional<merge_target>> read_merge(const std::string& into,
                                               const std::string& shard_column);

} // namespace rtdp::extract
