/// What the tests of the mysql source share: a plain client of the test server, a source on tables
/// of its own, and a caller that reads, stores and confirms as the SOURCE actor does. Header-only.
#pragma once

#include "actors/extract/driver.hpp"
#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>
#include <mysql.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace rtdp::extract {

kind mysql_source();

namespace test {

using namespace std::chrono_literals;

inline std::string server_url() {
  const char* url = std::getenv("RTDP_TEST_MARIADB_URL");
  REQUIRE_MESSAGE(url != nullptr, "run this with: test/services/with mariadb -- …");
  return url;
}

/// A blocking connection for set-up and load.
class client {
public:
  using rows = std::vector<std::vector<std::string>>;

  explicit client(const std::string& url = server_url()) : conn_(mysql_init(nullptr)) {
    // mysql://rtdp:rtdp@127.0.0.1:PORT/test
    auto port = std::stoul(url.substr(url.rfind(':') + 1));
    mysql_options(conn_.get(), MYSQL_SET_CHARSET_NAME, "utf8mb4");
    auto* done = mysql_real_connect(conn_.get(), "127.0.0.1", "rtdp", "rtdp", "test", unsigned(port),
                                    nullptr, CLIENT_MULTI_STATEMENTS);
    REQUIRE_MESSAGE(done != nullptr, mysql_error(conn_.get()));
    run("set sql_mode = '', time_zone = '+00:00'");
  }

  /// False: the server refused, `why()` says what for.
  bool try_run(const std::string& sql, rows* out = nullptr) {
    if (mysql_real_query(conn_.get(), sql.data(), sql.size()) != 0)
      return false;
    for (;;) {
      auto* r = mysql_store_result(conn_.get());
      for (MYSQL_ROW row; r != nullptr && (row = mysql_fetch_row(r)) != nullptr;) {
        auto* sizes = mysql_fetch_lengths(r);
        if (out != nullptr)
          out->emplace_back();
        for (unsigned i = 0; out != nullptr && i < mysql_num_fields(r); ++i)
          out->back().push_back(row[i] == nullptr ? "NULL" : std::string(row[i], sizes[i]));
      }
      mysql_free_result(r);
      auto more = mysql_next_result(conn_.get());
      if (more != 0)
        return more < 0;
    }
  }
  rows run(const std::string& sql) {
    rows out;
    bool done = try_run(sql, &out);
    REQUIRE_MESSAGE(done, sql << ": " << why());
    return out;
  }
  std::string value(const std::string& sql) { return run(sql).at(0).at(0); }
  std::string why() const { return mysql_error(conn_.get()); }

private:
  struct close {
    void operator()(MYSQL* c) const { mysql_close(c); }
  };
  std::unique_ptr<MYSQL, close> conn_;
};

/// A row as one line: "id op table.version name=value …"; absent columns are not in it.
inline std::string line(const ums::batch& b, size_t row) {
  std::string out = std::to_string(b.columns[0].ints()[row]);
  out += b.carries_rows() ? " " + std::string(1, b.op(row)) : " " + std::string(to_string(b.kind));
  out += " " + b.schema->name[ums::ns::table] + "." + b.schema->name[ums::ns::version];
  for (size_t i = b.carries_rows() ? ums::system_columns : b.columns.size(); i < b.columns.size();
       ++i) {
    out += " " + b.schema->fields[i].name + "=";
    if (b.columns[i].is_null(row))
      out += "NULL";
    else
      ums::append_cell(b.columns[i], row, out);
  }
  return out;
}

inline std::vector<std::string> lines(const std::vector<ums::batch>& batches) {
  // Batches of different tables interleave: the ids say in which order rows came.
  std::multimap<int64_t, std::string> by_id;
  for (const auto& b : batches)
    for (size_t i = 0; i < b.rows(); ++i)
      by_id.emplace(b.columns[0].ints()[i], line(b, i));
  std::vector<std::string> out;
  for (auto& [id, text] : by_id)
    out.push_back(std::move(text));
  return out;
}

/// The lines without their ids.
inline std::vector<std::string> without_ids(const std::vector<std::string>& all) {
  std::vector<std::string> out;
  for (const auto& l : all)
    out.push_back(l.substr(l.find(' ') + 1));
  return out;
}

/// One source on a database of its own, which goes away with it.
class source {
public:
  source() {
    static std::atomic<int> count{0};
    database = "t" + std::to_string(getpid()) + "_" + std::to_string(++count);
    db.run("create database " + database + "; use " + database);
    settings = mysql_source().spec.defaults();
    settings.values["url"] = config::secret(server_url());
  }
  ~source() {
    close();
    db.try_run("drop database " + database);
  }
  source(const source&) = delete;
  source& operator=(const source&) = delete;

