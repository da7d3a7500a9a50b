/// The commands that ask a node that runs: what main.cpp adds to the command line beside its own.
#pragma once

#include "runtime/ops/cli.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace rtdp {

/// What the arguments of these commands are read into; must outlive the parsing.
struct remote_options {
  std::string url = ops::default_url();
  bool json = false;
  std::string name, verb, to, component, file;
  std::vector<std::string> tables;
  std::vector<int64_t> ids;
  ops::snapshot_order snapshot;
  bool wait = false, no_wait = false, all = false, versions = false;
  int64_t limit = 1000;
};

/// A command that is given sets `code`, the exit code.
void add_remote_commands(CLI::App& app, remote_options& o, int& code);

} // namespace rtdp
