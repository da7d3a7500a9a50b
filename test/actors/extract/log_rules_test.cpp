#include "test/actors/extract/log_events_fixture.hpp"

using namespace rtdp;
using namespace rtdp::test;

namespace {

using lines = std::vector<std::string>;

const std::string five = R"({"a":"A","b":"B","c":"C","d":"D","e":"E"})";

lines after(const std::string& steps, const std::string& event = five) {
  return log_run::after(steps, event);
}

/// `select` with a scope shows which cells it means, and in which order.
std::string selected(const std::string& scope) {
  return after("      - select: {scope: '" + scope + "'}")[0];
}

} // namespace

TEST_CASE("a scope means the cells that DBus's grammar says") {
  CHECK(selected("*") == "A|B|C|D|E");
  CHECK(selected("0:") == "A|B|C|D|E");
  CHECK(selected("2") == "C");
  CHECK(selected("0") == "A");
  CHECK(selected("-1") == "E");
  CHECK(selected("-5") == "A");
  CHECK(selected("1:3") == "B|C");
  CHECK(selected("2:") == "C|D|E");
  CHECK(selected("-3:-1") == "C|D");
  CHECK(selected("-2:") == "D|E");
  CHECK(selected("1:-1") == "B|C|D");
  CHECK(selected("3,0,1") == "D|A|B");
  CHECK(selected("-1,0") == "E|A");
  CHECK(selected("c,a") == "C|A");
  CHECK(selected("e,0") == "E|A");
}

TEST_CASE("a scope passes over what a record does not have") {
  CHECK(selected("5") == "");
  CHECK(selected("-6") == "");
  CHECK(selected("3:99") == "D|E");
  CHECK(selected("-99:2") == "A|B");
  CHECK(selected("2:2") == "");
  CHECK(selected("3:1") == "");
  CHECK(selected("1,9,nothing") == "B");
}

TEST_CASE("a scope with an empty item is refused with its place") {
  auto found = log_problems("tables: [{name: t, columns: [x], rules: [{trim: {scope: '1,,2'}}]}]");
  REQUIRE(found.size() == 1);
  CHECK(found[0].find("tables.0.rules.0.trim") != std::string::npos);
  CHECK(found[0].find("an empty item at character 3 of \"1,,2\"") != std::string::npos);
}

TEST_CASE("filter keeps rows by contains, equal and regex, and all items must hold") {
  const std::string event = R"({"level":"ERROR","msg":"disk full","n":null})";
  auto kept = [&](const std::string& item) {
    return after("      - filter: " + item, event)[0] != "dropped";
  };
  CHECK(kept("{scope: level, value: ERR}"));
  CHECK(!kept("{scope: level, value: WARN}"));
  CHECK(!kept("{scope: level, value: ERR, by: equal}"));
  CHECK(kept("{scope: level, value: ERROR, by: equal}"));
  CHECK(kept("{scope: 1, value: '^disk', by: regex}"));
  CHECK(!kept("{scope: level, value: ERR, op: '!='}"));
  CHECK(kept("{scope: level, value: WARN, op: '!='}"));
  // One of several cells is enough; for != none may.
  CHECK(kept("{scope: '*', value: full}"));
  CHECK(!kept("{scope: '*', value: full, op: '!='}"));
  // Null and missing contain nothing.
  CHECK(!kept("{scope: n, value: x}"));
  CHECK(kept("{scope: gone, value: x, op: '!='}"));
  // DBus: the last condition wins. Here the first one drops the row.
  CHECK(!kept("[{scope: level, value: WARN}, {scope: msg, value: disk}]"));
  CHECK(kept("[{scope: level, value: ERR}, {scope: msg, value: disk}]"));
  CHECK(kept("{scope: '@file', value: a.log}"));
}

TEST_CASE("keyFilter asks the value under a name") {
  const std::string event = R"({"0":"zero","kind":"pay"})";
  auto kept = [&](const std::string& item) {
    return after("      - keyFilter: " + item, event)[0] != "dropped";
  };
  CHECK(kept("{key: kind, value: pa}"));
  CHECK(!kept("{key: kind, value: refund}"));
  CHECK(kept("{key: kind, value: refund, op: '!='}"));
  CHECK(kept("{key: '0', value: zero, by: equal}"));
  CHECK(!kept("{key: gone, value: x}"));
  CHECK(kept("{key: gone, value: x, op: '!='}"));
  CHECK(!kept("[{key: kind, value: pay}, {key: gone, value: x}]"));
}

TEST_CASE("trim takes characters off one end, both or everywhere") {
  const std::string event = R"({"a":"[[x]y]","b":"  é b é "})";
  CHECK(after("      - trim: {scope: a, side: left, characters: '[]'}", event) ==
        lines{"x]y]|  é b é "});
  CHECK(after("      - trim: {scope: a, side: right, characters: '[]'}", event) ==
        lines{"[[x]y|  é b é "});
  CHECK(after("      - trim: {scope: a, characters: '[]'}", event) == lines{"x]y|  é b é "});
  CHECK(after("      - trim: {scope: a, side: all, characters: '[]'}", event) ==
        lines{"xy|  é b é "});
  CHECK(after("      - trim: {scope: '*'}", event) == lines{"[[x]y]|é b é"});
  CHECK(after("      - trim: {scope: b, characters: ' é'}", event) == lines{"[[x]y]|b"});
}

