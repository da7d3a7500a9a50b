#include "config/pipeline.hpp"
#include "test/config/printed.hpp"
#include "test/config/toy.hpp"

using namespace rtdp::config;
using std::chrono::milliseconds;
using toy::lines;
using strings = std::vector<std::string>;
using toy::problems_of;

namespace {

const std::string whole = R"(node:    {name: n2, data_dir: /var/lib/rtdp, http: "off"}
bus:     {kind: kafka, brokers: "a:9092"}
sources:
  shop:
    kind: postgres
    url: ${env:SHOP_URL}
    tables: [public.orders, {name: public.customers, before_images: true}]
streams: {fast: {batch_rows: 100}}
sinks:
  dw: {kind: postgres, url: "${env:URL}", timeout: 5s}
  out: {kind: print}
flows:
  orders:
    source: postgres.shop.public.orders
    sink: dw.public.orders
    keys: [id]
    mutation: iud_clean
    create: true
    evolve: fail
    truncate: refuse
    stream: fast
    dead_letters_max: 0
    queue_batches: 2
    steps:
      - sql: select id from orders
      - sql: {select: select 2, memory_bytes: 1MiB}
      - sql: select 3
        memory_bytes: 2MiB
      - dedupe:
  look:
    source: postgres.shop
    sink: out."odd.table".x
)";

/// The problems of a file that is right but for these lines of its flow `f`, which begin in line 4.
strings flow_problems(const std::string& flow) {
  return problems_of("sources: {shop: {kind: generator}, crm: {kind: generator}}\n"
                     "sinks: {dw: {kind: print}}\n"
                     "flows: {f: \n" +
                     flow + "}\n");
}

} // namespace

