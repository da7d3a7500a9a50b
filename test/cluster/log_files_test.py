#!/usr/bin/env python3
"""Log files that are written, rotated and truncated while the node that reads them is killed."""
import json
import os
import pathlib
import random
import shutil
import threading
import time
import unittest

from harness import Case

PIPELINE = """
sources:
  web:
    kind: file
    paths: ['{dir}/logs/*.log*']
    poll_interval: 20ms
    tables:
      - name: requests
        rules: [{{keyFilter: {{key: kind, value: request}}}}]
        columns: [{{name: n, type: long}}, {{name: file, from: '@file'}}]
sinks: {{dw: {{kind: sqlite, path: {dir}/dw.db}}}}
flows:
  requests: {{source: log.web.main.requests, sink: dw.requests, create: true, mutation: i}}
  unmatched: {{source: log.web.main.unmatched, sink: dw.unmatched, create: true, mutation: i}}
"""


class Writer(threading.Thread):
    """Two programs that log, and a logrotate: renames one file, copies and truncates the other."""

    def __init__(self, folder, when):
        super().__init__(daemon=True)
        self.folder, self.when, self.written, self.done = pathlib.Path(folder), when, 0, False
        self.folder.mkdir()

    def run(self):
        rotated = 0
        while not self.done:
            for name in ("a.log", "b.log"):
                with open(self.folder / name, "a") as file:
                    for _ in range(self.when.randrange(300)):
                        self.written += 1
                        kind = "request" if self.written % 10 else "noise"
                        file.write(json.dumps({"kind": kind, "n": self.written, "pad": "x" * 50}) + "\n")
            if self.when.random() < 0.1:
                rotated += 1
                (self.folder / "a.log").rename(self.folder / f"a.log.{rotated}")
            elif self.when.random() < 0.1:
                rotated += 1
                shutil.copyfile(self.folder / "b.log", self.folder / f"b.log.{rotated}")
                os.truncate(self.folder / "b.log", 0)
            time.sleep(self.when.uniform(0.005, 0.05))


class Killed(Case):
    def test_every_line_is_in_the_target_once_after_eight_kills(self):
        seed = int(os.environ.get("RTDP_TEST_SEED", time.time_ns() % 10**9))
        print(f"seed {seed}")
        when = random.Random(seed)
        writer = Writer(self.path("logs"), random.Random(seed + 1))
        file = self.pipeline(PIPELINE.format(dir=self.dir))
        writer.start()
        for _ in range(8):
            node = self.start(file, wait=False)
            time.sleep(when.uniform(0.1, 0.9))
            self.assertTrue(node.alive(), node.log())
            node.kill()
        writer.done = True
        writer.join()
        self.until_idle(file)
        requests = [n for (n,) in self.sqlite("dw.db", "SELECT n FROM requests ORDER BY n")]
        unmatched = [json.loads(e)["n"] for (e,) in self.sqlite("dw.db", "SELECT event FROM unmatched")]
        self.assertGreater(writer.written, 3000)
        self.assertEqual(len(requests), len(set(requests)), "a line came twice")
        self.assertEqual(sorted(requests + unmatched), list(range(1, writer.written + 1)))
        self.assertEqual([n for n in unmatched if n % 10], [])


if __name__ == "__main__":
    unittest.main()
