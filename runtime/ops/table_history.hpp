/// What REST and the command line show of a table's versions: plain values, made by the node from
/// its stores; the routes that show them; and the text for people. Any thread.
#pragma once

#include "runtime/core/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace rtdp::ops {

struct route;
class control;

struct table_column {
  std::string name;
  /// As UMS names it.
  std::string type;
  /// As the source names it; may be empty.
  std::string native;
  bool nullable = true;
  bool key = false;
};

struct table_change {
  /// "added", "dropped", "retyped", …
  std::string kind;
  std::string column;
  /// "amount: integer became bigint"
  std::string text;
  bool compatible = false;
};

struct table_version {
  int64_t version = 0;
  /// -1 for the first one.
  int64_t previous = -1;
  /// "published", "ignored" or "refused"; "open" for the moment in which it is decided.
  std::string decision;
  /// The version whose columns its rows have.
  int64_t published_as = 0;
  /// When and where in the source's log it was met first.
  int64_t at_us = 0;
  std::string position;
  std::vector<table_column> columns;
  /// Against the previous version.
  std::vector<table_change> changes;

  bool compatible() const;
};

struct table_history {
  /// The first four parts of the namespace.
  std::string name;
  /// Oldest first.
  std::vector<table_version> versions;
};

struct table_comparison {
  std::string name;
  int64_t from = 0, to = 0;
  std::vector<table_change> changes;

  bool compatible() const;
};

nlohmann::ordered_json to_json(const table_history& h);
nlohmann::ordered_json to_json(const table_comparison& c);

/// GET /api/v1/tables/{name}/versions and …/compatibility; `node` must outlive the server.
void add_table_routes(std::vector<route>& to, control& node);

/// GET …/versions as a table for people.
std::string versions_table(const nlohmann::ordered_json& history);

} // namespace rtdp::ops
