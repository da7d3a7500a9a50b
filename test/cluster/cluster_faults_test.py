#!/usr/bin/env python3
"""The table of faults and steps of a drift, each cell with real processes.

  test/services/with postgres kafka -- test/cluster/cluster_faults_test.py [--faults kill freeze cut disk]
                                       [--victims …] [--steps …] [--spare-source]

While a shop is written to, one of its flows (`events`, or `totals`, which has state) drifts from one
node to another under the lead of a third. At each step of the drift one of the three is killed, frozen
for 4 s, or cut off from the other nodes for 4 s. Then the node comes back, and source = target row by
row, with no row twice.

A drift takes some 50 ms. It is held at a step by freezing, for tens of milliseconds, who has to act
next: at `prepare` the target, at `freeze` the owner, at `commit` the broker (and before it, while the
owner writes what it has in flight, the leader), at `resume` the target.
"""
import argparse
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from cluster_harness import ENDED, Cluster, Trouble, wait
from shop_load import FLOW_NAMES, FLOWS, TABLES, Shop

FAULTS, VICTIMS, STEPS = ("kill", "freeze", "cut"), ("source", "target", "leader"), (
    "prepare", "freeze", "commit", "resume")
# Above the 1.5 s after which a silent node is lost: it wakes up as a zombie.
FAULT_SECONDS = 4
RECOVERY_SECONDS = 5
DISK_BYTES = 48 << 20
TRIES = 4
# What a node says when it finds that somebody else has what it was working on.
ZOMBIE_WORDS = ("does not own the target any more", "has an owner newer", "leads no more", "another node has")


class Held:
    """Freezes processes; whatever happens, they go on at the end."""

    def __init__(self, cluster):
        self.cluster, self.held = cluster, []
        self.broker = int(os.environ["RTDP_TEST_KAFKA_PID"])

    def hold(self, who):
        if who == "broker":
            os.kill(self.broker, signal.SIGSTOP)
        else:
            self.cluster.freeze(who)
        self.held.append(who)

    def release(self, who, unless=()):
        if who not in self.held:
            return
        self.held.remove(who)
        if who == "broker":
            os.kill(self.broker, signal.SIGCONT)
        elif who not in unless and self.cluster.nodes[who].alive():
            self.cluster.thaw(who)

    def close(self):
        for who in list(self.held):
            self.release(who)