TEST_CASE("replace exchanges a text or a regular expression, everywhere in a cell") {
  const std::string event = R"({"a":"1.2.3","b":"x1y22"})";
  CHECK(after("      - replace: {scope: '*', find: '.', with: '-'}", event) ==
        lines{"1-2-3|x1y22"});
  CHECK(after("      - replace: {scope: b, find: '(\\d)', with: '<\\1>', by: regex}", event) ==
        lines{"1.2.3|x<1>y<2><2>"});
  CHECK(after("      - replace: {scope: a, find: '.'}", event) == lines{"123|x1y22"});
}

TEST_CASE("split puts pieces where the cell stood, and several cells do not shift each other") {
  const std::string event = R"({"a":"1|2||","b":"-","c":"x|y"})";
  CHECK(after("      - split: {scope: a, separator: '|'}", event) == lines{"1|2|||-|x|y"});
  // DBus splits the second one at the place that the first one has moved.
  CHECK(after("      - split: {scope: '0,2', separator: '|'}\n      - select: {scope: '3:'}",
              event) == lines{"|-|x|y"});
  CHECK(after("      - split: {scope: c.1, separator: y}", event) == lines{"1|2|||-|x|y"});
  CHECK(after("      - split: {scope: 0, separator: '[|]+', by: regex}", event) ==
        lines{"1|2||-|x|y"});
}

TEST_CASE("split names its pieces") {
  CHECK(after("      - split: {scope: a, separator: ','}\n      - select: {scope: a.1}",
              R"({"a":"1,2"})") == lines{"2"});
}

TEST_CASE("subString cuts by characters or by texts") {
  const std::string event = R"({"a":"héllo world"})";
  auto cut = [&](const std::string& item) {
    return after("      - subString: {scope: a, " + item + "}", event)[0];
  };
  CHECK(cut("start: 1, end: 3") == "él");
  CHECK(cut("start: 6") == "world");
  CHECK(cut("start: -5") == "world");
  CHECK(cut("end: -6") == "héllo");
  CHECK(cut("start: 3, end: 2") == "");
  CHECK(cut("start: 0, end: 99") == "héllo world");
  CHECK(cut("start: l, start_by: text") == "llo world");
  CHECK(cut("start: 0, end: o, end_by: text") == "héllo wo");
  CHECK(cut("start: o, start_by: text, end: r, end_by: text") == "o wor");
  // DBus takes -1 for a position here and keeps the last character.
  CHECK(cut("start: q, start_by: text") == "NULL");
  CHECK(cut("end: q, end_by: text") == "NULL");
}

TEST_CASE("concat joins by position, however often a value occurs") {
  const std::string event = R"({"a":"x","b":"x","c":"x","d":null})";
  // DBus removes every cell that holds one of the joined values.
  CHECK(after("      - concat: {scope: '0,2', separator: '-'}", event) == lines{"x-x|x|NULL"});
  CHECK(after("      - concat: {scope: '2,0', separator: '-'}", R"({"a":"1","b":"2","c":"3"})") ==
        lines{"3-1|2"});
  CHECK(after("      - concat: {scope: '2:', separator: '-'}", event) == lines{"x|x|x-"});
  CHECK(after("      - concat: {scope: gone, separator: '-'}", event) == lines{"x|x|x|NULL"});
}

TEST_CASE("prefixOrAppend puts a text before or behind") {
  CHECK(after("      - prefixOrAppend: {scope: '0,1', text: '<'}", R"({"a":"1","b":null})") ==
        lines{"<1|NULL"});
  CHECK(after("      - prefixOrAppend: {scope: a, text: '>', side: after}", R"({"a":"1"})") ==
        lines{"1>"});
}

TEST_CASE("regexExtract puts groups in the cell's place, nulls when nothing matches") {
  const std::string event = R"({"a":"2017-11 zl","b":"B"})";
  CHECK(after("      - regexExtract: {scope: a, pattern: '(\\d+)-(\\d+) ([a-z])(q)?'}", event) ==
        lines{"2017|11|z|NULL|B"});
  // DBus takes the cell away, which moves all that follow.
  CHECK(after("      - regexExtract: {scope: a, pattern: '(x)(y)'}", event) ==
        lines{"NULL|NULL|B"});
  CHECK(after("      - regexExtract: {scope: a, pattern: '(?P<year>\\d+)'}\n"
              "      - select: {scope: year}",
              event) == lines{"2017"});
}

TEST_CASE("toIndex fixes the order, null for a name that is missing") {
  CHECK(after("      - toIndex: [c, gone, a]") == lines{"C|NULL|A"});
  CHECK(after("      - toIndex: [{key: '@file'}, b]") == lines{"/a.log|B"});
}

