/// The settings of a log source made ready to run: its format and its tables, each with its rules
/// and columns. Made by `make_plan`, which is also what finds every mistake in them. Owned by who
/// works with it, one thread: rules keep memory between events.
#pragma once

#include "actors/extract/log_columns.hpp"
#include "actors/extract/log_format.hpp"
#include "actors/extract/log_rules.hpp"
#include "config/spec.hpp"

#include <memory>
#include <string>
#include <vector>

namespace rtdp::extract::logs {

inline constexpr const char* unmatched_table = "unmatched";

struct table_plan {
  std::string name;
  /// Null: every event. Else the text of the event must have a match.
  expression match;
  std::vector<std::unique_ptr<rule>> rules;
  /// Of each rule: the operator, and the line of its step.
  std::vector<std::pair<std::string, int>> steps;
  std::vector<column_settings> columns;
  /// The columns are the cells in their order (saveAs); else each is looked up by name.
  bool by_position = false;
  /// The column that gives ums_ts_; `none`: the origin does.
  size_t time = none;

  std::vector<ums::field> fields() const;
};

struct plan {
  format how;
  std::vector<table_plan> tables;
  bool keep_unmatched = true;
  /// A table masks columns: the text of an event that is no row may hold what is to be masked.
  bool conceals = false;
  arena memory;
  json_reader json;

  explicit plan(format f) : how(std::move(f)) {}

  /// Carries out the rules of `t` on `rows`, which hold the event's cells. False: the event is not
  /// of this table; `step` is then the rule that said so.
  result<bool> run(table_plan& t, std::vector<record>& rows, std::span<const cell> origin,
                   size_t& step);
  /// The cell of a column in a row, null when there is none.
  static cell value_of(const table_plan& t, size_t column, const record& row,
                       std::span<const cell> origin);
};

/// Null when there is a problem. Paths are relative to the source.
std::unique_ptr<plan> make_plan(const config::section& settings, bool has_header,
                                std::vector<config::problem>& problems);

/// What unmatched events have: event, reason, origin.
std::vector<ums::field> unmatched_fields();

} // namespace rtdp::extract::logs
