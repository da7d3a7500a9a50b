#!/usr/bin/env python3
"""Three nodes on one machine around a local Kafka; flows drift between them while a shop is written to,
one node is killed, and at the end source and target are compared row by row.

  RTDP_TEST_KAFKA=host:port demo_cluster.py FOLDER [--seconds N] [--stay]

In a terminal the picture is drawn in place; in a file there is a line for each event and one every two
seconds. Exit code 0: equal.
"""
import argparse
import contextlib
import os
import pathlib
import subprocess
import sys
import time

from cluster_harness import UNDER_WAY, Cluster, Trouble, wait

HERE = pathlib.Path(__file__).resolve().parent
TABLES = ("customers", "products", "orders")
TAXES = "SELECT order_id, line, sku, amount_cents * 119 AS with_tax FROM order_items WHERE amount_cents >= 10000"
FLOWS = ("customers", "products", "orders", "taxes")
SETTINGS = """
bus: {{kind: kafka, brokers: '{kafka}'}}
sources:
  shop: {{kind: sqlite, path: {folder}/shop.db, tables: [customers, products, orders, order_items]}}
sinks:
  dw: {{kind: sqlite, path: {folder}/warehouse.db}}
flows:
  customers: {{source: sqlite.shop.main.customers, sink: dw.customers, mutation: iud_clean, create: true}}
  products: {{source: sqlite.shop.main.products, sink: dw.products, create: true}}
  orders: {{source: sqlite.shop.main.orders, sink: dw.orders, create: true}}
  taxes:
    source: sqlite.shop.main.order_items
    sink: dw.taxes
    create: true
    steps:
      - sql: select order_id, line, sku, amount_cents * 119 as with_tax from order_items where amount_cents >= 10000
"""


class Picture:
    """What goes on, for people."""

    def __init__(self, cluster):
        self.cluster, self.begun = cluster, time.monotonic()
        self.terminal, self.drawn, self.told = sys.stdout.isatty(), 0, 0.0

    def clock(self):
        return f"{time.monotonic() - self.begun:5.1f} s"

    def erase(self):
        if self.drawn:
            print(f"\x1b[{self.drawn}F\x1b[0J", end="")
            self.drawn = 0

    def event(self, text):
        self.erase()
        print(f"{self.clock()}  {text}", flush=True)
        self.draw(now=True)

    def lines(self):
        flows = self.cluster.items("flows")
        drifting = {d["flow"]: d for d in self.cluster.items("drifts") if d["step"] in UNDER_WAY}
        for node in self.cluster.items("nodes"):
            has = [f["name"] + (f" → {drifting[f['name']]['to']} ({drifting[f['name']]['step']})"
                                if f["name"] in drifting else "")
                   for f in flows if f["node"] == node["name"] and f["state"] == "running"]
            yield (f"  {node['name']} {node['state']:8} {'leads' if node['leader'] else '     '}  "
                   f"{node.get('cpu_percent', 0):4.0f}% CPU  {', '.join(has)}")
        yield f"  rows written to the warehouse: {sum(f.get('rows_out', 0) for f in flows):,}"

    def draw(self, now=False):
        if self.terminal and (now or time.monotonic() - self.told > 0.2):
            lines = list(self.lines())
            self.erase()
            print("\n".join(lines), flush=True)
            self.drawn, self.told = len(lines), time.monotonic()
        elif not self.terminal and time.monotonic() - self.told > 2:
            where = ", ".join(f"{f['name']} on {f['node']}" for f in self.cluster.items("flows")
                              if f["state"] == "running")
            print(f"{self.clock()}  {where or 'the nodes are starting'}", flush=True)
            self.told = time.monotonic()


