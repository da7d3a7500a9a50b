#include "test/actors/extract/sqlite_file.hpp"
#include "test/support/child.hpp"

#include <fstream>

using namespace rtdp;
using namespace rtdp::test;

namespace {

const std::string shop = "CREATE TABLE orders(id INTEGER PRIMARY KEY, qty INTEGER, note TEXT); "
                         "CREATE TABLE stock(place TEXT, sku TEXT, amount INTEGER, "
                         "PRIMARY KEY(place, sku)) WITHOUT ROWID; ";

/// A random transaction; every statement fits the tables as they are or changes nothing.
std::string random_transaction(std::mt19937_64& random) {
  auto pick = [&](int n) { return std::to_string(random() % uint64_t(n)); };
  std::string sql = "BEGIN IMMEDIATE; ";
  for (auto n = 1 + random() % 6; n > 0; --n) {
    auto id = pick(60);
    auto place = "'p" + pick(4) + "'", sku = "'s" + pick(9) + "'";
    switch (random() % 10) {
    case 0:
    case 1:
    case 2:
      sql += "INSERT OR IGNORE INTO orders VALUES(" + id + ", " + pick(100) + ", 'n" + pick(999) +
             "'); ";
      break;
    case 3:
      sql += "INSERT INTO stock VALUES(" + place + ", " + sku + ", " + pick(100) +
             ") ON CONFLICT DO UPDATE SET amount = amount + 1; ";
      break;
    case 4:
      sql += "UPDATE orders SET qty = qty + 1 WHERE id % 7 = " + pick(7) + "; ";
      break;
    case 5:
      sql += "DELETE FROM orders WHERE id = " + id + "; ";
      break;
    case 6:
      sql += "UPDATE OR IGNORE orders SET id = " + pick(60) + " WHERE id = " + id + "; ";
      break;
    case 7:
      sql += "UPDATE OR IGNORE stock SET sku = " + sku + ", amount = NULL WHERE place = " + place +
             " AND amount % 3 = 0; ";
      break;
    case 8:
      sql += "DELETE FROM stock WHERE sku = " + sku + "; ";
      break;
    default:
      sql += "UPDATE orders SET note = NULL WHERE id BETWEEN " + id + " AND " + id + " + 3; ";
    }
  }
  return sql + (random() % 8 == 0 ? "ROLLBACK" : "COMMIT");
}

/// Fails when a row comes twice, or a change of a row that did not come: no gap and no double.
struct strict_model : model {
  void apply(const std::vector<seen_row>& rows) {
    for (const auto& r : rows) {
      bool exists = table(r.table).contains(r.key);
      REQUIRE_MESSAGE(exists == (r.op != 'i'),
                      r.op << " of " << r.table << " " << r.key << " with id " << r.id);
      model::apply(r);
    }
  }
};

void check_equal(sqlite_file& file, model& seen) {
  CHECK(seen.table("orders") == file.contents("orders", {"id"}));
  CHECK(seen.table("stock") == file.contents("stock", {"place", "sku"}));
}

} // namespace

TEST_CASE("a snapshot comes first, then every change in the order of commits") {
  sqlite_file file(shop + "INSERT INTO orders VALUES(1, 5, 'a'), (2, NULL, 'b')");
  auto d = file.open("[orders, stock]");
  auto rows = read_all(d);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].kind == ums::protocol::initial_data);
  CHECK(rows[0].cells ==
        std::map<std::string, std::string>{{"id", "1"}, {"qty", "5"}, {"note", "a"}});
  CHECK(rows[1].cells["qty"] == "NULL");
  CHECK(d.source->progress().tables[0].snapshot_done);
  CHECK(d.source->progress().tables[0].snapshot_rows == 2);
  CHECK(d.source->progress().tables[0].name.text() == "sqlite.shop.main.orders.0.0.0");

  file.exec("INSERT INTO orders VALUES(3, 7, 'c')");
  file.exec("BEGIN; UPDATE orders SET qty = 6 WHERE id = 1; INSERT INTO stock VALUES('x', 'y', 1); "
            "DELETE FROM orders WHERE id = 2; COMMIT");
  file.exec("UPDATE orders SET id = 9 WHERE id = 1");
  file.exec("BEGIN; DELETE FROM orders; ROLLBACK");
  rows = read_all(d);
  // Batches are per table; the ids tell the order over all.
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::string text;
  for (const auto& r : rows)
    text += r.op + (":" + r.table + ":" + r.key) + " ";
  CHECK(text == "i:orders:3| u:orders:1| i:stock:x|y| d:orders:2| d:orders:1| i:orders:9| ");
  CHECK(d.source->progress().idle);
  CHECK(d.source->progress().complete_until_us > 0);
}

