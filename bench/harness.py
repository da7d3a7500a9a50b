"""What every benchmark needs: rtdp as a measured process, psql, and figures as JSON lines."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
# The whole suite must end in 9 minutes; no single wait may take longer than this.
WAIT_MAX = 180.0


class Failed(Exception):
    """A benchmark that cannot give its figure, with the reason."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def emit(bench, figure, value, unit, bus, **more):
    shown = round(value) if value >= 1000 else round(value, 2)
    line = {"bench": bench, "figure": figure, "value": shown, "unit": unit, "bus": bus, **more}
    print(json.dumps(line), flush=True)
    say(f"{bench} {bus}: {figure} = {shown:,} {unit}")


def emit_run(bench, bus, rows, used, **more):
    """The three figures of a measured phase."""
    emit(bench, "throughput", rows / used.cpu, "rows/cpu_s", bus, rows=rows,
         cpu_s=round(used.cpu, 2), **more)
    emit(bench, "wall", rows / used.wall, "rows/s", bus, rows=rows, seconds=round(used.wall, 2), **more)
    emit(bench, "memory", used.peak_mb, "MB", bus, **more)


class Used:
    def __init__(self, cpu, wall, peak_mb):
        self.cpu, self.wall, self.peak_mb = cpu, wall, peak_mb


def peak_mb(pid):
    """VmHWM of a process so far. ru_maxrss would not do: it begins with the peak of who started it."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Rtdp:
    """One run of the binary on a settings file. `env` is added to the environment."""

    def __init__(self, work, name, settings, until_idle, env, profile=None):
        self.file = work / f"{name}.yaml"
        self.file.write_text(settings)
        self.log = work / f"{name}.log"
        self.port = None if until_idle else free_port()
        # The run itself, not rtdp's children: there are none.
        command = [os.environ.get("RTDP", str(ROOT / "build/release/rtdp")), "run", str(self.file),
                   "--log-level", "warn", "--set",
                   "node.http=off" if until_idle else f"node.http=127.0.0.1:{self.port}"]
        if until_idle:
            command.append("--until-idle")
        if profile:
            # perf must be there before the first thread: only threads made later are followed.
            command = ["sh", "-c", 'sleep 0.5; exec "$@"', "sh"] + command
        with self.log.open("w") as out:
            self.begun = time.monotonic()
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **env})
        self.perf, self.peak_mb = None, 0.0
        if profile:
            self.perf = subprocess.Popen(
                ["perf", "record", "-q", "-F", "299", "-g", "-o", f"{profile}/{name}.data", "-p",
                 str(self.process.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _reaped(self, timeout):
        """The process's own account of CPU when it has ended: exact."""
        give_up = time.monotonic() + timeout
        while time.monotonic() < give_up:
            self.peak_mb = peak_mb(self.process.pid) or self.peak_mb
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
                if self.perf:
                    self.perf.wait(30)
                return usage
            time.sleep(0.02)
        self.kill()
        raise Failed(f"rtdp did not end within {timeout:.0f} s: {self.tail()}")

    def tail(self):
        return self.log.read_text()[-1500:] or "(it logged nothing)"

    def kill(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()

    def until_idle(self):
        """Waits for the end of a run with --until-idle. Everything from exec to exit counts."""
        usage = self._reaped(WAIT_MAX)
        wall = time.monotonic() - self.begun
        if self.process.returncode != 0:
            raise Failed(f"rtdp ended with {self.process.returncode}: {self.tail()}")
        return Used(usage.ru_utime + usage.ru_stime, wall, self.peak_mb)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self._reaped(15)
        if self.process.returncode != 0:
            raise Failed(f"rtdp ended with {self.process.returncode}: {self.tail()}")
        return self.peak_mb

    def cpu(self):
        """Seconds of CPU so far, all threads, user and system."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def alive(self):
        if self.process.poll() is not None:
            raise Failed(f"rtdp ended with {self.process.returncode}: {self.tail()}")

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, name, **labels):
        """Sum of the metric's samples that carry the labels."""
        total = 0.0
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
                total += float(line.rpartition(" ")[2])
        return total

    def wait_for(self, what, condition, timeout=WAIT_MAX, every=0.1):
        give_up = time.monotonic() + timeout
        while True:
            self.alive()
            with contextlib.suppress(OSError):
                if condition():
                    return
            if time.monotonic() > give_up:
                raise Failed(f"{what}: not within {timeout:.0f} s: {self.tail()}")
            time.sleep(every)


class Postgres:
    """The server of test/services; one database a side."""

    def __init__(self):
        self.url = os.environ["RTDP_TEST_PG_URL"]
        self.base = self.url.rpartition("/")[0]
        self.sql("postgres", "select 1")

    def database(self, name):
        return f"{self.base}/{name}"

    def make_database(self, name):
        self.sql("postgres", f"drop database if exists {name} with (force)", f"create database {name}")
        return self.database(name)

    def start_sql(self, database, *statements):
        command = ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", self.database(database)]
        for s in statements:
            command += ["-c", s]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def sql(self, database, *statements):
        process = self.start_sql(database, *statements)
        try:
            out, err = process.communicate(timeout=WAIT_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed(f"psql: no answer within {WAIT_MAX:.0f} s: {statements[-1]}") from None
        if process.returncode != 0:
            raise Failed(f"psql: {err.strip()}")
        return out.strip()

    def forget(self, source, database):
        """Drops what a source left on the server, so that the next one does not pay for it."""
        self.sql("postgres", "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                             f"where slot_name = 'rtdp_{source}'",
                 f"drop database if exists {database} with (force)", "checkpoint")


@contextlib.contextmanager
def folder(name):
    """A data folder under TMPDIR; kept when a benchmark fails, so that one can look."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"rtdp-bench-{name}."))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def bus_settings(bus):
    if bus == "kafka":
        return f"{{kind: kafka, brokers: '{os.environ['RTDP_TEST_KAFKA']}'}}"
    return "{kind: embedded}"


def checkpoint(data_dir, component, name):
    with contextlib.closing(sqlite3.connect(data_dir / "state.db")) as db:
        row = db.execute("select value from checkpoint where component = ? and name = ?",
                         (component, name)).fetchone()
    if not row:
        raise Failed(f"{data_dir}/state.db holds no {name} of {component}")
    return row[0].decode() if isinstance(row[0], bytes) else str(row[0])


def check_rows(found, wanted, what):
    """A figure counts only when every row arrived."""
    if int(found) != wanted:
        raise Failed(f"{what}: expected {wanted} rows, found {found}; the figure would be wrong")
