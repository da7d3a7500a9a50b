#!/usr/bin/env python3
"""Three nodes as a cluster: they join, one leads, another one takes its place; what was acknowledged
survives them all; bad orders are refused; nodes are replaced one by one under load.

  test/services/with postgres kafka -- test/cluster/cluster_nodes_test.py
"""
import re
import subprocess
import tempfile
import time
import unittest

from cluster_case import ClusterCase, needs_servers
from cluster_harness import Cluster
from processes import BINARY, Node, kept_ports
from shop_load import FLOW_NAMES

LEADER_SECONDS = 2
# The machine of the tests has two cores for servers and nodes together; a flow that does not stop
# may be late by so much.
LATE_SECONDS = 1.5


@needs_servers
class Nodes(ClusterCase):
    def test_all_know_all_and_one_leads(self):
        leaders = set()
        for name in self.cluster.names:
            nodes = self.cluster.items("nodes", name)
            self.assertEqual({n["name"]: n["state"] for n in nodes}, dict.fromkeys(self.cluster.names, "running"))
            self.assertEqual(len({n["version"] for n in nodes}), 1)
            leaders.add(self.cluster.leader(name))
        self.assertEqual(len(leaders), 1, leaders)
        shown = self.cluster.command("nodes")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for name in self.cluster.names:
            self.assertIn(name, shown.stdout)

    def test_another_leads_when_the_leader_dies_and_no_flow_stops(self):
        leader, others = self.leader_and_others()
        for flow in FLOW_NAMES:
            if self.cluster.owner(flow) == leader:
                self.assertEqual(self.cluster.move(flow, others[0])["step"], "done")
        self.off_leader("shop", leader)
        self.shop.begin()
        self.shop.wait_arrival()
        epochs = [self.epoch(f) for f in FLOW_NAMES]
        self.cluster.kill(leader)
        begun, late, last, arrived = time.monotonic(), 0.0, time.monotonic(), self.shop.arrived()
        took = None
        while time.monotonic() < begun + LEADER_SECONDS + 1:
            now = self.shop.arrived()
            if now > arrived:
                late, last, arrived = max(late, time.monotonic() - last), time.monotonic(), now
            if took is None and self.cluster.leader(others[0]) in others:
                took = time.monotonic() - begun
        self.assertIsNotNone(took, f"nobody leads\n{self.cluster.story()}")
        print(f"\n  another leads after {took:.2f} s; the longest time without a row: {late:.2f} s")
        self.assertLessEqual(took, LEADER_SECONDS)
        self.assertLessEqual(max(late, time.monotonic() - last), LATE_SECONDS)
        self.assertEqual([self.epoch(f) for f in FLOW_NAMES], epochs, "a flow was given away")
        self.cluster.start(leader)
        self.wait_healthy()
        self.assert_whole()

    def off_leader(self, source, leader):
        """Sources do not drift: a drain moves it, and what else the leader has."""
        if self.cluster.component("sources", source)["node"] != leader:
            return
        self.cluster.insist("POST", f"/api/v1/nodes/{leader}/drain")
        self.wait("the source is elsewhere", lambda: (
            lambda c: c and c["node"] != leader and c["state"] == "running")(
                self.cluster.component("sources", source)))
        self.cluster.insist("POST", f"/api/v1/nodes/{leader}/undrain")

    def test_what_was_acknowledged_survives_the_death_of_every_node(self):
        more = self.cluster.settings + (
            "  events_too: {source: postgres.shop.public.events, "
            "sink: dw.public.events_too, mutation: i, create: true}\n")
        self.cluster.insist("POST", "/api/v1/apply", more)
        self.cluster.insist("POST", "/api/v1/nodes/n3/drain")
        self.cluster.insist("POST", "/api/v1/flows/orders/stop")
        for name in self.cluster.names:
            self.cluster.kill(name)
        self.cluster.start()
        self.wait("the applied flow runs", lambda: self.cluster.owner("events_too"), 25)
        self.wait("the flow is stopped", lambda: (self.cluster.component("flows", "orders") or {})
                  .get("state") == "stopped")
        self.wait("the node has nothing", lambda: self.cluster.states().get("n3") == "drained", 15)
        # Back to what the other tests begin with.
        self.cluster.insist("POST", "/api/v1/apply", self.cluster.settings)
        self.cluster.insist("POST", "/api/v1/nodes/n3/undrain")
        self.cluster.insist("POST", "/api/v1/flows/orders/start")
        self.wait("the flow is gone", lambda: self.cluster.component("flows", "events_too") is None)
        self.wait_healthy()
        self.shop.begin()
        self.shop.wait_arrival(story=self.cluster.story)
        self.assert_whole()

    def test_nodes_are_replaced_one_by_one_under_load(self):
        self.shop.begin()
        self.shop.wait_arrival()
        for name in self.cluster.names:
            self.cluster.insist("POST", f"/api/v1/nodes/{name}/drain")
            self.wait(f"{name} is drained", lambda n=name: self.cluster.states().get(n) == "drained", 20)
            self.assertEqual(self.cluster.terminate(name), [0], self.cluster.log(name)[-2000:])
            self.shop.wait_arrival(story=self.cluster.story)
            self.cluster.start(name)
            self.wait(f"{name} is back", lambda n=name: self.cluster.states().get(n) in ("drained", "running"), 15)
            self.cluster.insist("POST", f"/api/v1/nodes/{name}/undrain")
            self.wait_healthy()
        print(f"\n  {self.assert_whole()} transactions")

    # -- what bad input gets: the reason, and nothing changes ----

    def decided(self):
        return {c["name"]: (c["node"], c["state"]) for c in self.cluster.items("flows")}, self.cluster.states()

    def unchanged(self):
        """Checks at the end of the test that what it did has left everything as it was."""
        before = self.decided()
        self.addCleanup(lambda: self.assertEqual(self.decided(), before, "something changed"))

    def test_drift_to_a_node_that_nobody_knows(self):
        self.unchanged()
        self.refused(self.cluster.start_drift("events", "n9"), "n9")
        done = self.cluster.command("flow", "events", "drift", "--to", "n9")
        self.assertEqual(done.returncode, 1)
        self.assertIn("n9", done.stderr)

    def test_drift_of_a_flow_that_nobody_knows(self):
        self.unchanged()
        self.refused(self.cluster.start_drift("evnets", "n1"), "evnets")

    def test_drift_to_where_it_is(self):
        self.unchanged()
        owner = self.cluster.owner("events")
        self.refused(self.cluster.start_drift("events", owner), owner)

    def test_drift_to_a_draining_node(self):
        # A node that has nothing, so that the drain moves nothing.
        owner = self.cluster.owner("events")
        for flow in FLOW_NAMES:
            self.cluster.move(flow, owner)
        used = (owner, self.cluster.component("sources", "shop")["node"])
        free = next(n for n in self.cluster.names if n not in used)
        self.unchanged()
        self.cluster.insist("POST", f"/api/v1/nodes/{free}/drain")
        try:
            self.refused(self.cluster.start_drift("events", free), free, "drain")
        finally:
            self.cluster.insist("POST", f"/api/v1/nodes/{free}/undrain")

    def test_a_second_drift_of_a_flow_that_drifts(self):
        self.unchanged()
        leader, others = self.leader_and_others()
        owner = self.cluster.owner("events")
        held = next(n for n in others if n != owner)
        third = next(n for n in self.cluster.names if n not in (owner, held))
        self.cluster.freeze(held)
        try:
            status, text = self.cluster.start_drift("events", held, leader)
            self.assertLess(status, 300, text)
            self.refused(self.cluster.start_drift("events", third, leader), "drifts", held)
            status, text = self.cluster.order("DELETE", "/api/v1/flows/events/drift", at=leader)
            self.assertLess(status, 300, text)
        finally:
            self.cluster.thaw(held)
        self.wait_healthy()
        self.assertEqual(self.cluster.drift_of("events")["step"], "cancelled")
        self.refused(self.cluster.order("DELETE", "/api/v1/flows/events/drift"), "does not drift")

    def test_drift_of_a_stopped_flow(self):
        self.unchanged()
        owner = self.cluster.owner("orders")
        to = next(n for n in self.cluster.names if n != owner)
        self.cluster.insist("POST", "/api/v1/flows/orders/stop")
        try:
            self.refused(self.cluster.start_drift("orders", to), "stopped")
        finally:
            self.cluster.insist("POST", "/api/v1/flows/orders/start")
        self.wait_healthy()

    def test_a_pin_that_nobody_can_satisfy(self):
        self.unchanged()
        pinned = self.cluster.settings.replace("events, mutation: i,", "events, node: n7, mutation: i,")
        self.assertNotEqual(pinned, self.cluster.settings)
        self.refused(self.cluster.order("POST", "/api/v1/apply", pinned), "n7", "n1")
        apart = self.cluster.settings.replace("events, mutation: i,", "events, node: n1, not_with: [orders], "
                                              "mutation: i,").replace("orders, mutation: iud_clean",
                                                                      "orders, node: n1, mutation: iud_clean")
        self.refused(self.cluster.order("POST", "/api/v1/apply", apart), "orders", "n1")

    def test_settings_that_are_none(self):
        self.unchanged()
        self.refused(self.cluster.order("POST", "/api/v1/apply", "flows: {"), "settings:1", "YAML")
        self.refused(self.cluster.order("POST", "/api/v1/apply", self.cluster.settings.replace(
            "mutation: i,", "mutation: x,")), "mutation")

    def test_a_second_node_of_one_name(self):
        """On another machine, so that neither folder nor port tells it."""
        self.unchanged()
        http, listen = kept_ports(2)
        text = self.cluster.settings.replace(f"http: 127.0.0.1:{self.cluster.http['n1']}", f"http: 127.0.0.1:{http}")
        text = text.replace(f"listen: 127.0.0.1:{self.cluster.listen['n1']}", f"listen: 127.0.0.1:{listen}")
        text = text.replace(str(self.cluster.folder / "n1"), str(self.cluster.folder / "second"))
        file = self.cluster.folder / "second.yaml"
        file.write_text(text)
        second = Node(str(file), str(self.cluster.folder / "second.log"), http, ["--node", "n1"], self.cluster.env)
        try:
            self.wait("it is told", lambda: "n1" in second.log() and any(
                w in second.log() for w in ("refused", "name", "already")))
            time.sleep(2)
            self.assertEqual(self.cluster.states(), dict.fromkeys(self.cluster.names, "running"))
            self.assertEqual(self.cluster.leader() in self.cluster.names, True)
        finally:
            if second.alive():
                second.kill()

    def test_a_second_process_on_one_folder(self):
        self.unchanged()
        second = Node(str(self.cluster.file), str(self.cluster.folder / "twin.log"), self.cluster.http["n1"],
                      ["--node", "n1"], self.cluster.env)
        self.assertEqual(second.process.wait(15), 1, second.log())
        self.assertTrue(self.cluster.up("n1"))