TEST_CASE("a random workload during and after the snapshot arrives without gap and double") {
  auto base = std::random_device{}();
  for (uint64_t seed = base; seed < uint64_t(base) + 12; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    sqlite_file file(shop, random() % 2 == 0 ? "WAL" : "DELETE");
    for (int i = 0; i < 60; ++i)
      file.exec(random_transaction(random));
    auto d = file.open("[orders, stock]", "chunk_rows: " + std::to_string(1 + random() % 9), "", 1,
                       1 + random() % 40);
    strict_model seen;
    for (int i = 0; i < 80; ++i) {
      file.exec(random_transaction(random));
      if (random() % 2 == 0)
        seen.apply(rows_of(d.step().batches));
    }
    seen.apply(read_all(d));
    check_equal(file, seen);
  }
}

TEST_CASE("from every stored position the same rows come again, with the same ids") {
  auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  sqlite_file file(shop);
  for (int i = 0; i < 50; ++i)
    file.exec(random_transaction(random));
  auto d = file.open("[orders, {name: stock, before_images: true}]", "chunk_rows: 4", "", 1, 5);
  struct stored {
    std::string position;
    int64_t next_id;
    size_t rows;
    bool snapshot_done;
  };
  std::vector<stored> positions;
  std::vector<seen_row> all;
  for (int i = 0; i < 200; ++i) {
    if (i % 2 == 0 && i < 120)
      file.exec(random_transaction(random));
    auto rows = rows_of(d.step().batches);
    all.insert(all.end(), rows.begin(), rows.end());
    auto tables = d.source->progress().tables;
    positions.push_back(
        {d.position, d.next_id, all.size(), tables[0].snapshot_done && tables[1].snapshot_done});
  }
  REQUIRE(positions.back().snapshot_done);
  size_t exact = 0;
  for (const auto& p : positions) {
    auto again = file.open("[orders, {name: stock, before_images: true}]", "chunk_rows: 4",
                           p.position, p.next_id);
    auto rows = read_all(again);
    model seen;
    for (size_t i = 0; i < p.rows; ++i)
      seen.apply(all[i]);
    seen.apply(rows);
    check_equal(file, seen);
    if (p.snapshot_done) {
      std::vector<seen_row> expected(all.begin() + ptrdiff_t(p.rows), all.end());
      auto by_id = [](const auto& a, const auto& b) {
        return std::tie(a.id, a.op) < std::tie(b.id, b.op);
      };
      std::sort(expected.begin(), expected.end(), by_id);
      std::sort(rows.begin(), rows.end(), by_id);
      CHECK(rows == expected);
      ++exact;
    } else if (!rows.empty()) {
      // What a piece of a table brings may differ now, so no id that was given may come again.
      CHECK(std::min_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
              return a.id < b.id;
            })->id > all.back().id);
    }
  }
  CHECK(exact > 20);
}

TEST_CASE("the source reads while another process writes, and survives that it is killed") {
  for (uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    sqlite_file file;
    // Forked before this process has the file open: SQLite's locks do not pass a fork.
    child writer([&](const child::report& done) {
      auto db = state::database::open(file.path(), state::database::durability::process);
      std::mt19937_64 random(seed);
      (void)db->exec(shop);
      for (int i = 0; i < 300; ++i)
        (void)db->exec("INSERT INTO stock VALUES('k" + std::to_string(i) + "', 's', 1)");
      for (int64_t n = 0;; ++n) {
        done(n);
        (void)db->exec(random_transaction(random));
      }
    });
    REQUIRE(writer.next() == 0);
    auto d = file.open("[orders, stock]", "chunk_rows: 20", "", 1, 50);
    strict_model seen;
    while (writer.next() < 500)
      seen.apply(rows_of(d.step().batches));
    writer.kill();
    seen.apply(read_all(d));
    file.connect();
    check_equal(file, seen);
    file.exec("DELETE FROM orders");
    seen.apply(read_all(d));
    check_equal(file, seen);
  }
}

