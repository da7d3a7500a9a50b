/// Every stage between driver and bus that a source's settings ask for, in the order in which rows
/// pass them: masks, merge, schema history. Masks come first, so that they meet tables under the
/// names of `tables:` and nothing behind them meets clear text. Called by the composition root.
#pragma once

#include "actors/extract/driver.hpp"
#include "actors/extract/stage.hpp"

namespace rtdp::extract {

/// REQUIRES: the settings were checked against the kind's spec.
result<std::vector<std::unique_ptr<stage>>> make_stages(const kind& k, const std::string& source,
                                                        const config::section& settings,
                                                        const std::string& data_dir);

} // namespace rtdp::extract
