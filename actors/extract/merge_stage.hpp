/// The stage that makes one table of several: names, the shard's column, and what a TRUNCATE of one
/// shard means. The version of a table is still the driver's behind it; the history stage makes
/// one line of them. Owned by an `extraction`; one thread.
///
/// A TRUNCATE empties the rows of its shard only: it carries the shard's column, by which sinks
/// find them. Without such a column it would empty all shards, so it becomes a dead letter that
/// says so, and the rows stay in the targets.
#pragma once

#include "actors/extract/stage.hpp"
#include "actors/extract/table_options.hpp"

#include <map>
#include <unordered_map>

namespace rtdp::extract {

class merge_stage final : public stage {
public:
  explicit merge_stage(std::vector<table_options> tables) : tables_(std::move(tables)) {}

  error begin(std::vector<ums::schema_ptr>& versions, const std::string& place) override;
  error apply(std::vector<ums::batch>& batches, std::vector<bad_row>& bad,
              const std::string& place) override;
  ums::ns published(const ums::ns& name) const override;

private:
  const merge_target* target_of(const ums::ns& physical) const;
  ums::schema_ptr merged(const ums::schema_ptr& from, const merge_target& to);

  std::vector<table_options> tables_;
  /// The schemas of a collector live as long as it does, and are few; each is held by its key here,
  /// so that an address is never another schema's.
  std::map<ums::schema_ptr, ums::schema_ptr> schemas_;
};

/// A schema as it leaves a merge: under the logical name, with the shard's column behind the
/// others. `rejected` when the table has a column of that name.
result<ums::schema> merged_schema(const ums::schema& from, const merge_target& to);

} // namespace rtdp::extract