TEST_CASE("an unfinished snapshot goes on behind the last stored key") {
  sqlite_file file(shop);
  for (int i = 0; i < 100; ++i)
    file.exec("INSERT INTO orders VALUES(" + std::to_string(i) + ", 1, 'x')");
  auto d = file.open("[orders]", "chunk_rows: 10", "", 1, 10);
  strict_model seen;
  seen.apply(rows_of(d.step().batches));
  seen.apply(rows_of(d.step().batches));
  CHECK_FALSE(d.source->progress().tables[0].snapshot_done);
  CHECK(d.source->progress().tables[0].snapshot_rows == 20);
  CHECK(d.source->progress().tables[0].snapshot_rows_estimated == 99);
  file.exec(
      "UPDATE orders SET qty = 2 WHERE id IN (5, 55); DELETE FROM orders WHERE id IN (6, 56)");
  auto again = file.open("[orders]", "chunk_rows: 10", d.position, d.next_id);
  auto rows = read_all(again);
  seen.apply(rows);
  // 79 rows, and the update and the delete of rows that had come.
  CHECK(rows.size() == 81);
  CHECK(seen.table("orders") == file.contents("orders", {"id"}));
}

TEST_CASE("confirm trims the log, and a position before its begin is refused") {
  sqlite_file file(shop);
  auto d = file.open("[orders]");
  read_all(d);
  auto early = d.position;
  for (int i = 0; i < 2500; ++i)
    file.exec("INSERT INTO orders VALUES(" + std::to_string(i) + ", 1, 'x')");
  CHECK(read_all(d).size() == 2500);
  CHECK(file.number("SELECT count(*) FROM rtdp_changes") > 2499);
  REQUIRE_FALSE(d.source->confirm(d.position));
  CHECK(file.number("SELECT count(*) FROM rtdp_changes") == 0);
  file.exec("DELETE FROM orders WHERE id = 1");
  CHECK(read_all(d).size() == 1);

  auto late = file.source("[orders]");
  REQUIRE_FALSE(late->open(early));
  extract::collector out(1);
  auto failed = late->read(out, 0ms);
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("were deleted") != std::string::npos);
}

TEST_CASE("keep_log keeps confirmed entries for a while") {
  sqlite_file file(shop);
  auto d = file.open("[orders]", "keep_log: 1h");
  file.exec("INSERT INTO orders VALUES(1, 1, 'x')");
  read_all(d);
  file.exec("INSERT INTO orders VALUES(2, 1, 'x')");
  CHECK(read_all(d).size() == 1);
  REQUIRE_FALSE(d.source->confirm(d.position));
  CHECK(file.number("SELECT count(*) FROM rtdp_changes WHERE op = 'i'") == 2);
}

TEST_CASE("a file that cannot be read is refused, or waited for, with the reason") {
  sqlite_file file(shop);
  auto text_of = [](const std::unique_ptr<extract::driver>& s, ec code,
                    const std::string& from = "") {
    auto failed = s->open(from);
    CHECK_MESSAGE(failed == code, failed.text());
    return failed.text();
  };
  auto at = [](const std::string& path) {
    return make_source("sqlite", "{path: " + path + ", tables: [orders]}");
  };
  CHECK(text_of(at("/nowhere/shop.db"), ec::rejected).find("/nowhere/shop.db") == 0);
  CHECK(text_of(at("/tmp"), ec::rejected).find("no such file") != std::string::npos);
  std::ofstream(file.path() + ".txt") << std::string(5000, 'x');
  CHECK(text_of(at(file.path() + ".txt"), ec::rejected).find("not a SQLite database") !=
        std::string::npos);
  CHECK(text_of(file.source("[Orders]"), ec::rejected).find("the file has: orders, ") !=
        std::string::npos);
  CHECK(text_of(file.source("[rtdp_changes]"), ec::rejected).find("belongs to the change log") !=
        std::string::npos);

  auto d = file.open("[orders]");
  read_all(d);
  file.exec("BEGIN EXCLUSIVE");
  CHECK(text_of(file.source("[orders]", "busy_timeout: 5ms"), ec::unavailable).find("locked") !=
        std::string::npos);
  file.exec("COMMIT");
  sqlite_file other(shop);
  CHECK(text_of(other.source("[orders]"), ec::rejected, d.position).find("another file") !=
        std::string::npos);
  CHECK(text_of(file.source("[orders]"), ec::rejected, "{}").find("not a position") !=
        std::string::npos);
  std::filesystem::rename(file.path(), file.path() + ".old");
  extract::collector out(1);
  auto failed = d.source->read(out, 0ms);
  CHECK(failed == ec::rejected);
  CHECK(failed.text().find("replaced or removed") != std::string::npos);
}
