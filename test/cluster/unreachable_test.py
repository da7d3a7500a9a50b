#!/usr/bin/env python3
"""A PostgreSQL that comes later, a wrong password, a missing table, values that do not fit. Runs beside a
server: test/services/with postgres -- test/cluster/unreachable_test.py"""
import contextlib
import json
import re
import socket
import threading
import unittest

from harness import Case, PG_URL, free_port, needs_postgres, psql


@needs_postgres
class Unreachable(Case):
    def setUp(self):
        super().setUp()
        self.schema = f"t{self.port}"
        psql(f"create schema {self.schema}; create table {self.schema}.orders(id int primary key, qty int); "
             f"insert into {self.schema}.orders select i, i from generate_series(1, 100) i")
        self.addCleanup(psql, f"drop schema {self.schema} cascade")
        self.addCleanup(self.forget)

    def forget(self):
        psql("select pg_drop_replication_slot(slot_name) from pg_replication_slots "
             f"where slot_name like 'rtdp\\_{self.schema}%' and not active")
        for name in psql(f"select pubname from pg_publication where pubname like 'rtdp\\_{self.schema}%'").split():
            psql(f"drop publication {name}")

    def other(self, password="rtdp", port=None, user="rtdp"):
        found = re.match(r"postgresql://(\w+):\w+@([\d.]+):(\d+)/(\w+)", PG_URL)
        return f"postgresql://{user}:{password}@{found[2]}:{port or found[3]}/{found[4]}"

    def from_postgres(self, url, table="orders"):
        self.env = {"TEST_URL": url}
        return self.pipeline(f"""
sources:
  {self.schema}: {{kind: postgres, url: "${{env:TEST_URL}}", tables: [{self.schema}.{table}], timeout: 3s}}
  gen: {{kind: generator, rows_per_second: 200}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  orders: {{source: postgres.{self.schema}.{self.schema}.{table}, sink: dw.orders, create: true}}
  made: {{source: generator.gen, sink: dw.made, create: true}}
""")

    def to_postgres(self, url, table, settings="create: true"):
        self.env = {"TEST_URL": url}
        return self.pipeline(f"""
sources: {{gen: {{kind: generator, rows: 500}}}}
sinks: {{dw: {{kind: postgres, url: "${{env:TEST_URL}}"}}, local: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  orders: {{source: generator.gen, sink: dw.{self.schema}.{table}, {settings}}}
  made: {{source: generator.gen, sink: local.made, create: true}}
""")

    def begin(self, file):
        return self.start(file, env=self.env)

    def others_go_on(self, node):
        self.wait("the other flow", lambda: self.rows("dw.db", "SELECT 1 FROM made LIMIT 1"), node=node)

    def failed_at_once(self, node, which, name, *words):
        failed = self.wait_state(node, which, name, "failed", 10)
        self.assert_has(failed["reason"], *words)
        self.assertEqual(node.get("/readyz")[0], 503)
        self.others_go_on(node)
        self.assertEqual(node.terminate(), 0)

    def comes_later(self, file, port, which, name, arrived):
        node = self.begin(file)
        waiting = self.wait("it waits", lambda: (lambda c: c if c["reason"] else None)(node.one(which, name)),
                            node=node)
        self.assertEqual(waiting["state"], "starting", waiting)
        self.assert_has(waiting["reason"], str(port))
        code, body = node.get("/readyz")
        self.assertEqual(code, 503)
        self.assertTrue(any(f"{which[:-1]}.{name} is starting" in r for r in json.loads(body)["reasons"]), body)
        self.others_go_on(node)
        self.listen(port)
        self.wait("its rows", arrived, 25, node)
        self.wait("ready", lambda: node.get("/readyz")[0] == 200, node=node)
        self.assertEqual(node.terminate(), 0)

    def listen(self, port):
        """From now on the server answers at this port too."""
        target = ("127.0.0.1", int(re.search(r":(\d+)/", PG_URL)[1]))
        server = socket.create_server(("127.0.0.1", port))
        self.addCleanup(server.close)

        def pump(a, b):
            try:
                while data := a.recv(65536):
                    b.sendall(data)
            except OSError:
                pass
            with contextlib.suppress(OSError):
                b.shutdown(socket.SHUT_RDWR)
            a.close()

        def accept():
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                peer = socket.create_connection(target)
                for pair in ((client, peer), (peer, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def test_a_source_that_comes_later(self):
        port = free_port()
        self.comes_later(self.from_postgres(self.other(port=port)), port, "sources", self.schema,
                         lambda: self.rows("dw.db", "SELECT count(*) FROM orders") == [(100,)])

    def test_a_sink_that_comes_later(self):
        port = free_port()
        name = f"dw.{self.schema}.made"
        self.comes_later(self.to_postgres(self.other(port=port), "made"), port, "sinks", name,
                         lambda: psql(f"select to_regclass('{self.schema}.made')") and
                         psql(f"select count(*) from {self.schema}.made") == "500")

    def test_a_wrong_password_of_a_source_fails_it_with_the_servers_words(self):
        node = self.begin(self.from_postgres(self.other("wrong")))
        self.failed_at_once(node, "sources", self.schema, "password authentication failed")

    def test_a_missing_table_of_a_source_fails_it_with_its_name(self):
        # check would refuse it before the start; the table goes between the two.
        node = self.begin(self.from_postgres(self.other(), "orders"))
        self.wait("its rows", lambda: self.rows("dw.db", "SELECT count(*) FROM orders") == [(100,)], node=node)
        self.assertEqual(node.terminate(), 0)
        file = self.from_postgres(self.other(), "nowhere")
        done = self.rtdp("run", file, "--until-idle", code=1, env=self.env)
        self.assertIn("nowhere", done.stderr)

    def test_a_wrong_password_of_a_sink_fails_its_flow_with_the_servers_words(self):
        node = self.begin(self.to_postgres(self.other("wrong"), "made"))
        self.failed_at_once(node, "flows", "orders", "password authentication failed")

    def test_a_missing_table_of_a_sink_fails_its_flow_with_its_name(self):
        node = self.begin(self.to_postgres(self.other(), "nowhere", "create: false"))
        self.failed_at_once(node, "flows", "orders", "nowhere")

    def test_until_idle_ends_with_1_and_the_reason(self):
        file = self.to_postgres(self.other("wrong"), "made")
        done = self.until_idle(file, code=1, env=self.env)
        self.assert_has(done.stderr, "flow orders failed", "password authentication failed")
        self.assertNotIn(":wrong@", done.stderr)


@needs_postgres
class Poison(Case):
    """SQLite takes any text in any column; PostgreSQL does not."""

    def setUp(self):
        super().setUp()
        self.schema = f"t{self.port}"
        psql(f"create schema {self.schema}; create table {self.schema}.orders(ums_id_ bigint, ums_ts_ timestamptz, "
             "ums_active_ smallint, id bigint primary key, qty bigint check (qty <> 13), note varchar(10))")
        self.addCleanup(psql, f"drop schema {self.schema} cascade")

    def notes(self):
        return dict(line.split("|") for line in psql(
            f"select id, note from {self.schema}.orders where ums_active_ = 1 order by id").splitlines())

    def test_values_that_do_not_fit_and_a_nul_byte_are_kept_and_replayed_when_mended(self):
        self.sqlite("shop.db", "CREATE TABLE orders(id INTEGER PRIMARY KEY, qty INTEGER, note TEXT);")
        for row in ((1, 1, "good"), (2, 2, "much too long for it"), (3, 13, "unlucky"), (4, 4, "nul\0byte"),
                    (5, 5, "good too")):
            self.sqlite("shop.db", "INSERT INTO orders VALUES(?, ?, ?)", *row)
        file = self.pipeline(f"""
sources: {{shop: {{kind: sqlite, path: {self.path('shop.db')}, tables: [orders]}}}}
sinks: {{dw: {{kind: postgres, url: "${{env:TEST_URL}}"}}}}
flows: {{orders: {{source: sqlite.shop.main.orders, sink: dw.{self.schema}.orders}}}}
""")
        node = self.start(file, env={"TEST_URL": PG_URL})
        self.wait("the good ones", lambda: self.notes() == {"1": "good", "5": "good too"}, node=node)
        letters = self.wait("three letters", lambda: (lambda l: l if len(l) == 3 else None)(
            [json.loads(x) for x in self.rtdp("dead-letters", "list", "--json").stdout.splitlines()]), node=node)
        reasons = " ".join(letter["reason"] for letter in letters)
        self.assert_has(reasons, "too long", "check constraint")
        self.assertRegex(reasons, "(?i)nul|0x00")
        self.sqlite("shop.db", "UPDATE orders SET note = 'later' WHERE id = 1")
        self.wait("it goes on", lambda: self.notes().get("1") == "later", node=node)
        psql(f"alter table {self.schema}.orders alter note type text, drop constraint orders_qty_check")
        self.assertIn("replayed 2", self.rtdp("dead-letters", "replay", "--all").stdout)
        self.assertEqual(self.notes(), {"1": "later", "2": "much too long for it", "3": "unlucky", "5": "good too"})
        left = self.rtdp("dead-letters", "list", "--json").stdout.splitlines()
        self.assertEqual(len(left), 1)
        shown = self.rtdp("dead-letters", "show", str(json.loads(left[0])["id"])).stdout
        self.assertIn("nul\\u0000byte", shown)
        self.assertEqual(node.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