class Cell:
    """One drift with one fault."""

    def __init__(self, test, flow, fault, victim, step):
        self.test, self.cluster, self.shop, self.flow = test, test.cluster, test.shop, flow
        self.fault, self.victim, self.step = fault, victim, step

    def roles(self):
        """Source, target and leader: three nodes."""
        leader = wait("somebody leads", self.cluster.leader)
        source, names = self.cluster.owner(self.flow), self.test.struck
        if source == leader or source not in names:
            source = next(n for n in names if n != leader)
            moved = self.cluster.move(self.flow, source)
            if moved["step"] != "done":
                raise Trouble(f"it did not get to {source}: {moved}")
        target = next(n for n in names if n not in (leader, source))
        return {"source": source, "target": target, "leader": leader}

    def reach(self, roles, held):
        """Begins the drift and holds it at the step."""
        at = roles["leader"]

        def step_is(wanted):
            def look():
                found = self.cluster.drift_of(self.flow, at)
                if found and found["started"] != before and found["step"] in ENDED:
                    raise Trouble(f"the drift ended before {wanted}: {found}")
                return found and found["started"] != before and found["step"] == wanted
            wait(lambda: f"step {wanted}; it is {self.cluster.drift_of('events', at)}", look, 5, every=0.01)

        before = (self.cluster.drift_of(self.flow, at) or {}).get("started")
        held.hold(roles["target"])
        status, text = self.cluster.start_drift(self.flow, roles["target"], at)
        if status not in (200, 202):
            raise Trouble(f"the drift was refused: {status} {text}")
        step_is("prepare")
        if self.step == "prepare":
            return
        # The owner has told its progress by now; the leader waits for the target.
        time.sleep(0.15)
        held.hold(roles["source"])
        held.release(roles["target"])
        step_is("freeze")
        if self.step == "freeze":
            return
        held.hold(roles["leader"])
        held.release(roles["source"])
        time.sleep(0.3)
        held.hold("broker")
        held.release(roles["leader"])
        step_is("commit")
        if self.step == "commit":
            return
        held.hold(roles["target"])
        held.release("broker")
        step_is("resume")

    def strike(self, node):
        if self.fault == "kill":
            self.cluster.kill(node)
        elif self.fault == "freeze":
            self.cluster.freeze(node)
        else:
            self.cluster.network.cut(node)

    def mend(self, node):
        if self.fault == "kill":
            self.cluster.start(node)
        elif self.fault == "freeze":
            self.cluster.thaw(node)
        else:
            self.cluster.network.join(node)

    def reach_or_again(self, held):
        """The roles. On a machine that is busy the target gets ready so slowly that the owner, which is
        held meanwhile, is taken for lost: that is no drift at this step, and another one is begun."""
        for left in reversed(range(TRIES)):
            try:
                roles = self.roles()
                self.reach(roles, held)
                return roles
            except Trouble:
                if not left:
                    raise
            held.close()
            self.test.wait_healthy()
            self.cluster.settle(self.flow)

    def run(self):
        """Seconds from the fault until the target has a row that was written after it."""
        self.shop.begin()
        with contextlib.closing(Held(self.cluster)) as held:
            roles = self.reach_or_again(held)
            victim = roles[self.victim]
            log_before = len(self.cluster.log(victim))
            self.strike(victim)
            begun = time.monotonic()
            for who in list(held.held):
                held.release(who, unless=() if self.fault == "cut" else (victim,))
        self.shop.wait_arrival(story=self.cluster.story, flow=self.flow)
        recovery = time.monotonic() - begun
        if self.fault != "kill":
            time.sleep(max(0.0, begun + FAULT_SECONDS - time.monotonic()))
        self.mend(victim)
        self.test.wait_healthy()
        self.cluster.settle(self.flow)
        self.shop.wait_equal(story=self.cluster.story)
        self.check(log_before, victim)
        return recovery

    def check(self, log_before, victim):
        lost, doubled = self.shop.audit()
        if lost or doubled:
            raise Trouble(f"{lost} rows lost, {doubled} doubled\n{self.cluster.story()}")
        owners = [c["node"] for c in self.cluster.items("flows") if c["name"] == self.flow]
        if len(owners) != 1:
            raise Trouble(f"owners of {self.flow}: {owners}")
        said = self.cluster.log(victim)[log_before:]
        # It had the flow and slept through its loss: then it must have noticed. Later in the drift it
        # was asleep when the flow went as it had agreed.
        slept = self.fault == "freeze" and self.victim == "source" and self.step in ("prepare", "freeze")
        if slept and not any(w in said for w in ZOMBIE_WORDS):
            raise Trouble(f"the zombie {victim} says nothing of what it lost:\n{said[-3000:]}")