TEST_CASE("select and excludeField keep and leave out by position") {
  CHECK(after("      - select: [{scope: '4'}, {scope: 'a:b'}, {scope: '0:2'}]") == lines{"E|A|B"});
  CHECK(after("      - excludeField: [{scope: '1,3'}]") == lines{"A|C|E"});
  CHECK(after("      - excludeField: [b, e]") == lines{"A|C|D"});
}

TEST_CASE("jsonPath adds what it finds behind the last cell") {
  const std::string event = R"({"a":{"b":[1,{"c d":"x\"y"}],"n":null},"z":"no json"})";
  auto found = [&](const std::string& path) {
    auto rows = log_run::after("      - jsonPath: {scope: a, path: \"" + path +
                                   "\", name: p}\n      - select: {scope: p}",
                               event, "nested: keep");
    return rows[0];
  };
  CHECK(found("$.b[0]") == "1");
  CHECK(found("$.b[-1]['c d']") == "x\"y");
  CHECK(found("$.b") == R"([1,{"c d":"x\"y"}])");
  CHECK(found("$.n") == "NULL");
  CHECK(found("$.gone") == "NULL");
  CHECK(found("$.b[7]") == "NULL");
  CHECK(found("$.b.x") == "NULL");
  CHECK(log_run::after("      - jsonPath: {scope: z, path: $.a}", event)[0].starts_with(
      "error: jsonPath (step 1): cell z: not JSON"));
}

TEST_CASE("flattenJsonArray makes a row of each element") {
  const std::string event = R"({"id":"7","list":[1,"two",{"k":3},null]})";
  CHECK(after("      - flattenJsonArray: {scope: list}", event) ==
        lines{"7|1", "7|two", R"(7|{"k":3})", "7|NULL"});
  CHECK(after("      - flattenJsonArray: {scope: list}", R"({"id":"7","list":[]})").empty());
  CHECK(after("      - flattenJsonArray: {scope: id}", event)[0].starts_with("error: "));
  const std::string nested = R"({"o":{"n":"x","list":[1,2]}})";
  CHECK(log_run::after("      - flattenJsonArray: {scope: o, path: $.list}", nested,
                       "nested: keep") == lines{R"({"n":"x","list":1})", R"({"n":"x","list":2})"});
  // Arrays of arrays, as DBus's own example: twice.
  CHECK(after("      - flattenJsonArray: [{scope: 0}, {scope: 0}]", R"({"a":[[1,2],["a"]]})") ==
        lines{"1", "2", "a"});
}

TEST_CASE("flattenUms takes messages of one namespace apart") {
  const std::string message =
      R"({"protocol":{"type":"data_increment_data","version":"1.3"},"schema":{"namespace":)"
      R"("mysql.db.shop.orders.1.0.0","batchId":0,"fields":[{"name":"ums_id_","type":"long",)"
      R"("nullable":false},{"name":"ums_ts_","type":"datetime","nullable":false},)"
      R"({"name":"ums_op_","type":"string","nullable":false},{"name":"id","type":"int",)"
      R"("nullable":true}]},"payload":[{"tuple":["1","2026-11-22 10:00:00","i","5"]},)"
      R"({"tuple":["2","2026-11-22 10:00:01","i",null]}]})";
  auto rows = [&](const std::string& item, const std::string& event) {
    return log_run::after("      - flattenUms: " + item, event, "format: plain");
  };
  CHECK(rows("{namespace: mysql.db.*.orders}", message) ==
        lines{"mysql.db.shop.orders.1.0.0|1|2026-11-22 10:00:00|i|5",
              "mysql.db.shop.orders.1.0.0|2|2026-11-22 10:00:01|i|NULL"});
  CHECK(rows("{namespace: mysql.db.*.customers}", message) == lines{"dropped"});
  CHECK(rows("{scope: 0}", "{}")[0].starts_with("error: "));
}

TEST_CASE("saveAs names and types the columns of the table") {
  log_run run("format: plain\ntables:\n  - name: t\n    rules:\n"
              "      - split: {scope: 0, separator: ' '}\n"
              "      - saveAs: [{scope: 0, name: at, type: datetime}, {scope: -1, name: n, type: "
              "int, key: true}, {scope: 9, name: gone}, {scope: '@file', name: file}]\n");
  const extract::logs::cell facts[] = {{.name = "@file", .text = "/a.log"}};
  CHECK(run.rows("2026-11-22T10:00:00Z x 7", {.facts = facts}) ==
        lines{"t at=2026-11-22 10:00:00 file=/a.log gone=NULL n=7"});
  CHECK(run.rows("2026-11-22T10:00:00Z x 7.5").empty());
  REQUIRE(run.bad.size() == 1);
  CHECK(run.bad[0].reason == "column n: the value is not of type int");
  CHECK(run.bad[0].bytes == "2026-11-22T10:00:00Z x 7.5");
}
