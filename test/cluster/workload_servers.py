"""The servers of random_workload_test.py: tables over every type, the SQL of one change, both sides' rows."""
import os
import subprocess
import time

Q = '"'


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


KINDS = {"postgres": Postgres}
