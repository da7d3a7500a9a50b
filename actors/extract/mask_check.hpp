/// What can be said of masks before the first row: for `rtdp check`, and for SOURCE when it opens.
/// Free functions; any thread.
#pragma once

#include "actors/extract/driver.hpp"
#include "actors/extract/mask_stage.hpp"

namespace rtdp::extract {

/// True when some table of a source has a mask.
bool has_masks(const config::section& settings);

/// What is wrong with the masks of a source, at the line of the mask. `described`, the schemas that
/// the kind's `describe` gave (it may be empty), become those of the tables behind their masks.
std::vector<config::problem> check_masks(const kind& k, const std::string& source,
                                         const config::section& settings,
                                         std::vector<ums::schema>& described);

/// Nothing when no table has a mask. Asks the source for its tables, for `describe_time` at most.
result<std::unique_ptr<stage>> make_mask_stage(const kind& k, const std::string& source,
                                               const config::section& settings,
                                               const std::vector<table_options>& tables);

} // namespace rtdp::extract
