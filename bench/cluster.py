"""drift, drift_state, failover, scale: what a cluster of nodes on this machine does, each on a broker
of its own; control: what its nodes cost when they have nothing to do."""
import contextlib
import datetime
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

from harness import ROOT, Failed, check_rows, emit, folder, peak_mb, say

sys.path.append(str(ROOT / "test/cluster"))
os.environ.setdefault("RTDP_BINARY", os.environ.get("RTDP", str(ROOT / "build/release/rtdp")))

from cluster_harness import ENDED, Cluster, Trouble, wait  # noqa: E402
from shop_load import Load, Psql  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
KEYS = 1_000_000
# A transaction of so many rows each millisecond: 20,000 rows/s, and a mark a millisecond.
MARK_ROWS = 20

SOURCE = f"""
create table loads(id bigint not null, key bigint not null, amount int not null, note text not null);
create index on loads(id);
create table control(go boolean);
insert into control values (true);
create procedure work(rate int, rows int) language plpgsql as $$
declare t0 timestamptz := clock_timestamp(); i bigint := 0; last bigint; late float8;
begin
  set synchronous_commit = off;
  select coalesce(max(id), 0) into last from loads;
  while (select go from control) loop
    i := i + 1;
    insert into loads select last + g, (last + g) * 7919 % {KEYS}, (last + g) % 1000, 'note number ' || last + g
      from generate_series(1, rows) g;
    last := last + rows;
    commit;
    late := extract(epoch from t0 + i * interval '1 second' / rate - clock_timestamp());
    if late > 0 then perform pg_sleep(late); end if;
  end loop;
end $$;
"""
# One row a transaction of the sink; its own commit time is that of the rows.
NOTE = """
create table commits(table_name text);
create function note_commit() returns trigger language plpgsql as
  $$ begin insert into commits values (tg_table_name); return null; end $$;
"""
STATELESS = """
  loads:
    source: postgres.SHOP.public.loads
    sink: dw.public.loads
    mutation: i
    create: true
    steps:
      - sql: select id, key, amount * 2 as twice, note from loads
"""
# The source has no primary key, so that the state holds a group per key and no row.
STATEFUL = """
  totals:
    source: postgres.SHOP.public.loads
    sink: dw.public.totals
    mutation: iud_clean
    create: true
    steps:
      - aggregate: {by: [key], count: loads, sum: [{of: amount, as: total}]}
"""


@contextlib.contextmanager
def broker(work):
    """A Kafka of its own: a cluster lives in the topics of its broker."""
    script, place = ROOT / "test/services/kafka", work / "kafka"
    place.mkdir()
    started = subprocess.run([script, "start", place], capture_output=True, text=True, check=False)
    found = dict(line.split("=", 1) for line in started.stdout.splitlines())
    if "RTDP_TEST_KAFKA" not in found:
        raise Failed(f"Kafka did not start: {started.stderr[-500:]}")
    try:
        yield found["RTDP_TEST_KAFKA"]
    finally:
        subprocess.run([script, "stop", place], capture_output=True, check=False)


class Databases:
    """Source and target of one benchmark, each with a session that stays open."""

    def __init__(self, run, name):
        self.postgres, self.name = run.postgres, name
        self.env = {"BENCH_SOURCE": run.postgres.make_database("bench_from"),
                    "BENCH_TARGET": run.postgres.make_database("bench_to")}
        self.source, self.target = (Psql(url) for url in self.env.values())
        self.source.ask(SOURCE)
        self.target.ask(NOTE)
        self.load = Load(self.env["BENCH_SOURCE"], self.source)

    def settings(self, kafka, flows):
        return (f"bus: {{kind: kafka, brokers: '{kafka}'}}\nsources:\n  {self.name}: {{kind: postgres, "
                "url: '${env:BENCH_SOURCE}', tables: [public.loads]}\n"
                "sinks: {dw: {kind: postgres, url: '${env:BENCH_TARGET}'}}\nflows:"
                + flows.replace("SHOP", self.name))

    def watch_commits(self, table):
        """From now on the target writes down when rows of this table were committed."""
        self.target.ask(f"create trigger note after insert or update on {table} for each statement "
                        "execute function note_commit()")

    def commit_times(self):
        """Of the sink's transactions, in microseconds."""
        rows = self.target.ask("select (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000)::bigint "
                               "from commits order by 1")
        return [int(r) for r in rows.splitlines()]

    def last(self, side):
        there = side.ask("select to_regclass('loads')")
        return side.number("select max(id) from loads") if there else 0

    def close(self):
        self.load.end()
        self.source.close()
        self.target.close()
        self.postgres.forget(self.name, "bench_from")
        self.postgres.sql("postgres", "drop database if exists bench_to with (force)")


