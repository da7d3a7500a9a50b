#include "actors/extract/log_columns.hpp"
#include "test/actors/extract/log_events_fixture.hpp"

using namespace rtdp;
using namespace rtdp::test;

namespace {

using lines = std::vector<std::string>;

bool has(const lines& all, const std::string& part) {
  for (const auto& l : all)
    if (l.find(part) != std::string::npos)
      return true;
  return false;
}

} // namespace

TEST_CASE("JSON keeps every digit, flattens objects by dots and keeps arrays") {
  log_run run("tables: [{name: t, columns: [{name: a.b, type: long}, {name: a.c.d}, {name: list, "
              "type: jsonarray}, {name: big, type: decimal}, {name: ok, type: boolean}, {name: n}, "
              "{name: text}]}]");
  CHECK(run.rows(R"({"a":{"b":9007199254740993,"c":{"d":"x"}},"list":[1, 2],)"
                 R"("big":123456789012345678901234567890.10,"ok":true,"n":null,)"
                 R"("text":"a\u00e9\n\ud83d\ude00"})") ==
        lines{"t a.b=9007199254740993 a.c.d=x big=123456789012345678901234567890.10 list=[1, 2] "
              "n=NULL ok=true text=a\u00e9\n\U0001F600"});
}

TEST_CASE("JSON objects stay whole when they are to be kept") {
  log_run run("nested: keep\ntables: [{name: t, columns: [{name: a, type: jsonobject}]}]");
  CHECK(run.rows(R"({"a": {"b": 1 }})") == lines{R"(t a={"b": 1 })"});
}

TEST_CASE("of a repeated name the last one counts") {
  log_run run("tables: [{name: t, columns: [a]}]");
  CHECK(run.rows(R"({"a":"1","a":"2"})") == lines{"t a=2"});
}

TEST_CASE("what is not of the format is a dead letter with its bytes") {
  log_run run("tables: [{name: t, columns: [a]}]");
  for (std::string event : {"", "{", "[1]", "{\"a\":1} x", "{\"a\":}", "{\"a\" 1}", "{\"a\":01}",
                            "{\"a\":\"\\x\"}", "{\"a\":nul}", "plain", "{\"a\":\"\xff\"}"}) {
    CAPTURE(event);
    CHECK(run.rows(event).empty());
    REQUIRE(run.bad.size() == 1);
    CHECK(run.bad[0].bytes == event);
    CHECK(run.bad[0].table.text() == "log.web.main.unmatched.0.0.0");
  }
  auto deep = std::string(70, '[') + std::string(70, ']');
  CHECK(run.rows("{\"a\":" + deep + "}").empty());
  CHECK(run.bad.size() == 1);
}

TEST_CASE("logfmt reads bare, quoted and lone keys") {
  log_run run("format: logfmt\ntables: [{name: t, columns: [level, msg, verbose, empty]}]");
  CHECK(run.rows(R"(level=info msg="a \"b\" c\n" verbose empty=)") ==
        lines{"t empty= level=info msg=a \"b\" c\n verbose=true"});
  CHECK(run.rows("msg=\"open").empty());
  CHECK(run.bad[0].reason.starts_with("not logfmt: a quote does not close at byte 5"));
}

