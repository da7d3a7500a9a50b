#!/usr/bin/env python3
"""What a wrong settings file or command line gets, and where secrets never show."""
import os
import re
import subprocess
import unittest

from harness import BINARY, Case, ROOT

WRONG = """\
node: {name: n1, data_dir: %(dir)s/data, http: "off", colour: red}
sources:
  gen: {kind: generator, rows: many, update_share: 3}
  odd: {kind: oracle}
sinks:
  dw: {kind: sqlite}
flows:
  orders:
    source: generator.gen
    sink: nowhere.orders
    mutation: upsert
    stream: side
    steps:
      - sql: select frm batch
"""
# Line, and what the problem names.
PROBLEMS = [(1, "colour"), (3, "rows"), (3, "update_share"), (4, "oracle"), (6, "path"), (10, "nowhere"),
            (11, "mutation"), (12, "side"), (14, "sql")]
CANARY = "c4n4ry-5f0e1d"


class Wrong(Case):
    def problems_of(self, text):
        found = {}
        for line in text.splitlines():
            if m := re.match(r".*?pipeline\.yaml:(\d+):(.*)", line):
                found.setdefault(int(m[1]), []).append(m[2])
        return found

    def check_all(self, text):
        found = self.problems_of(text)
        for line, word in PROBLEMS:
            self.assertTrue(any(word in p for p in found.get(line, [])), f"line {line}: {word}, in:\n{text}")
        self.assertIn(f"{sum(map(len, found.values()))} problems", text)
        self.assertEqual(sum(map(len, found.values())), len(PROBLEMS), text)

    def test_check_tells_every_problem_with_its_line(self):
        file = self.file(WRONG % {"dir": self.dir})
        self.check_all(self.rtdp("check", file, code=1).stderr)

    def test_run_tells_the_same_and_starts_nothing(self):
        file = self.file(WRONG % {"dir": self.dir})
        done = self.rtdp("run", file, code=1)
        self.check_all(done.stderr)
        self.assert_has(done.stderr, "nothing was started", "rtdp reference")
        self.assertEqual(sorted(os.listdir(self.dir)), ["pipeline.yaml"])

    def test_a_file_that_is_no_yaml_or_not_there(self):
        for text in ("sources: [", "\tsources: {}", "just words"):
            done = self.rtdp("check", self.file(text), code=1)
            self.assertIn("pipeline.yaml", done.stderr)
            self.assertNotIn("terminate", done.stderr)
        for command in ("check", "run"):
            done = self.rtdp(command, self.path("nowhere.yaml"), code=1)
            self.assertIn("nowhere.yaml", done.stderr)

    def test_a_missing_variable_or_secret_file_is_a_problem_with_its_line(self):
        file = self.file("sources: {gen: {kind: generator}}\nsinks:\n  dw: {kind: postgres, url: '${env:NOT_SET_1}'}\n"
                         "  dx: {kind: postgres, url: '${file:/nowhere/secret}'}\n"
                         "flows: {a: {source: generator.gen, sink: dw.a}}\n")
        found = self.problems_of(self.rtdp("check", file, code=1).stderr)
        self.assert_has(" ".join(found[3]), "NOT_SET_1")
        self.assert_has(" ".join(found[4]), "/nowhere/secret")

    def test_set_overrides_and_is_checked_like_the_file(self):
        file = self.pipeline(f"sources: {{gen: {{kind: generator, rows: 10}}}}\n"
                             f"sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}\n"
                             "flows: {orders: {source: generator.gen, sink: dw.orders, create: true}}\n")
        self.assertIn("1 sources, 1 flows, 1 sinks", self.rtdp("check", file).stdout)
        self.until_idle(file, "--set", "sources.gen.rows=25", "--set", "flows.orders.sink=dw.other")
        self.assertEqual(self.sqlite("dw.db", "SELECT count(*) FROM other"), [(25,)])
        for wrong, word in (("sources.gen.rows=-1", "rows"), ("flows.orders.nothing=1", "nothing"),
                            ("flows.orders.sink=dw", "sink")):
            done = self.rtdp("check", file, "--set", wrong, code=1)
            self.assertIn(word, done.stderr)
        self.assertIn("--set", self.rtdp("check", file, "--set", "novalue", code=1).stderr)

    def test_every_example_is_correct(self):
        examples = sorted((ROOT / "config/examples").rglob("*.yaml"))
        self.assertTrue(examples)
        for file in examples:
            env = {name: "https://example.com/hook" if "WEBHOOK" in name else "postgresql://a:b@127.0.0.1/a"
                   for name in re.findall(r"\$\{env:(\w+)\}", file.read_text())}
            self.rtdp("check", str(file), env=env)


