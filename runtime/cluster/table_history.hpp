/// Answers what REST asks of the schema history, from the store in `data_dir`. Plain functions, any
/// thread; each opens the store for itself.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/ops/table_history.hpp"

#include <optional>
#include <string>

namespace rtdp::cluster {

/// `name`: a namespace, with or without its version and partitions, or the table part alone.
/// Nothing when no table has this name; `rejected` when several have.
result<std::optional<ops::table_history>> versions_of(const std::string& data_dir,
                                                      const std::string& name);

/// -1 for `from` is the version before `to`, for `to` the last one. `rejected` for a version that
/// there is not.
result<std::optional<ops::table_comparison>>
compare_versions(const std::string& data_dir, const std::string& name, int64_t from, int64_t to);

} // namespace rtdp::cluster
