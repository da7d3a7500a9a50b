"""The servers of random_workload_test.py: tables over every type, the SQL of one change, both sides' rows."""
import contextlib
import os
import pathlib
import pwd
import signal
import sqlite3
import subprocess
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
RTDP = os.environ.get("RTDP_BINARY", str(ROOT / "build/release/rtdp"))


class Column:
    def __init__(self, name, kind, *values):
        self.name, self.kind = name, kind
        self.values = (*values, "NULL")


class Table:
    """`key` makes the SQL of a key's columns from a number."""

    def __init__(self, name, keys, columns, key):
        self.name, self.keys, self.columns, self.key = name, keys, columns, key


class Session:
    """A command line client of the server that is fed statements; one answer ends each batch."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env={**os.environ, **(env or {})})
        self.count = 0

    def run(self, statements):
        self.count += 1
        done = f"done {self.count}"
        self.process.stdin.write(";\n".join(statements) + f";\nselect '{done}';\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise ConnectionError("the client ended")
            if line.strip() == done:
                return

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Server:
    """What both servers share: standard SQL."""

    def where(self, table, key):
        return " and ".join(f"{k} = {v}" for k, (_, _), v in zip(table.keys, table.keys.values(), key))

    def insert(self, table, key, row):
        names = ", ".join([*table.keys, *row])
        return f"insert into {table.name} ({names}) values ({', '.join([*key, *row.values()])})"

    def update(self, table, key, row):
        changed = ", ".join(f"{c} = {v}" for c, v in row.items()) or "n = n"
        return f"update {table.name} set {changed} where {self.where(table, key)}"

    def rekey(self, table, key, new):
        changed = ", ".join(f"{k} = {v}" for k, v in zip(table.keys, new))
        return f"update {table.name} set {changed} where {self.where(table, key)}"

    def delete(self, table, key):
        return f"delete from {table.name} where {self.where(table, key)}"

    def ddl(self, table):
        columns = [f"{n} {kind[0]}" for n, kind in table.keys.items()]
        columns += [f"{c.name} {c.kind}" for c in table.columns]
        return f"create table {table.name} ({', '.join(columns)}, primary key ({', '.join(table.keys)}))"


def tables_with(columns, integer="int", text="text"):
    """One table with all types, one with a key of two columns, one small and hot."""
    number = Column("n", integer, "1", "2", "-3")
    return [Table("types", {"id": (integer, 0)}, [number, *columns], lambda i: [str(i)]),
            Table("pairs", {"a": (text, 0), "b": (integer, 0)},
                  [number, Column("note", text, "'x'", "''", "'it''s'")],
                  lambda i: [f"'k_{i % 17}'", str(i % 7)]),
            Table("hot", {"id": (integer, 0)}, [number, Column("v", integer, "5", "6")], lambda i: [str(i % 10)])]


class Postgres(Server):
    types = [("smallint", "-32768", "7"), ("bigint", "9223372036854775807", "-1"), ("real", "'0.1'", "'NaN'"),
             ("double precision", "'-Infinity'", "'5e-324'"), ("boolean", "true", "false"),
             ("numeric", "'NaN'", "'Infinity'", "'123456789012345678901234567890.123456789'"),
             ("numeric(12,4)", "'-99999999.9999'", "1.5"), ("text", "'ä€😀'", "''", "E'a\\tb\\\\c\\n'"),
             ("text", "repeat(md5(random()::text), 400)", "repeat('y', 20000)"), ("char(5)", "'x'"),
             ("bytea", "'\\x00ff10'", "''"), ("date", "'infinity'", "'0044-03-15 BC'", "'2026-11-22'"),
             ("timestamp", "'2026-11-22 10:13:24.213456'", "'-infinity'"),
             ("timestamptz", "'2026-11-22 10:13:24.2+02'", "'infinity'"), ("time", "'24:00'", "'01:02:03.4'"),
             ("timetz", "'01:02:03+04:30'"), ("interval", "'1 year 2 mons -3 days 04:05:06.7'"),
             ("json", "'{\"a\":  [1, null]}'"), ("jsonb", "'{\"b\": 1.50}'", "'3'"),
             ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"), ("inet", "'10.1.0.0/16'", "'::1'"),
             ("bit(4)", "B'1010'"), ("varbit", "B'10'"), ("money", "'-12.34'"), ("xml", "'<a>b</a>'"),
             ("point", "'(1.5,-2)'"), ("int[]", "'{1,NULL,3}'", "'{{1},{2}}'"), ("text[]", "'{\"a b\",NULL,\"q\\\"\"}'"),
             ("int4range", "'[1,10)'", "'empty'"), ("mood", "'ok'", "'so so'"), ("pair", "row(1, 'a b')"),
             ("positive", "1", "7"), ("tsvector", "'a:1 b:2'"), ("macaddr", "'08:00:2b:01:02:03'")]

    def __init__(self, folder):
        self.url = os.environ["RTDP_TEST_PG_URL"]
        self.tables = tables_with([Column(f"c{i}", t[0], *t[1:]) for i, t in enumerate(self.types)])
        self.source, self.target = (self.url.rsplit("/", 1)[0] + f"/{name}_{os.getpid()}" for name in ("src", "dst"))

    def psql(self, url, *sql):
        commands = [x for s in sql for x in ("-c", s)]
        done = subprocess.run(["psql", "-XqAt", "-F", "\x1f", "-R", "\x1e", "-v", "ON_ERROR_STOP=1", "-d", url, *commands],
                              capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise AssertionError(f"psql: {done.stderr}")
        return done.stdout

    def prepare(self):
        for url in (self.source, self.target):
            self.psql(self.url, "create database " + url.rsplit("/", 1)[1])
        self.psql(self.source, "create type mood as enum ('ok', 'so so')", "create type pair as (n int, t text)",
                  "create domain positive as int check (value > 0)", *[self.ddl(t) for t in self.tables],
                  "insert into hot(id, n, v) select i, 1, 1 from generate_series(0, 9) i",
                  "insert into types(id, n) select i, 1 from generate_series(0, 299) i")

    def settings(self):
        os.environ.update(SOURCE_URL=self.source, TARGET_URL=self.target)
        flows = "\n".join(f"  {t.name}: {{source: postgres.src.public.{t.name}, sink: dw.public.{t.name}, "
                          f"mutation: iud_clean, create: true}}" for t in self.tables)
        tables = ", ".join("public." + t.name for t in self.tables)
        return f"""sources:
  src: {{kind: postgres, url: '${{env:SOURCE_URL}}', tables: [{tables}]}}
