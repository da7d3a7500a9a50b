#include "config/load.hpp"
#include "test/config/printed.hpp"
#include "test/config/toy.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace rtdp::config;
using toy::lines;
using strings = std::vector<std::string>;

namespace {

loaded load(const std::string& text, const strings& overrides = {}) {
  return load_text(text, overrides, toy::here());
}

strings wrong_in(const std::string& text, const strings& overrides = {}) {
  return lines(load(text, overrides).problems);
}

/// "a=1@2" for each scalar: path, text and line.
void list(const tree& node, const std::string& path, strings& out) {
  if (node.items.empty())
    out.push_back(path + "=" + node.text + "@" + std::to_string(node.line));
  for (size_t i = 0; i < node.items.size(); ++i)
    list(node.items[i],
         join(path, node.is == tree::shape::list ? std::to_string(i) : node.items[i].key), out);
}

strings listed(const std::string& text, const strings& overrides = {}) {
  auto file = load(text, overrides);
  CHECK(lines(file.problems) == strings{});
  strings out;
  list(file.root, "", out);
  return out;
}

std::string nested(int levels) { return std::string(levels, '[') + std::string(levels, ']'); }

std::string indented(int levels) {
  std::string out;
  for (int i = 0; i < levels; ++i)
    out += std::string(i, ' ') + "a:\n";
  return out;
}

} // namespace

TEST_CASE("everything in the tree knows its line") {
  CHECK(listed("# a comment\n"
               "a:\n"
               "  b: 1\n"
               "  c:\n"
               "    2\n"
               "d: [x, {y: z}]\n"
               "e:\n"
               "f: |\n"
               "  text\n"
               "g:\n"
               "  - h: 1\n"
               "    i: 2\n"
               "  - j\n") == strings{"a.b=1@3", "a.c=2@4", "d.0=x@6", "d.1.y=z@6", "e=@7",
                                     "f=text\n@8", "g.0.h=1@11", "g.0.i=2@12", "g.1=j@13"});
  auto file = load("a:\n  b:\n    c: 1\n");
  CHECK(file.root.find("a")->line == 1);
  CHECK(file.root.find("a")->find("b")->line == 2);
}

TEST_CASE("an empty file is an empty tree") {
  for (const auto* text : {"", "\n\n", "# nothing\n", "---\n", "~"}) {
    auto file = load(text);
    CHECK(file.problems.empty());
    CHECK(file.root.is == tree::shape::nothing);
  }
}

TEST_CASE("a syntax error has its line and column") {
  CHECK(wrong_in("a: 1\nb: [1, 2\nc: 3\n") ==
        strings{"3 is not valid YAML, column 2: end of sequence flow not found"});
  CHECK(wrong_in("a: b: c\n") == strings{"1 is not valid YAML, column 5: illegal map value"});
  CHECK(wrong_in("a:\n\tb: 1\n") ==
        strings{
            "2 is not valid YAML, column 3: illegal map value; indent with blanks, not with tabs"});
  CHECK(wrong_in("a: *nowhere\n") ==
        strings{"1 is not valid YAML, column 4: the referenced anchor is not defined"});
  CHECK(wrong_in("a: \"\\q\"\n") ==
        strings{"1 is not valid YAML, column 7: unknown escape character"});
}

TEST_CASE("what YAML allows and settings do not need is refused by name") {
  CHECK(wrong_in("a: 1\n---\nb: 2\n") ==
        strings{"2 is not valid YAML, column 1: the file holds a second document; write one "
                "document in each file"});
  CHECK(wrong_in("a: !secret x\n") ==
        strings{"1 is not valid YAML, column 4: a tag (!name) has no meaning here; leave it out"});
  CHECK(wrong_in("a: !!str 5\n") == strings{});
  CHECK(wrong_in("? [a]\n: 1\n") == strings{"1 is not valid YAML, column 3: a key must be plain "
                                               "text; is a bracket or brace left open?"});
  CHECK(wrong_in("k: &k v\n*k : 1\n") ==
        strings{"2 is not valid YAML, column 1: a key must be plain text, not an alias"});
  CHECK(wrong_in(": 1\n") ==
        strings{"1 is not valid YAML, column 1: a key is missing in front of \":\""});
}