class Files(unittest.TestCase):
    """What is refused before a node starts; needs no server."""

    def refused(self, change, *words, args=("--node", "n1"), settings="bus: {kind: kafka, brokers: 127.0.0.1:1}"):
        with tempfile.TemporaryDirectory() as folder:
            cluster = Cluster(folder, settings)
            cluster.file.write_text(change(cluster.settings))
            done = subprocess.run([BINARY, "run", str(cluster.file), *args], capture_output=True, text=True,
                                  timeout=20)
            self.assertIn(done.returncode, (1, 2), done.stdout + done.stderr)
            for word in words:
                self.assertIn(word, done.stdout + done.stderr)

    def test_a_cluster_on_the_embedded_bus(self):
        self.refused(lambda t: t, "bus", "kafka", settings="bus: {kind: embedded}")
        self.refused(lambda t: t, "bus", "kafka", settings="sources: {}")

    def test_a_node_that_the_file_does_not_name(self):
        self.refused(lambda t: t, "n9", "n1, n2, n3", args=("--node", "n9"))
        self.refused(lambda t: t, "--node", args=())

    def test_two_nodes_with_one_name_or_address(self):
        self.refused(lambda t: t.replace("  n2:", "  n1:"), "n1")
        listen = re.compile(r"listen: [\d.:]+")
        self.refused(lambda t: listen.sub("listen: 127.0.0.1:7001", t), "address")

    def test_a_certificate_without_its_key(self):
        self.refused(lambda t: t.replace("auto: off", "auto: off, tls_certificate: a.pem"), "tls_key")


if __name__ == "__main__":
    unittest.main(verbosity=2)
