/// What an item of `tables:` may say whatever the kind of its source: declared once here, read by
/// the stages between driver and bus. Plain values, made from checked settings; any thread.
#pragma once

#include "actors/extract/merge_target.hpp"
#include "config/spec.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ums/namespace.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract {

struct kind;

/// The fields of one kind's items, and behind them those that every kind has.
std::vector<config::field> with_table_options(std::vector<config::field> own);

/// One item of `tables:`, with the namespaces it stands for.
struct table_options {
  ums::ns pattern;
  config::section settings;
  /// Where its tables go together; nothing when each goes under its own name.
  std::optional<merge_target> merge = {};
};

/// What matches a table in every version and partition; every table of the database when
/// `any_table` is set.
result<ums::ns> pattern_of(const std::string& datastore, const std::string& source,
                           const std::string& database, const std::string& table,
                           bool any_table = false);

/// The same for names in which stars stand for any text. REQUIRES: `has_star` of one of them.
result<ums::ns> glob_of(const std::string& datastore, const std::string& source,
                        const std::string& database, const std::string& table);

/// All items in the order of the file. REQUIRES: the settings were checked. `rejected` when a name
/// cannot be read; empty when the kind has no tables.
result<std::vector<table_options>> read_table_options(const kind& k, const std::string& source,
                                                      const config::section& settings);

/// The first item that stands for this table, or null. Version and partitions do not count.
const table_options* options_of(const std::vector<table_options>& all, const ums::ns& table);
/// The same for a table as it is named behind the merge.
const table_options* options_of_published(const std::vector<table_options>& all,
                                          const ums::ns& table);

} // namespace rtdp::extract