class Show:
    def __init__(self, cluster, picture):
        self.cluster, self.picture = cluster, picture
        self.moves, self.pauses, self.seen = 0, [], set()

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.tell_ended()
            self.picture.draw()
            time.sleep(0.05)

    def tell_ended(self):
        """Drifts that ended since the last look."""
        for d in reversed(self.cluster.items("drifts")):
            key = (d["flow"], d["started"])
            if d["step"] in UNDER_WAY or key in self.seen:
                continue
            self.seen.add(key)
            if d["step"] == "done":
                self.pauses.append(d["pause_ms"])
                self.picture.event(f"flow {d['flow']} drifted from {d['from']} to {d['to']}, "
                                   f"paused {d['pause_ms']:.0f} ms")
            else:
                self.picture.event(f"flow {d['flow']} did not drift to {d['to']}: {d['reason']}")

    def drift_next(self):
        """The flows take turns, each goes to the next node that runs."""
        flow = FLOWS[self.moves % len(FLOWS)]
        self.moves += 1
        owner = self.cluster.owner(flow)
        running = [n for n, state in self.cluster.states().items() if state == "running"]
        if owner not in running or len(running) < 2:
            return
        with contextlib.suppress(OSError):
            self.cluster.start_drift(flow, running[(running.index(owner) + 1) % len(running)])

    def kill(self):
        """The node that has the most flows dies; what it had goes on elsewhere."""
        has = [f["node"] for f in self.cluster.items("flows")]
        victim = max(self.cluster.names, key=has.count)
        lost = [f["name"] for f in self.cluster.items("flows") if f["node"] == victim]
        led = self.cluster.leader() == victim
        self.picture.event(f"kill -9 of {victim}, which had {', '.join(lost)}{' and led the cluster' if led else ''}")
        self.cluster.kill(victim)
        begun = time.monotonic()
        while not all(self.cluster.owner(f) not in ("", victim) for f in lost):
            if time.monotonic() - begun > 20:
                raise Trouble(f"the flows of {victim} run nowhere\n{self.cluster.story()}")
            self.picture.draw()
            time.sleep(0.05)
        self.picture.event(f"its flows run elsewhere after {time.monotonic() - begun:.1f} s")
        return victim

    def act(self, seconds):
        """Drifts all the time; a death in the middle, and a return."""
        begun, victim, killed = time.monotonic(), None, False
        while (passed := time.monotonic() - begun) < seconds:
            if not killed and passed > 0.4 * seconds:
                victim, killed = self.kill(), True
            elif victim and passed > 0.7 * seconds:
                self.cluster.start(victim)
                self.picture.event(f"{victim} is started again")
                victim = None
            self.drift_next()
            self.watch(0.7)
        if victim:
            self.cluster.start(victim)
        self.watch(1)


def compare(folder):
    return subprocess.run([sys.executable, HERE / "compare_sqlite.py", folder / "shop.db", folder / "warehouse.db",
                           "--tables", *TABLES, "--query", "taxes", "order_id,line", TAXES],
                          capture_output=True, text=True, check=False)


def shop(*args):
    return subprocess.Popen([sys.executable, HERE / "demo_shop.py", *map(str, args)], stdout=subprocess.DEVNULL)


def run(given, cluster):
    picture = Picture(cluster)
    cluster.start()
    wait(lambda: "the cluster stands\n" + cluster.story(),
         lambda: (picture.draw(), all(cluster.owner(f) for f in FLOWS))[1], 60)
    urls = "  ".join(f"{n}: http://127.0.0.1:{p}" for n, p in cluster.http.items())
    picture.event(f"three nodes run, {cluster.leader()} leads; status pages: {urls}")
    writer = shop("write", given.folder / "shop.db", "--seconds", given.seconds, "--rate", 300)
    show = Show(cluster, picture)
    try:
        show.act(given.seconds)
        writer.wait(given.seconds + 60)
        if given.stay:
            picture.event("the writer is done; Ctrl-C ends the demo")
            with contextlib.suppress(KeyboardInterrupt):
                show.watch(1e9)
        picture.event("the writer is done; the flows catch up")
        end = time.monotonic() + 60
        while (found := compare(given.folder)).returncode != 0 and time.monotonic() < end:
            show.watch(0.5)
    finally:
        if writer.poll() is None:
            writer.kill()
    picture.erase()
    if show.pauses:
        print(f"{len(show.pauses)} drifts; the longest pause {max(show.pauses):.0f} ms")
    print(found.stdout.strip() or found.stderr.strip(), flush=True)
    if found.returncode != 0:
        print(cluster.story(), file=sys.stderr)
    return found.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=25)
    parser.add_argument("--stay", action="store_true")
    given = parser.parse_args()
    shop("create", given.folder / "shop.db", "--rows", 5000).wait()
    cluster = Cluster(given.folder, SETTINGS.format(kafka=os.environ["RTDP_TEST_KAFKA"], folder=given.folder))
    try:
        return run(given, cluster)
    except Trouble as e:
        print(f"FAILED: {e}", file=sys.stderr)
        return 1
    finally:
        cluster.close()


if __name__ == "__main__":
    sys.exit(main())
