/// What can be set of the `file` source, and what its driver is made of. Plain values, made from
/// checked settings.
#pragma once

#include "actors/extract/file_watch.hpp"
#include "actors/extract/log_expression.hpp"
#include "config/spec.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace rtdp::extract::files {

struct options {
  std::string source, host;
  /// Hash of all that decides which rows the bytes make.
  std::string plan;
  watch_settings watch;
  logs::expression start;
  size_t event_bytes_max = 0;
  std::chrono::milliseconds poll_interval{}, join_timeout{}, incomplete_after{};
  /// CSV without columns in the settings.
  bool csv_header = false;
  char csv_delimiter = ',';
};

config::spec make_spec();
options read_options(const std::string& name, const config::section& s);
/// For `kind::check`.
std::vector<config::problem> check_settings(const config::section& s);

} // namespace rtdp::extract::files
