#include "actors/extract/sqlite_position.hpp"
#include "test/actors/extract/sqlite_file.hpp"

using namespace rtdp;
using namespace rtdp::test;
using namespace rtdp::extract;

namespace {

/// Everything that comes, in the order of ids.
std::vector<seen_row> in_order(drive& d) {
  auto rows = read_all(d);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  return rows;
}

std::string ops_of(const std::vector<seen_row>& rows) {
  std::string text;
  for (const auto& r : rows)
    text += (text.empty() ? "" : " ") +
            (r.op != 0 ? r.op + (":" + r.key) : std::string(ums::to_string(r.kind)));
  return text;
}

/// Inserts `literal` into a column declared so, before (snapshot) and after (log), and gives what
/// came as text; "bad: …" for a dead letter.
std::string through(const std::string& declared, const std::string& literal) {
  sqlite_file file("CREATE TABLE t(id INTEGER PRIMARY KEY, v " + declared +
                   "); INSERT INTO t VALUES(1, " + literal + ")");
  auto d = file.open("[t]");
  auto one = [&] {
    std::string text;
    do {
      auto taken = d.step();
      for (const auto& r : rows_of(taken.batches))
        text += r.cells.at("v");
      for (const auto& b : taken.bad)
        text += "bad: " + b.reason.substr(b.reason.find("storage class")) + " " + b.bytes;
    } while (!d.source->progress().idle);
    return text;
  };
  auto snapshot = one();
  file.exec("INSERT INTO t VALUES(2, " + literal + ")");
  auto change = one();
  if (snapshot.find("bad: ") != 0)
    CHECK(snapshot == change);
  return snapshot;
}

} // namespace

TEST_CASE("the UMS type follows from the declaration") {
  using ums::type;
  const std::vector<std::pair<const char*, type>> expected = {
      {"INTEGER", type::long_},
      {"bigint", type::long_},
      {"UNSIGNED BIG INT", type::long_},
      {"varchar(20)", type::string},
      {"TEXT", type::string},
      {"NATIVE CHARACTER(70)", type::string},
      {"CLOB", type::string},
      {"BLOB", type::binary},
      {"REAL", type::double_},
      {"DOUBLE PRECISION", type::double_},
      {"FLOAT", type::double_},
      {"DECIMAL(12,2)", type::decimal},
      {"numeric", type::decimal},
      {"BOOLEAN", type::boolean},
      {"DATE", type::date},
      {"DATETIME", type::datetime},
      {"timestamp", type::datetime},
      {"", type::string},
      {"JSON", type::string},
      {"STRING", type::string}};
  for (const auto& column : expected) {
    const auto& declared = column.first;
    CAPTURE(declared);
    CHECK(sqlite::type_of(declared) == column.second);
  }
}

TEST_CASE("values keep their exact text through snapshot and log") {
  CHECK(through("INTEGER", "9223372036854775807") == "9223372036854775807");
  CHECK(through("INTEGER", "'12'") == "12");
  CHECK(through("REAL", "0.1") == "0.1");
  CHECK(through("REAL", "5") == "5");
  CHECK(through("REAL", "9e999") == "Infinity");
  CHECK(through("TEXT", "'Grüße \U0001F600'") == "Grüße \U0001F600");
  CHECK(through("TEXT", "12.50") == "12.5");
  CHECK(through("TEXT", "CAST(x'610062' AS TEXT)") == std::string("a\0b", 3));
  CHECK(through("BLOB", "x'00ff'") == "AP8=");
  CHECK(through("DECIMAL(12,2)", "12.30") == "12.3");
  CHECK(through("DECIMAL(12,2)", "'12.30'") == "12.3");
  CHECK(through("DECIMAL(12,2)", "7") == "7");
  CHECK(through("DECIMAL(30,2)", "1e21") == "1000000000000000000000");
  CHECK(through("DECIMAL(12,2)", "0.1 + 0.2") == "0.30000000000000004");
  CHECK(through("BOOLEAN", "1") == "true");
  CHECK(through("DATE", "'2026-11-22'") == "2026-11-22");
  CHECK(through("DATETIME", "'2026-11-22 10:13:24.213456'") == "2026-11-22 10:13:24.213456");
  CHECK(through("", "'a'") == "a");
  CHECK(through("", "12") == "12");
  CHECK(through("JSON", "'{}'") == "{}");
  CHECK(through("INTEGER", "NULL") == "NULL");
}

