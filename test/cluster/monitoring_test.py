#!/usr/bin/env python3
"""The dashboard, the alert rules and the scrape example of config/monitoring: checked by promtool,
and against a real Prometheus that scrapes real nodes, one alone and a cluster of three."""
import json
import re
import shutil
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

from cluster_commands_test import NODES, Three, needs_kafka
from harness import ROOT, Case, free_port

MONITORING = ROOT / "config/monitoring"
DASHBOARD = MONITORING / "grafana-dashboard.json"
ALERTS = MONITORING / "alerts.yaml"
NAME = re.compile(r"\brtdp_[a-z0-9_]+")
# What Grafana puts in place of its variables.
VARIABLES = (("$__rate_interval", "15s"), ('"$job"', '"rtdp"'), ('"$node"', '".*"'), ('"$flow"', '".*"'))

needs_prometheus = unittest.skipUnless(shutil.which("prometheus") and shutil.which("promtool"),
                                       "needs Prometheus: sudo apt-get install prometheus")


def promtool(*args):
    return subprocess.run(["promtool", *args], capture_output=True, text=True, timeout=60)


def dashboard_queries():
    """Each query of a panel, with the panel's title."""
    found = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for variable, value in VARIABLES:
                query = query.replace(variable, value)
            found.append((panel["title"], query))
    return found


def declared():
    """Every name that a metric of metrics.def has in a scrape."""
    names = set()
    for kind, name in re.findall(r'^(COUNTER|GAUGE|HISTOGRAM)\(\w+, "(\w+)"',
                                 (ROOT / "runtime/ops/metrics.def").read_text(), re.M):
        names |= {name + end for end in ("_bucket", "_sum", "_count")} if kind == "HISTOGRAM" else {name}
    return names


