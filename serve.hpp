/// `rtdp run`: a node from its settings file until a signal, alone or as part of a cluster. Called
/// once, by main.
#pragma once

#include "config/pipeline.hpp"
#include "runtime/core/error.hpp"
#include "runtime/ops/log.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace rtdp {

struct serve_options {
  std::string file;
  std::vector<std::string> set;
  /// Of a cluster's file: which node this is.
  std::string node;
  bool until_idle = false;
  ops::log_options log;
  std::string log_format = "text";
};

/// The file as a model without a problem; nothing when it has one, which is printed then. `note` is
/// told what could not be checked.
std::optional<config::pipeline> load_checked(const serve_options& o,
                                             const std::function<void(const std::string&)>& note);

/// Prints the error; 1, the exit code.
int failed(const error& e);

/// Runs the node; the exit code.
int serve(const serve_options& o);

} // namespace rtdp