TEST_CASE("a value that does not fit its column becomes a dead letter, never another value") {
  CHECK(through("INTEGER", "1.5") == "bad: storage class REAL that is no long (1, 1.5)");
  CHECK(through("INTEGER", "'it''s'") == "bad: storage class TEXT that is no long (1, 'it''s')");
  CHECK(through("REAL", "'x'") == "bad: storage class TEXT that is no double (1, 'x')");
  CHECK(through("TEXT", "x'61'") == "bad: storage class BLOB that is no string (1, x'61')");
  CHECK(through("TEXT", "CAST(x'ff' AS TEXT)") ==
        "bad: storage class TEXT that is no string: it is not UTF-8 (1, CAST(x'ff' AS TEXT))");
  CHECK(through("BLOB", "'a'") == "bad: storage class TEXT that is no binary (1, 'a')");
  CHECK(through("BOOLEAN", "2") == "bad: storage class INTEGER that is no boolean (1, 2)");
  CHECK(through("DATE", "20261122") == "bad: storage class INTEGER that is no date (1, 20261122)");
  CHECK(through("DATE", "'soon'") == "bad: storage class TEXT that is no date (1, 'soon')");
  CHECK(through("DATETIME", "'2026-11-22 10:13:24.2134567'").find("bad: ") == 0);
  CHECK(through("DECIMAL(5,2)", "'n/a'") ==
        "bad: storage class TEXT that is no decimal (1, 'n/a')");
}

TEST_CASE("a row that was a dead letter can still be deleted, by its key") {
  sqlite_file file("CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER)");
  auto d = file.open("[t]");
  read_all(d);
  file.exec("INSERT INTO t VALUES(1, 1); UPDATE t SET v = 'bad'; DELETE FROM t");
  auto rows = in_order(d);
  REQUIRE(ops_of(rows) == "i:1| d:1|");
  CHECK(rows[1].cells == std::map<std::string, std::string>{{"id", "1"}});
}

TEST_CASE("rows whose primary key is NULL are dead letters") {
  sqlite_file file(
      "CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER); INSERT INTO t VALUES(NULL, 1), (NULL, "
      "2), ('a', 3), ('b', 4)");
  auto d = file.open("[t]", "chunk_rows: 1", "", 1, 1);
  size_t bad = 0, good = 0;
  do {
    auto taken = d.step();
    bad += taken.bad.size();
    good += rows_of(taken.batches).size();
  } while (!d.source->progress().idle);
  CHECK(bad == 2);
  CHECK(good == 2);
}

TEST_CASE("keys of every kind: composite, NOCASE, WITHOUT ROWID, none at all, odd names") {
  sqlite_file file(
      "CREATE TABLE \"odd \"\"name\"\".x\"(\"a b\" TEXT COLLATE NOCASE, \"select\" REAL, v BLOB, "
      "PRIMARY KEY(\"select\", \"a b\")); "
      "CREATE TABLE nokey(v INTEGER, rowid TEXT); "
      "CREATE TABLE flat(k BLOB PRIMARY KEY, v) WITHOUT ROWID");
  std::string tables = R"(['"odd ""name"".x"', nokey, flat])";
  for (int i = 0; i < 20; ++i)
    file.exec("INSERT INTO \"odd \"\"name\"\".x\" VALUES('K" + std::to_string(i) + "', " +
              std::to_string(i % 3) + ".5, NULL); INSERT INTO nokey VALUES(" + std::to_string(i) +
              ", 'r'); INSERT INTO flat VALUES(x'0" + std::to_string(i % 10) +
              "', 1) ON CONFLICT DO NOTHING");
  auto d = file.open(tables, "chunk_rows: 3", "", 1, 4);
  model seen;
  seen.apply(rows_of(d.step().batches));
  file.exec("UPDATE \"odd \"\"name\"\".x\" SET \"a b\" = lower(\"a b\") WHERE \"select\" = 1.5; "
            "DELETE FROM nokey WHERE v % 2 = 0; UPDATE nokey SET v = v + 100; "
            "UPDATE flat SET k = x'ff' WHERE k = x'00'; DELETE FROM flat WHERE k = x'01'");
  seen.apply(in_order(d));
  CHECK(seen.table("odd \"name\".x") == file.contents("odd \"name\".x", {"a b", "select"}));
  CHECK(seen.table("nokey").size() == 10);
  CHECK(seen.table("nokey").at("2|").at("v") == "101");
  CHECK(seen.table("nokey").at("2|").at("_rowid_") == "2");
  CHECK(seen.table("flat").size() == 9);
  CHECK(seen.table("flat").contains("/w==|"));
}