TEST_CASE("CSV reads quotes, empty fields as null and quoted empty ones as text") {
  log_run run("format: csv\ncsv_columns: [a, b, c]\ntables: [{name: t, columns: [a, b, c]}]");
  CHECK(run.rows(R"(1,"x, ""y""",)") == lines{R"(t a=1 b=x, "y" c=NULL)"});
  CHECK(run.rows(R"("",2,3)") == lines{"t a= b=2 c=3"});
  CHECK(run.rows("1,2").empty());
  CHECK(run.bad[0].reason.find("3 fields by the header or csv_columns, found 2") !=
        std::string::npos);
  CHECK(run.rows("1,\"2,3").empty());
  CHECK(run.rows("1,2\"x\",3").empty());
}

TEST_CASE("a regular expression gives its groups; a line that it does not match is unmatched") {
  log_run run(R"(format: regex
pattern: '^(?P<ip>\S+) (?P<status>\d+)(?: (?P<note>\w+))?$'
tables: [{name: t, columns: [ip, {name: status, type: int}, note]}]
)");
  CHECK(run.rows("10.0.0.1 200") == lines{"t ip=10.0.0.1 note=NULL status=200"});
  CHECK(run.rows("  at java.lang.Thread") ==
        lines{"unmatched event=  at java.lang.Thread origin= reason=the pattern of the format does "
              "not match"});
}

TEST_CASE("the first table that keeps an event takes it, and the reason names who did not") {
  log_run run(R"(tables:
  - {name: errors, rules: [{filter: {scope: level, value: ERROR, by: equal}}], columns: [msg]}
  - {name: slow, match: '"ms":\d{4,}', columns: [msg, {name: ms, type: long}]}
)");
  CHECK(run.rows(R"({"level":"ERROR","msg":"x","ms":5000})") == lines{"errors msg=x"});
  CHECK(run.rows(R"({"level":"INFO","msg":"x","ms":5000})") == lines{"slow ms=5000 msg=x"});
  const extract::logs::cell facts[] = {{.name = "@file", .text = "/a.log"}};
  CHECK(run.rows(R"({"level":"INFO","msg":"x"})", {.facts = facts}) ==
        lines{"unmatched event={\"level\":\"INFO\",\"msg\":\"x\"} origin=@file=/a.log "
              "reason=errors: filter (step 1) dropped it; slow: match: is not in it"});
  CHECK(run.events.counted().rows == 2);
  CHECK(run.events.counted().unmatched == 1);
}

TEST_CASE("unmatched events go to the dead letters when asked") {
  log_run run("unmatched: dead_letters\ntables: [{name: t, match: x, columns: [a]}]");
  CHECK(run.rows(R"({"a":1})").empty());
  REQUIRE(run.bad.size() == 1);
  CHECK(run.bad[0].reason == "no table takes it: t: match: is not in it");
}

TEST_CASE("one bad row of an event leaves the others alone, and no reason shows a value") {
  log_run run("tables: [{name: t, rules: [{flattenJsonArray: {scope: 0}}], columns: [{name: n, "
              "from: list, type: int}]}]");
  CHECK(run.rows(R"({"list":[1,"secret",3]})") == lines{"t n=1", "t n=3"});
  REQUIRE(run.bad.size() == 1);
  CHECK(run.bad[0].reason == "column n: the value is not of type int");
}

TEST_CASE("a required column and a key need a value") {
  log_run run("tables: [{name: t, columns: [{name: a, required: true}, {name: b, key: true}]}]");
  CHECK(run.rows(R"({"a":"1","b":"2"})") == lines{"t a=1 b=2"});
  CHECK(run.rows(R"({"a":"1","b":null})").empty());
  CHECK(run.rows(R"({"b":"1"})").empty());
  CHECK(run.bad[0].reason == "column a: is required, and the event has no value");
}

TEST_CASE("numbers and dates are read strictly") {
  log_run run("tables: [{name: t, columns: [{name: i, type: int}, {name: l, type: long}, {name: d, "
              "type: date}, {name: f, type: double}, {name: b, type: boolean}]}]");
  for (std::string bad : {R"({"i":2147483648})", R"({"i":1.0})", R"({"i":" 1"})", R"({"i":""})",
                          R"({"l":9223372036854775808})", R"({"d":"2026-02-30"})",
                          R"({"d":"22.11.2026"})", R"({"f":"1,5"})", R"({"b":"yes"})"}) {
    CAPTURE(bad);
    CHECK(run.rows(bad).empty());
    CHECK(run.bad.size() == 1);
  }
}

TEST_CASE("times follow their format and no calendar but the real one") {
  using extract::logs::parse_time;
  CHECK(parse_time("22/Nov/2026:11:00:00 +0100", "%d/%b/%Y:%H:%M:%S %z") ==
        parse_time("2026-11-22 10:00:00", ""));
  CHECK(parse_time("2026-11-22 10:00:00,123", "%Y-%m-%d %H:%M:%S,%f") ==
        parse_time("2026-11-22 10:00:00.123", ""));
  CHECK(parse_time("2026-11-22 10:00:00.5 +0000", "%Y-%m-%d %H:%M:%S.%f %z") ==
        parse_time("2026-11-22 10:00:00.5", ""));
  CHECK(parse_time("1.25", "epoch_s") == 1'250'000);
  CHECK(parse_time("-1.25", "epoch_s") == -1'250'000);
  CHECK(parse_time("1500", "epoch_ms") == 1'500'000);
  CHECK(parse_time("7", "epoch_us") == 7);
  for (const auto& wrong : {std::pair{"31/02/2026", "%d/%m/%Y"},
                            {"2026-11-22 x", "%Y-%m-%d"},
                            {"2026-11-22 25:00", "%Y-%m-%d %H:%M"},
                            {"1.x", "epoch_s"},
                            {"", "epoch_ms"},
                            {"99999999999999999999", "epoch_ms"},
                            {"2026-11-22 10:00:00,", "%Y-%m-%d %H:%M:%S,%f"}}) {
    CAPTURE(wrong.first);
    CHECK(!parse_time(wrong.first, wrong.second));
  }
}

TEST_CASE("the time of an event is that of its column when the table says so") {
  log_run run("tables: [{name: t, time: at, columns: [{name: at, type: datetime}]}]");
  run.events.add(R"({"at":"2026-11-22T10:00:00Z"})", {.ts_us = 5}, run.out);
  run.events.add(R"({})", {.ts_us = 5}, run.out);
  auto taken = run.out.take();
  REQUIRE(taken.batches.size() == 1);
  CHECK(taken.batches[0].timestamps()[0] == ums::parse_datetime("2026-11-22 10:00:00").value());
  CHECK(taken.batches[0].timestamps()[1] == 5);
}

TEST_CASE("the host is part 6 of the namespace") {
  log_run run("tables: [{name: t, columns: [a]}]");
  run.events.add(R"({"a":1})", {.host = "web.1"}, run.out);
  auto taken = run.out.take();
  CHECK(taken.batches.at(0).schema->name.text() == "log.web.main.t.0.\"web.1\".0");
}

TEST_CASE("wrong rules are told with line and place") {
  auto found = log_problems(R"(format: regex
pattern: '(?P<a>x'
tables:
  - name: t
    rules:
      - regexExtract: {scope: 0, pattern: 'a(b'}
      - trim: {scope: 0}
        split: {scope: 0, separator: x}
      - saveAs: [{scope: '*', name: a}]
      - jsonPath: {scope: 0, path: '$.a[*]'}
      - replace: {scope: '@file', find: x}
  - {name: t, columns: [{name: a, type: int, time_format: epoch_s}, {name: a}, {name: ums_id_}]}
  - {name: unmatched, time: gone, columns: [a]}
  - {name: nothing}
)");
  CHECK(has(found, "2: pattern: not a regular expression: missing ): (?P<a>x at character 1"));
  CHECK(has(found, "6: tables.0.rules.0.regexExtract: not a regular expression: missing ): a(b"));
  CHECK(has(found, "7: tables.0.rules.1: a step has one operator; found trim and split"));
  CHECK(has(found, "9: tables.0.rules.2.saveAs: column a: a scope of saveAs is one position"));
  CHECK(has(found, "10: tables.0.rules.3.jsonPath: expects a number or a quoted name"));
  CHECK(has(found, "11: tables.0.rules.4.replace: cells that begin with @"));
  CHECK(has(found, "12: tables.1.name: is the name of an earlier table"));
  CHECK(has(found, "tables.1.columns.0.time_format: is for columns of type date or datetime"));
  CHECK(has(found, "tables.1.columns.1.name: is the name of an earlier column"));
  CHECK(has(found, "tables.1.columns.2.name: is the name of a system column"));
  CHECK(has(found, "13: tables.2.name: is where events go that no table takes"));
  CHECK(has(found, "13: tables.2.time: expects a column of type datetime"));
  CHECK(has(found, "14: tables.3: has no columns"));
}

TEST_CASE("an unknown operator and an unknown setting are told with a suggestion") {
  auto found = log_problems("tables:\n  - name: t\n    columns: [a]\n    rules:\n"
                            "      - triim: {scope: 0}\n      - split: {scope: 0, seperator: x}\n");
  CHECK(has(found, "5: tables.0.rules.0.triim: is not a known setting; did you mean trim?"));
  CHECK(has(found, "split.seperator: is not a known setting; did you mean separator?"));
}

TEST_CASE("a column that the format cannot fill is a mistake") {
  CHECK(has(log_problems("format: plain\ntables: [{name: t, columns: [message]}]"),
            "no cell is named message; the format gives: line"));
  CHECK(log_problems("format: plain\ntables: [{name: t, columns: [line, {name: f, from: "
                     "'@file'}]}]")
            .empty());
}

TEST_CASE("the tables of a source are known from its settings") {
  auto described = extract::logs::describe_events(
      "web", log_settings("tables: [{name: t, columns: [{name: a, type: int, key: true}]}]"));
  REQUIRE(described);
  REQUIRE(described->size() == 2);
  CHECK((*described)[0].name.text() == "log.web.main.t.0.0.0");
  CHECK((*described)[0].keys() == lines{"a"});
  CHECK((*described)[1].name.text() == "log.web.main.unmatched.0.0.0");
}
