/// A SQLite file of a test's own, a writer on it, and what its tables hold.
#pragma once

#include "actors/extract/sqlite_table.hpp"
#include "runtime/state/sqlite.hpp"
#include "test/actors/extract/driving.hpp"
#include "test/support/temp_folder.hpp"

#include <random>

namespace rtdp::test {

class sqlite_file {
public:
  /// A folder only: another process makes the file, then `open` may be called.
  sqlite_file() = default;
  explicit sqlite_file(const std::string& sql, const std::string& journal = "WAL") {
    {
      auto made = state::database::open(path());
      REQUIRE(made);
    }
    connect();
    exec("PRAGMA journal_mode = " + journal +
         "; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON; " + sql);
  }

  void connect() {
    auto opened = state::database::open_existing(path(), 5s);
    REQUIRE(opened);
    db_ = std::move(*opened);
  }
  std::string path() const { return folder_.file("shop.db"); }
  state::database& db() { return db_; }

  void exec(const std::string& sql) {
    auto failed = db_.exec(sql);
    REQUIRE_MESSAGE(!failed, failed.text() << " in " << sql);
  }
  int64_t number(const std::string& sql) {
    auto row = db_.prepare(sql);
    REQUIRE(row);
    REQUIRE(*row->step());
    return row->integer(0);
  }

  /// A source on this file. `more` are settings; `tables` in YAML.
  std::unique_ptr<extract::driver> source(const std::string& tables, const std::string& more = "") {
    return make_source("sqlite", "{path: " + path() + ", tables: " + tables +
                                     (more.empty() ? "" : ", ") + more + "}");
  }
  drive open(const std::string& tables, const std::string& more = "", const std::string& from = "",
             int64_t next_id = 1, size_t rows_max = 50'000) {
    auto s = source(tables, more);
    auto failed = s->open(from);
    REQUIRE_MESSAGE(!failed, failed.text());
    return {std::move(s), from, next_id, rows_max};
  }

  /// What `table` holds, in the form of `model`: `keys` make the key, all is text.
  std::map<std::string, std::map<std::string, std::string>>
  contents(const std::string& table, const std::vector<std::string>& keys) {
    std::map<std::string, std::map<std::string, std::string>> out;
    auto rows = db_.prepare("SELECT * FROM " + extract::sqlite::sql_name(table));
    REQUIRE(rows);
    for (;;) {
      auto more = rows->step();
      REQUIRE(more);
      if (!*more)
        return out;
      std::map<std::string, std::string> cells;
      for (int i = 0; i < sqlite3_column_count(rows->handle()); ++i)
        cells[sqlite3_column_name(rows->handle(), i)] =
            rows->is_null(i) ? "NULL" : std::string(rows->text(i));
      std::string key;
      for (const auto& k : keys)
        key += cells[k] + "|";
      out[key] = std::move(cells);
    }
  }

private:
  temp_folder folder_;
  state::database db_;
};

} // namespace rtdp::test
