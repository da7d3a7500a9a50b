/// The last check of sources: what their kinds find wrong beyond the spec. Part of `check`.
#pragma once

#include "config/pipeline.hpp"
#include "config/tree.hpp"

#include <vector>

namespace rtdp::config {

/// Asks `kinds.check_source` about each source that has no problem among `known`: what else is
/// wrong would follow from those. `written` is the file's part `sources:`; a text that came by
/// reference is not shown.
std::vector<problem> check_sources(const catalogue& kinds, const std::vector<component>& sources,
                                   const tree& written, const std::vector<problem>& known);

} // namespace rtdp::config
