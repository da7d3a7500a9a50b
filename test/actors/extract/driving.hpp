/// Drives a source driver in a test as SOURCE does, and applies what it hands over to a model.
#pragma once

#include "actors/extract/driver.hpp"
#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rtdp::test {

using namespace std::chrono_literals;

inline std::unique_ptr<extract::driver> make_source(const std::string& kind,
                                                    const std::string& yaml) {
  for (const auto& k : extract::kinds())
    if (k.spec.name == kind) {
      config::section settings;
      auto problems = k.spec.parse(YAML::Load(yaml), "sources.shop", settings);
      for (const auto& p : problems)
        FAIL(p.path << " " << p.text);
      return k.make("shop", settings);
    }
  return nullptr;
}

/// One row as handed over, as text.
struct seen_row {
  std::string table, version;
  ums::protocol kind;
  int64_t id = 0;
  char op = 0;
  /// By column; "NULL" for null.
  std::map<std::string, std::string> cells;
  std::string key;

  bool operator==(const seen_row&) const = default;
};

inline std::vector<seen_row> rows_of(const std::vector<ums::batch>& batches) {
  std::vector<seen_row> out;
  for (const auto& b : batches)
    for (size_t r = 0; r < b.rows(); ++r) {
      seen_row row{.table = b.schema->name[ums::ns::table],
                   .version = b.schema->name[ums::ns::version],
                   .kind = b.kind,
                   .id = b.ids()[r],
                   .op = b.carries_rows() ? b.op(r) : char(0),
                   .cells = {},
                   .key = ""};
      for (size_t c = ums::system_columns; b.carries_rows() && c < b.columns.size(); ++c) {
        std::string text;
        if (b.columns[c].is_null(r))
          text = "NULL";
        else
          ums::append_cell(b.columns[c], r, text);
        if (b.schema->fields[c].key)
          row.key += text + "|";
        row.cells[b.schema->fields[c].name] = std::move(text);
      }
      out.push_back(std::move(row));
    }
  return out;
}

/// The driver with its collector, as SOURCE holds them.
struct drive {
  std::unique_ptr<extract::driver> source;
  extract::collector out;
  /// What would be stored.
  std::string position;
  int64_t next_id;

  drive(std::unique_ptr<extract::driver> s, std::string from, int64_t id, size_t rows_max = 50'000)
      : source(std::move(s)), out(id, rows_max), position(std::move(from)), next_id(id) {}

  extract::collector::taken step(std::chrono::milliseconds wait = 0ms) {
    auto failed = source->read(out, wait);
    REQUIRE_MESSAGE(!failed, failed.text());
    auto taken = out.take();
    CHECK((taken.rows == 0 || !taken.position.empty()));
    if (!taken.position.empty()) {
      position = taken.position;
      next_id = taken.next_id;
    }
    return taken;
  }
};

/// Reads until nothing more is there.
inline std::vector<seen_row> read_all(drive& d) {
  std::vector<seen_row> all;
  do {
    auto rows = rows_of(d.step().batches);
    all.insert(all.end(), rows.begin(), rows.end());
  } while (!d.source->progress().idle);
  return all;
}

/// The state of all tables after some rows: what a sink would hold.
class model {
public:
  void apply(const seen_row& r) {
    if (r.kind == ums::protocol::increment_truncate)
      tables_[r.table].clear();
    if (r.op == 0 || r.op == 'b')
      return;
    CHECK_MESSAGE(r.id > last_id_[r.table], "ids of " << r.table << " go back at " << r.id);
    last_id_[r.table] = r.id;
    if (r.op == 'd')
      tables_[r.table].erase(r.key);
    else
      for (const auto& [name, text] : r.cells)
        tables_[r.table][r.key][name] = text;
  }
  void apply(const std::vector<seen_row>& rows) {
    for (const auto& r : rows)
      apply(r);
  }
  /// Key to cells.
  const std::map<std::string, std::map<std::string, std::string>>& table(const std::string& name) {
    return tables_[name];
  }

private:
  std::map<std::string, std::map<std::string, std::map<std::string, std::string>>> tables_;
  std::map<std::string, int64_t> last_id_;
};

} // namespace rtdp::test
