#!/usr/bin/env python3
"""Random transactions over every type, kills at random moments, one crash of the server: equal in the end.

  test/services/with postgres -- test/cluster/random_workload_test.py postgres [--seconds 40] [--kills 20] [--seed N]

Inserts, updates, deletes, re-inserts, key changes, savepoints, rollbacks and transactions over several
tables run before, during and after the first snapshot. The node dies by SIGKILL, the server once by its
immediate stop. At the end: source = target row by row; on the bus the ids of a table grow strictly, and an
id that stands there twice has the same row both times.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import workload_servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
RTDP = os.environ.get("RTDP_BINARY", str(ROOT / "build/release/rtdp"))
KEYS = 300
WRITERS = 3


class Writer(threading.Thread):
    """One session that commits and rolls back random transactions until it is told to end."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self.server, self.chance = server, random.Random(seed)
        self.ended = threading.Event()
        self.transactions = 0

    def row(self, table):
        return {c.name: self.chance.choice(c.values) for c in table.columns}

    def key(self, table):
        return table.key(self.chance.randrange(KEYS))

    def operation(self):
        table = self.chance.choice(self.server.tables)
        s, key = self.server, self.key(table)
        kind = self.chance.choice(("insert", "insert", "update", "update", "update", "delete", "rekey", "again", "same"))
        if kind == "insert":
            return [s.insert(table, key, self.row(table))]
        if kind == "update":
            changed = self.chance.sample(sorted(self.row(table).items()), self.chance.randint(1, 2))
            return [s.update(table, key, dict(changed))]
        if kind == "rekey":
            return [s.rekey(table, key, self.key(table))]
        if kind == "again":
            return [s.delete(table, key), s.insert(table, key, self.row(table))]
        if kind == "same":
            return [s.update(table, key, {})]
        return [s.delete(table, key)]

    def transaction(self):
        body = []
        for _ in range(self.chance.choice((1, 1, 2, 3, 5, 8, 20))):
            if self.chance.random() < 0.1:
                body += ["savepoint s", *self.operation(), "rollback to savepoint s"]
            body += self.operation()
        return ["begin", *body, "rollback" if self.chance.random() < 0.1 else "commit"]

    def run(self):
        session = None
        while not self.ended.is_set():
            try:
                session = session or self.server.session()
                session.run(self.transaction())
                self.transactions += 1
            except OSError:
                # The server is being restarted.
                session = None
                time.sleep(0.2)
        if session:
            session.close()


class Node:
    def __init__(self, file, log):
        self.file, self.log = file, log
        self.process = None

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen([RTDP, "run", str(self.file)], stdout=out, stderr=out)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def under_load(server, node, args, chance):
    """Kills the node at random moments and the server once, while the writers write."""
    writers = [Writer(server, chance.random()) for _ in range(WRITERS)]
    for w in writers:
        w.start()
    node.start()
    moments = sorted([(chance.uniform(0.5, args.seconds), "node") for _ in range(args.kills)] +
                     [(chance.uniform(0.3, 0.7) * args.seconds, "server")])
    begun = time.monotonic()
    for moment, what in moments:
        time.sleep(max(0.0, begun + moment - time.monotonic()))
        if what == "server":
            server.crash_and_restart()
            continue
        node.kill()
        node.start()
    for w in writers:
        w.ended.set()
    for w in writers:
        w.join(30)
        if w.transactions == 0:
            sys.exit("a writer ended without a transaction")
    time.sleep(1)
    node.process.terminate()
    code = node.process.wait(15)
    if code != 0:
        sys.exit(f"SIGTERM: exit code {code}, expected 0\n{node.log.read_text()[-3000:]}")
    return sum(w.transactions for w in writers)


def settle(node):
    done = subprocess.run([RTDP, "run", str(node.file), "--until-idle"], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        sys.exit(f"--until-idle: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def compare(server):
    """Rows of source and target as text, by key."""
    different = total = 0
    for table in server.tables:
        source, target = server.source_rows(table), server.target_rows(table)
        total += len(source)
        bad = {k for k in source.keys() | target.keys() if source.get(k) != target.get(k)}
        print(f"  {table.name}: {len(source)} rows, {len(bad)} differ", flush=True)
        for key in sorted(bad)[:5]:
            for n, (a, b) in enumerate(zip(source.get(key, ("missing",)), target.get(key, ("missing",)))):
                if a != b:
                    print(f"    {key} column {n}: source {a[:80]!r}, target {b[:80]!r}", flush=True)
        different += len(bad)
    return different, total


def check_bus(folder):
    """Of each partition: ids of a table grow at their first appearance, a repeated id has the same row."""
    wrong = collections.Counter()
    seen_rows = repeated = 0
    for file in sorted(folder.glob("data/**/rtdp.*/*.db")) or sorted(folder.glob("data/bus/**/*.db")):
        db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'log'").fetchone():
            continue
        last, rows = {}, {}
        for (value,) in db.execute("SELECT value FROM log ORDER BY offset"):
            message = json.loads(value)
            if message["protocol"]["type"] not in ("data_increment_data", "data_initial_data"):
                continue
            name = ".".join(message["schema"]["namespace"].split(".")[:4])
            for row in message["payload"]:
                number, key = int(row["tuple"][0]), (name, row["tuple"][0], row["tuple"][2] == "b")
                seen_rows += 1
                if key in rows:
                    repeated += 1
                    wrong["an id with two rows"] += rows[key] != hash(tuple(row["tuple"]))
                    continue
                rows[key] = hash(tuple(row["tuple"]))
                wrong["ids go back"] += number < last.get(name, 0)
                last[name] = number
    print(f"  bus: {seen_rows} rows, {repeated} repeated, " +
          (", ".join(f"{n} times {what}" for what, n in wrong.items() if n) or "ids strictly increasing"), flush=True)
    return sum(wrong.values()), seen_rows


def dead_letters(folder):
    db = sqlite3.connect(folder / "data/dead_letters.db")
    found = db.execute("SELECT count(*), min(reason) FROM dead_letter").fetchone()
    print(f"  dead letters: {found[0]}" + (f", such as: {found[1]}" if found[0] else ""), flush=True)
    return found[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", choices=sorted(workload_servers.KINDS))
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("RTDP_TEST_SEED", time.time())))
    args = parser.parse_args()
    print(f"{args.server}: {args.seconds} s, {args.kills} kills, seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = workload_servers.KINDS[args.server](folder)
        server.prepare()
        file = folder / "pipeline.yaml"
        file.write_text(f"node: {{name: n1, data_dir: {folder}/data, http: 'off'}}\n" + server.settings())
        node = Node(file, folder / "node.log")
        count = under_load(server, node, args, random.Random(args.seed))
        settle(node)
        different, total = compare(server)
        wrong, seen = check_bus(folder)
        letters = dead_letters(folder)
    failed = different > 0 or wrong > 0 or letters > 0 or total == 0 or seen == 0
    print(f"{'0 passed, 1 failed' if failed else '1 passed, 0 failed'}: {count} transactions, {total} rows in "
          f"{len(server.tables)} tables, {different} different", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
