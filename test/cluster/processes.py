"""A node as a process: started, asked by REST, frozen, killed. Shared by the tests with real processes,
the demo of a cluster and the benchmarks. The binary is build/release/rtdp, or what RTDP_BINARY names.
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("RTDP_BINARY", str(ROOT / "build/release/rtdp"))
# The system gives these to whoever connects without asking for a port; the ports of a node that is
# down for a while must be free when it comes back.
GIVEN_AWAY = 32768


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def candidates():
    port = 11000 + os.getpid() * 37 % 20000
    while True:
        port = port + 1 if port + 1 < GIVEN_AWAY else 11000
        yield port


NEXT_PORT = candidates()


def kept_ports(count):
    """Ports below those that the system gives away, for nodes that are started again."""
    found = []
    while len(found) < count:
        port = next(NEXT_PORT)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found


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

    def request(self, method, path, body=None, timeout=10):
        """Status and text of the answer. A text goes as it is, anything else as JSON."""
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        asked = urllib.request.Request(self.url + path, data=data, method=method)
        asked.add_header("Content-Type", "text/yaml" if isinstance(body, str) else "application/json")
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def get(self, path, timeout=10):
        return self.request("GET", path, timeout=timeout)

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

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
