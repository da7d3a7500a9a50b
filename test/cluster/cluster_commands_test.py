#!/usr/bin/env python3
"""The commands about a cluster, asked at each of three real nodes over a real Kafka; what people see
of a drift, of a drained node and of one that died."""
import json
import os
import re
import subprocess
import time
import unittest

from harness import BINARY, COMMAND_SECONDS, Case, Node, free_port

KAFKA = os.environ.get("RTDP_TEST_KAFKA")
NODES = ("n1", "n2", "n3")
needs_kafka = unittest.skipUnless(KAFKA, "needs Kafka: run it with `test/services/with kafka -- python3 FILE`")


class Three(Case):
    def cluster(self):
        """Three nodes with two flows; each has everything that is placed there running."""
        self.sqlite("shop.db", "CREATE TABLE orders(id INTEGER PRIMARY KEY, qty INTEGER);"
                               "CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT);"
                               "INSERT INTO orders VALUES (1, 1), (2, 2); INSERT INTO customers VALUES (1, 'ada');")
        ports = {n: free_port() for n in NODES}
        members = "\n".join(f"  {n}: {{data_dir: {self.path(n)}, http: 127.0.0.1:{ports[n]}, "
                            f"listen: 127.0.0.1:{free_port()}, labels: [{'small' if n == 'n3' else 'big'}]}}"
                            for n in NODES)
        file = self.file(f"""
nodes:
{members}
cluster: {{auto: off}}
bus: {{kind: kafka, brokers: "{KAFKA}"}}
sources: {{shop: {{kind: sqlite, path: {self.path('shop.db')}, tables: [orders, customers]}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  orders: {{source: sqlite.shop.main.orders, sink: dw.orders, create: true, node: big}}
  customers: {{source: sqlite.shop.main.customers, sink: dw.customers, create: true}}
""", "cluster.yaml")
        self.nodes = {n: Node(file, self.path(f"{n}.log"), ports[n], ("--node", n)) for n in NODES}
        for node in self.nodes.values():
            self.addCleanup(lambda node=node: node.alive() and node.kill())
        self.wait("three nodes, and a leader", lambda: [n["state"] for n in self.seen("n1")] == ["running"] * 3
                  and sum(n["leader"] for n in self.seen("n1")) == 1, 30, self.nodes["n1"])
        self.settled(2)
        return file

    def settled(self, flows):
        try:
            self.wait("every flow runs", lambda: [f["state"] for f in self.flows().values()] == ["running"] * flows, 30)
        except AssertionError as e:
            raise AssertionError(f"{e}{self.flows()}") from None

    def ask(self, node, *args, code=0):
        """Runs the command at that node; once more while the cluster only asks for patience."""
        for _ in range(20):
            done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=COMMAND_SECONDS,
                                  env={**os.environ, "RTDP_URL": self.nodes[node].url})
            if done.returncode == code or "try again" not in done.stderr:
                break
            time.sleep(0.5)
        self.assertEqual(done.returncode, code, f"rtdp {' '.join(args)} at {node}\n{done.stdout}{done.stderr}")
        return done

    def seen(self, node):
        """What the node tells of all; empty while it does not answer."""
        try:
            status, text = self.nodes[node].get("/api/v1/nodes")
        except OSError:
            return []
        return json.loads(text)["items"] if status == 200 else []

    def flows(self, node="n1"):
        return self.nodes[node].items("flows")


@needs_kafka
class Commands(Three):
    def test_each_node_shows_and_moves_what_is_on_all(self):
        file = self.cluster()
        for node in NODES:
            self.assertEqual(set(self.flows(node)), {"orders", "customers"})
            self.assertEqual(len(json.loads(self.nodes[node].get("/api/v1/streams")[1])["items"]), 3)
            self.assert_has(self.ask(node, "nodes").stdout, *NODES, "running", "yes")
        # At each node once, so that two of the three are not the leader.
        for node in NODES:
            there = self.flows()["orders"]["node"]
            to = "n2" if there == "n1" else "n1"
            steps = self.ask(node, "flow", "orders", "drift", "--to", to).stdout
            self.assertEqual(re.findall(r"prepare|freeze|commit|resume|done", steps),
                             ["prepare", "freeze", "commit", "resume", "done"])
            self.assertRegex(steps, r"done, paused \d+ ms")
            self.settled(2)
            self.assertEqual(self.flows(node)["orders"]["node"], to)
            last = json.loads(self.ask(node, "drifts", "--json").stdout)["items"][0]
            self.assertEqual((last["flow"], last["from"], last["to"], last["step"]), ("orders", there, to, "done"))
            self.assertGreater(last["pause_ms"], 0)
            # What is about the data of one node is asked there.
            self.assertIn(f"ask {to}, with --url {self.nodes[to].url}",
                          self.ask("n3", "flow", "orders", "rewind", code=1).stderr)
        self.ask(to, "flow", "orders", "rewind")
        self.settled(2)
        for args, why in ((("flow", "orders", "drift", "--to", "n9"), "no node is named n9"),
                          (("flow", "orders", "drift", "--to", "n3"), "big"),
                          (("flow", "orders", "drift", "--to", to), f"is on {to} already"),
                          (("flow", "nobody", "drift", "--to", "n1"), 'no flow "nobody"'),
                          (("flow", "orders", "cancel"), "does not drift"),
                          (("node", "n9", "drain"), 'no node "n9"')):
            self.assertIn(why, self.ask("n3", *args, code=1).stderr)
        self.assertEqual(self.flows()["orders"]["node"], to)
        with open(file) as f:
            changed = self.file(f.read().replace("auto: off", "auto: advise"), "changed.yaml")
        self.assertIn("revision", self.ask("n2", "apply", changed).stdout)
        alone = self.file("sinks: {}\n", "alone.yaml")
        self.assertNotEqual(self.ask("n2", "apply", alone, code=1).stderr, "")
        self.ask("n1", "plan")

    def test_a_stopped_flow_a_drained_node_and_a_dead_one_are_seen_everywhere(self):
        self.cluster()
        self.ask("n3", "flow", "customers", "stop")
        self.wait("it is stopped", lambda: self.flows()["customers"]["state"] != "running", 10)
        self.ask("n2", "flow", "customers", "start")
        self.settled(2)
        self.ask("n3", "node", "n1", "drain")
        for node in NODES:
            self.wait(f"{node} sees that n1 is drained", lambda node=node: [
                n["state"] for n in self.seen(node) if n["name"] == "n1"] == ["drained"], 20)
        self.settled(2)
        self.assertNotIn("n1", [f["node"] for f in self.flows().values()])
        self.ask("n3", "node", "n1", "undrain")
        self.nodes["n2"].kill()
        self.wait("n3 sees that n2 is lost", lambda: {
            n["name"]: n["state"] for n in self.seen("n3")} == {"n1": "running", "n2": "lost", "n3": "running"}, 10)
        self.wait("nothing is on n2", lambda: "n2" not in [f["node"] for f in self.flows("n3").values()], 10)
        self.settled(2)
        self.assert_has(self.ask("n3", "status").stdout, "lost", "led by n", "orders")
        # The gauges follow with the next beat.
        for told in ('rtdp_node_up{node="n3",peer="n2"} 0', 'rtdp_node_up{node="n3",peer="n1"} 1'):
            self.wait(told, lambda told=told: told in self.nodes["n3"].get("/metrics")[1], 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
