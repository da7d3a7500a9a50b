/// The `alarms:` part of the settings file: what is worth telling a person, and where to tell it.
/// Plain values, made by `check_alarms` before anything starts; any thread may read them.
#pragma once

#include "config/spec.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::config {

/// Part of a day in UTC, in minutes since midnight; it goes over midnight when `to` is not later.
struct quiet_hours {
  int from = 0, to = 0;
  bool hold(int minute) const {
    return from < to ? minute >= from && minute < to : minute >= from || minute < to;
  }
};

/// 0 is off, except for errors.
struct alarm_limits {
  std::chrono::milliseconds latency{0}, heartbeat{0}, silence{0};
  /// More than so many within the window; -1 is off.
  int64_t errors = -1;
  int64_t retained_log_bytes = 0;
  bool failed = true;
  std::vector<quiet_hours> quiet = {};
};

/// Other limits for one component or for the tables of a pattern.
struct alarm_override {
  /// "source", "stream" or "flow" and its name; or empty and a namespace pattern.
  std::string component, name;
  alarm_limits limits;
};

struct webhook_settings {
  secret url, token;
  std::string ca_file;
};

struct mail_settings {
  /// "smtp://host:port" or "smtps://host:port".
  std::string server;
  secret user, password;
  std::string from;
  texts to;
  /// False: in clear text, and without a password.
  bool tls = true;
  std::string ca_file;
};

struct alarm_settings {
  alarm_limits limits;
  /// The first one that fits counts.
  std::vector<alarm_override> overrides = {};
  std::chrono::milliseconds errors_window{60'000};
  /// So long a condition must last, or be over, to count.
  std::chrono::milliseconds hold{5000};
  /// How often an open alarm is told again; 0 is never.
  std::chrono::milliseconds remind{0};
  std::vector<webhook_settings> webhooks = {};
  std::vector<mail_settings> mails = {};
};

/// Declares all of `alarms:`.
spec alarms_spec();

/// "22:00-06:30"; false when it is nothing like that.
bool read_quiet_hours(std::string_view text, quiet_hours& out);

/// Reads `alarms:` of a file (null: there is none) into `out` and returns every problem.
/// `check_pattern` tells what is wrong with a namespace pattern; it may be absent.
std::vector<problem>
check_alarms(const tree* node, const std::function<std::string(std::string_view)>& check_pattern,
             alarm_settings& out);

} // namespace rtdp::config
