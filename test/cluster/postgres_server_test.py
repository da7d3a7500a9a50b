#!/usr/bin/env python3
"""PostgreSQL servers that are set up wrong, restored from a backup, promoted, or whose slot another reads. Starts
servers of its own; needs the package postgresql-15."""
import os
import pathlib
import shutil
import subprocess
import unittest

from harness import ROOT, Case, psql

BIN = pathlib.Path(os.environ.get("RTDP_PG_BIN", "/usr/lib/postgresql/15/bin"))


class Server:
    """A server by test/services/postgres whose data can be copied and put back."""

    def __init__(self, folder, conf=""):
        os.makedirs(folder)
        self.folder = folder
        self.service = str(ROOT / "test/services/postgres")
        done = subprocess.run([self.service, "start", folder], env={**os.environ, "RTDP_PG_CONF": conf},
                              capture_output=True, text=True, timeout=120, check=True)
        told = dict(line.split("=", 1) for line in done.stdout.splitlines())
        self.url, self.port = told["RTDP_TEST_PG_URL"], told["RTDP_TEST_PG_PORT"]

    def end(self):
        subprocess.run([self.service, "stop", self.folder], capture_output=True, timeout=60, check=False)

    def as_owner(self, *command):
        return ["runuser", "-u", "postgres", "--", *command] if os.getuid() == 0 else list(command)

    def ctl(self, *args):
        subprocess.run(self.as_owner(str(BIN / "pg_ctl"), "-D", self.folder + "/data", "-w", "-t", "60", *args),
                       cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=90, check=True)

    def start(self):
        self.ctl("-l", self.folder + "/log", "-o", f"-p {self.port}", "start")

    def stop(self):
        self.ctl("-m", "fast", "stop")

    def copy(self, source, target):
        shutil.rmtree(f"{self.folder}/{target}", ignore_errors=True)
        subprocess.run(["cp", "-a", f"{self.folder}/{source}", f"{self.folder}/{target}"], check=True)

    def sql(self, text):
        return psql(text, self.url)


@unittest.skipUnless((BIN / "postgres").exists(), f"needs PostgreSQL in {BIN}")
class PostgresServer(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)

    def server(self, conf=""):
        s = Server(self.path("server"), conf)
        self.addCleanup(s.end)
        self.env = {"TEST_URL": s.url}
        s.sql("create table orders(id int primary key, qty int); insert into orders values (1, 10), (2, 20)")
        return s

    def settings(self, more=""):
        return self.pipeline(f"""
sources: {{shop: {{kind: postgres, url: "${{env:TEST_URL}}", tables: [public.orders]{more}}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{orders: {{source: postgres.shop.public.orders, sink: dw.orders, create: true, mutation: iud}}}}
""")

    def read_all(self, *args, code=0):
        done = self.until_idle(self.settings(), *args, code=code, env=self.env)
        return done.stdout + done.stderr

    def arrived(self):
        return sorted(self.rows("dw.db", "SELECT id, qty FROM orders WHERE ums_active_ = 1"))

    def test_a_server_that_does_not_decode_its_log_is_refused_with_the_setting_to_change(self):
        self.server("wal_level = replica")
        self.assert_has(self.read_all(code=1), "wal_level is replica", "wal_level = logical", "restart of the server")

    def test_a_server_restored_from_a_backup_is_told_and_read_anew_when_that_is_wanted(self):
        s = self.server()
        self.read_all()
        s.stop()
        s.copy("data", "backup")
        s.start()
        s.sql("insert into orders select i, i from generate_series(3, 1000) i; delete from orders where id = 1")
        self.read_all()
        s.stop()
        s.copy("backup", "data")
        s.start()
        self.assert_has(self.read_all(code=1), "the server's log ends at", "restored from a backup",
                        "on_lost: resnapshot")
        self.assertEqual(len(self.arrived()), 999)
        s.sql("insert into orders values (3, 30)")
        self.read_all("--set", "sources.shop.on_lost=resnapshot")
        self.assertEqual(self.arrived(), [(1, 10), (2, 20), (3, 30)])
        s.sql("update orders set qty = 31 where id = 3")
        self.read_all()
        self.assertEqual(self.arrived(), [(1, 10), (2, 20), (3, 31)])

    def test_a_server_promoted_to_a_new_timeline_behind_the_position_is_gone_on_with(self):
        s = self.server("restore_command = 'false'")
        self.read_all()
        s.stop()
        subprocess.run(s.as_owner("touch", s.folder + "/data/recovery.signal"), check=True)
        s.start()
        self.wait("promoted", lambda: s.sql("select pg_is_in_recovery()").strip() == "f")
        self.assertEqual(s.sql("select timeline_id from pg_control_checkpoint()").strip(), "2")
        s.sql("insert into orders values (3, 30)")
        self.read_all()
        self.assertEqual(self.arrived(), [(1, 10), (2, 20), (3, 30)])

    def test_a_slot_that_another_reads_is_waited_for_and_then_gone_on_with(self):
        s = self.server()
        self.read_all()
        other = subprocess.Popen([str(BIN / "pg_recvlogical"), "-d", s.url, "-S", "rtdp_shop", "--start", "-f",
                                  "/dev/null", "-o", "proto_version=1", "-o", "publication_names=rtdp_shop"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: other.poll() is None and other.kill())
        pid = self.wait("the slot is taken", lambda: s.sql("select active_pid from pg_replication_slots "
                                                           "where active_pid is not null").strip())
        node = self.start(self.settings(), env=self.env)
        reason = self.wait("the source waits", lambda: node.one("sources", "shop")["reason"], node=node)
        self.assert_has(reason, f"slot rtdp_shop is active for PID {pid}, pg_recvlogical")
        self.assertEqual(node.state("sources", "shop"), "starting")
        other.kill()
        other.wait(10)
        s.sql("insert into orders values (3, 30)")
        self.wait("the row", lambda: (3, 30) in self.arrived(), 30, node)
        self.assertEqual(node.state("sources", "shop"), "running")

    def test_a_table_that_the_server_will_not_let_change_is_told_at_the_start(self):
        s = self.server()
        s.sql("alter table orders replica identity nothing")
        said = self.read_all()
        self.assert_has(said, '"public"."orders" has no primary key and no other replica identity',
                        "refuses every UPDATE and DELETE", "REPLICA IDENTITY FULL")

    def test_a_row_that_does_not_decode_is_a_dead_letter_and_stops_a_strict_source(self):
        s = self.server()
        s.sql("alter table orders add at timestamp; insert into orders values (3, 30, '294276-12-31 23:59:59')")
        self.read_all()
        self.assertEqual(self.arrived(), [(1, 10), (2, 20)])
        s.sql("insert into orders values (4, 40, '294276-12-31 23:59:59'), (5, 50, 'now')")
        said = self.read_all("--set", "sources.shop.strict=true", code=1)
        self.assert_has(said, "postgres.shop.public.orders", "column at: expected a timestamp", "strict: false")
        self.assertEqual(self.arrived(), [(1, 10), (2, 20)])
        self.read_all()
        self.assertEqual(self.arrived(), [(1, 10), (2, 20), (5, 50)])


if __name__ == "__main__":
    unittest.main()
