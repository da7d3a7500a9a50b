/// Renders what can be set as Markdown: config/reference.md and `rtdp reference [KIND]`. Everything
/// follows from the specs, nothing is written twice. Pure functions.
#pragma once

#include "config/pipeline.hpp"

#include <string>
#include <vector>

namespace rtdp::config {

/// The whole page: how settings are written, then every kind of everything, each with an example.
std::string reference(const catalogue& kinds);

/// What the page says about one kind (`postgres` is a source and a sink: both), or about `node`,
/// `stream` and `flow`. Empty when there is no such kind.
std::string reference(const catalogue& kinds, const std::string& kind);

/// Every name that the function above knows, once each, for the error text.
std::vector<std::string> reference_names(const catalogue& kinds);

/// The examples of the page, each a part of a settings file, for a test that each of them passes.
std::vector<std::string> reference_examples(const catalogue& kinds);

} // namespace rtdp::config
