"""A test class whose tests share one cluster of three nodes and a shop that is written to."""
import os
import tempfile
import unittest

from cluster_harness import Cluster, wait
from shop_load import FLOW_NAMES, FLOWS, TABLES, Shop

KAFKA = os.environ.get("RTDP_TEST_KAFKA")
needs_servers = unittest.skipUnless(
    KAFKA and os.environ.get("RTDP_TEST_PG_URL"),
    "needs PostgreSQL and Kafka: run it with `test/services/with postgres kafka -- python3 FILE`")


class ClusterCase(unittest.TestCase):
    flows, more, shop_name = FLOWS, None, "shop"

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="rtdp-cluster.", ignore_cleanup_errors=True)
        cls.addClassCleanup(folder.cleanup)
        cls.shop = Shop(cls.shop_name)
        cls.addClassCleanup(cls.shop.close)
        cls.cluster = Cluster(folder.name, f"bus: {{kind: kafka, brokers: '{KAFKA}'}}\n{cls.flows}", more=cls.more)
        cls.cluster.env = cls.shop.env
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.wait_healthy(40)
        cls.cluster.wait_snapshots(TABLES)

    @classmethod
    def wait_healthy(cls, seconds=20):
        cls.cluster.wait_ready(FLOW_NAMES, seconds, ("shop",))

    def tearDown(self):
        self.shop.end()

    def wait(self, what, condition, seconds=10):
        return wait(lambda: f"{what}\n{self.cluster.story()}", condition, seconds)

    def refused(self, answer, *words):
        """An order that was refused with a reason that holds these words."""
        status, text = answer
        self.assertGreaterEqual(status, 400, text)
        self.assertLess(status, 500, text)
        for word in words:
            self.assertIn(word, text)

    def assert_whole(self):
        """Source = target, nothing lost, nothing twice; gives the number of transactions."""
        written = self.shop.wait_equal(story=self.cluster.story)
        self.assertEqual(self.shop.audit(), (0, 0), "(lost, doubled)")
        return written

    def leader_and_others(self):
        leader = self.wait("somebody leads", self.cluster.leader)
        return leader, [n for n in self.cluster.names if n != leader]

    def epoch(self, flow):
        """As the target knows it."""
        return self.shop.target.number(f"select epoch from rtdp_fence where flow = '{flow}'")
