/// What all log sources share: bytes of one event become rows of the right table. The format takes
/// the event apart into named cells, then the tables are tried in the order of the file: the first
/// one whose rules keep the event has its rows. Plain class; owned by a driver, one thread.
///
///   not of the format, or not UTF-8      → dead letter, with the bytes
///   no table keeps it (format regex: the pattern does not match counts as this)
///                                        → a row of the table `unmatched` with the text, the
///                                        reason
///                                          and the origin; or a dead letter (`unmatched:`)
///   a value that is not of its column's type, or a required one that is missing
///                                        → dead letter of that table, with the bytes
///
/// No reason ever holds a value: columns may be masked. When a table of the source masks columns, a
/// note stands for the text of an event and for the bytes of a dead letter; the origin says where
/// the event is.
/// Namespaces are `log.<source>.main.<table>.0.<host>.0`; DBus has the host there, too.
#pragma once

#include "actors/extract/collector.hpp"
#include "actors/extract/driver.hpp"
#include "actors/extract/log_plan.hpp"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::extract::logs {

/// Where and when an event comes from. Views need to live for the call only.
struct origin {
  /// Part 6 of the namespace; "0" when empty.
  std::string_view host = {};
  /// ums_ts_ unless the table has a `time:` column.
  int64_t ts_us = 0;
  /// Facts that rules and columns find under their names, which begin with @: {"@file", path}.
  std::span<const cell> facts = {};
  /// Of CSV whose settings name no columns: the header of the file.
  std::span<const std::string> csv_header = {};
};

class events {
public:
  /// REQUIRES: `check_events` found no problem in the settings.
  events(std::string source, const config::section& settings);

  /// Hands the rows of one event to `out`; the caller commits. One collector for its whole life.
  void add(std::string_view event, const origin& from, collector& out);

  /// Keeps as a dead letter what a source could not even make an event of.
  void refuse(const std::string& reason, std::string_view bytes, const origin& from,
              collector& out);

  /// Whether the event is of the format: for sources that answer before they take it.
  error decodes(std::string_view event, const origin& from);

  /// All tables of every host that has shown up, `snapshot_done`; of host `host` at least.
  std::vector<table_progress> tables(std::string_view host) const;

  /// Rows of tables, events no table kept, and dead letters so far.
  struct counts {
    uint64_t rows = 0, unmatched = 0, dead_letters = 0;
  };
  const counts& counted() const { return counted_; }

private:
  const std::vector<collector::handle>& handles(std::string_view host, collector& out);
  void add_rows(size_t table, const std::vector<record>& rows, std::string_view event,
                const origin& from, collector& out);
  void add_unmatched(const std::string& reason, std::string_view event, const origin& from,
                     collector& out);
  void add_spoiled(collector::handle to, std::string reason, std::string_view event,
                   const origin& from, collector& out);

  /// The event, or a note when it may hold what is to be masked.
  std::string_view keepable(std::string_view event) const;

  std::string source_;
  std::unique_ptr<plan> plan_;
  /// The event's cells; kept for its memory.
  std::vector<record> rows_;
  /// By host, one per table, that of `unmatched` last.
  std::map<std::string, std::vector<collector::handle>, std::less<>> handles_;
  counts counted_;
};

/// The settings that every log source has, for its spec. `formats`: the first is the default.
void add_event_settings(config::spec& spec, std::vector<std::string> formats = {});

/// What is wrong with them beyond the spec: rules, expressions, scopes, columns. Paths are relative
/// to the source. `has_header`: CSV may do without `csv_columns`. Goes into `kind::check`.
std::vector<config::problem> check_events(const config::section& settings);
std::vector<config::problem> check_events_with_header(const config::section& settings);

/// For `kind::describe` and `kind::pattern`.
result<std::vector<ums::schema>> describe_events(const std::string& source,
                                                 const config::section& settings);
result<ums::ns> event_pattern(const std::string& source, const std::string& item);

/// The table of a log source that no item of `tables:` names; nothing for other kinds.
std::optional<ums::ns> unmatched_pattern(const kind& k, const std::string& source);

} // namespace rtdp::extract::logs
