/// What needs a person's attention, and what of it was told already. Plain class: time and reports
/// are handed in, so that tests need no clock. Owned by ALARM; one thread.
///
/// A condition opens an alarm when it has held for `hold`, and ends it when it has been over for
/// `hold`; between the limit and four fifths of it nothing changes, so that a value that swings
/// around its limit is told once. What cannot be known at the moment (a table whose marks have not
/// come since the node started) changes nothing either, so that a restart tells nothing twice.
#pragma once

#include "config/alarms.hpp"
#include "runtime/alarm.hpp"
#include "runtime/core/error.hpp"
#include "runtime/report.hpp"
#include "runtime/ums/namespace.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace rtdp::heartbeat {

/// What somebody has to be told: that an alarm "began", still "lasts" or has "ended".
struct notice {
  std::string event;
  runtime::alarm what;
};

class alarm_rules {
public:
  alarm_rules(config::alarm_settings settings, int64_t now_us);

  /// Looks at every component. `errors` counts what failed of a component ("flow.orders") since the
  /// process began, besides its dead letters; what is missing is 0.
  std::vector<notice> look(const std::vector<runtime::report>& reports,
                           const std::map<std::string, int64_t>& errors, int64_t now_us);

  /// The open ones, then those that ended lately, newest first.
  std::vector<runtime::alarm> list() const;

  /// What is known, to be stored whenever `look` told something, and taken back after a restart.
  std::string text() const;
  error restore(const std::string& text);

private:
  enum class verdict : uint8_t { unknown, clear, holds };
  struct finding {
    verdict is = verdict::unknown;
    std::string text = {};
  };
  /// Condition, component, name.
  using key = std::tuple<std::string, std::string, std::string>;
  struct watch {
    runtime::alarm what;
    bool open = false;
    /// Since when the opposite of `open` is true; 0: it is not.
    int64_t turning_us = 0;
    int64_t told_us = 0;
    /// When its component was looked at last.
    int64_t looked_us = 0;
  };
  /// One table in all its versions.
  struct table {
    ums::ns name;
    std::string source;
    int64_t rows = 0;
    /// Time of the slowest flow's last mark; 0 when no mark is known.
    int64_t marked_us = 0;
    bool waited_for = false;
  };
  /// What is remembered of a table or of a component's errors.
  struct history {
    int64_t first_us = 0, last_row_us = 0, rows = 0;
    std::deque<std::pair<int64_t, int64_t>> errors = {};
    int64_t errors_total = 0, errors_in_window = 0;
  };

  std::map<std::string, table> tables_of(const std::vector<runtime::report>& reports) const;
  const config::alarm_limits& limits_of(const std::string& component, const std::string& name,
                                        const ums::ns* of_table) const;
  void look_at_table(const table& t, const std::string& name, const std::string& source_state,
                     int64_t now_us);
  void look_at_component(const runtime::report& r, int64_t errors, int64_t now_us);
  void count_errors(history& h, int64_t total, int64_t now_us) const;
  void judge(const char* condition, const std::string& component, const std::string& name,
             finding f, int64_t now_us);
  void open(watch& w, int64_t now_us);
  void close(watch& w, int64_t now_us, const std::string& why);
  /// `sources`: name and state of each.
  void let_go_of_the_gone(const std::map<std::string, std::string>& sources, int64_t now_us);

  struct exception {
    config::alarm_override what;
    /// Of an override for tables.
    std::optional<ums::ns> pattern;
  };
  config::alarm_settings settings_;
  std::vector<exception> exceptions_;
  int64_t began_us_;
  std::map<key, watch> watches_;
  std::map<std::string, history> histories_;
  std::deque<runtime::alarm> ended_;
  std::vector<notice> notices_;
};

} // namespace rtdp::heartbeat
