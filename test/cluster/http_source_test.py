#!/usr/bin/env python3
"""Events posted to the http source: what was acknowledged is in the target, whatever happens to the node."""
import json
import os
import random
import threading
import unittest
import urllib.error
import urllib.request

from harness import Case, free_port


class Http(Case):
    def hits(self, more=""):
        self.listen = free_port()
        return self.pipeline(f"""
sources:
  web:
    kind: http
    listen: 127.0.0.1:{self.listen}
    tables: [{{name: hits, columns: [{{name: n, type: long}}, {{name: who, type: string}}]}}]{more}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{hits: {{source: log.web.main.hits, sink: dw.hits, keys: [n], create: true, mutation: i}}}}
""")

    def post(self, body, headers=None, seconds=20):
        """The status; 0 when nobody answers."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.listen}/", data=body.encode(), method="POST",
                                       headers=headers or {})
        try:
            with urllib.request.urlopen(asked, timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError as e:
            return 0, str(e)

    def numbers(self):
        return {r[0] for r in self.rows("dw.db", "SELECT n FROM hits")}

    def test_a_kill_after_an_acknowledged_post_loses_nothing(self):
        seed = int(os.environ.get("RTDP_TEST_SEED", random.randrange(1 << 32)))
        print(f"RTDP_TEST_SEED={seed}")
        dice = random.Random(seed)
        file = self.hits()
        acknowledged, stop, lock = set(), threading.Event(), threading.Lock()

        def client(number):
            n = number * 1_000_000
            while not stop.is_set():
                batch = list(range(n, n + 20))
                status, _ = self.post("\n".join(json.dumps({"n": i, "who": "ann"}) for i in batch))
                if status == 200:
                    with lock:
                        acknowledged.update(batch)
                    n += 20
                else:
                    stop.wait(0.05)

        clients = [threading.Thread(target=client, args=(i,)) for i in range(3)]
        node = self.start(file)
        for c in clients:
            c.start()
        self.addCleanup(stop.set)
        for _ in range(4):
            had = len(acknowledged)
            self.wait("some are acknowledged", lambda: len(acknowledged) > had + dice.randrange(20, 200), 20, node)
            node.kill()
            node = self.start(file)
        stop.set()
        for c in clients:
            c.join(30)
        self.wait("every acknowledged row is there", lambda: acknowledged <= self.numbers(), 20, node)
        self.assertGreater(len(acknowledged), 80)
        self.assertEqual(node.terminate(), 0)

    def test_a_bad_line_is_named_and_a_row_that_fits_no_column_is_kept(self):
        node = self.start(self.hits())
        self.wait_state(node, "sources", "web", "running")
        status, text = self.post('{"n": 1}\nnonsense\n')
        self.assertEqual(status, 400)
        self.assertIn("line 2", text)
        self.assertEqual(self.post('{"n": "many"}\n{"n": 2}')[0], 200)
        self.wait("the good row", lambda: self.numbers() == {2}, node=node)
        self.wait("the other one", lambda: "source.web" in self.rtdp("dead-letters", "list").stdout, node=node)
        self.assertEqual(node.terminate(), 0)

    def test_a_listener_beyond_this_machine_needs_a_token(self):
        file = self.hits()
        self.rtdp("check", file, "--set", "sources.web.listen=0.0.0.0:8088", code=1)
        node = self.start(self.hits("\n    token: ${env:TOKEN}"), env={"TOKEN": "open sesame"})
        self.wait_state(node, "sources", "web", "running")
        self.assertEqual(self.post('{"n": 1}')[0], 401)
        self.assertEqual(self.post('{"n": 1}', {"Authorization": "Bearer open sesame"})[0], 200)
        self.assertNotIn("open sesame", node.log() + node.get("/api/v1/sources")[1])


if __name__ == "__main__":
    unittest.main()
