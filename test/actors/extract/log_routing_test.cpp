#include "actors/extract/routing.hpp"
#include "test/actors/extract/log_events_fixture.hpp"

using namespace rtdp;
using namespace rtdp::test;

TEST_CASE("what is no row is not kept in clear text when a table masks columns") {
  log_run run("tables: [{name: t, match: x, columns: [a, {name: n, type: int}], mask: [{column: a, "
              "with: 'null'}]}]");
  CHECK(run.rows(R"({"a":"s3cret"})") ==
        std::vector<std::string>{"unmatched event=(not kept: a table of this source masks columns) "
                                 "origin= reason=t: match: is not in it"});
  for (std::string event : {"s3cret", R"({"a":"s3cret x","n":"s3cret"})"}) {
    CHECK(run.rows(event).empty());
    REQUIRE(run.bad.size() == 1);
    CHECK((run.bad[0].reason + run.bad[0].bytes).find("s3cret") == std::string::npos);
  }
}

TEST_CASE("a flow of unmatched events reads the topic that they are published on") {
  for (const auto& k : extract::kinds()) {
    if (k.spec.name != "file")
      continue;
    config::section settings;
    auto problems = k.spec.parse(
        YAML::Load("paths: [x]\ntables: [{name: t, topic: rtdp.own, columns: [a]}]"), "", settings);
    CHECK(problems.empty());
    auto to = extract::routing::read(k, "web", settings);
    REQUIRE(to);
    using topics = std::set<std::string>;
    CHECK(to->topics() == topics{"rtdp.own", "rtdp.web"});
    CHECK(to->topics_for(*ums::ns::parse("log.web.main.unmatched")) == topics{"rtdp.web"});
    CHECK(to->topics_for(*ums::ns::parse("log.web.main.t")) == topics{"rtdp.own"});
    CHECK(to->of({"log", "web", "main", "unmatched"}).topic == "rtdp.web");
  }
}
