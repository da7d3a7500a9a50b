#!/usr/bin/env python3
"""A node that is stopped, killed, or whose components fail: what was promised of it holds after."""
import json
import os
import random
import time
import unittest

from harness import Case

ENDLESS = """
sources: {{gen: {{kind: generator, rows_per_second: {rate}, keys: 0}}}}
sinks: {{dw: {{kind: sqlite, path: {dir}/dw.db}}}}
flows:
  orders: {{source: generator.gen, sink: dw.orders, create: true, mutation: {mutation}}}
"""


class Stopping(Case):
    def test_sigterm_ends_with_0_while_rows_flow_and_a_restart_loses_and_doubles_nothing(self):
        file = self.pipeline(ENDLESS.format(dir=self.dir, rate=20000, mutation="i"))
        for round_ in range(3):
            node = self.start(file)
            before = self.rows("dw.db", "SELECT count(*) FROM orders")
            self.wait("rows arrive", lambda b=before: self.rows("dw.db", "SELECT count(*) FROM orders") > b,
                      node=node)
            began = time.monotonic()
            self.assertEqual(node.terminate(), 0, node.log())
            self.assertLess(time.monotonic() - began, 10)
            ids = self.sqlite("dw.db", "SELECT count(*), count(DISTINCT ums_id_), count(DISTINCT id), "
                                       "min(ums_id_), max(ums_id_) FROM orders")[0]
            self.assertEqual(ids, (ids[0], ids[0], ids[0], 1, ids[0]), f"after stop {round_ + 1}")

    def test_a_clean_stop_leaves_nothing_on_the_bus_that_the_target_does_not_have(self):
        file = self.pipeline(ENDLESS.format(dir=self.dir, rate=5000, mutation="i"))
        node = self.start(file)
        self.wait("rows arrive", lambda: self.rows("dw.db", "SELECT 1 FROM orders LIMIT 1"), node=node)
        self.assertEqual(node.terminate(), 0)
        log = node.log()
        for part in ("source.gen: stopped", "stream.main: stopped", "flow.orders: stopped"):
            self.assertIn(part, log)
        self.assertLess(log.index("source.gen: stopped"), log.index("stream.main: stopped"))
        self.assertLess(log.index("stream.main: stopped"), log.index("flow.orders: stopped"))


class Killing(Case):
    ROWS = 150_000

    def pipeline_of(self, name, mutation, rate):
        return self.file(f"""
node: {{data_dir: {self.path(name + '.data')}, http: "off"}}
sources:
  gen: {{kind: generator, rows: {self.ROWS}, rows_per_second: {rate}, keys: 4000, update_share: 0.4,
        delete_share: 0.2, seed: 7}}
sinks: {{dw: {{kind: sqlite, path: {self.path(name + '.db')}}}}}
flows:
  orders: {{source: generator.gen, sink: dw.orders, create: true, mutation: {mutation}}}
""", name + ".yaml")

    def kill_five_times(self, name, mutation):
        seed = int(os.environ.get("RTDP_TEST_SEED", time.time_ns() % 10**9))
        print(f"seed {seed}")
        when = random.Random(seed)
        file = self.pipeline_of(name, mutation, 40000)
        for _ in range(5):
            node = self.start(file, wait=False)
            time.sleep(when.uniform(0.1, 1.2))
            self.assertTrue(node.alive(), "the five kills must hit it at work\n" + node.log())
            node.kill()
        self.until_idle(file)

    def test_five_kills_and_every_change_is_in_the_target_once(self):
        self.kill_five_times("killed", "i")
        ids = self.sqlite("killed.db", "SELECT count(*), count(DISTINCT ums_id_), min(ums_id_), "
                                       "max(ums_id_) FROM orders")[0]
        self.assertEqual(ids, (self.ROWS, self.ROWS, 1, self.ROWS))

    def test_five_kills_end_in_the_same_rows_as_a_run_without(self):
        # What a deleted row held before it was deleted is not promised: only that it is deleted.
        columns = ", ".join(f"CASE ums_active_ WHEN 1 THEN {c} END" for c in
                            ("customer_id", "qty", "price", "note", "created_at"))
        self.until_idle(self.pipeline_of("quiet", "iud", 0))
        self.kill_five_times("killed", "iud")
        query = f"SELECT id, ums_id_, ums_active_, {columns} FROM orders ORDER BY id"
        quiet, killed = self.sqlite("quiet.db", query), self.sqlite("killed.db", query)
        self.assertGreater(len(quiet), 3000)
        self.assertEqual(len(quiet), len(killed))
        self.assertEqual(quiet, killed)


