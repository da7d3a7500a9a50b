/// What a target would hold of the rows that a postgres source gave, and what the source's table
/// holds: to be compared. Header-only.
#pragma once

#include "test/actors/extract/postgres_fixture.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace rtdp::extract::test {

/// The target as a sink would hold it: key (the first column) to the whole row.
struct target {
  std::map<std::string, std::map<std::string, std::string>> tables;
  std::map<std::string, int64_t> ids;
  int64_t last = 0;
  int problems = 0;

  void apply(std::vector<ums::batch>& batches) {
    std::map<int64_t, std::pair<const ums::batch*, size_t>> order;
    for (const auto& b : batches)
      for (size_t i = 0; i < b.rows(); ++i)
        order[b.ids()[i]] = {&b, i};
    for (auto& [id, at] : order)
      take(*at.first, at.second, id);
    batches.clear();
  }
  void take(const ums::batch& b, size_t row, int64_t id) {
    problems += id <= last;
    last = id;
    auto name = b.schema->name[ums::ns::table];
    auto& rows = tables[name];
    if (b.kind == ums::protocol::increment_truncate)
      rows.clear();
    if (b.kind == ums::protocol::increment_sweep)
      std::erase_if(
          rows, [&](auto& r) { return ids[name + " " + r.first] < b.find("before")->ints()[row]; });
    if (!b.carries_rows())
      return;
    std::string key, text;
    for (size_t i = ums::system_columns; i < b.columns.size(); ++i) {
      std::string cell = "NULL";
      if (!b.columns[i].is_null(row)) {
        cell.clear();
        ums::append_cell(b.columns[i], row, cell);
      }
      if (b.schema->fields[i].key)
        key += cell + "|";
      text += cell + "|";
    }
    if (b.op(row) == 'd')
      rows.erase(key);
    else
      rows[key] = text;
    ids[name + " " + key] = id;
  }
};

/// The rows of a table whose key columns come first, as `target` holds them.
inline std::map<std::string, std::string> rows_of(source& s, const std::string& table,
                                                  size_t key = 1) {
  std::map<std::string, std::string> out;
  for (auto& r : s.db.run("select * from " + s.schema + "." + table)) {
    std::string name, text;
    for (size_t i = 0; i < r.size(); ++i) {
      name += i < key ? r[i] + "|" : "";
      text += r[i] + "|";
    }
    out[name] = text;
  }
  return out;
}

} // namespace rtdp::extract::test
