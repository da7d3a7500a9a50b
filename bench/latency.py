"""latency: from the commit in the source database to the commit in the target database."""
import time

from harness import Failed, Rtdp, check_rows, emit, folder, say
from throughput import ROW, TABLE, head, postgres_source, snapshot_done

IDLE_SECONDS, LOAD_SECONDS = 20, 20
TICK_MS, LOAD_ROWS = 50, 1000  # 20 transactions of 50 rows each 50 ms: 20,000 rows/s
STEP = ("select id, customer_id, qty * price as amount, note from orders where qty > 0")


def settings(work, bus, source):
    return head(work, bus) + postgres_source(source) + (
        "sinks: {dw: {kind: postgres, url: '${env:BENCH_TARGET}'}}\nflows:\n  orders:\n"
        f"    source: postgres.{source}.public.orders\n    sink: dw.public.orders\n    create: true\n"
        f"    steps:\n      - sql: {STEP}\n")


def write(first, ticks, transactions, rows):
    """Each tick so many transactions of so many rows, by the server's own clock; behind time it
    goes on at once, so that the load is a rate and not a pause."""
    return (f"do $$ declare t0 timestamptz := clock_timestamp(); id bigint := {first}; begin "
            f"for k in 1..{ticks} loop for n in 1..{transactions} loop "
            f"insert into orders select {ROW} from generate_series(id, id + {rows - 1}) i; commit; "
            f"id := id + {rows}; end loop; "
            f"perform pg_sleep(greatest(0, extract(epoch from t0 + k * interval '{TICK_MS} ms' "
            "- clock_timestamp()))); end loop; end $$")


def committed(postgres, database, first, last):
    out = postgres.sql(database, "select id, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000 "
                                 f"from orders where id between {first} and {last}")
    return {int(i): int(float(t)) for i, t in (line.split("|") for line in out.splitlines())}


def stages(rtdp):
    """What rtdp itself saw: seconds and batches, commit to read from the bus, the steps, the sink."""
    return {stage: [rtdp.metric(f"rtdp_stage_latency_seconds_{part}", flow="orders", stage=stage)
                    for part in ("sum", "count")] for stage in ("read", "step", "sink")}


def measure(run, rtdp, bus, what, first, ticks, transactions, rows):
    """Writes, waits until all of it is in the target, and compares the two clocks' records."""
    last = first + ticks * transactions * rows - 1
    before, begun, cpu = stages(rtdp), time.monotonic(), rtdp.cpu()
    run.postgres.sql("bench_from", write(first, ticks, transactions, rows))
    seconds, cpu = time.monotonic() - begun, rtdp.cpu() - cpu
    count = f"select count(*) from orders where id between {first} and {last}"
    rtdp.wait_for("all rows in the target",
                  lambda: int(run.postgres.sql("bench_to", count)) == last - first + 1, 60, every=0.5)
    source = committed(run.postgres, "bench_from", first, last)
    target = committed(run.postgres, "bench_to", first, last)
    check_rows(len(target), len(source), "latency")
    waits = sorted((target[i] - source[i]) / 1000 for i in source)
    more = {"rows": len(waits), "rows_per_s": round(len(waits) / seconds),
            "cpu_percent": round(100 * cpu / seconds)}
    for stage, (total, batches) in stages(rtdp).items():
        more["batches"] = round(batches - before[stage][1])
        more[f"mean_{stage}_ms"] = round(1000 * (total - before[stage][0]) / max(1, more["batches"]), 2)
    for figure, place in (("p50", 0.5), ("p99", 0.99), ("max", 1)):
        emit("latency", f"{what}_{figure}", waits[min(len(waits) - 1, int(place * len(waits)))], "ms", bus,
             **more)


def latency(run, bus):
    """The whole way: PostgreSQL, bus, flow with a SQL step, PostgreSQL."""
    source = f"bench_latency_{bus}"
    env = {"BENCH_SOURCE": run.postgres.make_database("bench_from"),
           "BENCH_TARGET": run.postgres.make_database("bench_to")}
    if run.postgres.sql("postgres", "show track_commit_timestamp") != "on":
        raise Failed("the server must run with track_commit_timestamp = on")
    run.postgres.sql("bench_from", TABLE)
    with folder("latency") as work:
        rtdp = Rtdp(work, "latency-" + bus, settings(work, bus, source), False, env, run.profile)
        try:
            rtdp.wait_for("the snapshot of an empty table", lambda: snapshot_done(rtdp, source), 30)
            say(f"latency {bus}: warm up")
            run.postgres.sql("bench_from", write(1, 20, 1, 1))
            rtdp.wait_for("the first rows in the target", lambda: arrived(run) == 20, 30)
            ticks = IDLE_SECONDS * 1000 // TICK_MS if not run.small else 40
            measure(run, rtdp, bus, "idle", 1000, ticks, 1, 1)
            ticks = LOAD_SECONDS * 1000 // TICK_MS if not run.small else 40
            measure(run, rtdp, bus, "load", 100_000, ticks, LOAD_ROWS // 50, 50)
            emit("latency", "memory", rtdp.stop(), "MB", bus)
        finally:
            rtdp.kill()
    run.postgres.forget(source, "bench_from")
    run.postgres.sql("postgres", "drop database bench_to with (force)")


def arrived(run):
    there = run.postgres.sql("bench_to", "select to_regclass('public.orders') is not null")
    return int(run.postgres.sql("bench_to", "select count(*) from orders")) if there == "t" else 0
