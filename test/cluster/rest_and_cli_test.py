#!/usr/bin/env python3
"""Every route and every command that asks a node, in both outputs; stopped flows; rewinding."""
import json
import os
import re
import time
import unittest

from harness import Case

LISTS = ("sources", "tables", "streams", "flows", "sinks")
METRIC = re.compile(r'^(rtdp_[a-z_]+)(\{[a-z_]+="(?:[^"\\]|\\.)*"(?:,[a-z_]+="(?:[^"\\]|\\.)*")*\})? '
                    r"(-?[0-9.]+(?:e[+-]?[0-9]+)?|\+Inf|NaN)$")
# What DESIGN promises of one node; the others need a drift, a slot or a failure first.
METRICS = ("rtdp_rows_in_total", "rtdp_rows_out_total", "rtdp_bytes_out_total", "rtdp_dead_letters_total",
           "rtdp_lag_rows", "rtdp_lag_seconds", "rtdp_stage_latency_seconds_bucket",
           "rtdp_end_to_end_latency_seconds_bucket", "rtdp_queue_rows", "rtdp_checkpoint_age_seconds",
           "rtdp_snapshot_rows_done", "rtdp_snapshot_rows_estimated", "rtdp_component_state", "rtdp_flow_epoch")


class Shop(Case):
    def shop(self):
        self.sqlite("shop.db", "CREATE TABLE orders(id INTEGER PRIMARY KEY, qty INTEGER);"
                               "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                               "INSERT INTO orders SELECT i, i * 2 FROM n;")
        return self.pipeline(f"""
sources: {{shop: {{kind: sqlite, path: {self.path('shop.db')}, tables: [orders]}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  orders: {{source: sqlite.shop.main.orders, sink: dw.orders, create: true}}
  clean: {{source: sqlite.shop.main.orders, sink: dw.clean, create: true, mutation: iud_clean}}
""")

    def ready(self):
        node = self.start(self.shop())
        for table in ("orders", "clean"):
            self.wait_rows(node, table, 500)
        self.wait("ready", lambda: node.get("/readyz")[0] == 200, node=node)
        return node

    def wait_rows(self, node, table, count):
        self.wait(f"{count} rows in {table}; there are {self.rows('dw.db', f'SELECT count(*) FROM {table}')}",
                  lambda: self.rows("dw.db", f"SELECT count(*) FROM {table}") == [(count,)], node=node)


class Asking(Shop):
    def test_every_documented_route_answers(self):
        node = self.ready()
        document = json.loads(node.get("/api/v1/openapi.json")[1])
        self.assertTrue(document["openapi"].startswith("3."))
        asked = 0
        for path, verbs in document["paths"].items():
            for verb, described in verbs.items():
                self.assertTrue(described["summary"], path)
                name = "main" if "/streams/" in path else "dw.orders" if "/sinks/" in path else "shop" \
                    if "/sources/" in path else "sqlite.shop.main.orders.0.0.0" if "/tables/" in path else "n1" \
                    if "/nodes/" in path else "orders"
                code, body = node.request(verb.upper(), path.replace("{name}", name).replace("{id}", "99"))
                # There is no dead letter, all of it runs already, SQLite takes no snapshot while it runs, and
                # a node alone has no other one to move things to.
                refused = path.endswith(("/start", "/snapshot", "/drain", "/undrain")) or verb == "delete"
                bodiless = verb == "post" and path.endswith(("/drift", "/apply"))
                expected = 404 if "{id}" in path else 400 if bodiless else 409 if refused else 200
                self.assertEqual(code, expected, f"{verb} {path}: {body}")
                asked += 1
        self.assertGreaterEqual(asked, 32)
        self.wait("ready again", lambda: node.get("/readyz")[0] == 200, node=node)
        self.assertEqual(node.terminate(), 0)

    def test_mistakes_are_problem_documents_with_what_to_do(self):
        node = self.ready()
        for method, path, body, code in (("GET", "/api/v1/nothing", None, 404), ("GET", "/api/v1/flows/no", None, 404),
                                         ("POST", "/api/v1/flows/no/stop", None, 404),
                                         ("DELETE", "/api/v1/flows", None, 405),
                                         ("GET", "/api/v1/dead-letters?limit=0", None, 400),
                                         ("GET", "/api/v1/dead-letters/x", None, 404),
                                         ("POST", "/api/v1/flows/orders/rewind", [1], 400),
                                         ("POST", "/api/v1/flows/orders/rewind", {"to": True}, 400),
                                         ("POST", "/api/v1/flows/orders/drift", {"to": 7}, 400),
                                         ("POST", "/api/v1/flows/no/drift", {"to": "n2"}, 404),
                                         ("POST", "/api/v1/flows/orders/drift", {"to": "n2"}, 409),
                                         ("POST", "/api/v1/nodes/n9/drain", None, 404),
                                         ("POST", "/api/v1/apply", {}, 415)):
            got, text = node.request(method, path, body)
            self.assertEqual(got, code, f"{method} {path}: {text}")
            problem = json.loads(text)
            self.assertEqual(problem["status"], code)
            self.assertTrue(problem["detail"], path)
        got, text = node.request("POST", "/api/v1/flows/orders/start")
        self.assertGreaterEqual(got, 400)
        self.assertIn("already", text)
        self.assertEqual(node.terminate(), 0)

    def test_the_commands_show_the_same_to_people_and_machines(self):
        node = self.ready()
        status = json.loads(self.rtdp("status", "--json").stdout)
        self.assertTrue(status["ready"])
        human = self.rtdp("status").stdout
        self.assert_has(human, "node n1", "ready", "shop", "dw.orders", "running")
        for which in LISTS:
            items = json.loads(self.rtdp(which, "--json").stdout)["items"]
            self.assertTrue(items, which)
            table = self.rtdp(which).stdout
            for item in items:
                for key in ("name", "kind", "state", "reason", "node"):
                    self.assertIn(key, item, which)
                self.assertEqual((item["state"], item["node"]), ("running", "n1"))
                self.assertIn(item["name"], table)
                one = json.loads(self.rtdp(which, item["name"], "--json").stdout)
                self.assertEqual(one["name"], item["name"])
                self.assertIn(item["name"], self.rtdp(which, item["name"]).stdout)
            self.assertIn(f"rtdp {which}", self.rtdp(which, "nobody", code=1).stderr)
        # Figures are told once a second.
        flow = self.wait("its figures", lambda: (lambda c: c if c.get("rows_out") == 500 else None)(
            node.one("flows", "orders")), 3, node)
        self.assertEqual((flow["rows_in"], flow["dead_letters"]), (500, 0))
        table = self.wait("the snapshot", lambda: (lambda t: t if t.get("snapshot") == "done" else None)(
            node.one("tables", "sqlite.shop.main.orders.0.0.0")), node=node)
        self.assertEqual((table["snapshot_rows_done"], table["rows_in"]), (500, 500))
        self.assertEqual(self.rtdp("dead-letters", "list", "--json").stdout, "")
        self.assertEqual(node.terminate(), 0)

    def test_a_node_alone_is_shown_as_such_and_moves_nothing(self):
        node = self.ready()
        nodes = json.loads(self.rtdp("nodes", "--json").stdout)["items"]
        self.assertEqual([(n["name"], n["state"], n["leader"], n["flows"], n["sources"]) for n in nodes],
                         [("n1", "running", True, 2, 1)])
        self.assert_has(self.rtdp("nodes").stdout, "n1", "running")
        self.assertEqual(self.rtdp("drifts").stdout, "no drifts\n")
        self.assertEqual(self.rtdp("plan").stdout, "nothing to move\n")
        for args in (["flow", "orders", "drift", "--to", "n2"], ["flow", "orders", "drift", "--to", "n2", "--no-wait"],
                     ["flow", "orders", "cancel"], ["node", "n1", "drain"], ["node", "n1", "undrain"],
                     ["apply", self.path("pipeline.yaml")]):
            self.assertIn("not part of a cluster", self.rtdp(*args, code=1).stderr)
        self.assertIn("no node \"n9\"", self.rtdp("node", "n9", "drain", code=1).stderr)
        self.assertEqual(node.state("flows", "orders"), "running")
        self.assertEqual(node.terminate(), 0)

    def test_the_sink_and_the_lag_are_told_while_nothing_flows(self):
        node = self.ready()
        self.wait("the sink tells its rows", lambda: node.one("sinks", "dw.orders").get("rows_out") == 500,
                  3, node)
        # Known when the first mark came out, which a fast machine's first second need not see.
        self.wait("marks have passed both flows",
                  lambda: all("lag_seconds" in f for f in node.items("flows").values()), node=node)
        for _ in range(3):
            time.sleep(1)
            for flow in node.items("flows").values():
                self.assertLess(flow["lag_seconds"], 5, "an idle flow does not fall behind")
        self.assertEqual(node.terminate(), 0)

    def test_metrics_are_well_formed_and_complete(self):
        node = self.ready()
        self.sqlite("shop.db", "UPDATE orders SET qty = -1 WHERE id = 17")
        self.wait("marks have passed", lambda: "lag_seconds" in node.one("flows", "orders"), node=node)
        missing = METRICS
        for _ in range(50):
            missing = [m for m in METRICS if m not in node.get("/metrics")[1]]
            time.sleep(0.1 if missing else 0)
        self.assertEqual(missing, [])
        typed, seen = {}, set()
        for line in node.get("/metrics")[1].splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                typed[name] = kind
            elif not line.startswith("#"):
                found = METRIC.match(line)
                self.assertTrue(found, line)
                self.assertIn('node="n1"', line)
                series = line.rsplit(" ", 1)[0]
                self.assertNotIn(series, seen, "twice")
                seen.add(series)
                base = re.sub(r"_(bucket|sum|count)$", "", found[1])
                self.assertIn(base if base in typed else found[1], typed)
        for name, kind in typed.items():
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
        self.assertIn('rtdp_rows_out_total{node="n1",flow="orders"} 501', node.get("/metrics")[1])
        self.assertEqual(node.terminate(), 0)

    def test_the_status_page_needs_nothing_from_elsewhere(self):
        node = self.ready()
        code, page = node.get("/")
        self.assertEqual(code, 200)
        self.assertIn("<html", page)
        for path in re.findall(r'(?:src|href)="([^"]+)"', page):
            self.assertNotRegex(path, r"^(https?:)?//")
            if path.startswith("data:"):
                continue
            self.assertEqual(node.get(path if path.startswith("/") else "/" + path)[0], 200, path)
        self.assertEqual(node.terminate(), 0)


class Flows(Shop):
    def test_a_stopped_flow_stays_stopped_over_a_restart_and_catches_up_when_started(self):
        node = self.ready()
        self.assertIn("stopped", self.rtdp("flow", "orders", "stop").stdout)
        self.wait_state(node, "flows", "orders", "stopped")
        self.assertEqual(node.get("/readyz")[0], 200)
        self.sqlite("shop.db", "DELETE FROM orders WHERE id > 490")
        self.wait_rows(node, "clean", 490)
        self.assertEqual(node.terminate(), 0)
        node = self.start(self.path("pipeline.yaml"))
        self.wait_state(node, "flows", "clean", "running")
        self.wait_state(node, "flows", "orders", "stopped")
        time.sleep(1)
        active = "SELECT count(*) FROM orders WHERE ums_active_ = 1"
        self.assertEqual(self.sqlite("dw.db", active), [(500,)])
        self.assertEqual(json.loads(self.rtdp("flow", "orders", "start", "--json").stdout)["name"], "orders")
        self.wait("it catches up", lambda: self.sqlite("dw.db", active) == [(490,)], node=node)
        self.assert_has(self.rtdp("flow", "orders", "start", code=1).stderr, "already", "rtdp flows")
        self.assert_has(self.rtdp("flow", "nobody", "stop", code=1).stderr, "nobody", "rtdp flows")
        self.assertEqual(node.terminate(), 0)

    def test_a_stopped_source_stays_stopped_over_a_restart_and_goes_on_when_started(self):
        node = self.ready()
        self.assertIn("source shop: stopped", self.rtdp("source", "shop", "stop").stdout)
        self.sqlite("shop.db", "DELETE FROM orders WHERE id > 490")
        self.assertEqual(node.terminate(), 0)
        node = self.start(self.path("pipeline.yaml"))
        self.wait_state(node, "flows", "clean", "running")
        self.wait_state(node, "sources", "shop", "stopped")
        time.sleep(1)
        self.assertEqual(self.sqlite("dw.db", "SELECT count(*) FROM clean"), [(500,)])
        self.assertEqual(node.get("/readyz")[0], 200)
        self.rtdp("source", "shop", "start")
        self.wait_rows(node, "clean", 490)
        self.assert_has(self.rtdp("source", "shop", "start", code=1).stderr, "already", "rtdp sources")
        self.assert_has(self.rtdp("source", "nobody", "stop", code=1).stderr, "nobody", "rtdp sources")
        self.assertEqual(node.terminate(), 0)

    def test_a_failed_source_goes_on_when_its_cause_is_gone_and_it_is_started(self):
        file = self.shop()
        os.rename(self.path("shop.db"), self.path("away.db"))
        node = self.start(file)
        self.wait_state(node, "sources", "shop", "failed")
        os.rename(self.path("away.db"), self.path("shop.db"))
        self.rtdp("source", "shop", "start")
        self.wait_rows(node, "clean", 500)
        self.wait_state(node, "sources", "shop", "running")
        self.assertEqual(node.terminate(), 0)

    def test_a_stopped_flow_does_not_hold_up_until_idle(self):
        node = self.ready()
        self.rtdp("flow", "orders", "stop")
        self.assertEqual(node.terminate(), 0)
        self.sqlite("shop.db", "DELETE FROM orders WHERE id > 490")
        self.until_idle(self.path("pipeline.yaml"))
        self.assertEqual(self.sqlite("dw.db", "SELECT count(*) FROM clean"), [(490,)])

    def rewind(self, node, flow, to):
        args = ["--to", to] if to else []
        self.rtdp("flow", flow, "rewind", *args)
        self.wait_state(node, "flows", flow, "running")

    def test_rewind_restores_rows_that_were_deleted_by_hand(self):
        node = self.ready()
        before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
        self.sqlite("shop.db", "UPDATE orders SET qty = -1 WHERE id = 17")
        changed = "SELECT qty FROM {} WHERE id = 17"
        for table in ("orders", "clean"):
            self.wait("the change", lambda t=table: self.rows("dw.db", changed.format(t)) == [(-1,)], node=node)
        for to in (None, "beginning", "0", before):
            for table in ("orders", "clean"):
                self.sqlite("dw.db", f"DELETE FROM {table} WHERE id <= 100")
                self.rewind(node, table, to)
                self.wait_rows(node, table, 500)
                self.wait("the newest values", lambda t=table: self.rows("dw.db", changed.format(t)) == [(-1,)],
                          node=node)
                self.assertEqual(self.rows("dw.db", f"SELECT count(*), count(DISTINCT id) FROM {table}"),
                                 [(500, 500)])
        # From where it is: nothing comes again, and what comes next does.
        self.sqlite("dw.db", "DELETE FROM orders WHERE id <= 100")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        self.rewind(node, "orders", now)
        self.sqlite("shop.db", "INSERT INTO orders VALUES(1000, 1)")
        self.wait_rows(node, "orders", 401)
        self.assertEqual(node.terminate(), 0)

    def test_a_place_that_does_not_exist_is_refused_and_the_flow_goes_on(self):
        node = self.ready()
        for to in ("yesterday", "-1", "999999", "2026-13-45T00:00:00Z", "1.5", "0x10"):
            refused = self.rtdp("flow", "orders", "rewind", "--to", to, code=1)
            self.assertIn(to, refused.stderr)
            self.assertEqual(node.state("flows", "orders"), "running")
        self.sqlite("shop.db", "INSERT INTO orders VALUES(1000, 1)")
        self.wait_rows(node, "orders", 501)
        self.assertEqual(node.terminate(), 0)

    def test_rewind_starts_a_stopped_flow_and_survives_a_kill(self):
        node = self.ready()
        self.rtdp("flow", "orders", "stop")
        self.wait_state(node, "flows", "orders", "stopped")
        self.sqlite("dw.db", "DELETE FROM orders")
        self.rewind(node, "orders", "beginning")
        node.kill()
        node = self.start(self.path("pipeline.yaml"))
        self.wait_rows(node, "orders", 500)
        self.assertEqual(node.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
