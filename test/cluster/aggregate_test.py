#!/usr/bin/env python3
"""Flows with state under kill -9: what an aggregate and a dedupe step keep survives, and the target
ends as GROUP BY over the source has it."""
import os
import random
import shutil
import sys
import time
import unittest

from harness import Case

SEED = int(os.environ.get("RTDP_TEST_SEED", random.randrange(1 << 30)))
KILLS = 8
SECONDS_BETWEEN = (0.2, 1.5)


class Aggregate(Case):
    def setUp(self):
        super().setUp()
        print(f"seed {SEED}", file=sys.stderr)
        self.random = random.Random(SEED)
        self.sqlite("shop.db", "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER, qty INTEGER, "
                               "state TEXT);"
                               "CREATE TABLE events(id INTEGER PRIMARY KEY, event_id INTEGER);")

    def settings(self):
        return self.pipeline(f"""
sources: {{shop: {{kind: sqlite, path: {self.path('shop.db')}, tables: [orders, events]}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  figures:
    source: sqlite.shop.main.orders
    sink: dw.figures
    mutation: iud_clean
    create: true
    steps:
      - sql: select id, customer_id, qty from orders where state <> 'cancelled'
      - aggregate: {{by: [customer_id], count: orders, sum: [{{of: qty, as: pieces}}],
                    min: [{{of: qty, as: least}}], max: [{{of: qty, as: most}}]}}
  events:
    source: sqlite.shop.main.events
    sink: dw.events
    keys: [id]
    create: true
    steps:
      - dedupe: {{keys: [event_id], within: 7d}}
""")

    def work(self, statements):
        """So many changes of orders and events, in one transaction."""
        rows = []
        for _ in range(statements):
            id, customer = self.random.randrange(2000), self.random.randrange(100)
            qty = self.random.choice([None, *range(10)])
            state = self.random.choice(["open", "open", "cancelled"])
            rows.append(self.random.choice([
                f"INSERT INTO orders VALUES({id}, {customer}, {'NULL' if qty is None else qty}, '{state}') "
                f"ON CONFLICT DO UPDATE SET customer_id = {customer}, state = '{state}'",
                f"UPDATE orders SET qty = {self.random.randrange(10)} WHERE id = {id}",
                f"DELETE FROM orders WHERE id = {id}",
                f"INSERT INTO events(event_id) VALUES({self.random.randrange(3000)})"]))
        self.sqlite("shop.db", "BEGIN;" + ";".join(rows) + ";COMMIT;")

    def expected(self):
        return self.sqlite("shop.db", "SELECT customer_id, count(*), sum(qty), min(qty), max(qty) FROM orders "
                                      "WHERE state <> 'cancelled' GROUP BY customer_id ORDER BY customer_id")

    def found(self):
        return self.rows("dw.db", "SELECT customer_id, orders, pieces, least, most FROM figures "
                                  "ORDER BY customer_id")

    def equal(self):
        events = self.sqlite("shop.db", "SELECT min(id), event_id FROM events GROUP BY event_id ORDER BY 1")
        return (self.found() == self.expected() and
                self.rows("dw.db", "SELECT id, event_id FROM events ORDER BY 1") == events)

    def test_figures_are_exact_after_kills_with_and_without_the_state_file(self):
        file = self.settings()
        self.work(5000)
        for n in range(KILLS):
            node = self.start(file)
            end = time.monotonic() + self.random.uniform(*SECONDS_BETWEEN)
            while time.monotonic() < end:
                self.work(200)
            node.kill()
            # Another node would have the bus and the target, and nothing else.
            if n % 3 == 1:
                shutil.rmtree(self.path("data/flows"), ignore_errors=True)
        node = self.start(file)
        self.work(500)
        self.wait("the target is as the source", self.equal, 60, node)
        self.assertTrue(self.expected())
        self.assertEqual(node.items("flows")["figures"].get("dead_letters", 0), 0)
        self.rewind(node)
        self.assertEqual(node.terminate(), 0)

    def rewind(self, node):
        """The state is made anew, and the rows of the target are newer than those before."""
        self.rtdp("flow", "figures", "rewind")
        self.work(200)
        self.wait("the target is as the source after a rewind", self.equal, 60, node)

    def test_a_flow_that_gains_a_step_with_state_is_told_to_rewind(self):
        file = self.settings()
        with open(file) as f:
            text = f.read()
        plain = self.file(text.replace("- dedupe", "- sql: select * from events\n      - dedupe").replace(
            "- dedupe: {keys: [event_id], within: 7d}", ""), "plain.yaml")
        self.work(300)
        self.until_idle(plain)
        node = self.start(file)
        failed = self.wait_state(node, "flows", "events", "failed")
        self.assert_has(failed["reason"], "rewind")
        self.rtdp("flow", "events", "rewind")
        self.wait_state(node, "flows", "events", "running")
        self.assertEqual(node.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