sinks:
  dw: {{kind: postgres, url: '${{env:TARGET_URL}}'}}
flows:
{flows}
"""

    def session(self):
        return Session(["psql", "-XqAt", "-d", self.source])

    def rows(self, url, table):
        columns = ", ".join(f"coalesce({c}::text, '<null>')" for c in [*table.keys, *(c.name for c in table.columns)])
        text = self.psql(url, f"select {columns} from {table.name}")
        keys = len(table.keys)
        rows = [tuple(line.split("\x1f")) for line in text.removesuffix("\n").split("\x1e") if line]
        return {r[:keys]: r for r in rows}

    def source_rows(self, table):
        return self.rows(self.source, table)

    def target_rows(self, table):
        return self.rows(self.target, table)

    def crash_and_restart(self):
        folder, port = os.environ["RTDP_TEST_PG_DIR"], os.environ["RTDP_TEST_PG_PORT"]
        command = [os.environ.get("RTDP_PG_BIN", "/usr/lib/postgresql/15/bin") + "/pg_ctl", "-D", folder + "/data",
                   "-m", "immediate", "-w", "-t", "60", "-l", folder + "/log", "-o", f"-p {port}", "restart"]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=90, cwd=folder)
        for _ in range(100):
            if subprocess.run(["psql", "-XqAt", "-d", self.url, "-c", "select 1"], capture_output=True).returncode == 0:
                return
            time.sleep(0.1)


class Mariadb(Server):
    """Into SQLite; what the source holds is what a new node with a snapshot of its own writes, and as many rows as
    the server counts: that a snapshot says what the server says is a test of the driver's."""
    types = [("tinyint", "-128", "127"), ("smallint unsigned", "65535"), ("mediumint", "-8388608"),
             ("bigint", "-9223372036854775808"), ("bigint unsigned", "18446744073709551615", "0"),
             ("decimal(65,30)", "'12345678901234567890123456789012345.123456789012345678901234567890'", "-0.5"),
             ("decimal(10,2)", "1.5", "-99999999.99"), ("float", "0.5", "-2.25"), ("double", "1e300", "-0.1"),
             ("bit(10)", "b'1010101010'", "0"), ("char(5)", "'x'", "'ä€'"), ("varchar(50)", "''", "'it''s'"),
             ("text", "repeat('y', 20000)", "'😀'"), ("varchar(20) character set latin1", "'äöü'"),
             ("varbinary(10)", "x'00ff10'"), ("blob", "x''", "x'deadbeef'"), ("date", "'2026-11-22'", "'9999-12-31'"),
             ("datetime(6)", "'2026-11-22 10:13:24.213456'"), ("datetime", "'1000-01-01 00:00:00'"),
             ("timestamp(3) null", "'2026-11-22 10:13:24.213'"), ("time(2)", "'-838:59:59'", "'12:34:56.78'"),
             ("year", "2026", "1901"), ("enum('a', 'b c')", "'a'", "'b c'"), ("set('x', 'y', 'z')", "'x,z'", "''"),
             ("json", "'{\"a\": [1, null]}'"), ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"), ("inet6", "'::1'")]

    def __init__(self, folder):
        self.folder = folder
        url = urllib.parse.urlsplit(os.environ["RTDP_TEST_MARIADB_URL"])
        self.database = f"src_{os.getpid()}"
        self.url = f"mysql://{url.username}:{url.password}@{url.hostname}:{url.port}/{self.database}"
        self.client = ["mariadb", "--no-defaults", "-N", "-B", "-n", "--force", "-h", url.hostname, "-P", str(url.port),
                       "-u", url.username]
        self.env = {"MYSQL_PWD": url.password}
        self.tables = tables_with([Column(f"c{i}", t[0], *t[1:]) for i, t in enumerate(self.types)],
                                  text="varchar(20)")

    def sql(self, text, database=None):
        done = subprocess.run([*self.client, *([database] if database else []), "-e", text], capture_output=True,
                              text=True, timeout=60, env={**os.environ, **self.env})
        if done.returncode:
            raise AssertionError(f"mariadb: {done.stderr}")
        return done.stdout

    def prepare(self):
        self.sql(f"create database {self.database}")
        self.sql(";".join(self.ddl(t) for t in self.tables) +
                 "; insert into hot(id, n, v) select seq, 1, 1 from seq_0_to_9"
                 "; insert into types(id, n) select seq, 1 from seq_0_to_299", self.database)

    def settings(self, target="dw.db"):
        os.environ["SOURCE_URL"] = self.url
        flows = "\n".join(f"  {t.name}: {{source: mysql.src.{self.database}.{t.name}, sink: dw.{t.name}, "
                          f"mutation: iud_clean, create: true}}" for t in self.tables)
        tables = ", ".join(f"{self.database}.{t.name}" for t in self.tables)
        return f"""sources:
  src: {{kind: mysql, url: '${{env:SOURCE_URL}}', tables: [{tables}]}}
sinks:
  dw: {{kind: sqlite, path: {self.folder}/{target}}}
flows:
{flows}
"""

    def session(self):
        return Session([*self.client, self.database], self.env)

    def rows(self, file, table):
        with contextlib.closing(sqlite3.connect(self.folder / file)) as db:
            columns = ", ".join([*table.keys, *(c.name for c in table.columns)])
            rows = [tuple(map(repr, r)) for r in db.execute(f"SELECT {columns} FROM {table.name}")]
        return {r[:len(table.keys)]: r for r in rows}

    def source_rows(self, table):
        if not (self.folder / "anew.db").exists():
            file = self.folder / "anew.yaml"
            file.write_text(f"node: {{name: n2, data_dir: {self.folder}/anew, http: 'off'}}\n" +
                            self.settings("anew.db"))
            subprocess.run([RTDP, "run", str(file), "--until-idle"], check=True, timeout=120, capture_output=True)
        rows = self.rows("anew.db", table)
        counted = int(self.sql(f"select count(*) from {table.name}", self.database))
        if counted != len(rows):
            raise AssertionError(f"the server counts {counted} rows of {table.name}, a snapshot has {len(rows)}")
        return rows

    def target_rows(self, table):
        return self.rows("dw.db", table)

    def crash_and_restart(self):
        folder, port = pathlib.Path(os.environ["RTDP_TEST_MARIADB_DIR"]), os.environ["RTDP_TEST_MARIADB_PORT"]
        pid = int((folder / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        while pathlib.Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        user = pwd.getpwuid(os.getuid()).pw_name
        subprocess.Popen([os.environ.get("RTDP_MARIADBD", "/usr/sbin/mariadbd"), f"--defaults-file={folder}/my.cnf",
                          f"--user={user}", f"--port={port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
        for _ in range(300):
            if subprocess.run([*self.client, "-e", "select 1"], capture_output=True,
                              env={**os.environ, **self.env}).returncode == 0:
                return
            time.sleep(0.1)


KINDS = {"postgres": Postgres, "mariadb": Mariadb}
