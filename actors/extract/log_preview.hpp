/// `rtdp rules preview`: what the rules of a log source make of the events of a file, step by step.
/// Starts nothing and stores nothing. Called by main.
#pragma once

#include "config/pipeline.hpp"

#include <iosfwd>
#include <string>

namespace rtdp::extract::logs {

struct preview_request {
  /// The events.
  std::string file = {};
  /// As the user names the settings file in problems.
  std::string config = {};
  /// Empty: the only log source there is, and its tables in their order.
  std::string source = {}, table = {};
  int64_t limit = 10;
  bool json = false;
};

/// Prints to `out` a table for each event, or a JSON object a line; problems of the source, with
/// their lines, to `err`. Returns the exit code. Problems of other parts of the file do not count.
int preview_rules(const config::checked& settings, const preview_request& asked, std::ostream& out,
                  std::ostream& err);

} // namespace rtdp::extract::logs
