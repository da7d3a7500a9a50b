#include "config/load.hpp"
#include "config/spec.hpp"
#include "test/config/printed.hpp"
#include "test/config/toy.hpp"

#include <yaml-cpp/yaml.h>

using namespace rtdp::config;
using std::chrono::milliseconds;
using toy::lines;
using strings = std::vector<std::string>;

namespace {

spec every_type() {
  return spec{"toy", "One setting of each type."}
      .add({"flag", false, "A switch."})
      .add(field{"rows", int64_t{10}, "How many."}.range(1, 100))
      .add(field{"fetch_bytes", int64_t{1} << 20, "How much."}.range(1024, INT64_MAX))
      .add(field{"share", 0.5, "A part."}.range(0, 1))
      .add(field{"mode", std::string("a"), "Which way."}.one_of({"a", "b"}))
      .add(field{"wait", milliseconds{500}, "How long."}.range(10, 60'000))
      .add({"password", secret{}, "Who knows."})
      .add(field{"columns", texts{}, "Which ones."}.one_of({"x", "y"}))
      .add(field{"tables", sections{}, "What."}.of(
          {field{"name", std::string{}, "Its name."}.required(),
           field{"deep", false, "Or flat."}}));
}

section good(const std::string& text) {
  section out;
  CHECK(lines(every_type().parse(load_text(text, {}, toy::here()).root, "at", out)) == strings{});
  return out;
}

strings bad(const std::string& text, const spec& by = every_type()) {
  section out;
  auto problems = by.parse(load_text(text, {}, toy::here()).root, "at", out);
  CHECK(out.values.size() == by.fields.size());
  return lines(problems);
}

} // namespace

TEST_CASE("a setting that is not in the file has its default") {
  auto s = good("");
  CHECK_FALSE(s.flag("flag"));
  CHECK(s.integer("rows") == 10);
  CHECK(s.get<double>("share") == 0.5);
  CHECK(s.text("mode") == "a");
  CHECK(s.duration("wait") == milliseconds{500});
  CHECK(s.get<secret>("password").empty());
  CHECK(s.get<texts>("columns").empty());
  CHECK(s.get<sections>("tables").empty());
  CHECK(s.lines.empty());
}

TEST_CASE("each type is read as it is written, and its line is kept") {
  auto s = good("flag: on\nrows: 7\nfetch_bytes: 64KiB\nshare: 1\nmode: b\nwait: 2s\n"
                "password: ${env:PASSWORD}\ncolumns: [x, y]\ntables: [a, {name: b, deep: yes}]\n");
  CHECK(s.flag("flag"));
  CHECK(s.integer("rows") == 7);
  CHECK(s.integer("fetch_bytes") == 65'536);
  CHECK(s.get<double>("share") == 1.0);
  CHECK(s.text("mode") == "b");
  CHECK(s.duration("wait") == milliseconds{2000});
  CHECK(s.get<secret>("password").reveal() == toy::password);
  CHECK(s.get<texts>("columns") == texts{"x", "y"});
  const auto& tables = s.get<sections>("tables");
  REQUIRE(tables.size() == 2);
  CHECK(tables[0].text("name") == "a");
  CHECK_FALSE(tables[0].flag("deep"));
  CHECK(tables[1].text("name") == "b");
  CHECK(tables[1].flag("deep"));
  CHECK(tables[1].line == 9);
  CHECK(s.lines.at("wait") == 6);
  CHECK(s.line == 1);
}

TEST_CASE("a single value stands for a list of one") {
  auto s = good("columns: x\ntables: a\n");
  CHECK(s.get<texts>("columns") == texts{"x"});
  CHECK(s.get<sections>("tables").at(0).text("name") == "a");
}

TEST_CASE("a value that is only a reference has the type of its setting") {
  CHECK(good("fetch_bytes: ${env:ROWS}KiB\n").integer("fetch_bytes") == 512'000);
  CHECK(bad("rows: ${env:ROWS}\n") ==
        strings{"1 at.rows: must lie in [1, 100]; found ${env:ROWS} (its value is not shown)"});
}

TEST_CASE("every problem is found in one go, with line and path") {
  CHECK(bad("flag: maybe\n"
            "rows: 0\n"
            "fetch_bytes: 1MB\n"
            "share: 1.5\n"
            "mode: c\n"
            "wait: 5\n"
            "password: hunter2\n"
            "columns: [x, z, [y]]\n"
            "tables:\n"
            "  - deep: perhaps\n"
            "  - a\n"
            "  - name: b\n"
            "    dep: true\n"
            "colour: red\n") ==
        strings{
            "1 at.flag: expects true or false; found maybe",
            "2 at.rows: must lie in [1, 100]; found 0",
            "3 at.fetch_bytes: expects a size such as 65536, 64KiB, 8MiB or 1GiB; found 1MB",
            "4 at.share: must lie in [0, 1]; found 1.5", "5 at.mode: must be one of: a, b; found c",
            "6 at.wait: expects a duration such as 250ms, 5s, 2m, 1h or 7d; found 5",
            "7 at.password: secrets only by ${env:NAME} or ${file:PATH}; an address without a "
            "password may stand here",
            "8 at.columns.1: must be one of: x, y; found z",
            "8 at.columns.2: expects text; found a list",
            "10 at.tables.0.name: is required: Its name.",
            "10 at.tables.0.deep: expects true or false; found perhaps",
            "13 at.tables.2.dep: is not a known setting; did you mean deep?",
            "14 at.colour: is not a known setting; known: flag, rows, fetch_bytes, share, mode, "
            "wait, password, columns, tables"});
}

TEST_CASE("a bound is shown as the file would write it") {
  CHECK(bad("fetch_bytes: 1000\n") ==
        strings{"1 at.fetch_bytes: must be at least 1KiB; found 1000"});
  CHECK(bad("wait: 2m\n") == strings{"1 at.wait: must lie in [10ms, 1m]; found 2m"});
  auto low = spec{"toy", ""}.add(field{"n", int64_t{0}, ""}.range(INT64_MIN, 9));
  CHECK(bad("n: 10\n", low) == strings{"1 at.n: must be at most 9; found 10"});
}

TEST_CASE("a value of the wrong shape says what was found") {
  CHECK(bad("flag: [a]\nrows: {a: 1}\nmode: [a]\nwait:\npassword: {a: b}\ncolumns: {a: b}\n") ==
        strings{"1 at.flag: expects a single value; found a list",
                "2 at.rows: expects a single value; found a mapping",
                "3 at.mode: expects text; found a list",
                "4 at.wait: has no value; write one, or leave the line out for the default",
                "5 at.password: expects text; found a mapping",
                "6 at.columns: expects a list; found a mapping"});
  CHECK(bad("[a]\n") == strings{"1 at: expects a mapping; found a list"});
  CHECK(bad("text\n") == strings{"1 at: expects a mapping; found text"});
  CHECK(bad("tables: [[a]]\n") == strings{"1 at.tables.0: expects a mapping; found a list"});
}

TEST_CASE("what is required must stand there and must not be empty") {
  auto s =
      spec{"toy", ""}
          .add(field{"a", std::string{}, "Some text."}.required())
          .add(field{"b", secret{}, "A secret."}.required())
          .add(field{"c", texts{}, "Some texts."}.required())
          .add(field{"d", sections{}, "Some tables."}.of({{"name", std::string{}, ""}}).required());
  CHECK(bad("", s) == strings{"0 at.a: is required: Some text.", "0 at.b: is required: A secret.",
                              "0 at.c: is required: Some texts.",
                              "0 at.d: is required: Some tables."});
  CHECK(bad("a: ''\nb: ${env:EMPTY}\nc: []\nd: []\n", s) ==
        strings{"1 at.a: is required and must not be empty",
                "2 at.b: is required and must not be empty",
                "3 at.c: is required and must not be empty",
                "4 at.d: is required and must not be empty"});
}

TEST_CASE("one mapping counts as a list of one, and its problems are told under its own path") {
  auto s = good("tables: {name: a, deep: yes}\n");
  REQUIRE(s.get<sections>("tables").size() == 1);
  CHECK(s.get<sections>("tables")[0].text("name") == "a");
  CHECK(bad("tables: {nam: a}\n").size() == 2);
  CHECK(bad("columns: {x: y}\n").size() == 1);
}

TEST_CASE("keys of somebody else are passed over, and suggested") {
  section out;
  auto root = load_text("kind: toy\nkid: 1\n").root;
  CHECK(lines(spec{"toy", ""}.parse(root, "at", out, {"kind"})) ==
        strings{"2 at.kid: is not a known setting; did you mean kind?"});
}

TEST_CASE("a reference that could not be followed is told once only") {
  auto file = load_text("rows: ${env:NOPE}\n", {}, toy::here());
  section out;
  CHECK(file.problems.size() == 1);
  CHECK(lines(every_type().parse(file.root, "at", out)) == strings{});
  CHECK(out.integer("rows") == 10);
}

TEST_CASE("no problem shows a secret") {
  CHECK(bad("mode: ${env:MODE}\n") ==
        strings{"1 at.mode: must be one of: a, b; found ${env:MODE} (its value is not shown)"});
  CHECK(bad("mode: postgres://app:hunter2@db/shop\n") ==
        strings{"1 at.mode: must be one of: a, b; found an address with a password (not shown)"});
}

TEST_CASE("a node of somebody else's making is read as the file is") {
  section out;
  CHECK(lines(every_type().parse(YAML::Load("flag: yes\nrows: x\ntables: [a]\nrow: 1\n"), "at",
                                 out)) ==
        strings{"2 at.rows: expects an integer; found x",
                "4 at.row: is not a known setting; did you mean rows?"});
  CHECK(out.flag("flag"));
  CHECK(out.get<sections>("tables").size() == 1);
  CHECK(lines(every_type().parse(YAML::Node(YAML::NodeType::Undefined), "at", out)) == strings{});
}

TEST_CASE("a problem is one line of text with its place") {
  CHECK(to_string({12, "flows.orders.sink", "unknown sink"}, "p.yaml") ==
        "p.yaml:12: flows.orders.sink: unknown sink");
  CHECK(to_string({3, "", "is not valid YAML"}, "p.yaml") == "p.yaml:3: is not valid YAML");
  CHECK(to_string({0, "node.name", "is wrong"}, "p.yaml") == "command line: node.name: is wrong");
}