  void capture(const std::string& name, bool before_images = false) {
    config::section t;
    t.values["name"] = name;
    t.values["before_images"] = before_images;
    std::get<config::sections>(settings.values["tables"]).push_back(t);
  }
  /// Creates the table and captures it.
  void table(const std::string& name, const std::string& columns, bool before_images = false) {
    db.run("create table " + name + " (" + columns + ")");
    capture(database + "." + name, before_images);
  }
  void run(const std::string& sql) { db.run(sql); }

  /// Opens a new driver where the last one was stored.
  error open() {
    close();
    driver = mysql_source().make("shop", settings);
    auto failed = driver->open(position);
    if (failed)
      driver.reset();
    else
      collected = std::make_unique<collector>(next_id, rows_max);
    return failed;
  }
  void close() { driver.reset(); }

  /// One read; what it gave is appended to `got`, its position stored and confirmed.
  error try_step(std::chrono::milliseconds wait = 50ms) {
    if (auto failed = driver->read(*collected, wait))
      return failed;
    auto taken = collected->take();
    for (auto& l : lines(taken.batches))
      got.push_back(std::move(l));
    for (auto& b : taken.batches)
      batches.push_back(std::move(b));
    for (auto& b : taken.bad)
      bad.push_back(std::move(b));
    if (taken.position.empty())
      return {};
    position = taken.position;
    next_id = taken.next_id;
    stored.push_back({position, next_id, got.size()});
    return driver->confirm(position);
  }
  void step(std::chrono::milliseconds wait = 50ms) {
    auto failed = try_step(wait);
    REQUIRE_MESSAGE(!failed, failed.text());
  }
  /// Reads until everything committed before the call is there.
  void drain() {
    auto now = std::stoll(db.value("select cast(unix_timestamp(sysdate(6)) * 1000000 as signed)"));
    for (int i = 0; i < 400; ++i) {
      step();
      auto p = driver->progress();
      bool done = p.idle && p.complete_until_us >= now;
      for (const auto& t : p.tables)
        done = done && (t.snapshot_done || t.snapshot_paused);
      if (done)
        return;
    }
    auto p = driver->progress();
    FAIL("the source does not come to rest: at " << p.place << ", idle " << p.idle
                                                 << ", complete until " << p.complete_until_us
                                                 << ", now " << now << ", rows " << got.size()
                                                 << ", position " << position);
  }
  /// What came since the last call, without ids.
  std::vector<std::string> fresh() {
    auto out = without_ids(got);
    got.clear();
    return out;
  }
  /// The error that ends reading, for at most some seconds.
  error failure() {
    for (int i = 0; i < 200; ++i)
      if (auto failed = try_step())
        return failed;
    return {};
  }

  struct place {
    std::string position;
    int64_t next_id;
    size_t lines;
  };
  client db;
  std::string database;
  config::section settings;
  std::unique_ptr<extract::driver> driver;
  std::unique_ptr<collector> collected;
  size_t rows_max = 50'000;
  std::string position;
  int64_t next_id = 1;
  std::vector<std::string> got;
  std::vector<ums::batch> batches;
  std::vector<bad_row> bad;
  std::vector<place> stored;
};

} // namespace test

} // namespace rtdp::extract