TEST_CASE("the application's own triggers, cascades and upserts leave source and target equal") {
  sqlite_file file(
      "CREATE TABLE c(id INTEGER PRIMARY KEY, n INTEGER DEFAULT 0); "
      "CREATE TABLE o(id INTEGER PRIMARY KEY, c INTEGER REFERENCES c ON DELETE CASCADE ON UPDATE "
      "CASCADE, "
      "v INTEGER, at TEXT, g INTEGER GENERATED ALWAYS AS (v * 2)); "
      "CREATE TRIGGER own1 AFTER UPDATE ON o BEGIN UPDATE o SET at = 'touched' WHERE id = NEW.id; "
      "END; "
      "CREATE TRIGGER own2 AFTER INSERT ON o BEGIN UPDATE c SET n = n + 1 WHERE id = NEW.c; END; "
      "CREATE TRIGGER own3 AFTER DELETE ON o WHEN OLD.id = 3 BEGIN INSERT INTO o(id, v) VALUES(3, "
      "99); END");
  auto d = file.open("[c, {name: o, before_images: true}]");
  model seen;
  seen.apply(in_order(d));
  // Triggers fire in no promised order: also with ones made behind the log's.
  for (bool later : {false, true}) {
    if (later)
      file.exec("DROP TRIGGER own3; DELETE FROM o; DELETE FROM c; "
                "CREATE TRIGGER own4 AFTER UPDATE ON o BEGIN UPDATE o SET v = v + 1 WHERE id = "
                "NEW.id; END");
    file.exec("INSERT INTO c(id) VALUES(1), (2); INSERT INTO o(id, c, v) VALUES(1, 1, 1), (2, 1, "
              "2), (3, 2, 3)");
    file.exec("UPDATE o SET v = 10 WHERE id = 2; UPDATE c SET id = 7 WHERE id = 1; DELETE FROM o "
              "WHERE id = 3");
    file.exec("INSERT OR REPLACE INTO o(id, v) VALUES(2, 50); DELETE FROM c WHERE id = 7");
    file.exec("INSERT INTO o(id, v) VALUES(2, 1) ON CONFLICT DO UPDATE SET v = v + 1");
  }
  seen.apply(in_order(d));
  CHECK(seen.table("o") == [&] {
    auto all = file.contents("o", {"id"});
    for (auto& [key, cells] : all)
      cells["g"] = cells["v"] == "NULL" ? "NULL" : std::to_string(std::stoll(cells["v"]) * 2);
    return all;
  }());
  CHECK(seen.table("c") == file.contents("c", {"id"}));
}

TEST_CASE("before-images come directly before their update, with its id") {
  sqlite_file file("CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES(1, 1)");
  auto d = file.open("[{name: t, before_images: true}]", "", "", 1, 1);
  read_all(d);
  file.exec("UPDATE t SET v = 2; UPDATE t SET v = 3; UPDATE t SET id = 2");
  auto rows = in_order(d);
  CHECK(ops_of(rows) == "b:1| u:1| b:1| u:1| d:1| i:2|");
  CHECK(rows[0].id == rows[1].id);
  CHECK(rows[0].cells["v"] == "1");
  CHECK(rows[1].cells["v"] == "2");
}

