#include "actors/extract/history_stage.hpp"
#include "test/actors/extract/stage_rig.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

namespace {

using test::staged;
using test::told;
using lines = std::vector<std::string>;

constexpr auto start = "CREATE TABLE orders(id INTEGER PRIMARY KEY, note TEXT, amount INT);"
                       "INSERT INTO orders VALUES(1, 'a', 10)";

std::string kept_tables(const std::string& on_change) {
  return "[{name: orders, on_schema_change: " + on_change + "}]";
}

/// ALTER … DROP COLUMN wants the triggers gone, as sqlite_log.hpp says.
std::string without_triggers(const std::string& sql) {
  std::string drop;
  for (char what : {'i', 'u', 'd'})
    drop += "DROP TRIGGER rtdp_changes_orders_" + std::string(1, what) + ";";
  return "BEGIN;" + drop + sql + ";COMMIT";
}

struct rig {
  test::temp_folder folder;
  test::sqlite_file file{start};

  state::schema_history history() {
    auto h = state::schema_history::open(folder.path());
    REQUIRE(h);
    return std::move(*h);
  }
  staged open(const std::string& on_change, const std::string& from = "", int64_t id = 1) {
    return {file, folder.path(), kept_tables(on_change), from, id};
  }
};

std::vector<state::table_version> versions(rig& r) {
  return *r.history().versions("sqlite.shop.main.orders");
}

} // namespace

TEST_CASE("every version is kept with where it began, and the one before it ends once") {
  rig r;
  auto s = r.open("evolve");
  CHECK(told(s.read()) == lines{"orders.0 i id=1 note=a amount=10"});
  r.file.exec("ALTER TABLE orders ADD COLUMN extra TEXT; INSERT INTO orders VALUES(2,'b',20,'x')");
  auto seen = told(s.read());
  CHECK(std::count(seen.begin(), seen.end(), "orders.0 end") == 1);
  CHECK(seen.back() == "orders.1 i id=2 note=b amount=20 extra=x");
  auto all = versions(r);
  REQUIRE(all.size() == 2);
  CHECK(all[1].place == "here");
  CHECK(all[1].at_us > 0);
  CHECK(all[1].fields.size() == 4);
  CHECK(all[1].decision == state::version_decision::published);
}

TEST_CASE("a compatible change goes on whatever the setting says") {
  for (const auto* on_change : {"ignore", "fail"}) {
    rig r;
    auto s = r.open(on_change);
    s.read();
    r.file.exec("ALTER TABLE orders ADD COLUMN extra TEXT");
    r.file.exec("UPDATE orders SET extra = 'x'");
    CHECK(told(s.read()).back() == "orders.1 i id=1 note=a amount=10 extra=x");
    CHECK_FALSE(s.refused);
  }
}

TEST_CASE("on_schema_change: fail stops at each start with what changed, and loses nothing") {
  rig r;
  auto s = r.open("fail");
  s.read();
  r.file.exec("INSERT INTO orders VALUES(2, 'b', 20)");
  r.file.exec(without_triggers("ALTER TABLE orders DROP COLUMN note"));
  r.file.exec("INSERT INTO orders VALUES(3, 30)");
  CHECK(s.read().empty());
  CHECK(s.refused == ec::rejected);
  auto text = s.refused.text();
  CHECK(text == "table sqlite.shop.main.orders: version 0 became 1 at here: dropped note. "
                "on_schema_change is fail; set evolve to take the new columns, or ignore to go on "
                "with the old ones, and start the source again; nothing is lost");
  auto again = r.open("fail", s.position(), s.next_id());
  CHECK(again.read().empty());
  CHECK(again.refused.text() == text);
  CHECK(versions(r)[1].decision == state::version_decision::refused);

  auto evolved = r.open("evolve", s.position(), s.next_id());
  auto seen = told(evolved.read());
  CHECK(std::count(seen.begin(), seen.end(), "orders.0 i id=2 note=b amount=20") == 1);
  CHECK(std::count(seen.begin(), seen.end(), "orders.0 end") == 1);
  CHECK(std::count(seen.begin(), seen.end(), "orders.1 i id=3 amount=30") == 1);
  CHECK(versions(r)[1].decision == state::version_decision::published);
}

