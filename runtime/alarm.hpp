/// A condition that somebody should look at. Plain data: ALARM makes it, REST and the channels show
/// it.
#pragma once

#include <cstdint>
#include <string>

namespace rtdp::runtime {

struct alarm {
  /// What is wrong: "latency", "heartbeat", "silence", "errors", "retained_log", "failed".
  std::string condition;
  /// "source", "table", "flow", "sink", and its name.
  std::string component, name;
  /// For people: what was found, what is allowed.
  std::string text;
  int64_t since_us = 0;
  /// 0 while the condition lasts.
  int64_t ended_us = 0;

  template<class Inspector>
  friend auto inspect(Inspector& f, alarm& x) {
    return f(x.condition, x.component, x.name, x.text, x.since_us, x.ended_us);
  }
};

} // namespace rtdp::runtime