class Usage(Case):
    def test_a_wrong_command_line_ends_with_2_and_tells_how(self):
        for args in ([], ["fly"], ["run"], ["check"], ["flow"], ["flow", "orders"], ["flow", "orders", "jump"],
                     ["flow", "orders", "drift"], ["node", "n1"], ["node", "n1", "fly"], ["apply"],
                     ["run", "a.yaml", "--nothing"], ["dead-letters", "eat"], ["dead-letters", "show"],
                     ["dead-letters", "show", "x"], ["dead-letters", "drop"], ["dead-letters", "replay"],
                     ["dead-letters", "replay", "1", "--all"], ["status", "extra"]):
            done = self.rtdp(*args, code=2)
            self.assertTrue(done.stderr.strip(), args)

    def test_help_and_version_are_no_mistake(self):
        for args in (["--help"], ["run", "--help"], ["dead-letters", "replay", "--help"], ["--version"]):
            self.assertTrue(self.rtdp(*args).stdout.strip())
        self.assertRegex(self.rtdp("--version").stdout, r"^rtdp \d+\.\d+\.\d+")

    def test_reference_explains_all_kinds_and_refuses_others_with_the_names(self):
        everything = self.rtdp("reference").stdout
        for kind in ("generator", "sqlite", "postgres", "print", "blackhole", "kafka", "embedded", "flow", "stream",
                     "node", "sql"):
            self.assertTrue(self.rtdp("reference", kind).stdout.strip(), kind)
            self.assertIn(kind, everything)
        self.assert_has(self.rtdp("reference", "oracle", code=1).stderr, "oracle", "generator")

    def test_a_wrong_log_level_or_format_is_refused_before_anything_starts(self):
        file = self.pipeline("sources: {gen: {kind: generator}}\nsinks: {o: {kind: blackhole}}\n"
                             "flows: {a: {source: generator.gen, sink: o.a}}\n")
        for args, word in ((["--log-level", "loud"], "loud"), (["--log-format", "xml"], "xml")):
            done = self.rtdp("run", file, *args, code=1)
            self.assertIn(word, done.stderr)
        self.assertFalse(os.path.exists(self.path("data")))

    def test_no_node_and_no_address(self):
        done = self.rtdp("status", code=1)
        self.assert_has(done.stderr, str(self.port), "rtdp run FILE", "--url")
        self.assertIn("http://", self.rtdp("status", "--url", "nonsense", code=1).stderr)

    def test_two_nodes_cannot_share_an_address(self):
        file = self.pipeline("sources: {gen: {kind: generator, rows_per_second: 1}}\nsinks: {o: {kind: blackhole}}\n"
                             "flows: {a: {source: generator.gen, sink: o.a}}\n")
        node = self.start(file)
        done = self.rtdp("run", file, "--set", f"node.data_dir={self.path('other')}", code=1)
        self.assertIn(str(self.port), done.stderr)
        self.assertEqual(node.terminate(), 0)

    def test_two_nodes_cannot_share_a_data_dir(self):
        file = self.pipeline("sources: {gen: {kind: generator, rows_per_second: 1}}\nsinks: {o: {kind: blackhole}}\n"
                             "flows: {a: {source: generator.gen, sink: o.a}}\n")
        node = self.start(file)
        done = subprocess.run([BINARY, "run", file, "--set", "node.http=off"], capture_output=True, text=True,
                              timeout=10)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assert_has(done.stderr, self.path("data"))
        self.assertEqual(node.terminate(), 0)


class Secrets(Case):
    """Addresses with a password that nobody answers at: the errors name the address, not the password."""

    def assert_clean(self, text, where):
        self.assertNotIn(CANARY, text, where)

    def test_a_secret_shows_nowhere(self):
        self.file(CANARY + "\n", "secret")
        file = self.pipeline(f"""
sources:
  shop: {{kind: postgres, url: "${{env:SHOP_URL}}", tables: [public.orders]}}
  gen: {{kind: generator, rows_per_second: 50}}
sinks:
  dw: {{kind: postgres, url: "postgresql://app:${{file:{self.path('secret')}}}@127.0.0.1:1/dw"}}
flows:
  orders: {{source: postgres.shop.public.orders, sink: dw.public.orders, create: true}}
  made: {{source: generator.gen, sink: dw.public.made, create: true}}
""")
        env = {"SHOP_URL": f"postgresql://app:{CANARY}@127.0.0.1:1/shop?connect_timeout=2"}
        self.assert_clean(self.rtdp("check", file, env=env).stdout, "check")
        node = self.start(file, "--log-level", "trace", "--log-format", "json", env=env)
        for which, name in (("sources", "shop"), ("sinks", "dw.public.made")):
            self.wait("it waits", lambda w=which, n=name: node.one(w, n)["reason"], node=node)
            self.assertEqual(node.state(which, name), "starting")
        for path in ("/", "/readyz", "/metrics", "/api/v1/status", "/api/v1/openapi.json", "/api/v1/sources",
                     "/api/v1/tables", "/api/v1/streams", "/api/v1/flows", "/api/v1/sinks",
                     "/api/v1/dead-letters", "/api/v1/sources/shop"):
            code, body = node.get(path)
            self.assertLess(code, 504, path)
            self.assert_clean(body, path)
        for command in ("status", "sources", "sinks", "flows"):
            self.assert_clean(self.rtdp(command).stdout + self.rtdp(command, "--json").stdout, command)
        self.assertEqual(node.terminate(), 0)
        self.assert_clean(node.log(), "log")
        for folder, _, names in os.walk(self.path("data")):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    self.assertNotIn(CANARY.encode(), f.read(), name)

    def test_a_malformed_secret_is_refused_without_being_told(self):
        for url in (f"mysql://{CANARY}", f"postgresql://app:{CANARY}@host%zz/x", CANARY):
            file = self.pipeline("sources: {shop: {kind: postgres, url: '${env:SHOP_URL}', tables: [public.a]}}\n"
                                 "sinks: {dw: {kind: postgres, url: '${env:SHOP_URL}'}}\n"
                                 "flows: {a: {source: postgres.shop.public.a, sink: dw.public.a}}\n")
            done = subprocess.run([BINARY, "run", file, "--until-idle", "--log-level", "trace"], timeout=20,
                                  capture_output=True, text=True, env={**os.environ, "SHOP_URL": url})
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assert_clean(done.stdout + done.stderr, url)


if __name__ == "__main__":
    unittest.main(verbosity=2)