@contextlib.contextmanager
def running(run, name, flows, flow, nodes):
    """A cluster with a flow under way, its databases; rows flow already."""
    with folder(name) as work, broker(work) as kafka:
        data = Databases(run, "bench_" + name.replace("-", "_"))
        cluster = Cluster(work, data.settings(kafka, flows), nodes, log_level="info")
        cluster.env = data.env
        try:
            cluster.start()
            cluster.wait_ready((flow,), 40, (data.name,))
            yield cluster, data
        except Trouble as e:
            raise Failed(str(e)[-3000:]) from None
        finally:
            data.load.end()
            cluster.close()
            data.close()


def quantile(values, place):
    """The smallest value that so large a part of them does not exceed."""
    return sorted(values)[max(0, math.ceil(place * len(values)) - 1)]


def emit_quantiles(bench, figure, values, unit, **more):
    for name, place in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1)):
        emit(bench, f"{figure}_{name}", quantile(values, place), unit, "kafka", **more)


def micros(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1_000_000)


def longest_gap(times, begin, end):
    """Milliseconds between two commits, of those gaps that touch the span."""
    gaps = [b - a for a, b in zip(times, times[1:]) if b >= begin and a <= end]
    return max(gaps, default=end - begin) / 1000


def audit(data):
    """Rows lost and doubled, when the target has all it will get."""
    wait("every row in the target", lambda: data.last(data.target) == data.last(data.source), 60, every=0.2)
    count, distinct = (int(n) for n in data.target.ask("select count(*), count(distinct id) from loads").split("|"))
    wanted = data.source.number("select count(*) from loads")
    return wanted - distinct, count - distinct, wanted


def drifts_of(cluster, flow, count, between):
    """Moves the flow to and fro; the records of the drifts."""
    records = []
    for i in range(count):
        owner = cluster.settle(flow)
        to = next(n for n in ("n1", "n2") if n != owner)
        records.append(cluster.move(flow, to))
        time.sleep(between)
        if i % 20 == 19:
            say(f"drift: {i + 1} of {count}")
    return records


def counted(data):
    """Rows that the groups of the target have counted."""
    there = data.target.ask("select to_regclass('totals')")
    return data.target.number("select sum(loads) from totals") if there else 0


def audit_groups(data):
    """As audit, by the groups: a row lost or doubled leaves its group wrong for ever."""
    rows = data.source.number("select count(*) from loads")
    # A doubled row makes the sum larger; whatever it is, it has to stand still.
    wait("every row in the target", lambda: counted(data) >= rows, 60, every=0.5)
    time.sleep(2)
    digest = "select count(*), sum(hashtextextended(r::text, 0)) from ({}) r"
    ours = data.source.ask(digest.format("select key, count(*)::numeric, sum(amount)::numeric from loads group by key"))
    theirs = data.target.ask(digest.format("select key, loads::numeric, total::numeric from totals"))
    if ours != theirs and counted(data) == rows:
        raise Failed(f"source and target differ: {ours}, {theirs}")
    return max(0, rows - counted(data)), max(0, counted(data) - rows), rows