TEST_CASE("changed columns begin a new version, and the table is read again") {
  sqlite_file file(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO t VALUES(1, 1), (2, 2)");
  auto d = file.open("[t]");
  model seen;
  seen.apply(in_order(d));
  file.exec("INSERT INTO t VALUES(3, 3); ALTER TABLE t ADD COLUMN w INTEGER DEFAULT 5; "
            "INSERT INTO t VALUES(4, 4, 4)");
  auto rows = in_order(d);
  seen.apply(rows);
  CHECK(ops_of(rows) == "i:3| i:4| data_increment_termination i:1| i:2| i:3| i:4|");
  CHECK(rows[1].version == "0");
  CHECK(rows[1].cells.count("w") == 0);
  CHECK(rows.back().version == "1");
  CHECK(rows.back().kind == ums::protocol::initial_data);
  CHECK(seen.table("t") == file.contents("t", {"id"}));

  file.exec("ALTER TABLE t RENAME COLUMN v TO price; UPDATE t SET price = 9 WHERE id = 1");
  rows = in_order(d);
  CHECK(rows.back().version == "2");
  CHECK(rows.back().cells.at("price") == "4");
  CHECK(d.source->progress().tables[0].name[ums::ns::version] == "2");

  // SQLite refuses to drop a column that a trigger names.
  CHECK(file.db().exec("ALTER TABLE t DROP COLUMN price") == ec::rejected);
  file.exec("BEGIN; DROP TRIGGER rtdp_changes_t_i; DROP TRIGGER rtdp_changes_t_u; "
            "DROP TRIGGER rtdp_changes_t_d; ALTER TABLE t DROP COLUMN price; COMMIT; DELETE FROM t "
            "WHERE id = 2");
  rows = in_order(d);
  CHECK(ops_of(rows) == "data_increment_termination data_increment_truncate i:1| i:3| i:4|");
  CHECK(rows.back().version == "3");
  file.exec("DELETE FROM t WHERE id = 4");
  CHECK(ops_of(in_order(d)) == "d:4|");
}

TEST_CASE("tables may join and leave the source; what was logged before still comes") {
  sqlite_file file(
      "CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(id INTEGER PRIMARY KEY); "
      "INSERT INTO a VALUES(1); INSERT INTO b VALUES(1)");
  auto first = file.open("[a]");
  CHECK(ops_of(in_order(first)) == "i:1|");
  file.exec("INSERT INTO a VALUES(2)");
  auto second = file.open("[b]", "", first.position, first.next_id);
  CHECK(ops_of(in_order(second)) == "i:2| data_increment_termination i:1|");
  file.exec("INSERT INTO a VALUES(3); DELETE FROM a WHERE id = 1; INSERT INTO b VALUES(2)");
  auto third = file.open("[a, b]", "", second.position, second.next_id);
  // What happened to `a` meanwhile is not known, so it begins anew.
  CHECK(ops_of(in_order(third)) == "i:2| data_increment_truncate i:2| i:3|");
}

TEST_CASE("a position is read as it was written") {
  sqlite::position p{.log = "ab", .seq = 7, .pending = {{.table = "t\"x", .after = {}, .rows = 3}}};
  p.pending[0].after = {{.kind = 'i', .integer = -5, .bytes = ""},
                        {.kind = 'r', .real = 0.1, .bytes = ""},
                        {.kind = 't', .bytes = std::string("a\0'", 3)},
                        {.kind = 'b', .bytes = "\xff"},
                        {.kind = 't', .bytes = ""}};
  auto parsed = sqlite::position::parse(p.text());
  REQUIRE(parsed);
  CHECK(*parsed == p);
  for (std::string wrong :
       {"", "7", "{}", R"({"log":"a","seq":"7","pending":[]})",
        R"({"log":"a","seq":7,"pending":[{"table":"t","after":["x1"],"rows":0}]})"})
    CHECK_FALSE(sqlite::position::parse(wrong));
}
