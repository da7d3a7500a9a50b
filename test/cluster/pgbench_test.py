#!/usr/bin/env python3
"""PostgreSQL under pgbench, synced over Kafka into another database, must end equal row by row.

  test/services/with postgres kafka -- test/cluster/pgbench_test.py [--seconds 60] [--kills 5] [--seed N]

The load (the standard TPC-B-like one, 4 clients) begins before the snapshot does. With --kills the
node is killed with SIGKILL so often, at random moments, and started again.
"""
import argparse
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RTDP = os.environ.get("RTDP_BINARY", str(ROOT / "build/release/rtdp"))
SERVER = os.environ["RTDP_TEST_PG_URL"]
KAFKA = os.environ["RTDP_TEST_KAFKA"]
# pgbench_history has no primary key: every row is appended, once.
TABLES = {"pgbench_accounts": "iud_clean", "pgbench_tellers": "iud_clean",
          "pgbench_branches": "iud", "pgbench_history": "i"}
COLUMNS = {"pgbench_accounts": "aid, bid, abalance, filler", "pgbench_tellers": "tid, bid, tbalance, filler",
           "pgbench_branches": "bid, bbalance, filler", "pgbench_history": "tid, bid, aid, delta, mtime, filler"}


def database(name):
    """The server's address with another database."""
    head, _, query = SERVER.partition("?")
    return head.rsplit("/", 1)[0] + "/" + name + ("?" + query if query else "")


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, timeout=900, **options)


def settings(folder, run_id):
    flows = "\n".join(f"  {t}: {{source: postgres.shop{run_id}.public.{t}, sink: dw.public.{t}, "
                      f"mutation: {m}, create: true}}" for t, m in TABLES.items())
    os.environ.update(SOURCE_URL=database("src" + run_id), TARGET_URL=database("dst" + run_id))
    path = folder / "pgbench.yaml"
    path.write_text(f"""node: {{name: n1, data_dir: {folder}/data, http: "off"}}
bus: {{kind: kafka, brokers: "{KAFKA}"}}
sources:
  shop{run_id}:
    kind: postgres
    url: "${{env:SOURCE_URL}}"
    tables: [{", ".join("public." + t for t in TABLES)}]
sinks:
  dw: {{kind: postgres, url: "${{env:TARGET_URL}}"}}
flows:
{flows}
""")
    return path


def digest_and_count(url, table, where=""):
    """All rows in one order, as text: equal digests are equal tables."""
    query = f"COPY (SELECT {COLUMNS[table]} FROM {table}{where} ORDER BY {COLUMNS[table]}) TO STDOUT"
    rows, digest = 0, hashlib.sha256()
    with subprocess.Popen(["psql", "-X", "-q", url, "-c", query], stdout=subprocess.PIPE) as psql:
        for line in psql.stdout:
            rows += 1
            digest.update(line)
    if psql.returncode != 0:
        sys.exit(f"psql failed on {table}")
    return digest.hexdigest(), rows


def compare(run_id):
    different, total = 0, 0
    for table, mutation in TABLES.items():
        source = digest_and_count(database("src" + run_id), table)
        where = " WHERE ums_active_ = 1" if mutation == "iud" else ""
        target = digest_and_count(database("dst" + run_id), table, where)
        total += source[1]
        print(f"  {table}: source {source[1]} rows, target {target[1]} rows, "
              f"{'equal' if source == target else 'DIFFERENT'}", flush=True)
        different += source != target
    return different, total


def node_under_load(path, load, kills, chance):
    """Runs the node until the load has ended; kills it `kills` times before."""
    moments = sorted(chance.uniform(0.5, 0.9 * load.seconds) for _ in range(kills))
    node = subprocess.Popen([RTDP, "run", str(path), "--log-level", "warn"])
    for moment in moments:
        time.sleep(max(0.0, moment - (time.monotonic() - load.begun)))
        node.kill()
        node.wait()
        print(f"  killed at {time.monotonic() - load.begun:.1f} s", flush=True)
        node = subprocess.Popen([RTDP, "run", str(path), "--log-level", "warn"])
    load.process.wait(timeout=900)
    node.terminate()
    code = node.wait(timeout=15)
    if code != 0:
        sys.exit(f"SIGTERM: exit code {code}, expected 0 within 10 s")


class Load:
    def __init__(self, url, seconds):
        self.seconds = seconds
        self.begun = time.monotonic()
        self.process = subprocess.Popen(["pgbench", "-n", "-c", "4", "-j", "1", "-T", str(seconds), url],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--scale", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    print(f"pgbench: {args.seconds} s, scale {args.scale}, {args.kills} kills, seed {args.seed}", flush=True)
    # A topic and databases of its own, so that several runs share the servers.
    run_id = f"_{args.kills}_{os.getpid()}"
    for name in ("src", "dst"):
        run("psql", "-X", "-q", SERVER, "-c", f"CREATE DATABASE {name}{run_id}")
    run("pgbench", "-i", "-q", "-s", str(args.scale), database("src" + run_id), stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        path = settings(pathlib.Path(folder), run_id)
        load = Load(database("src" + run_id), args.seconds)
        node_under_load(path, load, args.kills, random.Random(args.seed))
        print("  load: " + next(l for l in load.process.stdout if "transactions actually" in l).strip(), flush=True)
        begun = time.monotonic()
        run(RTDP, "run", str(path), "--until-idle", "--log-level", "warn")
        print(f"  caught up in {time.monotonic() - begun:.1f} s", flush=True)
        different, rows = compare(run_id)
        letters = pathlib.Path(folder) / "data/dead_letters.db"
        count = run("python3", "-c", "import sqlite3, sys; print(sqlite3.connect(sys.argv[1])"
                    ".execute('select count(*) from dead_letter').fetchone()[0])", str(letters),
                    stdout=subprocess.PIPE).stdout.strip()
    print(f"  dead letters: {count}", flush=True)
    failed = different > 0 or count != "0"
    print(f"1 passed, 0 failed: {rows} rows equal" if not failed else "0 passed, 1 failed", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
