/// Which topics the sources of a file write to and its flows read: for `assemble` and `rtdp check`.
/// Plain functions over checked settings.
#pragma once

#include "actors/extract/routing.hpp"
#include "config/pipeline.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/core/error.hpp"

#include <map>
#include <string>
#include <vector>

namespace rtdp {

result<extract::routing> routing_of(const config::component& source);

/// Of every source that can be read; `check_topics` tells of the others.
std::map<std::string, bus::topic_options> options_of_topics(const config::pipeline& p);

/// Topics that a flow's pattern can find rows on.
std::vector<std::string> topics_of(const config::pipeline& p, const std::string& pattern);

/// Adds what is wrong with the topics of sources: their names, and two sources on one.
void check_topics(const config::pipeline& p, std::vector<config::problem>& problems);

} // namespace rtdp