def measure_drifts(run, what, flows, flow, prefill, check):
    count = 5 if run.small else 100
    with running(run, "drift-" + what, flows, flow, ("n1", "n2", "n3")) as (cluster, data):
        if prefill:
            say(f"drift {what}: {prefill:,} keys of state")
            data.source.ask(f"insert into loads select g, g::bigint * 7919 % {KEYS}, g % 1000, 'note' "
                            f"from generate_series(1, {prefill}) g")
            wait("the state is filled", lambda: counted(data) >= prefill, 120, every=0.5)
        data.load.begin(1000, MARK_ROWS)
        now = data.last(data.source)
        wait(cluster.story, lambda: data.target.ask(f"select to_regclass('{flow}')") and
             data.last(data.source) > now + 5000, 30)
        # The target has just grown by all keys, and the broker's code is not compiled yet.
        time.sleep(20 if prefill else 0)
        data.watch_commits(flow)
        time.sleep(3)
        begun, first = time.monotonic(), data.last(data.source)
        records = drifts_of(cluster, flow, count, 0.25)
        rate = (data.last(data.source) - first) / (time.monotonic() - begun)
        data.load.end()
        report(what, data, records, rate, *check(data))
        emit("drift", f"{what}_memory", max(peak_mb(n.process.pid) for n in cluster.nodes.values()), "MB", "kafka")


def report(what, data, records, rate, lost, doubled, rows):
    times = data.commit_times()
    done = [r for r in records if r["step"] == "done"]
    if not done:
        raise Failed(f"no drift was done: {records[:3]}")
    begin = micros(records[0]["started"])
    more = {"drifts": len(done), "rows_per_s": round(rate), "rows": rows}
    before = [b - a for a, b in zip(times, times[1:]) if b < begin]
    emit("drift", f"{what}_usual_gap_p99", quantile(before, 0.99) / 1000 if before else 0, "ms", "kafka", **more)
    pauses = [longest_gap(times, micros(r["started"]), micros(r["ended"]) + 100_000) for r in done]
    emit_quantiles("drift", f"{what}_pause", pauses, "ms", **more)
    longest = pauses.index(max(pauses))
    say(f"drift: the longest pause was {pauses[longest]:.0f} ms, of {done[longest]}")
    emit("drift", f"{what}_not_done", len(records) - len(done), "drifts", "kafka", **more)
    emit("drift", f"{what}_lost", lost, "rows", "kafka", **more)
    emit("drift", f"{what}_doubled", doubled, "rows", "kafka", **more)
    for r in records:
        if r["step"] != "done":
            say(f"drift: not done: {r}")
    if lost or doubled:
        raise Failed(f"{lost} rows lost, {doubled} doubled")


def drift(run, _bus):
    """Pause of a flow that moves under 20,000 rows/s."""
    measure_drifts(run, "stateless", STATELESS, "loads", 0, audit)


def drift_state(run, _bus):
    """The same of a flow whose state moves with it."""
    measure_drifts(run, "stateful", STATEFUL, "totals", run.rows(KEYS), audit_groups)


def failover(run, _bus):
    """From the death or the freeze of the owner to the first row in the target that was written later."""
    count = 2 if run.small else 20
    with running(run, "failover", STATELESS, "loads", ("n1", "n2", "n3")) as (cluster, data):
        data.load.begin(200, 5)
        wait("rows in the target", lambda: data.last(data.target) > 1000, 30)
        for fault in ("kill", "freeze"):
            times = [one_failover(cluster, data, fault) for _ in range(count)]
            emit_quantiles("failover", fault, [t * 1000 for t in times], "ms", faults=count)
        data.load.end()
        lost, doubled, rows = audit(data)
        emit("failover", "lost", lost, "rows", "kafka", rows=rows)
        emit("failover", "doubled", doubled, "rows", "kafka", rows=rows)
        if lost or doubled:
            raise Failed(f"{lost} rows lost, {doubled} doubled")


def one_failover(cluster, data, fault):
    owner = cluster.settle("loads")
    (cluster.kill if fault == "kill" else cluster.freeze)(owner)
    begun = time.monotonic()
    last = data.last(data.source)
    wait(cluster.story, lambda: data.last(data.target) > last, 30, every=0.01)
    took = time.monotonic() - begun
    if fault == "kill":
        cluster.start(owner)
    else:
        cluster.thaw(owner)
    cluster.wait_ready(("loads",), 30, (data.name,))
    return took


