"""A cluster of real nodes on one machine: started, frozen, killed, cut off; asked who leads, who owns.

Nodes share one settings file. With `cut=True` each of them has a file of its own, in which the others
listen at the ends of its wires (network.py).
"""
import json
import os
import pathlib
import subprocess
import time

from network import Network
from processes import BINARY, Node, kept_ports

UNDER_WAY = ("prepare", "freeze", "commit", "resume")
ENDED = ("done", "failed", "cancelled")


class Trouble(AssertionError):
    """Something did not come about in time."""


def wait(what, condition, seconds=10, every=0.03):
    """Polls; what the condition gives when it holds. `what` may be a function that tells how it stands."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Trouble(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(every)


class Cluster:
    def __init__(self, folder, settings, names=("n1", "n2", "n3"), more=None, cut=False, data=None,
                 cluster="auto: off", log_level="info"):
        """`settings` is the file without nodes; `more` has further settings of nodes, `data` their
        data folders, by name."""
        self.folder, self.names, self.log_level = pathlib.Path(folder), tuple(names), log_level
        count = len(self.names)
        self.http = dict(zip(self.names, kept_ports(count)))
        self.listen = dict(zip(self.names, kept_ports(count)))
        self.network = Network(self.listen) if cut else None
        self.nodes, self.frozen, self.env = {}, set(), {}
        self.more, self.data = more or {}, data or {}
        self.rest = f"cluster: {{{cluster}}}\n{settings.strip()}\n"
        self.settings = self.text()
        self.file = self.folder / "cluster.yaml"
        self.file.write_text(self.settings)

    def text(self, of=None):
        """The file; with `of` as that node has it when its network can be cut."""
        lines = ["nodes:"]
        for name in self.names:
            port = self.listen[name] if of in (None, name) else self.network.port(of, name)
            lines.append(f"  {name}: {{data_dir: {self.data.get(name, self.folder / name)}, "
                         f"http: 127.0.0.1:{self.http[name]}, listen: 127.0.0.1:{port}{self.more.get(name, '')}}}")
        return "\n".join(lines) + "\n" + self.rest

    def file_of(self, name):
        if not self.network:
            return self.file
        own = self.folder / f"cluster-{name}.yaml"
        own.write_text(self.text(name))
        return own

    # -- processes ----

    def start(self, *names):
        for name in names or self.names:
            args = ["--node", name, "--log-level", self.log_level]
            self.nodes[name] = Node(str(self.file_of(name)), str(self.folder / f"{name}.log"), self.http[name],
                                    args, self.env)
            self.frozen.discard(name)

    def kill(self, name):
        self.nodes[name].kill()
        self.frozen.discard(name)

    def freeze(self, name):
        self.nodes[name].freeze()
        self.frozen.add(name)

    def thaw(self, name):
        self.nodes[name].thaw()
        self.frozen.discard(name)

    def up(self, name):
        return name in self.nodes and self.nodes[name].alive() and name not in self.frozen

    def terminate(self, *names):
        """SIGTERM to all at once; what they ended with."""
        living = [self.nodes[n] for n in names or self.names if self.up(n)]
        for node in living:
            node.process.terminate()
        return [node.process.wait(20) for node in living]

    def close(self):
        for node in self.nodes.values():
            if node.alive():
                node.kill()
        if self.network:
            self.network.close()

    def log(self, name):
        return self.nodes[name].log()

    # -- what it looks like ----

    def get(self, path, at=None, timeout=5):
        """The JSON of `path` at a node, or at the first one that answers; None when nobody does."""
        for name in [at] if at else self.names:
            if not self.up(name):
                continue
            try:
                status, body = self.nodes[name].get(path, timeout)
            except OSError:
                continue
            if status == 200:
                return json.loads(body)
        return None

    def items(self, which, at=None):
        found = self.get(f"/api/v1/{which}", at)
        return found["items"] if found else []

    def states(self, at=None):
        return {n["name"]: n["state"] for n in self.items("nodes", at)}

    def leader(self, at=None):
        """Who leads, as a node sees it; empty while it knows nobody."""
        return next((n["name"] for n in self.items("nodes", at) if n["leader"]), "")

    def component(self, which, name, at=None):
        return next((c for c in self.items(which, at) if c["name"] == name), None)

    def owner(self, flow, at=None):
        """The node that runs the flow; empty while none says that it does."""
        found = self.component("flows", flow, at)
        return found["node"] if found and found["state"] == "running" else ""

    def drift_of(self, flow, at=None):
        """The newest drift of the flow."""
        return next((d for d in self.items("drifts", at) if d["flow"] == flow), None)

    def wait_ready(self, flows, seconds=20, sources=()):
        """All nodes run, each as all of them see it; one leads; every flow and source has an owner."""
        def condition():
            dead = [n for n, node in self.nodes.items() if not node.alive()]
            if dead:
                raise Trouble(f"{dead} ended before the cluster was ready\n{self.story()}")
            seen = [self.items("nodes", n) for n in self.nodes]
            return (all(nodes and all(n["state"] == "running" for n in nodes) for nodes in seen) and
                    len({n["name"] for nodes in seen for n in nodes if n["leader"]}) == 1 and
                    all(self.owner(f) for f in flows) and
                    all((self.component("sources", s) or {}).get("state") == "running" for s in sources))
        wait(self.story, condition, seconds)

    def wait_snapshots(self, tables, seconds=20):
        """Each table is read. A flow that appends gets those rows twice, by design, that are written
        while the snapshot of their table has not reached them: who counts rows writes after it."""
        def condition():
            found = {t["name"].split(".")[3]: t.get("snapshot") for t in self.items("tables")}
            return all(found.get(t) == "done" for t in tables)
        wait(lambda: f"snapshots of {tables}: {self.items('tables')}\n{self.story()}", condition, seconds)

    def story(self):
        """How it stands, for people who read why a test failed."""
        lines = []
        for which in ("nodes", "drifts", "sources", "flows"):
            lines += [f"{which}: {json.dumps(i)}" for i in self.items(which)[:12]]
        for name, node in self.nodes.items():
            log = node.log().splitlines()
            lines += [f"-- {name}{'' if node.alive() else f' (ended: {node.process.returncode})'}{' (frozen)' if name in self.frozen else ''}"]
            lines += log[-int(os.environ.get("RTDP_TEST_LOG_LINES", "25")):]
        return "the cluster as asked for\n" + "\n".join(lines)

    # -- orders ----

    def order(self, method, path, body=None, at=None):
        name = at or next(n for n in self.names if self.up(n))
        return self.nodes[name].request(method, path, body)

    def insist(self, method, path, body=None, seconds=10):
        """The order until it is taken: after a change of leader it may have to be given again."""
        def taken():
            try:
                status, text = self.order(method, path, body)
            except OSError:
                return None
            return text if status in (200, 202, 204) else None
        return wait(f"{method} {path} is taken; the last answer: {self.try_order(method, path, body)}", taken,
                    seconds)

    def try_order(self, method, path, body=None):
        try:
            return self.order(method, path, body)
        except OSError as e:
            return str(e)

    def start_drift(self, flow, to, at=None):
        """The answer; asked again while nobody leads, which is so for a moment after each change of leader."""
        end = time.monotonic() + 3
        while True:
            answer = self.order("POST", f"/api/v1/flows/{flow}/drift", {"to": to}, at)
            if answer[0] != 503 or time.monotonic() > end:
                return answer
            time.sleep(0.1)

    def move(self, flow, to, seconds=20):
        """Drifts and waits; the record of the drift, however it ended. None when it is there already."""
        if self.owner(flow) == to:
            return None
        before = (self.drift_of(flow) or {}).get("started")
        status, text = self.start_drift(flow, to)
        if status not in (200, 202):
            raise Trouble(f"drift of {flow} to {to}: {status} {text}")

        def ended():
            found = self.drift_of(flow)
            return found if found and found["started"] != before and found["step"] in ENDED else None
        return wait(self.story, ended, seconds)

    def settle(self, flow, seconds=15):
        """Waits until nothing drifts and exactly one node runs the flow; that node."""
        def settled():
            if any(d["step"] in UNDER_WAY for d in self.items("drifts")):
                return ""
            return self.owner(flow)
        return wait(self.story, settled, seconds)

    def command(self, *args, at=None):
        """rtdp beside a node; what the process gave."""
        name = at or next(n for n in self.names if self.up(n))
        return subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=20,
                              env={**os.environ, "RTDP_URL": f"http://127.0.0.1:{self.http[name]}"})