TEST_CASE("a whole file becomes one model") {
  auto file = toy::checked_text(whole);
  CHECK(lines(file.problems) == strings{});
  const auto& p = file.value;
  CHECK(p.node.name == "n2");
  CHECK(p.node.data_dir == "/var/lib/rtdp");
  CHECK(p.node.http == "off");
  CHECK(p.bus.kind == "kafka");
  CHECK(p.bus.settings.get<texts>("brokers") == texts{"a:9092"});
  REQUIRE(p.sources.size() == 1);
  CHECK(p.sources[0].name == "shop");
  CHECK(p.sources[0].kind == "postgres");
  CHECK(p.sources[0].line == 4);
  CHECK(p.sources[0].settings.get<secret>("url").reveal().find(toy::password) != std::string::npos);
  CHECK(p.sources[0].settings.get<sections>("tables").size() == 2);
  REQUIRE(p.streams.size() == 2);
  CHECK(p.streams[0].name == "main");
  CHECK(p.streams[0].settings.integer("batch_rows") == 65'536);
  CHECK(p.streams[1].name == "fast");
  CHECK(p.streams[1].settings.integer("batch_rows") == 100);
  REQUIRE(p.sinks.size() == 2);
  CHECK(p.sinks[0].settings.duration("timeout") == milliseconds{5000});
  CHECK(p.sinks[1].kind == "print");
}

TEST_CASE("a flow has its settings and its steps in order") {
  auto file = toy::checked_text(whole);
  REQUIRE(file.value.flows.size() == 2);
  const auto& f = file.value.flows[0];
  CHECK(f.name == "orders");
  CHECK(f.line == 13);
  CHECK(f.source == "postgres.shop.public.orders");
  CHECK(f.sink == "dw");
  CHECK(f.table == "public.orders");
  CHECK(f.keys == strings{"id"});
  CHECK(f.mutation == "iud_clean");
  CHECK(f.create);
  CHECK(f.evolve == "fail");
  CHECK_FALSE(f.truncate);
  CHECK(f.stream == "fast");
  CHECK(f.dead_letters_max == 0);
  CHECK(f.queue_batches == 2);
  CHECK(f.settings.lines.at("keys") == 16);
  REQUIRE(f.steps.size() == 4);
  CHECK(f.steps[0].kind == "sql");
  CHECK(f.steps[0].line == 25);
  CHECK(f.steps[0].settings.text("select") == "select id from orders");
  CHECK(f.steps[1].settings.text("select") == "select 2");
  CHECK(f.steps[1].settings.integer("memory_bytes") == 1 << 20);
  CHECK(f.steps[2].settings.text("select") == "select 3");
  CHECK(f.steps[2].settings.integer("memory_bytes") == 2 << 20);
  CHECK(f.steps[3].kind == "dedupe");
  const auto& look = file.value.flows[1];
  CHECK(look.table == "\"odd.table\".x");
  CHECK(look.mutation == "iud");
  CHECK(look.stream == "main");
  CHECK(look.truncate);
  CHECK(look.steps.empty());
}

TEST_CASE("an empty file is a node with the first bus and the stream main") {
  auto file = toy::checked_text("");
  CHECK(lines(file.problems) == strings{});
  CHECK(file.value.node.name == "n1");
  CHECK(file.value.node.data_dir == "./data");
  CHECK(file.value.node.http == "127.0.0.1:8080");
  CHECK(file.value.bus.kind == "embedded");
  CHECK(file.value.streams.at(0).name == "main");
  CHECK(file.value.flows.empty());
  CHECK(problems_of("streams: {main: }\nflows:\nbus:\n") == strings{});
}

TEST_CASE("overrides are checked like the file, without a line") {
  auto file = toy::checked_text(whole, {"flows.orders.mutation=i", "node.name=n9"});
  CHECK(lines(file.problems) == strings{});
  CHECK(file.value.flows[0].mutation == "i");
  CHECK(file.value.node.name == "n9");
  CHECK(problems_of(whole, {"flows.orders.mutation=iudd", "sinks.dw.url=postgres://u:pw@h/d"}) ==
        strings{"0 sinks.dw.url: secrets only by ${env:NAME} or ${file:PATH}; an address without a "
                "password may stand here",
                "0 flows.orders.mutation: must be one of: i, iud, iud_clean; found iudd"});
}

TEST_CASE("an unknown part of the file is a problem") {
  CHECK(
      problems_of("node: {}\nsource: {}\ncolour: red\n") ==
      strings{"2 source: is not a known setting; did you mean sources?",
              "3 colour: is not a known setting; known: node, bus, sources, streams, sinks, flows, "
              "alarms, nodes, cluster"});
  CHECK(problems_of("just text\n") == strings{"1 expects a mapping; found text"});
}

TEST_CASE("the node's settings are checked") {
  CHECK(problems_of("node:\n  name: a b\n  data_dir: ''\n  http: 8080\n") ==
        strings{"2 node.name: a name consists of letters, digits, _ and -, at most 63; found a b",
                "3 node.data_dir: must not be empty",
                "4 node.http: expects host:port, such as 127.0.0.1:8080, or off; found 8080"});
  for (const auto* fine : {"off", "localhost:80", "0.0.0.0:0", "'[::1]:8080'"})
    CHECK(problems_of(std::string("node: {http: ") + fine + "}\n") == strings{});
  for (const auto* wrong : {":80", "a:", "a:65536", "a:-1", "a:b", "::1:80", "on"})
    CHECK(problems_of(std::string("node: {http: '") + wrong + "'}\n").size() == 1);
  CHECK(problems_of("node: {http: \"${env:MODE}\"}\n") ==
        strings{"1 node.http: expects host:port, such as 127.0.0.1:8080, or off; found ${env:MODE} "
                "(its value is not shown)"});
}

TEST_CASE("a kind is required and must be known") {
  CHECK(problems_of("bus:\n"
                    "  kind: kafak\n"
                    "sources:\n"
                    "  a: {kind: postgress, url: x}\n"
                    "  b: {}\n"
                    "  c: text\n"
                    "  d:\n"
                    "sinks:\n"
                    "  e:\n"
                    "    kind: oracle\n"
                    "  f: {kind: [a]}\n"
                    "  g: {kind: print, colour: red}\n") ==
        strings{"2 bus.kind: unknown kind of bus kafak; did you mean kafka? known: embedded, kafka",
                "4 sources.a.kind: unknown kind of source postgress; did you mean postgres? known: "
                "postgres, generator",
                "5 sources.b.kind: is required; known: postgres, generator",
                "6 sources.c: expects a mapping with kind: and its settings; found text",
                "7 sources.d.kind: is required; known: postgres, generator",
                "10 sinks.e.kind: unknown kind of sink oracle; known: postgres, print",
                "11 sinks.f.kind: unknown kind of sink a list; known: postgres, print",
                "12 sinks.g.colour: is not a known setting; known: kind"});
}

TEST_CASE("a component's own settings are checked with their lines") {
  CHECK(
      problems_of("bus: {kind: kafka}\n"
                  "sources:\n"
                  "  shop:\n"
                  "    kind: postgres\n"
                  "    url: postgres://app:hunter2@db/shop\n"
                  "    tables:\n"
                  "      - public.orders\n"
                  "      - before_images: true\n") ==
      strings{"1 bus.brokers: is required: host:port of some brokers.",
              "5 sources.shop.url: secrets only by ${env:NAME} or ${file:PATH}; an address without "
              "a password may stand here",
              "8 sources.shop.tables.1.name: is required: schema.table"});
}

TEST_CASE("names are plain words, and their parts are mappings") {
  CHECK(problems_of("sources: {a.b: {kind: generator}}\nstreams: [main]\nsinks: text\n"
                    "flows: {\"\": {source: x, sink: y}}\n") ==
        strings{"1 sources.a.b: a name consists of letters, digits, _ and -, at most 63",
                "2 streams: expects a mapping from names to settings; found a list",
                "3 sinks: expects a mapping from names to settings; found text",
                "4 flows.: a name consists of letters, digits, _ and -, at most 63",
                "4 flows..sink: expects <sink>.<table as the store names it>; found y"});
}

TEST_CASE("the settings of streams and flows are checked") {
  CHECK(problems_of("streams:\n  main:\n    batch_rows: 0\n    fetch_bytes: 1KiB\n") ==
        strings{"3 streams.main.batch_rows: must lie in [1, 1000000]; found 0",
                "4 streams.main.fetch_bytes: must lie in [64KiB, 1GiB]; found 1KiB"});
  CHECK(
      flow_problems("{ source: generator.shop,\n sink: dw.t,\n mutation: iudd,\n evolve: drop,\n"
                    " truncate: yes,\n queue_batches: 0,\n dead_letters_max: -1,\n stepps: []}") ==
      strings{"6 flows.f.mutation: must be one of: i, iud, iud_clean; found iudd",
              "7 flows.f.evolve: must be one of: add, ignore, fail; found drop",
              "8 flows.f.truncate: must be one of: apply, refuse; found yes",
              "9 flows.f.queue_batches: must lie in [1, 1024]; found 0",
              "10 flows.f.dead_letters_max: must be at least 0; found -1",
              "11 flows.f.stepps: is not a known setting; did you mean steps?"});
  CHECK(flow_problems("{}").size() == 2);
}

TEST_CASE("a flow names a sink, a stream and a source that exist") {
  CHECK(flow_problems("{source: generator.shpo.x,\n sink: dww.public.orders,\n stream: fast}") ==
        strings{"4 flows.f.source: names the source shpo, which is not configured; did you mean "
                "shop? known: shop, crm",
                "5 flows.f.sink: unknown sink in dww.public.orders; did you mean dw? known: dw",
                "6 flows.f.stream: unknown stream fast; known: main"});
  CHECK(
      flow_problems("{source: generator.warehouse,\n sink: .x}") ==
      strings{"4 flows.f.source: names the source warehouse, which is not configured; known: shop, "
              "crm",
              "5 flows.f.sink: expects <sink>.<table as the store names it>; found .x"});
  for (const auto* fine : {"'*'", "'*.shop'", "generator", "'generator.*.x'",
                           "'generator.\"a b\".x'", "'\"x.y\".z'", "generator.crm.main.t.0.0.0"}) {
    CAPTURE(fine);
    CHECK(flow_problems(std::string("{source: ") + fine + ", sink: dw.t}") == strings{});
  }
  for (const auto* wrong : {"dw", "dw.", "'\"dw.t\"'"}) {
    CAPTURE(wrong);
    CHECK(flow_problems(std::string("{source: generator.shop, sink: ") + wrong + "}").size() == 1);
  }
}

TEST_CASE("a long list of known names is cut") {
  std::string text = "flows: {f: {source: '*', sink: out.t}}\nsinks:\n";
  for (int i = 0; i < 30; ++i)
    text += "  warehouse" + std::to_string(i) + ": {kind: print}\n";
  auto found = problems_of(text);
  REQUIRE(found.size() == 1);
  CHECK(found[0].find("warehouse19 and 10 more") != std::string::npos);
}

TEST_CASE("a component with a problem is still known by its name") {
  CHECK(problems_of("sources: {shop: {kind: nope}}\nsinks: {dw: {kind: print, x: 1}}\n"
                    "flows: {f: {source: generator.shop, sink: dw.t}}\n")
            .size() == 2);
}

TEST_CASE("the namespace pattern is checked by who knows namespaces") {
  CHECK(flow_problems("{source: generator..shop, sink: dw.t}") ==
        strings{"4 flows.f.source: an empty part in generator..shop"});
}

TEST_CASE("the same source and sink twice is refused, another source is not") {
  const std::string head =
      "sources: {shop: {kind: generator}}\nsinks: {dw: {kind: print}}\nflows:\n";
  CHECK(problems_of(head + "  a: {source: generator.shop.x, sink: dw.t}\n"
                           "  b: {source: generator.shop.y, sink: dw.t}\n"
                           "  c: {source: generator.shop.*, sink: dw.t}\n") == strings{});
  CHECK(problems_of(head + "  a: {source: generator.shop.x, sink: dw.t}\n"
                           "  b: {source: generator.shop.x, sink: dw.t}\n") ==
        strings{"5 flows.b.sink: has the same source and sink as flow a in line 4; rows would be "
                "written twice"});
}

TEST_CASE("a step begins with its kind") {
  CHECK(flow_problems("{source: generator.shop, sink: dw.t, steps: [\n"
                      "  {slq: select 1},\n"
                      "  {memory_bytes: 1MiB, sql: select 1},\n"
                      "  select 1,\n"
                      "  [a],\n"
                      "  {},\n"
                      "  {sql: },\n"
                      "  {sql: {select: select 1, memory: 1}, memory_bytes: x},\n"
                      "  {sql: select 1, select: select 2},\n"
                      "  {dedupe: x},\n"
                      "  {sql: delete}]}") ==
        strings{
            "5 flows.f.steps.0: unknown step slq; did you mean sql? known: sql, dedupe; a step's "
            "kind is its first "
            "key",
            "6 flows.f.steps.1: unknown step memory_bytes; known: sql, dedupe; a step's kind is "
            "its first key",
            "7 flows.f.steps.2: expects a mapping that begins with the step's kind; found text; "
            "known: sql, dedupe",
            "8 flows.f.steps.3: expects a mapping that begins with the step's kind; found a list; "
            "known: sql, dedupe",
            "9 flows.f.steps.4: expects a mapping that begins with the step's kind; found a "
            "mapping; known: sql, dedupe",
            "10 flows.f.steps.5.sql.select: is required: The statement.",
            "11 flows.f.steps.6.sql.memory_bytes: expects a size such as 65536, 64KiB, 8MiB or "
            "1GiB; found x",
            "11 flows.f.steps.6.sql.memory: is not a known setting; known: select, memory_bytes",
            "12 flows.f.steps.7.sql.select: is given twice, inside of the step and beside it",
            "13 flows.f.steps.8.dedupe: takes no value; found x",
            "14 flows.f.steps.9.sql: expects a select statement; found delete"});
  CHECK(flow_problems("{source: generator.shop, sink: dw.t, steps: select 1}") ==
        strings{"4 flows.f.steps: expects a list of steps; found text"});
  CHECK(flow_problems("{source: generator.shop, sink: dw.t, steps: {sql: select 1}}") ==
        strings{"4 flows.f.steps: expects a list of steps; found a mapping"});
}

TEST_CASE("problems of loading and of checking come together, by line") {
  CHECK(
      problems_of("node: {name: a b}\nbus: {kind: \"${env:NOPE}\"}\nnode: {}\nx: 1\n") ==
      strings{
          "1 node.name: a name consists of letters, digits, _ and -, at most 63; found a b",
          "2 bus.kind: the environment variable NOPE is not set",
          "3 node: is given twice; the first is in line 1",
          "4 x: is not a known setting; known: node, bus, sources, streams, sinks, flows, "
            "alarms, nodes, cluster"});
  CHECK(problems_of("a: [\n").size() == 1);
}

TEST_CASE("a reference that leads nowhere is the only problem of its value") {
  CHECK(flow_problems("{source: '${env:A}', sink: '${env:B}', stream: '${env:C}',\n"
                      " mutation: '${env:D}', steps: [{sql: '${env:E}'}]}") ==
        strings{"4 flows.f.source: the environment variable A is not set",
                "4 flows.f.sink: the environment variable B is not set",
                "4 flows.f.stream: the environment variable C is not set",
                "5 flows.f.mutation: the environment variable D is not set",
                "5 flows.f.steps.0.sql: the environment variable E is not set"});
}

TEST_CASE("no cross check shows what came by reference") {
  auto found = flow_problems("{source: \"generator..${env:MODE}\",\n sink: \"${env:MODE}.t\",\n"
                             " stream: \"${env:MODE}\",\n steps: [{sql: \"${env:MODE}\"}]}");
  CHECK(
      found ==
      strings{"4 flows.f.source: is not a namespace pattern; found generator..${env:MODE} (its "
              "value is not shown)",
              "5 flows.f.sink: unknown sink in ${env:MODE}.t (its value is not shown); known: dw",
              "6 flows.f.stream: unknown stream ${env:MODE} (its value is not shown); known: main",
              "7 flows.f.steps.0.sql: is wrong, but its text came by reference and is not shown"});
  CHECK(
      flow_problems("{source: \"generator.${env:MODE}\", sink: dw.t}") ==
      strings{"4 flows.f.source: names the source generator.${env:MODE} (its value is not shown), "
              "which is not configured; known: shop, crm"});
}

TEST_CASE("a sink's name ends at the first dot outside of double quotes") {
  auto split = [](std::string_view text) {
    auto s = split_sink(text);
    return s.sink + "|" + s.table;
  };
  CHECK(split("dw.public.orders") == "dw|public.orders");
  CHECK(split("\"a.b\".c") == "\"a.b\"|c");
  CHECK(split("dw.\"a.b\"") == "dw|\"a.b\"");
  CHECK(split("dw") == "dw|");
  CHECK(split("") == "|");
}
