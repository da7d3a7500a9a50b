#include "config/reference.hpp"
#include "test/config/printed.hpp"
#include "test/config/toy.hpp"

using namespace rtdp::config;
using toy::lines;
using strings = std::vector<std::string>;

namespace {

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a spec's Markdown is a table of its settings") {
  auto s =
      spec{"toy", "Does something."}
          .add(field{"path", std::string{}, "Where | it is."}.required())
          .add(field{"fetch_bytes", int64_t{8} << 20, "How much."}.range(1024, 1 << 30))
          .add(field{"mode", std::string("a"), "Which way."}.one_of({"a", "b"}))
          .add(field{"wait", std::chrono::milliseconds{500}, "How long."}
                   .range(0, INT64_MAX)
                   .advanced())
          .add(field{"tables", sections{}, "What."}.of(
              {field{"name", std::string{}, "Its name."}.required(), {"deep", false, "Or flat."}}));
  CHECK(s.markdown() ==
        "### toy\n"
        "\n"
        "Does something.\n"
        "\n"
        "| setting | type | default | meaning |\n"
        "|---|---|---|---|\n"
        "| `path` | text | **required** | Where \\| it is. |\n"
        "| `fetch_bytes` | integer: 1KiB to 1GiB | `8MiB` | How much. |\n"
        "| `mode` | text: `a`, `b` | `a` | Which way. |\n"
        "| `wait` | duration: 0ms or more | `500ms` | How long. *Rarely needed.* |\n"
        "| `tables` | list of mappings |  | What. |\n"
        "| `tables[].name` | text | **required** | Its name. |\n"
        "| `tables[].deep` | boolean | `false` | Or flat. |\n");
  CHECK(spec{"bare", "Nothing to set."}.markdown() ==
        "### bare\n\nNothing to set.\n\nIt has no settings.\n");
}

TEST_CASE("the page tells of every kind once, under its heading") {
  auto page = reference(toy::kinds());
  size_t at = 0;
  for (const auto* heading : {"# Settings\n",     "## How values are written\n",
                              "\n## Node\n",      "\n### node\n",
                              "\n## Bus\n",       "\n### embedded\n",
                              "\n### kafka\n",    "\n## Sources\n",
                              "\n### postgres\n", "\n### generator\n",
                              "\n## Streams\n",   "\n### stream\n",
                              "\n## Sinks\n",     "\n### postgres\n",
                              "\n### print\n",    "\n## Flows\n",
                              "\n### flow\n",     "\n## Steps\n",
                              "\n### sql\n",      "\n### dedupe\n",
                              "\n## Alarms\n",    "\n### alarms\n"}) {
    CAPTURE(heading);
    auto found = page.find(heading, at);
    REQUIRE(found != std::string::npos);
    at = found + 1;
  }
  CHECK(holds(page,
              "```yaml\nsources:\n  my_postgres:\n    kind: postgres\n    url: ${env:SHOP_URL}\n"
              "    tables: [tables]\n```\n"));
  CHECK(holds(page, "```yaml\nsinks:\n  my_postgres:\n    kind: postgres\n    url: ${env:URL}\n"
                    "    # timeout: 30s\n```\n"));
  CHECK(holds(page, "```yaml\n    steps:\n      - sql:\n          select: select\n"
                    "          # memory_bytes: 64MiB\n```\n"));
  CHECK_FALSE(holds(page, "\n\n\n"));
}

TEST_CASE("one kind is told alone, as source and as sink when it is both") {
  auto text = reference(toy::kinds(), "postgres");
  CHECK(text.find("## Sources\n") == 0);
  CHECK(holds(text, "\n## Sinks\n"));
  CHECK_FALSE(holds(text, "generator"));
  CHECK(reference(toy::kinds(), "flow").find("## Flows\n") == 0);
  CHECK(reference(toy::kinds(), "nope").empty());
  CHECK(reference_names(toy::kinds()) == strings{"node", "nodes", "cluster", "embedded", "kafka",
                                                 "postgres", "generator", "stream", "print", "flow",
                                                 "sql", "dedupe", "alarms"});
}

TEST_CASE("every example of the page passes the check") {
  const std::string around = "sources: {shop: {kind: generator}}\nsinks: {dw: {kind: print}}\n"
                             "flows:\n  f:\n    source: generator.shop\n    sink: dw.t\n";
  for (const auto& example : reference_examples(toy::kinds())) {
    CAPTURE(example);
    auto text = example;
    if (example.rfind("flows:", 0) == 0)
      text = "sources: {shop: {kind: generator}}\nsinks: {dw: {kind: print}}\n" + example;
    if (example.rfind("    steps:", 0) == 0)
      text = around + example;
    // Half of a cluster each.
    if (example.rfind("nodes:", 0) == 0)
      text = "bus: {kind: kafka, brokers: b:9092}\n" + example;
    if (example.rfind("cluster:", 0) == 0)
      text = "bus: {kind: kafka, brokers: b:9092}\n"
             "nodes: {n1: {data_dir: d, listen: h:1}}\n" + example;
    CHECK(lines(toy::checked_text(text).problems) == strings{});
  }
}
