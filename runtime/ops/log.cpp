#include "runtime/ops/log.hpp"

#include "runtime/ops/component.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>
#include <map>
#include <mutex>

namespace rtdp::ops {
namespace {

/// UTC, so that the lines of several nodes can be put in one order.
constexpr auto text_pattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ %n: %v";

constexpr auto repeats_told_every = std::chrono::seconds(60);

int64_t micros(spdlog::log_clock::time_point t) {
  return std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count();
}

class as_json final : public spdlog::formatter {
public:
  void format(const spdlog::details::log_msg& m, spdlog::memory_buf_t& to) override {
    auto level = spdlog::level::to_string_view(m.level);
    auto line = dump({{"time", rfc3339(micros(m.time))},
                      {"level", std::string_view(level.data(), level.size())},
                      {"component", std::string_view(m.logger_name.data(), m.logger_name.size())},
                      {"message", std::string_view(m.payload.data(), m.payload.size())}});
    line += '\n';
    to.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<as_json>(); }
};

class repeat_filter final : public spdlog::sinks::base_sink<std::mutex> {
public:
  repeat_filter(std::chrono::seconds every, spdlog::sink_ptr next)
      : every_(every), next_(std::move(next)) {}

  void set_formatter_(std::unique_ptr<spdlog::formatter> f) override {
    next_->set_formatter(std::move(f));
  }
  void set_pattern_(const std::string& pattern) override { next_->set_pattern(pattern); }

protected:
  void sink_it_(const spdlog::details::log_msg& m) override {
    if (m.level < spdlog::level::warn)
      return next_->log(m);
    auto key = fmt::format("{}\n{}", m.logger_name, m.payload);
    auto at = seen_.find(key);
    if (at != seen_.end() && m.time < at->second.told + every_) {
      ++at->second.held_back;
      return;
    }
    auto held_back = at == seen_.end() ? 0 : at->second.held_back;
    seen_[std::move(key)] = {m.time, 0};
    if (seen_.size() > texts_max)
      forget_oldest();
    if (held_back == 0)
      return next_->log(m);
    auto text = fmt::format("{} (repeated {} times)", m.payload, held_back);
    next_->log({m.time, m.source, m.logger_name, m.level, text});
  }
  void flush_() override { next_->flush(); }

private:
  static constexpr size_t texts_max = 1024;

  struct told_text {
    spdlog::log_clock::time_point told;
    int64_t held_back = 0;
  };

  void forget_oldest() {
    auto earlier = [](const auto& a, const auto& b) { return a.second.told < b.second.told; };
    seen_.erase(std::min_element(seen_.begin(), seen_.end(), earlier));
  }

  std::chrono::seconds every_;
  spdlog::sink_ptr next_;
  std::map<std::string, told_text> seen_;
};

std::unique_ptr<spdlog::formatter> text_formatter() {
  return std::make_unique<spdlog::pattern_formatter>(text_pattern, spdlog::pattern_time_type::utc);
}

/// The one output of the process and its loggers.
class output {
public:
  output() {
    auto colours = std::getenv("NO_COLOR") != nullptr ? spdlog::color_mode::never
                                                      : spdlog::color_mode::automatic;
    sink_ =
        once_in(repeats_told_every, std::make_shared<spdlog::sinks::stderr_color_sink_mt>(colours));
    sink_->set_formatter(text_formatter());
  }

  void set(spdlog::level::level_enum level, log_format format) {
    std::lock_guard lock(guard_);
    level_ = level;
    sink_->set_formatter(format == log_format::json ? json_formatter() : text_formatter());
    for (auto& [name, held] : loggers_)
      held->set_level(level);
  }

  std::shared_ptr<spdlog::logger> get(const std::string& name) {
    std::lock_guard lock(guard_);
    auto& held = loggers_[name];
    if (!held) {
      held = std::make_shared<spdlog::logger>(name, sink_);
      held->set_level(level_);
      held->flush_on(spdlog::level::warn);
    }
    return held;
  }

private:
  std::mutex guard_;
  spdlog::sink_ptr sink_;
  spdlog::level::level_enum level_ = spdlog::level::info;
  std::map<std::string, std::shared_ptr<spdlog::logger>> loggers_;
};

output& the_output() {
  static output one;
  return one;
}

} // namespace

error setup_log(const log_options& options) {
  auto level = spdlog::level::from_str(options.level);
  // from_str answers "off" to whatever it does not know.
  if (level == spdlog::level::off && options.level != "off")
    return rejected(
        fmt::format("unknown log level \"{}\"; expected trace, debug, info, warn, error "
                    "or off",
                    options.level));
  the_output().set(level, options.format);
  return {};
}

std::shared_ptr<spdlog::logger> logger(const std::string& component) {
  return the_output().get(component);
}

std::unique_ptr<spdlog::formatter> json_formatter() { return std::make_unique<as_json>(); }

spdlog::sink_ptr once_in(std::chrono::seconds every, spdlog::sink_ptr next) {
  return std::make_shared<repeat_filter>(every, std::move(next));
}

} // namespace rtdp::ops
