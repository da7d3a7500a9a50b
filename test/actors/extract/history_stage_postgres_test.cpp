#include "actors/extract/stages.hpp"
#include "runtime/state/schema_history.hpp"
#include "test/actors/extract/postgres_fixture.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

namespace {

using namespace std::chrono_literals;

/// A PostgreSQL source behind its stages, with what it published as "version op id=1 a=x".
class staged {
public:
  explicit staged(const std::string& columns, const std::string& on_change = "evolve") {
    pg.table("items", columns);
    auto& tables = std::get<config::sections>(pg.settings.values["tables"]);
    auto spec = postgres_source().spec;
    for (const auto& f : spec.fields)
      for (const auto& option : f.item)
        tables[0].values.try_emplace(option.name, option.def);
    tables[0].values["on_schema_change"] = on_change;
  }

  /// As SOURCE does it; also makes the stages anew.
  error open() {
    stages_.clear();
    if (auto failed = pg.open())
      return failed;
    auto made = make_stages(postgres_source(), "shop", pg.settings, folder_.path());
    if (!made)
      return made.error();
    stages_ = std::move(*made);
    return {};
  }

  /// Reads until everything committed before the call is there, or a stage refuses.
  std::vector<std::string> drained() {
    std::vector<std::string> out;
    std::string until =
        pg.db.value("select (extract(epoch from clock_timestamp()) * 1000000)::int8");
    auto give_up = std::chrono::steady_clock::now() + 60s;
    while (pg.driver->progress().complete_until_us < std::stoll(until) ||
           !pg.driver->progress().idle) {
      REQUIRE(std::chrono::steady_clock::now() < give_up);
      REQUIRE_FALSE(pg.driver->read(*pg.collected, 50ms));
      auto taken = pg.collected->take();
      place = pg.driver->progress().place;
      for (auto& s : stages_) {
        if (!refused)
          refused = s->begin(taken.begun, place);
        if (!refused)
          refused = s->apply(taken.batches, taken.bad, place);
      }
      if (refused)
        return out;
      tell(taken.batches, out);
      if (taken.position.empty())
        continue;
      pg.position = taken.position;
      pg.next_id = taken.next_id;
      REQUIRE_FALSE(pg.driver->confirm(pg.position));
    }
    return out;
  }

  std::vector<state::table_version> versions() {
    auto h = state::schema_history::open(folder_.path());
    REQUIRE(h);
    return *h->versions("postgres.shop." + pg.schema + ".items");
  }

  test::source pg;
  error refused;
  std::string place;

private:
  static void tell(const std::vector<ums::batch>& batches, std::vector<std::string>& out) {
    for (const auto& b : batches)
      for (size_t row = 0; row < b.rows(); ++row) {
        auto line = b.schema->name[ums::ns::version] + " " +
                    (b.carries_rows() ? std::string(1, b.op(row)) : "end");
        for (size_t c = ums::system_columns; b.carries_rows() && c < b.columns.size(); ++c) {
          std::string text = "NULL";
          if (!b.columns[c].is_null(row)) {
            text.clear();
            ums::append_cell(b.columns[c], row, text);
          }
          line += " " + b.schema->fields[c].name + "=" + text;
        }
        out.push_back(std::move(line));
      }
  }

  rtdp::test::temp_folder folder_;
  std::vector<std::unique_ptr<stage>> stages_;
};

using lines = std::vector<std::string>;

} // namespace

TEST_CASE("two changes of a table while the source is down: each row has the columns of its time") {
  staged s("id int primary key, a text, b text");
  REQUIRE_FALSE(s.open());
  s.pg.run("insert into items values (1, 'a1', 'b1')");
  CHECK(s.drained().back() == "0 i id=1 a=a1 b=b1");
  s.pg.close();
  s.pg.run("insert into items values (2, 'a2', 'b2')");
  s.pg.run("alter table items drop column a, add column c text");
  s.pg.run("insert into items values (3, 'b3', 'c3')");
  s.pg.run("alter table items rename column b to a");
  s.pg.run("insert into items values (4, 'a4', 'c4')");
  REQUIRE_FALSE(s.open());
  CHECK(s.drained() ==
        lines{"0 i id=2 a=a2 b=b2", "0 end", "1 i id=3 b=b3 c=c3", "1 end", "2 i id=4 a=a4 c=c4"});
  auto all = s.versions();
  REQUIRE(all.size() == 3);
  CHECK(all[2].previous == 1);
  CHECK(all[2].place.find('/') != std::string::npos);
}

TEST_CASE("a wider type goes on under fail, a narrower one stops at each start alike") {
  staged s("id int primary key, n numeric(6,2), t varchar(5)", "fail");
  REQUIRE_FALSE(s.open());
  s.pg.run("insert into items values (1, 1.5, 'x')");
  s.drained();
  s.pg.run("alter table items alter n type numeric(8,2), alter t type text, alter id type bigint");
  s.pg.run("insert into items values (2, 123456.5, 'longer than that')");
  CHECK(s.drained() == lines{"0 end", "1 i id=2 n=123456.50 t=longer than that"});
  s.pg.run("alter table items alter n type int");
  s.pg.run("insert into items values (3, 7, 'y')");
  s.drained();
  REQUIRE(s.refused == ec::rejected);
  CHECK(s.refused.text().find("n: numeric(8,2) became integer") != std::string::npos);
  auto text = s.refused.text();
  for (int restart = 0; restart < 2; ++restart) {
    s.refused = {};
    REQUIRE_FALSE(s.open());
    s.drained();
    CHECK(s.refused.text().substr(0, text.find(" at ")) == text.substr(0, text.find(" at ")));
  }
  auto& tables = std::get<config::sections>(s.pg.settings.values["tables"]);
  tables[0].values["on_schema_change"] = std::string("evolve");
  s.refused = {};
  REQUIRE_FALSE(s.open());
  auto seen = s.drained();
  CHECK(std::count(seen.begin(), seen.end(), "2 i id=3 n=7 t=y") == 1);
}

TEST_CASE(
    "under ignore a value that the log left out stays absent, as does a column that is gone") {
  staged s("id int primary key, big text, note text", "ignore");
  REQUIRE_FALSE(s.open());
  s.pg.run("alter table items alter big set storage external");
  s.pg.run("insert into items values (1, repeat('x', 10000), 'n')");
  s.drained();
  s.pg.run("alter table items drop column note, add column extra int");
  s.pg.run("update items set extra = 5");
  CHECK(s.drained() == lines{"0 u id=1"});
  CHECK(s.versions()[1].decision == state::version_decision::ignored);
  s.pg.run("delete from items");
  CHECK(s.drained() == lines{"0 d id=1"});
}

TEST_CASE("a key that changed is told as such, and published under evolve") {
  staged s("id int primary key, region text not null");
  REQUIRE_FALSE(s.open());
  s.pg.run("insert into items values (1, 'eu')");
  s.drained();
  s.pg.run("alter table items drop constraint items_pkey, add primary key (id, region)");
  s.pg.run("insert into items values (1, 'us')");
  CHECK(s.drained() == lines{"0 end", "1 i id=1 region=us"});
  CHECK(s.versions()[1].fields[1].key);
}

} // namespace rtdp::extract