class Table:
    def __init__(self, folder, kafka, spare_source):
        self.struck = ("n1", "n2", "n3")
        self.shop = Shop("faults")
        self.folder = pathlib.Path(folder)
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self.has_disk = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", self.disk],
            capture_output=True).returncode == 0
        data = {"n2": self.disk / "n2"} if self.has_disk else {}
        flows = FLOWS.replace("kind: postgres, url: \"${env:SHOP_S", "kind: postgres, node: n4, url: \"${env:SHOP_S") \
            if spare_source else FLOWS
        self.cluster = Cluster(folder, f"bus: {{kind: kafka, brokers: '{kafka}'}}\n{flows}", cut=True, data=data,
                               names=(*self.struck, "n4") if spare_source else self.struck)
        self.cluster.env = self.shop.env
        self.results, self.times = {}, {}

    def begin(self):
        self.cluster.start()
        self.wait_healthy(40)
        self.cluster.wait_snapshots(TABLES)

    def wait_healthy(self, seconds=25):
        self.cluster.wait_ready(FLOW_NAMES, seconds, ("shop",))

    def cell(self, name, run):
        begun = time.monotonic()
        try:
            self.times[name] = run()
            slow = self.times[name] > RECOVERY_SECONDS
            self.results[name] = f"{self.times[name]:.1f} s" + (" SLOW" if slow else "")
        except (Trouble, AssertionError) as e:
            self.results[name] = "FAILED"
            print(f"FAILED {' '.join(name)}: {e}", file=sys.stderr, flush=True)
            self.repair()
        print(f"  {' '.join(name):28} {self.results[name]:8} (cell: {time.monotonic() - begun:.0f} s)", flush=True)

    def repair(self):
        """After a failed cell, so that the next one says something of its own."""
        for name in self.cluster.names:
            self.cluster.network.join(name)
            if not self.cluster.nodes[name].alive():
                self.cluster.start(name)
            elif name in self.cluster.frozen:
                self.cluster.thaw(name)
        self.shop.end()
        with contextlib.suppress(Trouble):
            self.wait_healthy()

    def full_disk(self):
        """The disk of the node that has the flow is full: another one has it in time."""
        self.cluster.move("events", "n2")
        self.shop.begin()
        self.shop.wait_arrival()
        with open(self.disk / "ballast", "ab", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(b"x" * 4096)
        begun = time.monotonic()
        wait(self.cluster.story, lambda: self.cluster.owner("events") not in ("", "n2"), 20)
        self.shop.wait_arrival(story=self.cluster.story)
        recovery = time.monotonic() - begun
        os.remove(self.disk / "ballast")
        self.wait_healthy()
        self.shop.wait_equal(story=self.cluster.story)
        if self.shop.audit() != (0, 0):
            raise Trouble(f"(lost, doubled) = {self.shop.audit()}")
        return recovery

    def close(self):
        self.cluster.close()
        self.shop.close()
        if self.has_disk:
            subprocess.run(["umount", "-l", self.disk], check=False)

    def print(self):
        print(f"\n{'':16}" + "".join(f"{s:>14}" for s in STEPS))
        for row in sorted({name[:2] for name in self.results if len(name) == 3}):
            print(f"{' '.join(row):16}" + "".join(f"{self.results.get((*row, s), '-'):>14}" for s in STEPS))
        for name in self.results:
            if len(name) == 1:
                print(f"{name[0]:16}{self.results[name]:>14}")
        times = sorted(self.times.values())
        failed = sum(r == "FAILED" for r in self.results.values())
        p95 = times[min(len(times) - 1, int(0.95 * len(times)))] if times else 0.0
        print(f"{len(self.results)} cells, {failed} failed; from the fault to the first new row: "
              f"p50 {times[len(times) // 2] if times else 0:.1f} s, p95 {p95:.1f} s")
        return failed == 0 and len(times) > 0 and p95 <= RECOVERY_SECONDS


def flow_of(victim, step):
    """Both kinds of flow at each step and for each victim, over the three faults and runs."""
    return ("events", FLOW_NAMES[-1])[(VICTIMS.index(victim) + STEPS.index(step)) % 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", nargs="+", choices=(*FAULTS, "disk"), default=(*FAULTS, "disk"))
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--spare-source", action="store_true",
                        help="the source has a fourth node for itself, which nothing happens to")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rtdp-faults.", ignore_cleanup_errors=True) as folder:
        with contextlib.closing(Table(folder, os.environ["RTDP_TEST_KAFKA"], given.spare_source)) as table:
            table.begin()
            for fault in given.faults:
                if fault == "disk" and table.has_disk:
                    table.cell(("disk full",), table.full_disk)
                elif fault == "disk":
                    print("  disk full: left out, it needs root to mount a small disk", flush=True)
                else:
                    for victim in given.victims:
                        for step in given.steps:
                            cell = Cell(table, flow_of(victim, step), fault, victim, step)
                            table.cell((fault, victim, step), cell.run)
            good = table.print()
    print("1 passed, 0 failed" if good else "0 passed, 1 failed")
    return not good


if __name__ == "__main__":
    sys.exit(main())
