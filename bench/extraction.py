"""Extraction beyond the two main figures: MariaDB, one transaction of a million rows, a restart."""
import os
import re
import statistics
import subprocess
import time
import urllib.parse

from harness import WAIT_MAX, Failed, Rtdp, Used, check_rows, checkpoint, emit, emit_run, folder, say
from throughput import ROW, TABLE, head, insert, postgres_source, published, snapshot_done

MARIADB_TABLE = ("create table orders(id bigint primary key, customer_id bigint not null, product_id int not null, "
                 "qty int not null, price decimal(10,2) not null, status varchar(9) not null, note varchar(50) not null, "
                 "created_at datetime(6) not null)")
# The values of throughput.ROW, in MariaDB's words.
MARIADB_ROW = ("i, 1 + i * 7919 % 100000, i * 31 % 5000, 1 + i % 13, (i % 100000) / 100.0, "
               "case i % 3 when 0 then 'new' when 1 then 'paid' else 'shipped' end, "
               "concat('note number ', lpad(i, 12, '0'), ' of an order'), "
               "timestamp'2026-01-01 00:00:00' + interval i * 1000 microsecond")
RESTARTS = 10


class Mariadb:
    """The server of test/services, over its command line client."""

    def __init__(self):
        url = urllib.parse.urlsplit(os.environ["RTDP_TEST_MARIADB_URL"])
        self.base = f"mysql://{url.username}:{url.password}@{url.hostname}:{url.port}"
        self.command = ["mariadb", "-N", "-B", "-h", url.hostname, "-P", str(url.port), "-u", url.username]
        self.env = {**os.environ, "MYSQL_PWD": url.password}

    def start_sql(self, sql, database=None, delimiter=";"):
        """A compound statement needs a delimiter that does not stand in it."""
        return subprocess.Popen([*self.command, f"--delimiter={delimiter}", *([database] if database else []),
                                 "-e", sql], env=self.env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def sql(self, sql, database=None):
        process = self.start_sql(sql, database)
        out, err = process.communicate(timeout=WAIT_MAX)
        if process.returncode != 0:
            raise Failed(f"mariadb: {err.strip()}")
        return out.strip()

    def make_database(self, name):
        self.sql(f"drop database if exists {name}; create database {name}; use {name}; {MARIADB_TABLE}")
        return f"{self.base}/{name}"


def mysql_source(name, database):
    return (f"sources:\n  {name}: {{kind: mysql, url: '${{env:BENCH_SOURCE}}', tables: [{database}.orders]}}\n")


def stored_rows(work, source):
    return int(checkpoint(work, "source." + source, "next_id")) - 1


def mysql_snapshot(run, bus):
    """All rows of a MariaDB table onto the bus, from exec to exit."""
    rows, database, source = run.rows(2_000_000), "bench_snapshot", f"bench_msnapshot_{bus}"
    url = run.mariadb.make_database(database)
    # Not into the binlog: only the snapshot is measured.
    run.mariadb.sql(f"set sql_log_bin = 0; insert into orders select {mysql_row()} from seq_1_to_{rows}", database)
    with folder("mysql-snapshot") as work:
        rtdp = Rtdp(work, "mysql-snapshot-" + bus, head(work, bus) + mysql_source(source, database), True,
                    {"BENCH_SOURCE": url}, run.profile)
        used = rtdp.until_idle()
        check_rows(stored_rows(work, source), rows, "mysql_snapshot")
    emit_run("mysql_snapshot", bus, rows, used)


def mysql_row(number="seq"):
    """MARIADB_ROW over the numbers of a sequence."""
    return re.sub(r"\bi\b", number, MARIADB_ROW)


def mysql_changes(run, bus):
    """Committed inserts, 1,000 a transaction, from the first one to the last one on the bus."""
    rows, database, source = run.rows(1_000_000), "bench_changes", f"bench_mchanges_{bus}"
    url = run.mariadb.make_database(database)
    with folder("mysql-changes") as work:
        rtdp = Rtdp(work, "mysql-changes-" + bus, head(work, bus) + mysql_source(source, database), False,
                    {"BENCH_SOURCE": url}, run.profile)
        try:
            rtdp.wait_for("the snapshot of an empty table", lambda: snapshot_done(rtdp, source), 30)
            cpu, begun = rtdp.cpu(), time.monotonic()
            writer = run.mariadb.start_sql(
                f"begin not atomic declare k int default 0; while k < {rows // 1000} do "
                f"insert into orders select {mysql_row('(k * 1000 + seq)')} from seq_1_to_1000; "
                "commit; set k = k + 1; end while; end", database, "//")
            rtdp.wait_for("all rows on the bus", lambda: published(rtdp, source, writer) >= rows, every=0.2)
            used = Used(rtdp.cpu() - cpu, time.monotonic() - begun, 0)
            used.peak_mb = rtdp.stop()
        finally:
            rtdp.kill()
        check_rows(stored_rows(work, source), rows, "mysql_changes")
    emit_run("mysql_changes", bus, rows, used)


def large_transaction(run, bus):
    """A million rows of 500 bytes in one transaction; from its commit until all of it is on the bus."""
    rows = run.rows(1_000_000)
    source, database = f"bench_large_{bus}", "bench_large"
    url = run.postgres.make_database(database)
    run.postgres.sql(database, TABLE)
    with folder("large") as work:
        rtdp = Rtdp(work, "large-" + bus, head(work, bus) + postgres_source(source), False, {"BENCH_SOURCE": url},
                    run.profile)
        try:
            rtdp.wait_for("the snapshot of an empty table", lambda: snapshot_done(rtdp, source), 30)
            cpu, begun = rtdp.cpu(), time.monotonic()
            wide = ROW.replace("' of an order'", "repeat(' of an order', 34)")
            writer = run.postgres.start_sql(
                database, f"insert into orders select {wide} from generate_series(1::bigint, {rows}::bigint) i")
            rtdp.wait_for("all rows on the bus", lambda: published(rtdp, source, writer) >= rows, every=0.2)
            used = Used(rtdp.cpu() - cpu, time.monotonic() - begun, 0)
            used.peak_mb = rtdp.stop()
        finally:
            rtdp.kill()
        check_rows(stored_rows(work, source), rows, "large_transaction")
    run.postgres.forget(source, database)
    emit_run("large_transaction", bus, rows, used)


def restart(run, bus):
    """kill -9, a row is committed, start: from exec until that row is on the bus."""
    source, database = f"bench_restart_{bus}", "bench_restart"
    url = run.postgres.make_database(database)
    rows = run.rows(200_000)
    run.postgres.sql(database, TABLE, insert(1, rows))
    waits = []
    with folder("restart") as work:
        settings = head(work, bus) + postgres_source(source)
        Rtdp(work, "restart-first", settings, True, {"BENCH_SOURCE": url}).until_idle()
        for n in range(1 if run.small else RESTARTS):
            run.postgres.sql(database, insert(rows + 1 + n, rows + 1 + n))
            rtdp = Rtdp(work, f"restart-{n}", settings, False, {"BENCH_SOURCE": url})
            try:
                rtdp.wait_for("the row", lambda r=rtdp: r.metric("rtdp_rows_out_total", source=source) >= 1, 30, 0.005)
                waits.append((time.monotonic() - rtdp.begun) * 1000)
            finally:
                rtdp.kill()
    run.postgres.forget(source, database)
    emit("restart", "to_first_row_p50", statistics.median(waits), "ms", bus, restarts=len(waits))
    emit("restart", "to_first_row_max", max(waits), "ms", bus, restarts=len(waits))
    say("restart: " + " ".join(f"{w:.0f}" for w in waits) + " ms")
