#!/usr/bin/env python3
"""`rtdp check` and `rtdp run` refuse flows that cannot work on the tables as they are: with the
place in the SQL and in the file. RTDP_BINARY names the rtdp to ask."""
import os
import pathlib
import re
import sqlite3
import subprocess
import tempfile
import unittest

RTDP = os.environ["RTDP_BINARY"]
HEAD = """node: {http: "off", data_dir: ./data}
sources:
  shop: {kind: sqlite, path: ./shop.db, tables: [orders]}
sinks:
  out: {kind: blackhole}
flows:
  orders:
"""


class CheckFlows(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        with sqlite3.connect(self.path("shop.db")) as shop:
            shop.execute("create table orders(id integer primary key, qty int, note text)")
        shop.close()

    def path(self, name):
        return str(pathlib.Path(self.folder.name) / name)

    def rtdp(self, command, flow, *options, head=HEAD):
        with open(self.path("p.yaml"), "w") as file:
            file.write(head + flow)
        done = subprocess.run([RTDP, command, "p.yaml", *options], cwd=self.folder.name,
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    def check(self, flow, **more):
        return self.rtdp("check", flow, **more)

    def test_a_good_flow_passes_and_nothing_is_written_to_the_source(self):
        code, said = self.check("    source: sqlite.shop.main.orders\n    sink: out.o\n"
                                "    steps:\n      - sql: select id, qty * 2 as twice from orders\n")
        self.assertEqual((code, said), (0, ""))
        with sqlite3.connect(self.path("shop.db")) as shop:
            self.assertEqual(shop.execute("select count(*) from sqlite_schema").fetchone(), (1,))
        shop.close()

    def test_an_aggregate_that_cannot_be_exact_is_told_with_its_line(self):
        with sqlite3.connect(self.path("shop.db")) as shop:
            shop.execute("create table prices(id integer primary key, kind text, price real)")
        shop.close()
        head = HEAD.replace("tables: [orders]", "tables: [orders, prices]")
        code, said = self.check("""    source: sqlite.shop.main.prices
    sink: out.o
    steps:
      - aggregate: {by: [kind], sum: [price]}
  colour:
    source: sqlite.shop.main.orders
    sink: out.c
    steps:
      - aggregate: {by: [colour], count: n}
  keyless:
    source: sqlite.shop.main.orders
    sink: out.k
    steps:
      - sql: select note, qty from orders
      - aggregate: {by: [note], count: n}
  grouped:
    source: sqlite.shop.main.orders
    sink: out.g
    steps:
      - sql: select 1 as ums_id_, max(ums_ts_) as ums_ts_, 'i' as ums_op_, max(id) as id, note from orders group by note
      - aggregate: {by: [note], count: n}
  good:
    source: sqlite.shop.main.orders
    sink: out.i
    keys: [note]
    steps:
      - sql: select id, note, qty::decimal(18,2) as qty from orders where qty > 0
      - aggregate: {by: [note], count: n, sum: [{of: qty, as: total}]}
  twice:
    source: sqlite.shop.main.orders
    sink: out.t
    steps:
      - dedupe: {keys: [event]}
""", head=head)
        self.assertEqual(code, 1)
        for n, line, part in ((0, 11, "cast it to a decimal in a sql step before"),
                              (1, 16, "no column is named colour; there are: id, qty, note"),
                              (2, 22, "must keep the key under its own name (id), found: none"),
                              (3, 28, "makes rows of several rows"),
                              (4, 40, "no column is named event")):
            self.assertRegex(said.splitlines()[n], rf"^p.yaml:{line}: flows\..*{re.escape(part)}", said)
        self.assertIn("5 problems; nothing was started", said)

    def test_every_flow_that_cannot_work_is_told_with_its_lines(self):
        code, said = self.check("""    source: sqlite.shop.main.orders
    sink: out.o
    steps:
      - sql: select id, price from orders
  chain:
    source: sqlite.shop
    sink: out.c
    steps:
      - sql: select id, qty from orders
      - sql: |
          select id,
            note from batch
  keys:
    source: sqlite.shop.main.orders
    sink: out.k
    keys: [order_id]
  made:
    source: sqlite.shop.main.orders
    sink: out.m
    keys: [number]
    steps:
      - sql: select id as number from orders
  nowhere:
    source: sqlite.shop.main.order
    sink: out.n
""")
        lines = said.splitlines()
        self.assertEqual(code, 1)
        self.assertRegex(lines[0], r"^p.yaml:11: flows.orders.steps.0.sql: step 1: line 1, column "
                                   r"12: .*price.* \(table orders\)$")
        self.assertRegex(lines[1], r"^p.yaml:17: flows.chain.steps.1.sql: step 2: line 2, column "
                                   r"3: .*note.* \(table orders\)$")
        self.assertEqual(lines[2], "p.yaml:23: flows.keys.keys: no column is named order_id; there "
                                   "are: id, qty, note (table orders)")
        self.assertRegex(lines[3], r"^p.yaml:27: flows.made.keys: number is made by a step, but a "
                                   r"delete brings only the source's columns: ")
        self.assertEqual(lines[4], "p.yaml:31: flows.nowhere.source: matches no table that a source "
                                   "captures; there are: sqlite.shop.main.orders")
        self.assertRegex(lines[5], r"^5 problems; nothing was started")

    def test_run_refuses_to_start_for_the_same_reasons(self):
        code, said = self.rtdp("run", "    source: sqlite.shop.main.orders\n    sink: out.o\n"
                                      "    steps:\n      - sql: select nothing from orders\n",
                               "--until-idle")
        self.assertEqual(code, 1)
        self.assertIn("p.yaml:11: flows.orders.steps.0.sql: step 1: line 1, column 8: ", said)
        self.assertFalse(os.path.exists(self.path("data")))

    def test_types_are_checked_too(self):
        code, said = self.check("    source: sqlite.shop.main.orders\n    sink: out.o\n"
                                "    steps:\n      - sql: select id, sin(note) from orders\n")
        self.assertEqual(code, 1)
        self.assertIn("step 1: line 1, column ", said)

    def test_a_source_that_cannot_be_asked_is_a_note_and_no_problem(self):
        head = HEAD.replace("{kind: sqlite, path: ./shop.db, tables: [orders]}",
                            "{kind: postgres, tables: [public.orders],\n"
                            "    url: \"postgresql://app@127.0.0.1:1/shop\"}")
        code, said = self.check("    source: postgres.shop.public.orders\n    sink: out.o\n"
                                "    steps:\n      - sql: select nothing from orders\n", head=head)
        self.assertEqual(code, 0, said)
        self.assertRegex(said, "^not checked: source shop cannot be reached: ")


if __name__ == "__main__":
    unittest.main()
