#include "runtime/state/sqlite.hpp"
#include "test/support/child.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

namespace rtdp::state {
namespace {

/// Numbers 1..n, committed one by one.
error append(database& db, int64_t n) {
  auto put = db.prepare("INSERT INTO t VALUES (?1, zeroblob(2000))");
  if (!put)
    return put.error();
  put->bind(1, n);
  return put->run();
}

int64_t number(database& db, const char* sql) {
  auto query = db.prepare(sql);
  REQUIRE(query);
  auto row = query->step();
  REQUIRE(row);
  REQUIRE(*row);
  return query->integer(0);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("a statement gives back what was bound, with NULs and empty texts") {
  auto db = database::open(":memory:");
  REQUIRE(db);
  REQUIRE(!db->exec("CREATE TABLE t(i, r, s, b, e, n)"));
  auto put = db->prepare("INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
  REQUIRE(put);
  using namespace std::string_view_literals;
  put->bind(1, int64_t{INT64_MIN}).bind(2, 0.5).bind(3, "a\0b"sv).bind_blob(4, "\xff\0"sv);
  put->bind(5, std::string_view{}).bind_null(6);
  REQUIRE(!put->run());
  CHECK(db->changes() == 1);

  auto get = db->prepare("SELECT * FROM t");
  REQUIRE(get);
  REQUIRE(*get->step());
  CHECK(get->integer(0) == INT64_MIN);
  CHECK(get->real(1) == 0.5);
  CHECK(get->text(2) == "a\0b"sv);
  CHECK(get->text(3) == "\xff\0"sv);
  CHECK(!get->is_null(4));
  CHECK(get->text(4).empty());
  CHECK(get->is_null(5));
  CHECK(!*get->step());
}

TEST_CASE("a binding that cannot be is told by the next step, which binds nothing else") {
  auto db = database::open(":memory:");
  REQUIRE(db);
  auto query = db->prepare("SELECT ?1");
  REQUIRE(query);
  query->bind(2, int64_t{1});
  auto row = query->step();
  REQUIRE(!row);
  CHECK(row.error() == ec::rejected);
  query->bind(1, int64_t{7});
  REQUIRE(*query->step());
  CHECK(query->integer(0) == 7);
}

TEST_CASE("a transaction that is not committed leaves nothing") {
  auto db = database::open(":memory:");
  REQUIRE(db);
  REQUIRE(!db->exec("CREATE TABLE t(i, b)"));
  {
    auto work = transaction::begin(*db);
    REQUIRE(work);
    REQUIRE(!append(*db, 1));
  }
  CHECK(number(*db, "SELECT count(*) FROM t") == 0);
  {
    auto work = transaction::begin(*db);
    REQUIRE(work);
    REQUIRE(!append(*db, 1));
    REQUIRE(!work->commit());
  }
  CHECK(number(*db, "SELECT count(*) FROM t") == 1);
}

TEST_CASE("opening creates the folder, and a second opening finds the data") {
  test::temp_folder folder;
  auto path = folder.file("a/b/t.db");
  {
    auto db = database::open(path);
    REQUIRE(db);
    REQUIRE(!db->exec("CREATE TABLE t(i, b)"));
    REQUIRE(!append(*db, 1));
    CHECK(number(*db, "PRAGMA foreign_keys") == 1);
    CHECK(number(*db, "PRAGMA synchronous") == 2);
  }
  auto again = database::open_read_only(path);
  REQUIRE(again);
  CHECK(number(*again, "SELECT i FROM t") == 1);
  CHECK(again->exec("DELETE FROM t") == ec::rejected);
  CHECK(database::open_read_only(folder.file("none.db")).error() == ec::unavailable);
}

TEST_CASE("a full disk is unavailable, loses nothing, and goes on after space is back") {
  test::temp_folder folder;
  auto db = database::open(folder.file("t.db"));
  REQUIRE(db);
  REQUIRE(!db->exec("CREATE TABLE t(i, b); PRAGMA max_page_count = 40"));
  int64_t stored = 0;
  error full;
  for (; !full && stored < 1000; ++stored)
    full = append(*db, stored + 1);
  --stored;
  REQUIRE(full == ec::unavailable);
  CHECK(contains(full.text(), "free space"));
  CHECK(contains(full.text(), folder.path()));
  CHECK(number(*db, "SELECT count(*) FROM t") == stored);
  REQUIRE(!db->exec("PRAGMA max_page_count = 400"));
  REQUIRE(!append(*db, stored + 1));
  CHECK(number(*db, "SELECT max(i) FROM t") == stored + 1);
}

TEST_CASE("a full disk within a transaction takes the whole transaction back") {
  auto db = database::open(":memory:");
  REQUIRE(db);
  REQUIRE(!db->exec("CREATE TABLE t(i, b); PRAGMA max_page_count = 10"));
  {
    auto work = transaction::begin(*db);
    REQUIRE(work);
    error full;
    for (int64_t i = 0; !full && i < 1000; ++i)
      full = append(*db, i);
    CHECK(full == ec::unavailable);
    // SQLite has rolled back by itself or not: the destructor knows.
  }
  CHECK(number(*db, "SELECT count(*) FROM t") == 0);
}

TEST_CASE("a file that is not a database, or is cut, is rejected with its path and what to do") {
  test::temp_folder folder;
  auto path = folder.file("t.db");
  SUBCASE("not a database") { std::ofstream(path) << std::string(8192, 'x'); }
  SUBCASE("cut in the middle") {
    {
      auto db = database::open(path);
      REQUIRE(db);
      REQUIRE(!db->exec("CREATE TABLE t(i, b)"));
      for (int64_t i = 0; i < 50; ++i)
        REQUIRE(!append(*db, i));
    }
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  }
  for (bool read_only : {false, true}) {
    auto db = read_only ? database::open_read_only(path) : database::open(path);
    REQUIRE(!db);
    CHECK(db.error() == ec::rejected);
    CHECK(contains(db.error().text(), path));
    CHECK(contains(db.error().text(), "restore it from a backup"));
  }
}

TEST_CASE("a folder that cannot be made is unavailable and named") {
  test::temp_folder folder;
  std::ofstream(folder.file("file")) << "x";
  auto db = database::open(folder.file("file/t.db"));
  REQUIRE(!db);
  CHECK(db.error() == ec::unavailable);
  CHECK(contains(db.error().text(), folder.file("file")));
}

TEST_CASE("kill -9 of a writer leaves a store that holds every committed row and no torn one") {
  test::temp_folder folder;
  auto path = folder.file("t.db");
  for (int round = 1; round <= 3; ++round) {
    test::child writer([&](const test::child::report& done) {
      auto db = database::open(path);
      if (!db || db->exec("CREATE TABLE IF NOT EXISTS t(i INTEGER PRIMARY KEY, b)"))
        return;
      for (int64_t i = 1 + number(*db, "SELECT ifnull(max(i), 0) FROM t"); !append(*db, i); ++i)
        done(i);
    });
    int64_t committed = 0;
    for (int i = 0; i < 50 * round; ++i)
      committed = writer.next();
    writer.kill();
    for (auto more = writer.next(); more > 0; more = writer.next())
      committed = more;
    auto db = database::open(path);
    REQUIRE(db);
    auto stored = number(*db, "SELECT max(i) FROM t");
    CHECK(stored >= committed);
    CHECK(number(*db, "SELECT count(*) FROM t WHERE length(b) = 2000") == stored);
    CHECK(number(*db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") ==
          1);
  }
}

TEST_CASE("two processes create one store and write to it without losing a row") {
  test::temp_folder folder;
  auto path = folder.file("t.db");
  auto write = [&](const test::child::report&) {
    auto db = database::open(path, database::durability::process);
    bool failed = !db || db->exec("CREATE TABLE IF NOT EXISTS t(i, b)");
    for (int64_t i = 0; !failed && i < 200; ++i) {
      auto work = transaction::begin(*db);
      failed = !work || append(*db, i) || work->commit();
    }
    _exit(failed ? 1 : 0);
  };
  test::child one(write), two(write);
  CHECK(one.wait() == 0);
  CHECK(two.wait() == 0);
  auto db = database::open(path);
  REQUIRE(db);
  CHECK(number(*db, "SELECT count(*) FROM t") == 400);
}

} // namespace
} // namespace rtdp::state
