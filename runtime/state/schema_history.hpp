/// Every version that a table has had, with the place in the source's log where it began, in
/// `<data_dir>/schemas.db`. Each actor opens its own store; writers exclude each other by SQLite's
/// lock, so that several sources may share the versions of one merged table.
#pragma once

#include "runtime/core/error.hpp"
#include "runtime/state/sqlite.hpp"
#include "runtime/ums/schema.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtdp::state {

/// What was decided about a version when it was met.
enum class version_decision : uint8_t {
  /// Not yet: a crash came in between. Decided when it is met again.
  open,
  /// Its rows go out under its own columns.
  published,
  /// Its rows go out under the columns of `published_as`.
  ignored,
  /// The source failed and waits for a person.
  refused,
};

std::string_view to_string(version_decision d);

struct table_version {
  int64_t version = 0;
  /// The version that the table had before; -1 for the first one.
  int64_t previous = -1;
  version_decision decision = version_decision::open;
  /// The version whose columns its rows have; itself unless it is ignored.
  int64_t published_as = 0;
  /// When and where in the source's log it was met first. The place may be empty.
  int64_t at_us = 0;
  std::string place = {};
  /// Without the system columns.
  std::vector<ums::field> fields = {};
};

/// A version as a source hands it over.
struct met_version {
  /// `schema_history::table_of` its namespace.
  std::string table;
  /// The source's name, and with merged tables what tells the shard: the driver's numbers count for
  /// each of them alone.
  std::string line;
  /// As the driver counts.
  int64_t number = 0;
  /// Several lines share one table, so equal columns are one version whatever their numbers.
  bool merged = false;
  std::vector<ums::field> fields = {};
  std::string place = {};
  int64_t at_us = 0;
};

class schema_history {
public:
  static result<schema_history> open(const std::string& data_dir);

  /// The first four parts of a namespace: what names a table over all its versions.
  static std::string table_of(const ums::ns& name);

  /// The version that these columns are, kept when it is a new one; durable when it returns.
  /// Nullability alone makes no version, since logs do not carry it.
  result<table_version> meet(const met_version& met);

  error decide(const std::string& table, int64_t version, version_decision d, int64_t published_as);

  /// What `meet` answered for a number of the driver's before.
  result<std::optional<table_version>> find_met(const std::string& table, const std::string& line,
                                                int64_t number);
  /// The line's version behind this one; nothing when this is its last.
  result<std::optional<table_version>> successor(const std::string& table, const std::string& line,
                                                 int64_t number);

  result<std::optional<table_version>> find(const std::string& table, int64_t version);
  /// In order; empty for an unknown table.
  result<std::vector<table_version>> versions(const std::string& table);
  /// `table_of` all tables, in order.
  result<std::vector<std::string>> tables();

  /// What a source has met, for a copy on another node: texts by keys, of which each begins with
  /// the source's name and a line break.
  result<std::map<std::string, std::string>> copy_of(const std::string& source);
  /// Puts such texts in the place of everything that the source has met here; all or none.
  error adopt(const std::string& source, const std::map<std::string, std::string>& copy);

private:
  result<std::optional<table_version>> one(std::string_view where, const std::string& table,
                                           const std::string& line, int64_t number);
  result<int64_t> number_for(const met_version& met, const std::vector<table_version>& all);
  error insert(const met_version& met, const table_version& v);
  error link(const met_version& met, int64_t version);
  error copy_versions(const std::string& source, std::map<std::string, std::string>& out);
  error copy_lines(const std::string& source, std::map<std::string, std::string>& out);
  error forget_lines(const std::string& source);

  database db_;
};

} // namespace rtdp::state