TEST_CASE(
    "on_schema_change: ignore goes on with the old columns; what is gone is absent, not null") {
  rig r;
  auto s = r.open("ignore");
  s.read();
  r.file.exec(without_triggers("ALTER TABLE orders DROP COLUMN note; "
                               "ALTER TABLE orders ADD COLUMN extra TEXT"));
  r.file.exec("INSERT INTO orders VALUES(3, 30, 'x')");
  auto seen = told(s.read());
  CHECK(seen.back() == "orders.0 i id=3 amount=30");
  CHECK(std::count(seen.begin(), seen.end(), "orders.0 end") == 0);
  auto kept = versions(r)[1];
  CHECK(kept.decision == state::version_decision::ignored);
  CHECK(kept.published_as == 0);

  auto again = r.open("ignore", s.position(), s.next_id());
  r.file.exec("DELETE FROM orders WHERE id = 3");
  CHECK(told(again.read()).back() == "orders.0 d id=3 amount=30");
  CHECK(again.published({"sqlite", "shop", "main", "orders", "1"}) ==
        ums::ns{"sqlite", "shop", "main", "orders", "0"});
}

TEST_CASE("a column of another type is absent under ignore, or text where the old one was text") {
  rig r;
  auto s = r.open("ignore");
  s.read();
  r.file.exec(
      "DROP TABLE orders; CREATE TABLE orders(id INTEGER PRIMARY KEY, note INT, amount TEXT);"
      "INSERT INTO orders VALUES(4, 44, 'many')");
  CHECK(told(s.read()).back() == "orders.0 i id=4 note=44");
}

TEST_CASE("a renamed column is named as such, and under evolve both names stand for themselves") {
  rig r;
  auto s = r.open("evolve");
  s.read();
  r.file.exec("ALTER TABLE orders RENAME COLUMN note TO remark");
  r.file.exec("INSERT INTO orders VALUES(5, 'e', 50)");
  CHECK(told(s.read()).back() == "orders.1 i id=5 remark=e amount=50");
  auto refuses = r.open("fail", s.position(), s.next_id());
  r.file.exec("ALTER TABLE orders RENAME COLUMN remark TO words");
  refuses.read();
  CHECK(refuses.refused.text().find("remark was renamed words") != std::string::npos);
}

TEST_CASE("another key cannot be ignored") {
  rig r;
  auto s = r.open("ignore");
  s.read();
  r.file.exec("DROP TABLE orders; CREATE TABLE orders(id INTEGER, note TEXT, amount INT, "
              "PRIMARY KEY(id, note))");
  s.read();
  CHECK(s.refused.text().find("key: (id) became (id, note)") != std::string::npos);
  CHECK(s.refused.text().find("cannot go on with the old key; set evolve") != std::string::npos);
  auto evolved = r.open("evolve", s.position(), s.next_id());
  r.file.exec("INSERT INTO orders VALUES(1, 'k', 1)");
  CHECK(told(evolved.read()).back() == "orders.1 i id=1 note=k amount=1");
}

TEST_CASE("changes while the source was down are met in their order when it is back") {
  rig r;
  auto s = r.open("evolve");
  s.read();
  r.file.exec("ALTER TABLE orders ADD COLUMN a TEXT; ALTER TABLE orders ADD COLUMN b TEXT;"
              "INSERT INTO orders VALUES(6, 'f', 60, 'a6', 'b6')");
  auto again = r.open("evolve", s.position(), s.next_id());
  auto seen = told(again.read());
  CHECK(seen.back() == "orders.1 i id=6 note=f amount=60 a=a6 b=b6");
  CHECK(std::count(seen.begin(), seen.end(), "orders.0 end") == 1);
  CHECK(versions(r).size() == 2);
}

TEST_CASE("a source that begins anew gives its tables new versions, not old names") {
  rig r;
  r.open("evolve").read();
  r.file.exec("DROP TABLE orders; DROP TABLE rtdp_changes; DROP TABLE rtdp_changes_layouts;"
              "DROP TABLE rtdp_changes_state; CREATE TABLE orders(id INTEGER PRIMARY KEY, z TEXT);"
              "INSERT INTO orders VALUES(1, 'z')");
  auto s = r.open("evolve", "", 1'000'000);
  CHECK(told(s.read()) == lines{"orders.1 i id=1 z=z"});
  CHECK(s.published({"sqlite", "shop", "main", "orders", "0"})[ums::ns::version] == "1");
}

} // namespace rtdp::extract