def cpu_of(cluster):
    """Seconds of CPU of all nodes so far."""
    total = 0
    for node in cluster.nodes.values():
        fields = pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def rows_taken(cluster):
    """By all flows so far, from the counters of each node: what nodes tell each other is a second old."""
    return sum(float(line.rpartition(" ")[2]) for node in cluster.nodes.values()
               for line in node.get("/metrics")[1].splitlines() if line.startswith("rtdp_rows_in_total{")
               and 'flow="' in line)


def scale_settings(kafka, rows, parts):
    sources = "\n".join(f"  g{i}: {{kind: generator, rows: {rows}, keys: 0, seed: {i + 1}}}" for i in range(parts))
    flows = "\n".join(f"  f{i}:\n    source: generator.g{i}.main.orders\n    sink: out.f{i}\n    steps:\n"
                      "      - sql: select id, customer_id, qty * price as amount from orders where qty > 0"
                      for i in range(parts))
    return (f"bus: {{kind: kafka, brokers: '{kafka}'}}\nsources:\n{sources}\nsinks: {{out: {{kind: blackhole}}}}\n"
            f"flows:\n{flows}\n")


def scale_once(run, count):
    """From four generators through four flows: rows/s, rows/cpu_s, and what an idle node costs then."""
    parts, rows = 4, run.rows(3_000_000)
    flows, sources = [f"f{i}" for i in range(parts)], [f"g{i}" for i in range(parts)]
    with folder("scale") as work, broker(work) as kafka:
        cluster = Cluster(work, scale_settings(kafka, rows, parts), tuple(f"n{i + 1}" for i in range(count)),
                          log_level="warn")
        try:
            cluster.start()
            cluster.wait_ready(flows, 30, sources)
            wait(cluster.story, lambda: rows_taken(cluster) >= parts * rows // 10, 60, every=0.1)
            first, begun, cpu = rows_taken(cluster), time.monotonic(), cpu_of(cluster)
            wait(lambda: f"{rows_taken(cluster)} of {parts * rows} rows\n{cluster.story()}",
                 lambda: rows_taken(cluster) >= parts * rows, 120, every=0.1)
            seconds, cpu = time.monotonic() - begun, cpu_of(cluster) - cpu
            check_rows(rows_taken(cluster), parts * rows, "scale")
            time.sleep(2)
            idle, span = cpu_of(cluster), 3
            time.sleep(span)
            idle = (cpu_of(cluster) - idle) / span * 100 / count
        except Trouble as e:
            raise Failed(str(e)[-3000:]) from None
        finally:
            cluster.close()
    taken = parts * rows - first
    return taken / seconds, taken / cpu, idle


def scale(run, _bus):
    """1, 2 and 4 nodes by turns: what else runs on the machine changes over minutes by more than they differ."""
    counts, rounds = (1, 2, 4), 1 if run.small else 5
    found = [{count: scale_once(run, count) for count in counts} for _ in range(rounds)]
    for i, (figure, unit) in enumerate((("wall", "rows/s"), ("throughput", "rows/cpu_s"),
                                        ("idle", "% of a core a node"))):
        for count in counts:
            values = [each[count][i] for each in found]
            emit("scale", f"{figure}_{count}_nodes", statistics.median(values), unit, "kafka", nodes=count,
                 least=round(min(values), 1), most=round(max(values), 1))
    for count in counts[1:]:
        changes = [(each[count][0] / each[1][0] - 1) * 100 for each in found]
        emit("scale", f"change_with_{count}_nodes", statistics.median(changes), "%", "kafka",
             rounds=[round(c, 1) for c in changes])


def control(_run, _bus):
    """Ten nodes with a thousand flows in one process, and the CPU that each of them takes."""
    program = ROOT / "build/release/bench/control_bench"
    if not program.exists():
        raise Failed(f"{program} is missing; `ninja -C build/release control_bench` builds it")
    done = subprocess.run([program], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Failed(f"control_bench ended with {done.returncode}: {done.stderr[-2000:]}")
    for line in done.stdout.splitlines():
        told = json.loads(line)
        emit(told.pop("bench"), told.pop("figure"), told.pop("value"), told.pop("unit"), told.pop("bus"), **told)
