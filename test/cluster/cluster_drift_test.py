#!/usr/bin/env python3
"""Flows drift between nodes while the shop is written to: nothing is lost, nothing doubled.

  test/services/with postgres kafka -- test/cluster/cluster_drift_test.py
"""
import threading
import time
import unittest

from cluster_case import ClusterCase, needs_servers
from cluster_harness import UNDER_WAY

STEPS_OF_A_DRIFT = [*UNDER_WAY, "done"]
# A pause as the leader sees it includes the time until the target's next beat (250 ms).
PAUSE_MS = 1500


class Looker(threading.Thread):
    """Writes down the steps of the next drift as the leader tells them."""

    def __init__(self, cluster, flow):
        super().__init__(daemon=True)
        self.cluster, self.flow, self.seen, self.ended = cluster, flow, [], threading.Event()
        self.leader = cluster.leader()
        self.before = (cluster.drift_of(flow, self.leader) or {}).get("started")

    def run(self):
        while not self.ended.is_set():
            found = self.cluster.drift_of(self.flow, self.leader)
            if found and found["started"] != self.before and found["step"] not in self.seen[-1:]:
                self.seen.append(found["step"])

    def stop(self):
        self.ended.set()
        self.join(10)
        return self.seen


@needs_servers
class Drift(ClusterCase):
    def others(self, flow):
        owner = self.cluster.owner(flow)
        return [n for n in self.cluster.names if n != owner]

    def move(self, flow, to):
        record = self.cluster.move(flow, to)
        self.assertEqual(record["step"], "done", f"{record}\n{self.cluster.story()}")
        return record

    def go_round(self, flow):
        self.shop.begin(rate=400)
        self.shop.wait_arrival()
        epoch, pauses = self.epoch(flow), []
        for _ in range(9):
            to = self.others(flow)[len(pauses) % 2]
            pauses.append(self.move(flow, to)["pause_ms"])
            self.assertEqual(self.cluster.settle(flow), to)
        written = self.assert_whole()
        self.assertEqual(self.epoch(flow), epoch + 9)
        print(f"\n  9 drifts, {written} transactions; pauses by the leader: "
              f"{min(pauses):.0f} to {max(pauses):.0f} ms")
        self.assertLess(max(pauses), PAUSE_MS)

    def test_a_flow_without_state_goes_round_under_load(self):
        self.go_round("events")

    def test_a_flow_with_state_goes_round_under_load(self):
        self.go_round("totals")

    def test_state_survives_the_death_of_its_node(self):
        """Not a drift: nobody could hand it over, so that it comes from the changelog."""
        self.shop.begin(rate=400)
        self.shop.wait_arrival()
        for _ in range(2):
            owner, epoch = self.cluster.owner("totals"), self.epoch("totals")
            self.cluster.kill(owner)
            self.wait("another node has it", lambda o=owner: self.cluster.owner("totals") not in ("", o), 15)
            self.cluster.start(owner)
            self.wait_healthy()
            self.assertGreater(self.epoch("totals"), epoch)
        self.assert_whole()

    def test_two_flows_cross(self):
        """Ping-pong of both at a time, as fast as orders are taken."""
        self.shop.begin(rate=400)
        self.shop.wait_arrival()
        first, second = self.cluster.names[:2]
        self.move_if_elsewhere("events", first)
        self.move_if_elsewhere("orders", second)
        for _ in range(4):
            for flow in ("events", "orders"):
                to = second if self.cluster.owner(flow) == first else first
                status, text = self.cluster.start_drift(flow, to)
                self.assertLess(status, 300, text)
            for flow in ("events", "orders"):
                self.cluster.settle(flow)
        self.assert_whole()

    def move_if_elsewhere(self, flow, to):
        if self.cluster.owner(flow) != to:
            self.move(flow, to)

    def test_progress_is_told_step_by_step(self):
        self.shop.begin()
        self.shop.wait_arrival()
        looker = Looker(self.cluster, "events")
        looker.start()
        moved = self.cluster.command("flow", "events", "drift", "--to", self.others("events")[0])
        self.assertEqual(moved.returncode, 0, moved.stdout + moved.stderr)
        # The command names each step, also those that are over before it looks.
        places = [moved.stdout.find(s) for s in STEPS_OF_A_DRIFT]
        self.assertTrue(all(p >= 0 for p in places) and places == sorted(places), moved.stdout)
        time.sleep(0.2)
        steps = looker.stop()
        self.assertEqual(steps, [s for s in STEPS_OF_A_DRIFT if s in steps], "the order of the steps")
        self.assertEqual(steps[-1], "done")
        for name in self.cluster.names:
            self.assertEqual(self.cluster.owner("events", name), self.cluster.owner("events"), "as another node says")
        self.assert_whole()

    def test_a_cancelled_drift_leaves_the_flow_where_it_is(self):
        self.shop.begin()
        self.shop.wait_arrival()
        leader = self.cluster.leader()
        owner, epoch = self.cluster.owner("events"), self.epoch("events")
        to = next(n for n in self.cluster.names if n not in (owner, leader))
        # Its target sleeps, so that it stays in the step before the freeze.
        self.cluster.freeze(to)
        try:
            status, text = self.cluster.start_drift("events", to, leader)
            self.assertLess(status, 300, text)
            self.shop.wait_arrival(5, self.cluster.story)
            status, text = self.cluster.order("DELETE", "/api/v1/flows/events/drift", at=leader)
            self.assertLess(status, 300, text)
        finally:
            self.cluster.thaw(to)
        self.wait_healthy()
        self.assertEqual(self.cluster.drift_of("events", leader)["step"], "cancelled")
        self.assertEqual((self.cluster.owner("events"), self.epoch("events")), (owner, epoch))
        self.shop.wait_arrival(5, self.cluster.story)
        # And it can drift there afterwards.
        self.assertEqual(self.move("events", to)["to"], to)
        self.assert_whole()


if __name__ == "__main__":
    unittest.main(verbosity=2)
