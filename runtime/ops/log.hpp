/// The log: one line a message on stderr, with time, level and component, as text or as JSON. Every
/// component has a spdlog logger of its own, named as in dead letters ("flow.orders"), and all of
/// them share one output. Any thread may log.
///
/// A warning or error that repeats is written once a minute and then says how often it came, so
/// that a component which retries cannot fill a disk. Secrets cannot be logged: config::secret has
/// no formatter.
#pragma once

#include "runtime/core/error.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace rtdp::ops {

enum class log_format : uint8_t { text, json };

struct log_options {
  /// trace, debug, info, warn, error or off.
  std::string level = "info";
  log_format format = log_format::text;
};

/// Takes effect for all loggers, also those made before. `rejected` for an unknown level.
error setup_log(const log_options& options);

/// The logger of a component; the caller keeps it, this call takes a lock.
std::shared_ptr<spdlog::logger> logger(const std::string& component);

/// `{"time":…,"level":…,"component":…,"message":…}`
std::unique_ptr<spdlog::formatter> json_formatter();

/// Passes messages on to `next`, but a warning or error with the same component and text only once
/// in `every`, by the time of the message; what was held back is told with the next one that
/// passes: "… (repeated 57 times)". Remembers 1,024 texts and forgets the oldest.
spdlog::sink_ptr once_in(std::chrono::seconds every, spdlog::sink_ptr next);

} // namespace rtdp::ops
