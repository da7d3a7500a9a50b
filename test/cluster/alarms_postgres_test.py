#!/usr/bin/env python3
"""The heartbeat through a table of the source, and the alarm on log that it keeps for us. Runs beside a
server: test/services/with postgres -- test/cluster/alarms_postgres_test.py"""
import json
import subprocess
import time
import unittest

from harness import Case, PG_URL, needs_postgres, psql


@needs_postgres
class Heartbeat(Case):
    def setUp(self):
        super().setUp()
        self.schema = f"t{self.port}"
        psql(f"create schema {self.schema}; create table {self.schema}.orders(id int primary key); "
             f"create table {self.schema}.other(text text); insert into {self.schema}.orders values (1)")
        self.addCleanup(psql, f"drop schema {self.schema} cascade")
        self.addCleanup(self.forget)
        self.pipeline_file = self.pipeline(f"""
sources:
  {self.schema}:
    kind: postgres
    url: "${{env:TEST_URL}}"
    tables: [{self.schema}.orders]
    heartbeat_table: {self.schema}.heartbeat
    heartbeat_interval: 1s
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  orders: {{source: "postgres.{self.schema}", sink: dw.orders, create: true}}
alarms: {{retained_log_bytes: 4MiB, latency: 4s, hold: 1s}}
""")

    def forget(self):
        psql("select pg_drop_replication_slot(slot_name) from pg_replication_slots "
             f"where slot_name = 'rtdp_{self.schema}' and not active")
        psql(f"drop publication if exists rtdp_{self.schema}")

    def begin(self):
        return self.start(self.pipeline_file, env={"TEST_URL": PG_URL})

    def write_log(self, megabytes):
        psql(f"insert into {self.schema}.other select repeat(md5(i::text), 32) from "
             f"generate_series(1, {megabytes * 1000}) i; select pg_switch_wal()")

    def conditions(self):
        items = json.loads(self.rtdp("alarms", "--json").stdout)["items"]
        return sorted((a["condition"], a["name"]) for a in items)

    def lag(self, node):
        return node.one("tables", f"postgres.{self.schema}.{self.schema}.orders.0.0.0").get("lag_seconds", 99)

    def test_the_lag_is_that_of_a_row_written_into_the_source(self):
        node = self.begin()
        self.wait("the first row came all the way", lambda: self.lag(node) < 3, 20, node)
        self.assertEqual(psql(f"select source from {self.schema}.heartbeat"), self.schema)
        # Only the captured table is data.
        self.assertEqual(list(node.items("tables")), [f"postgres.{self.schema}.{self.schema}.orders.0.0.0"])
        self.assertEqual(self.sqlite("dw.db", "SELECT count(*) FROM orders"), [(1,)])
        time.sleep(3)
        self.assertLess(self.lag(node), 3)
        # Somebody locks the table: no row is written, so none can come out.
        lock = subprocess.Popen(["psql", "-XqAt", "-d", PG_URL], stdin=subprocess.PIPE, text=True)
        self.addCleanup(lock.kill)
        lock.stdin.write(f"begin; lock table {self.schema}.heartbeat in exclusive mode;\n")
        lock.stdin.flush()
        self.wait("it is told",
                  lambda: ("latency", f"postgres.{self.schema}.{self.schema}.orders") in self.conditions(), 20, node)
        lock.stdin.write("commit;\n")
        lock.stdin.flush()
        self.wait("it is over", lambda: not self.conditions(), 40, node)
        lock.stdin.close()
        lock.wait(10)
        self.assertEqual(node.terminate(), 0)

    # Failure 38 of test/README.md.
    def test_the_log_that_an_idle_source_keeps_stays_bounded_and_is_told_when_it_does_not(self):
        node = self.begin()
        self.wait("it runs", lambda: self.lag(node) < 3, 20, node)
        kept = lambda: node.one("sources", self.schema).get("retained_bytes", 1 << 40)
        for _ in range(3):
            self.write_log(6)
            self.wait("the slot moves on", lambda: kept() < 4 << 20, 20, node)
        # On a busy machine that takes longer than `hold`: then it was told, and is over now.
        self.wait("nothing is open", lambda: self.conditions() == [], 20, node)
        # A transaction that stays open holds the log, whoever reads it.
        writer = subprocess.Popen(["psql", "-XqAt", "-d", PG_URL], stdin=subprocess.PIPE, text=True)
        self.addCleanup(writer.kill)
        writer.stdin.write(f"begin; insert into {self.schema}.other values ('x');\n")
        writer.stdin.flush()
        self.wait("it has begun", lambda: psql("select 1 from pg_stat_activity where state = 'idle in transaction'"),
                  10, node)
        self.write_log(20)
        self.wait("it is told", lambda: self.conditions() == [("retained_log", self.schema)], 40, node)
        writer.stdin.write("commit;\n")
        writer.stdin.close()
        self.wait("it is over", lambda: self.conditions() == [], 60, node)
        self.assertEqual(node.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
