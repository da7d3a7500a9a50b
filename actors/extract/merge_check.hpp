/// What is wrong with the merges of all sources together, before anything starts. Ids of two
/// sources cannot be compared, so where several feed one table, its key must tell them apart. Plain
/// functions over checked settings; called by the composition root.
#pragma once

#include "actors/extract/driver.hpp"
#include "actors/extract/table_options.hpp"

#include <string>
#include <vector>

namespace rtdp::extract {

/// A source of the file, for the checks over all of them.
struct configured_source {
  std::string name;
  /// Of the kind named in the file; null when there is no such kind.
  const kind* type = nullptr;
  const config::section* settings = nullptr;
};

/// A table that several sources feed.
struct shared_table {
  /// Pattern: version and partitions are `*`, and what the sources' own patterns leave open.
  ums::ns name;
  std::string shard_column;
};

struct merge_findings {
  std::vector<config::problem> problems;
  std::vector<shared_table> shared;
};

merge_findings check_merges(const std::vector<configured_source>& sources);

/// What the kind's `describe` told, as it leaves for the bus: under the logical names, with the
/// shard's column. A table that cannot be merged keeps its name; the start tells why.
void merge_schemas(const configured_source& source, std::vector<ums::schema>& described);

/// The second parts that a source's namespaces have: its own name, and those that it merges into.
std::vector<std::string> instances_of(const configured_source& source);

} // namespace rtdp::extract
