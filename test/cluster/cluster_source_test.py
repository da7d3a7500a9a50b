#!/usr/bin/env python3
"""A source that goes from node to node: killed while it begins, drained, and given back.

  test/services/with postgres kafka -- test/cluster/cluster_source_test.py

Each shop is written to from before its source begins, and a flow appends (mutation i) what that gives: a
row that was in a chunk of the snapshot and in the log, or came from two nodes, is there twice.
"""
import tempfile
import time
import unittest

from cluster_case import KAFKA, needs_servers
from cluster_harness import Cluster, wait
from shop_load import Shop

# Seconds from when a source is placed until its node is killed.
DELAYS = (0, 0.15, 0.4, 0.9)


def settings(names):
    """A source, a target and a flow for each shop."""
    lines = [f"bus: {{kind: kafka, brokers: '{KAFKA}'}}", "sources:"]
    lines += [f"  {n}: {{kind: postgres, url: '${{env:FROM_{n}}}', tables: [public.orders, public.events], "
              f"slot: {n}, publication: {n}, snapshot_chunk_rows: 100}}" for n in names]
    lines += ["sinks:"] + [f"  to_{n}: {{kind: postgres, url: '${{env:TO_{n}}}'}}" for n in names]
    lines += ["flows:"] + [f"  events_{n}: {{source: postgres.{n}.public.events, sink: to_{n}.public.events, "
                           "mutation: i, create: true}" for n in names]
    return "\n".join(lines) + "\n"


@needs_servers
class Source(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="rtdp-cluster.", ignore_cleanup_errors=True)
        cls.addClassCleanup(folder.cleanup)
        cls.shops = {}
        for name in [f"shop{i}" for i in range(len(DELAYS))]:
            cls.shops[name] = Shop(name)
            cls.addClassCleanup(cls.shops[name].close)
        cls.names = ["shop0"]
        cls.cluster = Cluster(folder.name, settings(cls.names))
        for name, shop in cls.shops.items():
            cls.cluster.env.update({f"FROM_{name}": shop.env["SHOP_SOURCE"], f"TO_{name}": shop.env["SHOP_TARGET"]})
        cls.addClassCleanup(cls.cluster.close)

    def write(self, name):
        shop = self.shops[name]
        shop.begin()
        wait("the shop has rows", lambda: shop.written() > 300)
        return shop

    def where(self, name):
        """The node that the source is placed on."""
        return (self.cluster.component("sources", name) or {}).get("node", "")

    def runs_on(self, name, nodes, seconds=20):
        def condition():
            found = self.cluster.component("sources", name)
            return found and found["state"] == "running" and found["node"] in nodes
        wait(lambda: f"{name} runs on one of {nodes}\n{self.cluster.story()}", condition, seconds)

    def assert_whole(self, shop):
        """The log comes beside the chunks: the newest row is not the last one that arrives."""
        written = shop.end()
        wait(lambda: f"{written} rows, up to {shop.arrived()} arrived, (lost, doubled) = {shop.audit()}\n"
                     f"{self.cluster.story()}", lambda: shop.arrived() == written and shop.audit()[0] == 0, 30)
        self.assertEqual(shop.audit(), (0, 0), "(lost, doubled)")

    def test_1_killed_while_it_begins(self):
        for name, delay in zip(self.shops, DELAYS):
            with self.subTest(delay=delay):
                shop = self.write(name)
                if name == "shop0":
                    self.cluster.start()
                else:
                    self.names.append(name)
                    self.cluster.rest = "cluster: {auto: off}\n" + settings(self.names)
                    self.cluster.file.write_text(self.cluster.text())
                    self.cluster.insist("POST", "/api/v1/apply", self.cluster.text())
                victim = wait(self.cluster.story, lambda: self.where(name), 40, every=0.005)
                time.sleep(delay)
                self.cluster.kill(victim)
                self.runs_on(name, [n for n in self.cluster.names if n != victim])
                self.cluster.start(victim)
                self.cluster.wait_ready([f"events_{n}" for n in self.names], 30, self.names)
                shop.wait_arrival(story=self.cluster.story)
                self.assert_whole(shop)

    def test_2_drained_to_other_nodes_and_back(self):
        shop = self.write("shop0")
        home = self.where("shop0")
        for _ in range(2):
            self.go_to([n for n in self.cluster.names if n != home])
            # Log that is none of the source's: its place moves on without a row.
            shop.source.ask("create table if not exists noise(n int); insert into noise "
                            "select generate_series(1, 10000)")
            time.sleep(1.5)
            self.go_to([home])
        self.assert_whole(shop)

    def go_to(self, nodes):
        """Drains all others until the source is on one of `nodes` and gives rows there."""
        others = [n for n in self.cluster.names if n not in nodes]
        for name in others:
            self.cluster.insist("POST", f"/api/v1/nodes/{name}/drain")
        self.runs_on("shop0", nodes)
        self.shops["shop0"].wait_arrival(story=self.cluster.story)
        for name in others:
            self.cluster.insist("POST", f"/api/v1/nodes/{name}/undrain")


if __name__ == "__main__":
    unittest.main(verbosity=2)
