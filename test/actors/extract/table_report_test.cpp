#include "actors/extract/table_report.hpp"
#include "runtime/state/schema_history.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>

namespace rtdp::extract {

namespace {

ums::ns part_of(const std::string& version, const std::string& shard = "0") {
  return {"sqlite", "shop", "main", "orders", version, "0", shard};
}

} // namespace

TEST_CASE("the shards of a table are one report, done when all are") {
  source_progress p;
  p.tables = {{.name = part_of("0", "orders_0"),
               .snapshot_done = true,
               .snapshot_rows = 10,
               .snapshot_rows_estimated = 12},
              {.name = part_of("0", "orders_1"), .snapshot_rows = 5, .snapshot_rows_estimated = 8}};
  auto reports = table_reports(p, {});
  REQUIRE(reports.size() == 1);
  auto r = reports.at(part_of("0"));
  CHECK(r.state == "running");
  CHECK(r.figures["shards"] == 2);
  CHECK(r.figures["snapshot_done"] == 0);
  CHECK(r.figures["snapshot_rows_done"] == 15);
  CHECK(r.figures["snapshot_rows_estimated"] == 20);
  p.tables[1].snapshot_done = true;
  p.tables[1].snapshot_rows_estimated = -1;
  r = table_reports(p, {}).at(part_of("0"));
  CHECK(r.texts["snapshot"] == "done");
  CHECK(r.figures["snapshot_rows_estimated"] == -1);
}

TEST_CASE("a version that another one replaced has stopped") {
  source_progress p;
  p.tables = {{.name = part_of("1")}};
  ums::ns other{"sqlite", "shop", "main", "log", "0"};
  auto reports = table_reports(p, {part_of("0"), part_of("1"), other});
  CHECK(reports.at(part_of("1")).state == "running");
  CHECK(reports.at(part_of("0")).state == "stopped");
  CHECK(reports.at(part_of("0")).reason == "version 0 ended; version 1 goes on");
  CHECK_FALSE(reports.contains(other));
}

TEST_CASE("columns are known from the history before the first row comes") {
  test::temp_folder folder;
  auto history = state::schema_history::open(folder.path());
  REQUIRE(history);
  ums::field id{.name = "id", .type = ums::type::long_, .key = true};
  REQUIRE(history->meet({.table = state::schema_history::table_of(part_of("0")),
                         .line = "shop",
                         .number = 0,
                         .fields = {id, {.name = "note"}}}));
  source_progress p;
  p.tables = {{.name = part_of("0")}};
  auto reports = table_reports(p, {});
  add_columns(reports, folder.path());
  CHECK(reports.at(part_of("0")).texts["columns"] == "id long key, note string");
  CHECK(reports.at(part_of("0")).figures["schema_version"] == 0);
}

} // namespace rtdp::extract