TEST_CASE("a file must be text in UTF-8") {
  CHECK(wrong_in("a: 1\nb: \x04\n") ==
        strings{"2 the file must be text in UTF-8; found the control character 0x04"});
  CHECK(wrong_in("a: caf\xE9\n") ==
        strings{"1 the file must be text in UTF-8; found other bytes"});
  CHECK(wrong_in(std::string("a\0", 2)) ==
        strings{"1 the file must be text in UTF-8; found the control character 0x00"});
  CHECK(listed("\xEF\xBB\xBF"
               "a: café\r\n") == strings{"a=café@1"});
  CHECK(wrong_in(std::string((4 << 20) + 1, ' ')) == strings{"0 the file is larger than 4 MiB"});
}

TEST_CASE("duplicate keys are a problem, and the first one counts") {
  auto file = load("a:\n  b: 1\n  c: 2\n  b: 3\na: 4\n");
  CHECK(lines(file.problems) == strings{"5 a: is given twice; the first is in line 1",
                                        "4 a.b: is given twice; the first is in line 2"});
  CHECK(file.root.find("a")->find("b")->text == "1");
}

TEST_CASE("an alias is a copy of what it names, in its own line") {
  CHECK(listed("a: &x {b: 1}\nc: *x\nd: [*x]\n") == strings{"a.b=1@1", "c.b=1@1", "d.0.b=1@1"});
  CHECK(load("a: &x 1\nc: *x\n").root.find("c")->line == 2);
  CHECK(listed("a: &x ${env:NESTED}\nc: *x\n") ==
        strings{"a=${env:PASSWORD}@1", "c=${env:PASSWORD}@2"});
  CHECK(wrong_in("a: &x [*x]\n") ==
        strings{"1 is not valid YAML, column 8: an alias must not stand inside of what it names"});
}

TEST_CASE("an alias bomb is refused before it grows") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    auto before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k)
      bomb += ", " + before;
    bomb += "]\n";
  }
  auto found = wrong_in(bomb);
  REQUIRE(found.size() == 1);
  CHECK(found[0].find("more than 100000 values, aliases counted as often as used") !=
        std::string::npos);
  auto long_text = "a: &a " + std::string(1 << 20, 'x') + "\nb: [*a, *a, *a, *a]\n";
  CHECK(wrong_in(long_text) ==
        strings{"2 is not valid YAML, column 13: more than 4 MiB of text, aliases counted as often "
                "as used"});
}

TEST_CASE("deep nesting is refused, whatever its depth") {
  CHECK(wrong_in(nested(100)) == strings{});
  CHECK(wrong_in(nested(101)) ==
        strings{"1 is not valid YAML, column 101: more than 100 levels deep"});
  CHECK(wrong_in(indented(99)) == strings{});
  CHECK(wrong_in(indented(102)) ==
        strings{"101 is not valid YAML, column 101: more than 100 levels deep"});
  CHECK(wrong_in(std::string(1'000'000, '[')).size() == 1);
  CHECK(wrong_in("a: &a " + nested(60) + "\nb: " + std::string(50, '[') + "*a" +
                    std::string(50, ']')) ==
        strings{"2 is not valid YAML, column 54: more than 100 levels deep"});
}

TEST_CASE("references are followed anywhere in a value, and only once") {
  CHECK(listed("a: ${env:ROWS}\n"
               "b: \"x ${env:ROWS} y ${env:ROWS}\"\n"
               "c: ${file:/two}\n"
               "d: ${file:/dos}\n"
               "e: $${env:ROWS}\n"
               "f: ${env:NESTED}\n"
               "g: [\"${env:EMPTY}\"]\n") == strings{"a=500@1", "b=x 500 y 500@2", "c=two\n@3",
                                                     "d=dos@4", "e=${env:ROWS}@5",
                                                     "f=${env:PASSWORD}@6", "g.0=@7"});
}

TEST_CASE("a reference that leads nowhere is a problem with its line") {
  CHECK(wrong_in("a: 1\n"
                    "b: ${env:NOPE}\n"
                    "c: [x, \"${file:/nope}\"]\n"
                    "d: ${secret}\n"
                    "e: ${env:NOPE\n") ==
        strings{"2 b: the environment variable NOPE is not set",
                "3 c.1: the file /nope cannot be used: No such file or directory",
                "4 d: expects ${env:NAME} or ${file:PATH}; write $${ for a plain ${",
                "5 e: expects ${env:NAME} or ${file:PATH}; write $${ for a plain ${"});
}