class Failing(Case):
    def test_a_missing_table_fails_its_source_only_and_until_idle_tells_why(self):
        self.sqlite("shop.db", "CREATE TABLE orders(id INTEGER PRIMARY KEY); INSERT INTO orders VALUES(1)")
        file = self.pipeline(f"""
sources:
  bad: {{kind: sqlite, path: {self.path('shop.db')}, tables: [nowhere]}}
  good: {{kind: generator, rows_per_second: 100}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  bad: {{source: sqlite.bad.main.nowhere, sink: dw.nowhere, create: true}}
  good: {{source: generator.good, sink: dw.orders, create: true}}
""")
        node = self.start(file)
        bad = self.wait_state(node, "sources", "bad", "failed")
        self.assertIn("nowhere", bad["reason"])
        self.wait("rows of the good one", lambda: self.rows("dw.db", "SELECT 1 FROM orders LIMIT 1"),
                  node=node)
        code, body = node.get("/readyz")
        self.assertEqual(code, 503)
        self.assert_has(body, "source.bad is failed", "nowhere")
        self.assertEqual(node.get("/healthz")[0], 200)
        self.assertIn('rtdp_component_state{node="n1",component="source.bad",state="failed"} 1',
                      node.get("/metrics")[1])
        before = len(self.rows("dw.db", "SELECT 1 FROM orders"))
        self.wait("it goes on", lambda: len(self.rows("dw.db", "SELECT 1 FROM orders")) > before + 50,
                  node=node)
        self.assertEqual(node.terminate(), 0)
        done = self.until_idle(file, code=1)
        self.assert_has(done.stderr, "source bad failed", "nowhere")

    def test_a_missing_target_table_fails_its_flow_and_start_helps_once_it_is_there(self):
        file = self.pipeline(f"""
sources: {{gen: {{kind: generator, rows: 500}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  missing: {{source: generator.gen, sink: dw.missing}}
  good: {{source: generator.gen, sink: dw.orders, create: true}}
""")
        node = self.start(file)
        failed = self.wait_state(node, "flows", "missing", "failed")
        self.assert_has(failed["reason"], "missing", "create: true")
        self.assertEqual(node.state("sinks", "dw.missing"), "failed")
        self.wait("the good one has all", lambda: node.one("flows", "good").get("rows_out") == 500, node=node)
        # A failed component stays failed: no storm of restarts behind it.
        lines = node.log().count("flow.missing: failed")
        time.sleep(2)
        self.assertEqual(node.log().count("flow.missing: failed"), lines)
        self.sqlite("dw.db", "CREATE TABLE missing(ums_id_ INTEGER, ums_ts_ TEXT, ums_active_ INTEGER, "
                             "id INTEGER PRIMARY KEY, customer_id INTEGER, qty INTEGER, price TEXT, note TEXT, "
                             "created_at TEXT)")
        self.rtdp("flow", "missing", "start")
        self.wait("the table is filled",
                  lambda: self.rows("dw.db", "SELECT count(*) FROM missing") == [(500,)], node=node)
        self.assertEqual(node.state("flows", "missing"), "running")
        self.wait("ready", lambda: node.get("/readyz")[0] == 200, node=node)
        self.assertEqual(node.terminate(), 0)

    def test_a_sink_that_cannot_be_reached_is_starting_until_it_can(self):
        # A file where the folder should be: what a mount that is not there yet looks like.
        self.file("", "later")
        file = self.pipeline(f"""
sources: {{gen: {{kind: generator, rows: 500}}}}
sinks: {{late: {{kind: sqlite, path: {self.path('later/dw.db')}}}, dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  late: {{source: generator.gen, sink: late.orders, create: true}}
  good: {{source: generator.gen, sink: dw.orders, create: true}}
""")
        node = self.start(file)
        sink = self.wait("it waits", lambda: (lambda c: c if c["reason"] else None)(node.one("sinks", "late.orders")),
                         node=node)
        self.assertEqual(sink["state"], "starting", sink)
        self.assertIn("later", sink["reason"])
        code, body = node.get("/readyz")
        self.assertEqual(code, 503)
        self.assert_has(body, "sink.late.orders is starting", "flow.late is starting")
        self.wait("the good one has all", lambda: node.one("flows", "good").get("rows_out") == 500, node=node)
        os.remove(self.path("later"))
        self.wait("the late one has all",
                  lambda: self.rows("later/dw.db", "SELECT count(*) FROM orders") == [(500,)], 15, node)
        self.wait("ready", lambda: node.get("/readyz")[0] == 200, node=node)
        self.assertEqual(json.loads(node.get("/readyz")[1])["reasons"], [])
        self.assertEqual(node.terminate(), 0)

    def test_a_node_that_cannot_do_anything_yet_stops_at_once(self):
        self.file("", "later")
        file = self.pipeline(ENDLESS.format(dir=self.path("later"), rate=1000, mutation="iud"))
        node = self.start(file)
        self.wait_state(node, "sinks", "dw.orders", "starting")
        began = time.monotonic()
        self.assertEqual(node.terminate(), 0, node.log())
        self.assertLess(time.monotonic() - began, 5)

    def test_what_stopped_or_failed_is_shown_so_with_all_its_parts(self):
        file = self.pipeline(ENDLESS.format(dir=self.dir, rate=1000, mutation="iud"))
        node = self.start(file)
        self.wait_state(node, "sinks", "dw.orders", "running")
        self.rtdp("flow", "orders", "stop")
        self.wait_state(node, "flows", "orders", "stopped")
        self.wait_state(node, "sinks", "dw.orders", "stopped", 3)
        self.rtdp("flow", "orders", "start")
        self.wait_state(node, "flows", "orders", "running")
        self.wait_state(node, "sinks", "dw.orders", "running", 3)
        self.assertEqual(node.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
