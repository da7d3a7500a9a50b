/// What the tests of the postgres source share: a plain client of the test server, a source on
/// tables of its own, and a caller that reads, stores and confirms as the SOURCE actor does.
/// Header-only.
#pragma once

#include "actors/extract/driver.hpp"
#include "runtime/ums/codec.hpp"

#include <doctest/doctest.h>
#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace rtdp::extract {

kind postgres_source();

namespace test {

using namespace std::chrono_literals;

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

inline std::string server_url() {
  const char* url = std::getenv("RTDP_TEST_PG_URL");
  REQUIRE_MESSAGE(url != nullptr, "run this with: test/services/with postgres -- …");
  return url;
}

/// A blocking connection for set-up and load.
class client {
public:
  using rows = std::vector<std::vector<std::string>>;

  explicit client(const std::string& url = server_url()) : conn_(PQconnectdb(url.c_str())) {
    REQUIRE_MESSAGE(PQstatus(conn_.get()) == CONNECTION_OK, PQerrorMessage(conn_.get()));
    PQsetNoticeProcessor(
        conn_.get(), [](void*, const char*) {}, nullptr);
  }

  /// False: the server refused, `why()` says what for.
  bool try_run(const std::string& sql, rows* out = nullptr) {
    std::unique_ptr<PGresult, void (*)(PGresult*)> r(PQexec(conn_.get(), sql.c_str()), PQclear);
    auto status = PQresultStatus(r.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
      return false;
    for (int i = 0; out != nullptr && i < PQntuples(r.get()); ++i) {
      auto& row = out->emplace_back();
      for (int k = 0; k < PQnfields(r.get()); ++k)
        row.emplace_back(PQgetisnull(r.get(), i, k) != 0 ? "NULL" : PQgetvalue(r.get(), i, k));
    }
    return true;
  }
  rows run(const std::string& sql) {
    rows out;
    bool done = try_run(sql, &out);
    REQUIRE_MESSAGE(done, sql << ": " << why());
    return out;
  }
  std::string value(const std::string& sql) { return run(sql).at(0).at(0); }
  std::string why() const { return PQerrorMessage(conn_.get()); }

private:
  struct finish {
    void operator()(PGconn* c) const { PQfinish(c); }
  };
  std::unique_ptr<PGconn, finish> conn_;
};

/// A row as one line: "id op table name=value …"; absent columns are not in it.
inline std::string line(const ums::batch& b, size_t row) {
  std::string out = std::to_string(b.columns[0].ints()[row]);
  out += b.carries_rows() ? " " + std::string(1, b.op(row)) : " -";
  out += " " + b.schema->name[ums::ns::table] + "." + b.schema->name[ums::ns::version];
  for (size_t i = b.carries_rows() ? ums::system_columns : 2; i < b.columns.size(); ++i) {
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
  std::map<int64_t, std::vector<std::string>> by_id;
  for (const auto& b : batches)
    for (size_t i = 0; i < b.rows(); ++i)
      by_id[b.columns[0].ints()[i]].push_back(line(b, i));
  std::vector<std::string> out;
  for (auto& [id, some] : by_id)
    out.insert(out.end(), some.begin(), some.end());
  return out;
}

/// One source on a schema, slot and publication of its own, which go away with it.
class source {
public:
  source() {
    static std::atomic<int> count{0};
    auto number = std::to_string(getpid()) + "_" + std::to_string(++count);
    schema = "t" + number;
    slot = "rtdp_test_" + number;
    db.run("create schema " + schema);
    settings = postgres_source().spec.defaults();
    settings.values["url"] = config::secret(server_url());
    settings.values["slot"] = slot;
    settings.values["publication"] = slot;
  }
  ~source() {
    close();
    db.try_run(
        "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '" +
        slot + "' and active_pid is not null");
    for (int i = 0; i < 100 && !db.try_run("select pg_drop_replication_slot('" + slot + "')"); ++i)
      db.try_run("select pg_sleep(0.02)");
    db.try_run("drop publication if exists " + slot);
    db.try_run("drop schema " + schema + " cascade");
  }
  source(const source&) = delete;
  source& operator=(const source&) = delete;

  void capture(const std::string& name, bool before_images = false) {
    config::section t;
    t.values["name"] = name;
    t.values["before_images"] = before_images;
    std::get<config::sections>(settings.values["tables"]).push_back(t);
  }
  /// Creates `schema.NAME (COLUMNS)` and captures it.
  void table(const std::string& name, const std::string& columns, bool before_images = false) {
    db.run("create table " + schema + "." + name + " (" + columns + ")");
    capture(schema + "." + name, before_images);
  }
  void run(const std::string& sql) { db.run("set search_path = " + schema + "; " + sql); }

  /// Opens a new driver where the last one was stored; waits while the slot is still taken.
  error open() {
    close();
    error failed;
    for (int i = 0; i < 200; ++i) {
      driver = postgres_source().make("shop", settings);
      failed = driver->open(position);
      if (failed != ec::unavailable || failed.text().find("active") == std::string::npos)
        break;
      db.run("select pg_sleep(0.02)");
    }
    if (failed)
      driver.reset();
    else
      collected = std::make_unique<collector>(next_id, rows_max);
    return failed;
  }
  void close() { driver.reset(); }

  /// One read; what it gave is appended to `got`, its position stored and confirmed.
  void step(std::chrono::milliseconds wait = 50ms) {
    auto failed = driver->read(*collected, wait);
    REQUIRE_MESSAGE(!failed, failed.text());
    auto taken = collected->take();
    for (auto& l : lines(taken.batches))
      got.push_back(std::move(l));
    for (auto& b : taken.batches)
      batches.push_back(std::move(b));
    for (auto& b : taken.bad)
      bad.push_back(std::move(b));
    if (taken.position.empty())
      return;
    position = taken.position;
    next_id = taken.next_id;
    stored.push_back({position, next_id, got.size()});
    if (confirming || !driver->progress().tables.at(0).snapshot_done)
      REQUIRE(!driver->confirm(position));
  }
  /// Reads until everything committed before the call is there.
  void drain() {
    std::string until = db.value("select (extract(epoch from clock_timestamp()) * 1000000)::int8");
    auto give_up = std::chrono::steady_clock::now() + 60s;
    while (driver->progress().complete_until_us < std::stoll(until) || !driver->progress().idle) {
      step();
      REQUIRE(std::chrono::steady_clock::now() < give_up);
    }
  }
  std::vector<std::string> drained() {
    drain();
    return std::exchange(got, {});
  }

  struct place {
    std::string position;
    int64_t next_id = 1;
    size_t lines = 0;
  };
  client db;
  std::string schema, slot;
  config::section settings;
  std::unique_ptr<extract::driver> driver;
  std::unique_ptr<collector> collected;
  size_t rows_max = 50'000;
  bool confirming = true;
  std::string position;
  int64_t next_id = 1;
  std::vector<place> stored;
  std::vector<std::string> got;
  std::vector<ums::batch> batches;
  std::vector<bad_row> bad;
};

} // namespace test
} // namespace rtdp::extract
