"""What the tests with real processes share: a temporary folder, a node in it, REST, waiting.

The binary is build/release/rtdp, or what RTDP_BINARY names. A test that needs a server is run by
test/services/with, which sets RTDP_TEST_PG_URL; without it the test is skipped, and says so.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("RTDP_BINARY", str(ROOT / "build/release/rtdp"))
PG_URL = os.environ.get("RTDP_TEST_PG_URL")
# What one command of the client may take; it answers in milliseconds.
COMMAND_SECONDS = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Node:
    """A process `rtdp run FILE`, its log in a file."""

    def __init__(self, file, log, port, args=(), env=None):
        self.log_path, self.port = log, port
        self.url = f"http://127.0.0.1:{port}"
        with open(log, "ab") as out:
            self.process = subprocess.Popen([BINARY, "run", file, *args], stdout=out, stderr=out,
                                            env={**os.environ, **(env or {})})

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def alive(self):
        return self.process.poll() is None

    def request(self, method, path, body=None):
        """Status and text of the answer."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.url + path, data=data, method=method)
        asked.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def get(self, path):
        return self.request("GET", path)

    def up(self):
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def items(self, which):
        return {c["name"]: c for c in json.loads(self.get(f"/api/v1/{which}")[1])["items"]}

    def one(self, which, name):
        """The component, or an empty one while the node does not know it or does not answer yet."""
        try:
            return self.items(which).get(name, {"state": "", "reason": ""})
        except OSError:
            return {"state": "", "reason": ""}

    def state(self, which, name):
        return self.one(which, name)["state"]

    def terminate(self, seconds=10):
        """SIGTERM; the exit code. Fails when the process takes longer than it may."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        self.process.kill()
        self.process.wait(10)


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="rtdp-cluster.")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.port = free_port()
        self.started = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def file(self, text, name="pipeline.yaml"):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def pipeline(self, text, data_dir=None):
        """A settings file of one node with REST at our port."""
        return self.file(f"node: {{name: n1, data_dir: {data_dir or self.path('data')}, "
                         f"http: 127.0.0.1:{self.port}}}\n{text}")

    def start(self, file, *args, env=None, wait=True):
        self.started += 1
        node = Node(file, self.path(f"node{self.started}.log"), self.port, args, env)
        self.addCleanup(lambda: node.alive() and node.kill())
        if wait:
            self.wait("the node answers", node.up, node=node)
        return node

    def rtdp(self, *args, env=None, code=0):
        """Runs the command beside a node; checks the exit code."""
        url = {"RTDP_URL": f"http://127.0.0.1:{self.port}"}
        done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=COMMAND_SECONDS,
                              env={**os.environ, **url, **(env or {})})
        self.assertEqual(done.returncode, code, f"rtdp {' '.join(args)}\n{done.stdout}{done.stderr}")
        return done

    def until_idle(self, file, *args, code=0, seconds=40, env=None):
        done = subprocess.run([BINARY, "run", file, "--until-idle", "--set", "node.http=off", *args],
                              capture_output=True, text=True, timeout=seconds,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def wait(self, what, condition, seconds=10, node=None):
        """Polls; what the condition gives when it holds."""
        end = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if node and not node.alive():
                self.fail(f"the node ended with {node.process.returncode} before: {what}\n{node.log()}")
            if time.monotonic() > end:
                self.fail(f"not within {seconds} s: {what}\n{node.log() if node else ''}")
            time.sleep(0.05)

    def wait_state(self, node, which, name, state, seconds=10):
        return self.wait(f"{which} {name} is {state}; it is {node.one(which, name)}",
                         lambda: node.one(which, name) if node.state(which, name) == state else None,
                         seconds, node)

    def sqlite(self, name, sql, *values):
        """Runs one statement or a script on a file of this test; gives the rows."""
        db = sqlite3.connect(self.path(name), timeout=20)
        try:
            if values or ";" not in sql:
                rows = db.execute(sql, values).fetchall()
            else:
                rows = db.executescript(sql).fetchall()
            db.commit()
            return rows
        finally:
            db.close()

    def rows(self, name, sql):
        """As sqlite, but empty while the file or the table is not there."""
        try:
            return self.sqlite(name, sql) if os.path.exists(self.path(name)) else []
        except sqlite3.OperationalError:
            return []

    def assert_has(self, text, *parts):
        for part in parts:
            self.assertIn(part, text)


def psql(sql, url=None):
    """Runs SQL in the test's PostgreSQL; the output without alignment, columns apart by a bar."""
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url or PG_URL, "-c", sql],
                          capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise AssertionError(f"psql: {done.stderr}")
    return done.stdout.strip()


needs_postgres = unittest.skipUnless(PG_URL, "needs a PostgreSQL server: run it with "
                                             "`test/services/with postgres -- python3 FILE`")
