#!/usr/bin/env python3
"""A Kafka broker that freezes, dies and comes back under a whole node. Runs beside one:
test/services/with kafka -- test/cluster/broker_test.py"""
import os
import signal
import subprocess
import time
import unittest

from harness import ROOT, Case

ROWS = 60_000


@unittest.skipUnless(os.environ.get("RTDP_TEST_KAFKA_DIR"), "needs a Kafka broker: run it with "
                     "`test/services/with kafka -- python3 FILE`")
class Broker(Case):
    def broker(self, what):
        pid = open(os.path.join(os.environ["RTDP_TEST_KAFKA_DIR"], "kafka.pid")).read()
        os.kill(int(pid), what)

    def count(self):
        found = self.rows("dw.db", "SELECT count(*) FROM orders")
        return found[0][0] if found else 0

    def goes_on(self, node, seconds):
        held = self.count()
        self.wait("rows come again", lambda: self.count() > held, seconds, node)

    # Failures 30 and 31 of test/README.md: what a producer had queued when the broker went away.
    def test_a_broker_that_freezes_and_one_that_dies_cost_time_but_no_row_and_no_order(self):
        node = self.start(self.pipeline(f"""
bus: {{kind: kafka, brokers: "{os.environ['RTDP_TEST_KAFKA']}"}}
sources: {{gen: {{kind: generator, rows: {ROWS}, rows_per_second: 3000, keys: 0, partitions: 3}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{orders: {{source: generator.gen, sink: dw.orders, create: true, mutation: i}}}}
"""))
        self.wait("rows arrive", lambda: self.count() > 3000, 20, node)
        self.broker(signal.SIGSTOP)
        time.sleep(6)
        self.assertEqual(node.get("/healthz")[0], 200)
        self.broker(signal.SIGCONT)
        self.goes_on(node, 30)
        self.broker(signal.SIGKILL)
        self.wait("it is told", lambda: node.get("/readyz")[0] == 503, 60, node)
        self.assertLess(self.count(), ROWS)
        subprocess.run([str(ROOT / "test/services/kafka"), "resume", os.environ["RTDP_TEST_KAFKA_DIR"]],
                       check=True, timeout=90, capture_output=True)
        self.goes_on(node, 60)
        self.wait("all rows are there", lambda: self.count() >= ROWS, 90, node)
        self.wait("ready", lambda: node.get("/readyz")[0] == 200, 30, node)
        self.assertEqual(node.terminate(), 0, node.log())
        found = self.sqlite("dw.db", "SELECT count(*), count(DISTINCT ums_id_), count(DISTINCT id), min(ums_id_), "
                                     "max(ums_id_) FROM orders")[0]
        self.assertEqual(found, (ROWS, ROWS, ROWS, 1, ROWS))


if __name__ == "__main__":
    unittest.main(verbosity=2)
