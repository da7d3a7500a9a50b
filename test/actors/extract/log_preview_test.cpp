#include "actors/extract/driver.hpp"
#include "actors/extract/log_preview.hpp"
#include "test/support/temp_folder.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <sstream>

using namespace rtdp;
using namespace rtdp::test;

namespace {

const std::string good = R"(sources:
  web:
    kind: file
    paths: [/nowhere/*.log]
    tables:
      - name: errors
        rules:
          - filter: {scope: level, value: ERROR}
          - split: {scope: msg, separator: ' '}
          - saveAs: [{scope: 1, name: what}, {scope: 2, name: n, type: int}]
      - {name: rest, match: other, columns: [msg]}
)";

const std::string events = "{\"level\":\"ERROR\",\"msg\":\"disk 7\"}\n"
                           "{\"level\":\"ERROR\",\"msg\":\"disk full\"}\n"
                           "\n{\"level\":\"INFO\",\"msg\":\"x\"}\nno json\x1b[1m\n";

/// The command, with settings and events as texts.
struct previewed {
  int code = -1;
  std::string out, err;

  previewed(const std::string& yaml, extract::logs::preview_request asked) {
    temp_folder folder;
    asked.file = folder.file("events.log");
    asked.config = "p.yaml";
    std::ofstream(asked.file) << events;
    config::catalogue kinds;
    for (const auto& k : extract::kinds())
      if (k.pattern != nullptr)
        kinds.sources.push_back(k.spec);
    kinds.check_source = [](const std::string& name, const config::section& s) {
      for (const auto& k : extract::kinds())
        if (k.spec.name == name && k.check != nullptr)
          return k.check(s);
      return std::vector<config::problem>{};
    };
    std::ostringstream to, wrong;
    code = extract::logs::preview_rules(config::check(config::load_text(yaml), kinds), asked, to,
                                        wrong);
    out = to.str();
    err = wrong.str();
  }

  bool says(const std::string& part) const { return out.find(part) != std::string::npos; }
};

} // namespace

TEST_CASE("the preview shows each step of each event") {
  previewed p(good, {});
  REQUIRE_MESSAGE(p.code == 0, p.err);
  CHECK(p.says("event 1: table errors\n"));
  CHECK(p.says("  1    filter            0:level=ERROR | 1:msg=disk 7\n"));
  CHECK(p.says("  2    split             0:level=ERROR | 1:msg.0=disk | 2:msg.1=7\n"));
  CHECK(p.says("       row               what=disk | n=7\n"));
  CHECK(p.says("       dead letter       column n: the value is not of type int\n"));
  CHECK(p.says("event 3: unmatched\n"));
  CHECK(p.says("dropped           filter (step 1, line 8)\n"));
  CHECK(p.says("event 4: dead letter: not JSON"));
  CHECK(!p.says("\x1b"));
}

TEST_CASE("the preview gives one JSON object an event") {
  previewed p(
      good, {.file = {}, .config = {}, .source = {}, .table = "errors", .limit = 2, .json = true});
  REQUIRE_MESSAGE(p.code == 0, p.err);
  std::istringstream lines(p.out);
  std::string line;
  REQUIRE(std::getline(lines, line));
  auto first = nlohmann::json::parse(line);
  CHECK(first["verdict"] == "table errors");
  CHECK(first["tables"][0]["steps"][1]["operator"] == "split");
  CHECK(first["tables"][0]["result"][0]["row"]["n"] == "7");
  CHECK(std::getline(lines, line));
  CHECK(!std::getline(lines, line));
}

TEST_CASE("the preview tells mistakes in the rules with their line, and no others") {
  auto bad = good;
  bad.replace(bad.find("scope: msg"), 10, "scope: '1,,'");
  previewed p(bad + "sinks: {dw: {kind: nothing}}\n", {});
  CHECK(p.code == 1);
  CHECK(p.err.starts_with("p.yaml:9: sources.web.tables.0.rules.1.split: a scope is"));
  CHECK(p.err.find("dw") == std::string::npos);
  CHECK(p.out.empty());
}

TEST_CASE("the preview says which sources and tables there are") {
  CHECK(
      previewed(good, {.source = "shop"}).err.find("no log source is named shop; there are: web") !=
      std::string::npos);
  CHECK(previewed(good, {.table = "gone"}).err.find("the source has no table gone") !=
        std::string::npos);
  CHECK(previewed("sources: {}\n", {}).err.find("no log source; there are: none") !=
        std::string::npos);
}
