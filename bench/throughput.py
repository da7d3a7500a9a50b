"""snapshot, changes, flow, sink: rows per second of rtdp's CPU."""
import json
import time

from harness import Failed, Rtdp, Used, bus_settings, check_rows, checkpoint, emit_run, folder, say

# 8 columns, some 100 bytes a row as text: DESIGN §8.
TABLE = ("create table orders(id bigint primary key, customer_id bigint not null, product_id int not null, "
         "qty int not null, price numeric(10,2) not null, status text not null, note text not null, "
         "created_at timestamptz not null)")
ROW = ("i, 1 + i * 7919 % 100000, (i * 31 % 5000)::int, (1 + i % 13)::int, (i % 100000) / 100.0, "
       "case i % 3 when 0 then 'new' when 1 then 'paid' else 'shipped' end, "
       "'note number ' || lpad(i::text, 12, '0') || ' of an order', "
       "timestamptz '2026-01-01 00:00+00' + i * interval '1 ms'")
GENERATOR_COLUMNS = ("[{name: customer_id, type: long}, {name: product_id, type: int}, "
                     "{name: qty, type: int}, "
                     "{name: price, type: decimal}, {name: status, length: 9}, {name: note, length: 50}, "
                     "{name: created_at, type: datetime}]")
SQL_STEP = "select id, customer_id, qty * price as amount from orders where qty > 0"


def head(data_dir, bus):
    return f"node: {{name: bench, data_dir: {data_dir}}}\nbus: {bus_settings(bus)}\n"


def postgres_source(name):
    return f"sources:\n  {name}: {{kind: postgres, url: '${{env:BENCH_SOURCE}}', tables: [public.orders]}}\n"


def insert(low, high):
    return f"insert into orders select {ROW} from generate_series({low}::bigint, {high}::bigint) i"


def snapshot(run, bus):
    """All rows of a table onto the bus, from exec to exit."""
    rows = run.rows(2_000_000)
    source, database = f"bench_snapshot_{bus}", "bench_snapshot"
    url = run.postgres.make_database(database)
    run.postgres.sql(database, TABLE, insert(1, rows), "vacuum analyze orders", "checkpoint")
    with folder("snapshot") as work:
        rtdp = Rtdp(work, "snapshot-" + bus, head(work, bus) + postgres_source(source), True,
                    {"BENCH_SOURCE": url}, run.profile)
        used = rtdp.until_idle()
        check_rows(int(checkpoint(work, "source." + source, "next_id")) - 1, rows, "snapshot")
    run.postgres.forget(source, database)
    emit_run("snapshot", bus, rows, used)


def changes(run, bus):
    """Committed inserts, 1,000 a transaction, from the first one to the last one on the bus."""
    rows = run.rows(2_000_000)
    source, database = f"bench_changes_{bus}", "bench_changes"
    url = run.postgres.make_database(database)
    run.postgres.sql(database, TABLE)
    with folder("changes") as work:
        rtdp = Rtdp(work, "changes-" + bus, head(work, bus) + postgres_source(source), False,
                    {"BENCH_SOURCE": url}, run.profile)
        try:
            rtdp.wait_for("the snapshot of an empty table", lambda: snapshot_done(rtdp, source), 30)
            cpu, begun = rtdp.cpu(), time.monotonic()
            writer = run.postgres.start_sql(
                database, "set synchronous_commit = off",
                f"do $$ begin for k in 0..{rows // 1000 - 1} loop "
                f"{insert('(k * 1000 + 1)', '(k * 1000 + 1000)')}; commit; end loop; end $$")
            rtdp.wait_for("all rows on the bus", lambda: published(rtdp, source, writer) >= rows, every=0.2)
            used = Used(rtdp.cpu() - cpu, time.monotonic() - begun, 0)
            used.peak_mb = rtdp.stop()
        finally:
            rtdp.kill()
        check_rows(int(checkpoint(work, "source." + source, "next_id")) - 1, rows, "changes")
    run.postgres.forget(source, database)
    emit_run("changes", bus, rows, used)


def snapshot_done(rtdp, source):
    items = json.loads(rtdp.get("/api/v1/tables"))["items"]
    return any("done" in json.dumps(i) for i in items if source in json.dumps(i))


def published(rtdp, source, writer):
    if writer.poll() not in (None, 0):
        raise Failed(f"the writer ended: {writer.stderr.read()}")
    return rtdp.metric("rtdp_rows_out_total", source=source)


def generated(data_dir, bus, source, rows):
    return (head(data_dir, bus) + f"sources:\n  {source}: {{kind: generator, rows: {rows}, keys: 0, "
            f"columns: {GENERATOR_COLUMNS}}}\n")


def fill(work, bus, source, rows):
    """Puts rows on the bus; a later run in the same folder finds the source done."""
    say(f"{bus}: fill the bus with {rows:,} rows")
    Rtdp(work, "fill", generated(work, bus, source, rows), True, {}).until_idle()
    check_rows(int(checkpoint(work, "source." + source, "next_id")) - 1, rows, "filling the bus")


def flow(run, bus):
    """Rows that lie on the bus through a SQL step, then discarded; from exec to exit."""
    rows = run.rows(5_000_000)
    source = f"bench_flow_{bus}"
    with folder("flow") as work:
        fill(work, bus, source, rows)
        settings = generated(work, bus, source, rows) + (
            "sinks: {out: {kind: blackhole}}\nflows:\n  orders:\n"
            f"    source: generator.{source}.main.orders\n    sink: out.orders\n"
            f"    steps:\n      - sql: {SQL_STEP}\n")
        used = Rtdp(work, "flow-" + bus, settings, True, {}, run.profile).until_idle()
        ids = json.loads(checkpoint(work, "flow.orders", "progress"))["ids"]
        check_rows(max(ids.values(), default=0), rows, "flow")
    emit_run("flow", bus, rows, used)


def sink(run, bus):
    """Rows that lie on the bus into a new PostgreSQL table, idempotently; from exec to exit."""
    rows = run.rows(1_000_000)
    source, database = f"bench_sink_{bus}", "bench_sink"
    url = run.postgres.make_database(database)
    with folder("sink") as work:
        fill(work, bus, source, rows)
        settings = generated(work, bus, source, rows) + (
            "sinks: {dw: {kind: postgres, url: '${env:BENCH_TARGET}'}}\nflows:\n  orders:\n"
            f"    source: generator.{source}.main.orders\n    sink: dw.public.orders\n"
            "    mutation: iud\n    create: true\n")
        used = Rtdp(work, "sink-" + bus, settings, True, {"BENCH_TARGET": url}, run.profile).until_idle()
        check_rows(run.postgres.sql(database, "select count(*) from orders"), rows, "sink")
    run.postgres.forget(source, database)
    emit_run("sink", bus, rows, used)
