#!/usr/bin/env python3
"""The disk under data_dir fills up: the node says so, keeps its state whole, and goes on without
loss when there is space again. Needs root, to mount a small file system."""
import json
import os
import subprocess
import unittest

from harness import Case

# The write-ahead log of the bus alone takes 16 MB before it is put into the file.
SIZE = 64 << 20


@unittest.skipUnless(os.geteuid() == 0, "needs root: it mounts a tmpfs of 64 MB")
class DiskFull(Case):
    def setUp(self):
        super().setUp()
        self.disk = self.path("disk")
        os.mkdir(self.disk)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", self.disk],
                              capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f"cannot mount a tmpfs here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)

    def fill(self):
        """Takes what is left; gives the name of the file to remove later."""
        ballast = os.path.join(self.disk, "ballast")
        with open(ballast, "ab", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
        return ballast

    def source(self, rate):
        return self.pipeline(f"""
sources: {{gen: {{kind: generator, rows_per_second: {rate}, keys: 0}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  orders: {{source: generator.gen, sink: dw.orders, create: true, mutation: i}}
""", os.path.join(self.disk, "data"))

    def count(self):
        found = self.rows("dw.db", "SELECT count(*) FROM orders")
        return found[0][0] if found else 0

    def assert_whole(self):
        rows = self.sqlite("dw.db", "SELECT count(*), count(DISTINCT ums_id_), min(ums_id_), max(ums_id_), "
                                    "max(id) FROM orders")[0]
        self.assertEqual(rows, (rows[0], rows[0], 1, rows[0], rows[0]))

    def assert_sound(self):
        for folder, _, names in os.walk(os.path.join(self.disk, "data")):
            for name in names:
                if name.endswith(".db"):
                    path = os.path.relpath(os.path.join(folder, name), self.dir)
                    self.assertEqual(self.sqlite(path, "PRAGMA integrity_check"), [("ok",)], path)

    def test_it_says_so_waits_and_goes_on(self):
        node = self.start(self.source(500))
        self.wait("rows arrive", lambda: self.count() > 500, node=node)
        ballast = self.fill()
        source = self.wait("the source tells", lambda: (lambda c: c if "full" in c["reason"] else None)(
            node.one("sources", "gen")), node=node)
        self.assertEqual(source["state"], "starting", source)
        self.assert_has(source["reason"], "full", "free space", self.disk)
        code, body = node.get("/readyz")
        self.assertEqual(code, 503)
        self.assertIn("source.gen is starting", json.loads(body)["reasons"][0])
        self.assertTrue(node.alive())
        held = self.count()
        os.remove(ballast)
        self.wait("it goes on", lambda: self.count() > held + 500, 30, node)
        self.wait("ready", lambda: node.get("/readyz")[0] == 200, 15, node)
        self.assertEqual(node.terminate(), 0)
        self.assert_whole()
        self.assert_sound()
        # Back-off, not a storm: a log that grows by each try would fill the next disk.
        self.assertLess(len(node.log().splitlines()), 200, node.log()[-3000:])

    def test_killed_while_it_is_full(self):
        node = self.start(self.source(500))
        self.wait("rows arrive", lambda: self.count() > 500, node=node)
        ballast = self.fill()
        self.wait("the source tells", lambda: "full" in node.one("sources", "gen")["reason"], node=node)
        node.kill()
        # Full at the start as well: it waits or refuses, in words, and harms nothing.
        full = self.start(self.path("pipeline.yaml"), wait=False)
        self.wait("it tells", lambda: "full" in full.log() or not full.alive(), 15)
        self.assertIn("full", full.log())
        if full.alive():
            self.assertEqual(full.terminate(), 0, full.log())
        os.remove(ballast)
        node = self.start(self.path("pipeline.yaml"))
        held = self.count()
        self.wait("it goes on", lambda: self.count() > held + 500, 30, node)
        self.assertEqual(node.terminate(), 0)
        self.assert_whole()
        self.assert_sound()

    def test_a_clean_stop_while_it_is_full(self):
        node = self.start(self.source(500))
        self.wait("rows arrive", lambda: self.count() > 500, node=node)
        ballast = self.fill()
        self.wait("the source tells", lambda: "full" in node.one("sources", "gen")["reason"], node=node)
        self.assertEqual(node.terminate(), 0, node.log())
        os.remove(ballast)
        held = self.count()
        node = self.start(self.path("pipeline.yaml"))
        self.wait("it goes on", lambda: self.count() > held + 500, 30, node)
        self.assertEqual(node.terminate(), 0)
        self.assert_whole()


if __name__ == "__main__":
    unittest.main(verbosity=2)