class Files(unittest.TestCase):
    @needs_prometheus
    def test_promtool_finds_no_fault_in_rules_and_example(self):
        for args in (["check", "rules", ALERTS], ["check", "config", MONITORING / "prometheus.yaml"]):
            done = promtool(*args)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @needs_prometheus
    def test_each_rule_fires_when_it_should_and_not_else(self):
        done = promtool("test", "rules", ROOT / "test/cluster/alerts_test.yaml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        tested = (ROOT / "test/cluster/alerts_test.yaml").read_text()
        for alert in re.findall(r"alert: (\w+)", ALERTS.read_text()):
            self.assertIn(alert, tested)

    def test_every_metric_that_is_asked_for_is_one_of_rtdp(self):
        used = {title: set(NAME.findall(query)) for title, query in dashboard_queries()}
        used["alerts.yaml"] = {n for line in ALERTS.read_text().splitlines()
                               if "summary" not in line and "description" not in line
                               for n in NAME.findall(line)}
        for where, names in used.items():
            self.assertEqual(names - declared(), set(), f"{where} asks for what no node tells")
        # The other way round: what is counted can be seen. Bytes that come in are a source's own affair.
        seen = set().union(*used.values())
        for name in declared() - seen:
            if not name.endswith(("_bucket", "_sum", "_count")):
                self.assertIn(name, {"rtdp_rows_in_total", "rtdp_bytes_in_total"}, "is on no panel")

    def test_panels_have_a_place_of_their_own(self):
        panels = json.loads(DASHBOARD.read_text())["panels"]
        self.assertEqual(len({p["id"] for p in panels}), len(panels))
        taken = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertFalse(cells & taken, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            taken |= cells


class Prometheus:
    """A Prometheus of its own that scrapes nodes each second, with our rules."""

    def __init__(self, case, *targets):
        self.port = free_port()
        config = case.file(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{ALERTS}]
scrape_configs:
  - job_name: rtdp
    static_configs: [{{targets: {json.dumps(targets)}}}]
""", "prometheus.yaml")
        self.log = open(case.path("prometheus.log"), "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={case.path('tsdb')}",
             f"--web.listen-address=127.0.0.1:{self.port}"], stdout=self.log, stderr=self.log)
        case.addCleanup(self.stop)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def get(self, path, **query):
        """The data of the answer; None while Prometheus is starting."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as e:
            if e.code == 503:
                return None
            raise AssertionError(f"{path} {query}: {e.read().decode()}") from e
        except OSError:
            return None

    def value(self, query):
        found = self.get("query", query=query)
        return [float(s["value"][1]) for s in found["result"]] if found else []


@needs_prometheus
class Scraped(Case):
    def shop(self):
        self.sqlite("shop.db", "CREATE TABLE orders(id INTEGER PRIMARY KEY, qty INTEGER);"
                               "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
                               "INSERT INTO orders SELECT i, i * 2 FROM n;")
        return self.pipeline(f"""
sources: {{shop: {{kind: sqlite, path: {self.path('shop.db')}, tables: [orders]}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{orders: {{source: sqlite.shop.main.orders, sink: dw.orders, create: true}}}}
""")

    def test_a_real_prometheus_scrapes_a_node_and_answers_every_panel_and_rule(self):
        node = self.start(self.shop())
        prometheus = Prometheus(self, f"127.0.0.1:{self.port}")
        self.wait("Prometheus scrapes the node", lambda: prometheus.value('up{job="rtdp"}') == [1.0], 30, node)
        self.wait("the rows are seen",
                  lambda: prometheus.value('sum(rtdp_rows_out_total{flow="orders"})') == [500.0], 30, node)
        self.sqlite("shop.db", "UPDATE orders SET qty = 1")
        self.wait("their rate is seen", lambda: (prometheus.value(
            'sum(rate(rtdp_rows_out_total{flow="orders"}[15s]))') or [0])[0] > 0, 30, node)
        # A typing error in a query is an error of the answer; a single node has no data for some.
        expected = {"Nodes up", "Rows applied", "Rows read by sources", "Rows applied by flows", "Failed", "Lag",
                    "Commit to visible, p50 and p99", "Epoch of each flow"}

        def missing():
            self.sqlite("shop.db", "UPDATE orders SET qty = qty + 1 WHERE id < 10")
            return expected - {title for title, query in dashboard_queries() if prometheus.value(query)}
        self.wait("these panels have data", lambda: not missing(), 30, node)
        names = {n for n in prometheus.get("label/__name__/values") if n.startswith("rtdp_")}
        self.assertEqual(names - declared(), set())
        self.wait("the rules were evaluated", lambda: all(
            r["health"] == "ok" for g in prometheus.get("rules")["groups"] for r in g["rules"]), 30, node)
        self.assertEqual(prometheus.get("alerts")["alerts"], [])
        node.kill()
        self.wait("the death of the node is an alert on its way", lambda: [
            a["labels"]["alertname"] for a in prometheus.get("alerts")["alerts"]] == ["RtdpNodeDown"], 30)


@needs_prometheus
@needs_kafka
class Cluster(Three):
    def test_a_real_prometheus_sees_the_nodes_their_leader_and_what_moves(self):
        self.cluster()
        prometheus = Prometheus(self, *(f"127.0.0.1:{node.port}" for node in self.nodes.values()))
        self.wait("all are scraped, and one leads", lambda: prometheus.value("sum(up)") == [3.0]
                  and prometheus.value("sum(rtdp_leader)") == [1.0], 30)
        there = self.flows()["orders"]["node"]
        for to in ("n2", "n1") if there == "n1" else ("n1", "n2"):
            self.ask("n3", "flow", "orders", "drift", "--to", to)
        expected = {"Nodes up", "Leader", "Nodes as the others see them", "Who leads", "Epoch of each flow", "Drifts",
                    "Pause of drifts"}

        def missing():
            return expected - {title for title, query in dashboard_queries() if prometheus.value(query)}
        self.wait("the panels of a cluster have data", lambda: not missing(), 30)
        self.assertEqual(prometheus.value("min by (peer) (rtdp_node_up)"), [1.0] * len(NODES))
        self.nodes["n2"].kill()
        # Its own series go with it; the others tell that they do not hear of it.
        self.wait("n2 is down in all that is asked", lambda: prometheus.value(
            'max by (peer) (rtdp_node_up{peer="n2"})') == [0.0] and prometheus.value("sum(up)") == [2.0], 30)
        self.wait("one leads again", lambda: prometheus.value("sum(rtdp_leader)") == [1.0], 30)
        self.wait("what it had was taken over", lambda: sum(prometheus.value("rtdp_failovers_total")) > 0, 30)
        self.wait("two alerts are on their way", lambda: {"RtdpNodeDown", "RtdpNodeLost"} <= {
            a["labels"]["alertname"] for a in prometheus.get("alerts")["alerts"]}, 30)


if __name__ == "__main__":
    unittest.main(verbosity=2)