TEST_CASE("each missing reference of a value is told once") {
  CHECK(wrong_in("a: ${env:A} ${env:B} ${env:A}\n") ==
        strings{"1 a: the environment variable A is not set",
                "1 a: the environment variable B is not set"});
  CHECK(wrong_in("a: '" + std::string(1 << 20, '$') + "'\n") == strings{});
  std::string open;
  while (open.size() < 1 << 20)
    open += "${";
  CHECK(wrong_in("a: '" + open + "'\n").size() == 1);
}

TEST_CASE("a large file named very often does not fill the memory") {
  int reads = 0;
  world from{nullptr, [&](const std::string&) {
               ++reads;
               return file_text{std::string(1 << 20, 'x'), {}};
             }};
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += "- '${file:/x}${file:/x}'\n";
  auto file = load_text(text, {}, from);
  CHECK(file.problems.size() == 992);
  CHECK(lines({file.problems[0]}) ==
        strings{"9 8: the references of this file give more than 16 MiB"});
  CHECK(reads < 1100);
}

TEST_CASE("an override replaces, adds and appends, and has no line") {
  const std::string text = "flows:\n  orders:\n    mutation: iud\n    steps: [{sql: a}]\n";
  CHECK(listed(text, {"flows.orders.mutation=i", "flows.orders.steps.0.sql=select 1, 2 as \"b: c\"",
                      "flows.orders.steps.1.sql=b", "flows.orders.keys=[id, {a: b}]",
                      "node.name=n2", "bus.brokers=${env:ROWS}"}) ==
        strings{"flows.orders.mutation=i@0", "flows.orders.steps.0.sql=select 1, 2 as \"b: c\"@0",
                "flows.orders.steps.1.sql=b@0", "flows.orders.keys.0=id@0",
                "flows.orders.keys.1.a=b@0", "node.name=n2@0", "bus.brokers=500@0"});
  CHECK(listed("", {"a=1=2"}) == strings{"a=1=2@0"});
  CHECK(listed("a: 1\n", {"a="}) == strings{"a=@0"});
}

TEST_CASE("an override that leads nowhere is a problem") {
  const std::string text = "a: {b: [x]}\n";
  CHECK(wrong_in(text, {"a"}) ==
        strings{"0 --set expects path=value, such as flows.orders.mutation=i"});
  CHECK(wrong_in(text, {"=1", ".a=1", "a.=1", "a..b=1"}).size() == 4);
  CHECK(wrong_in(text, {"a.b.2=y"}) ==
        strings{"0 a.b.2: --set cannot go to 2: expects an index from 0 to 1"});
  CHECK(wrong_in(text, {"a.b.-1=y"}) ==
        strings{"0 a.b.-1: --set cannot go to -1: expects an index from 0 to 1"});
  CHECK(wrong_in(text, {"a.b.0.c=y"}) ==
        strings{"0 a.b.0.c: --set cannot go to c: expects a mapping or a list before it"});
  CHECK(wrong_in(text, {"a.b=[1"}) ==
        strings{"0 a.b: is not valid YAML, column 1: a key must be plain text; is a bracket or "
                "brace left open?"});
  CHECK(wrong_in("a: ${env:NOPE}\n", {"a=${env:NO}"}) ==
        strings{"0 a: the environment variable NO is not set"});
}

TEST_CASE("files and variables of this process are read, and only regular files") {
  auto folder = std::filesystem::temp_directory_path() / ("rtdp_load_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  auto write = [&](const char* name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
    return (folder / name).string();
  };
  auto secret_path = write("pw", "secret\n");
  auto large_path = write("large", std::string((1 << 20) + 1, 'x'));
  ::setenv("RTDP_LOAD_TEST", "from the environment", 1);
  auto path = write("file.yaml", "a: ${env:RTDP_LOAD_TEST}\nb: ${file:" + secret_path + "}\n");
  auto file = load_file(path);
  CHECK(lines(file.problems) == strings{});
  CHECK(file.root.find("a")->text == "from the environment");
  CHECK(file.root.find("b")->text == "secret");

  auto from = this_process();
  CHECK(from.file("/dev/zero").reason == "it is not a regular file");
  CHECK(from.file(folder.string()).reason == "it is not a regular file");
  CHECK(from.file(folder / "none").reason == "No such file or directory");
  CHECK(from.file(large_path).reason == "it is larger than 1 MiB");
  CHECK(lines(load_file("/nowhere.yaml").problems) ==
        strings{"0 the file /nowhere.yaml cannot be read: No such file or directory"});
  CHECK(lines(load_file("/tmp").problems) ==
        strings{"0 the file /tmp cannot be read: it is a directory"});
  std::filesystem::remove_all(folder);
}
