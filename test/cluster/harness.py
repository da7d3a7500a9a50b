"""What the tests with real processes share: a temporary folder, a node in it, REST, waiting.

A test that needs a server is run by test/services/with, which sets RTDP_TEST_PG_URL; without it the
test is skipped, and says so.
"""
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest

from processes import BINARY, ROOT, Node, free_port  # noqa: F401 (the tests take them from here)

PG_URL = os.environ.get("RTDP_TEST_PG_URL")
# What one command of the client may take; it answers in milliseconds.
COMMAND_SECONDS = 20


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
