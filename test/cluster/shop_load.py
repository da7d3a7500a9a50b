"""A PostgreSQL shop that is written to, its copy in another database, and the comparison of both.

`orders` changes and loses rows; `events` is the ledger: each transaction of the writer appends one row
to it, and the flow that copies it appends too (mutation i), so that a row that was written twice is
there twice. `totals` has state: figures by region, which are wrong for ever after one lost or doubled row.
"""
import os
import subprocess
import threading

from cluster_harness import wait

SERVER = os.environ.get("RTDP_TEST_PG_URL", "")

SOURCE = """
create table orders(id int primary key, region int not null, n bigint not null, note text);
create table events(seq bigint primary key, id int not null, act text not null);
create table control(go boolean);
insert into control values (true);
create procedure work(rate int, keys int) language plpgsql as $$
declare s bigint; k int; t0 timestamptz := clock_timestamp(); i bigint := 0; late float8;
begin
  select coalesce(max(seq), 0) into s from events;
  while (select go from control) loop
    i := i + 1; s := s + 1; k := floor(random() * keys);
    if random() < 0.2 then
      delete from orders where id = k;
      insert into events values (s, k, 'delete');
    else
      insert into orders values (k, (k + s) % 20, s, repeat('n', (s % 50)::int)) on conflict (id)
        do update set region = excluded.region, n = excluded.n, note = excluded.note;
      insert into events values (s, k, 'put');
    end if;
    commit;
    late := extract(epoch from t0 + i * interval '1 second' / rate - clock_timestamp());
    if late > 0 then perform pg_sleep(late); end if;
  end loop;
end $$;
"""
FLOWS = """
sources:
  shop: {kind: postgres, url: "${env:SHOP_SOURCE}", tables: [public.orders, public.events]}
sinks:
  dw: {kind: postgres, url: "${env:SHOP_TARGET}"}
flows:
  orders: {source: postgres.shop.public.orders, sink: dw.public.orders, mutation: iud_clean, create: true}
  events: {source: postgres.shop.public.events, sink: dw.public.events, mutation: i, create: true}
  totals:
    source: postgres.shop.public.orders
    sink: dw.public.totals
    mutation: iud_clean
    create: true
    steps:
      - aggregate: {by: [region], count: orders, sum: [{of: n, as: total}], max: [{of: n, as: newest}]}
"""
FLOW_NAMES = ("orders", "events", "totals")
TABLES = ("orders", "events")
# What the target must hold, by its tables: as the source has it, and as the target does.
DIGEST = "select count(*), md5(coalesce(string_agg(r::text, ',' order by r), '')) from ({}) r"
CONTENT = {
    "orders": ("select id, region, n, note from orders",) * 2,
    "events": ("select seq, id, act from events",) * 2,
    "totals": ("select region, count(*)::numeric, sum(n)::numeric, max(n)::numeric from orders group by region",
               "select region, orders::numeric, total::numeric, newest::numeric from totals")}

# Where the number of the transaction stands.
NEWEST = {"orders": "n", "events": "seq", "totals": "newest"}


class Psql:
    """A session that stays open; answers in milliseconds."""

    def __init__(self, url):
        self.process = subprocess.Popen(["psql", "-XqAt", "-d", url], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.count, self.lock = 0, threading.Lock()

    def ask(self, sql):
        """The rows as text; an error of the server is raised."""
        with self.lock:
            self.count += 1
            end = f"end of answer {self.count}"
            self.process.stdin.write(f"{sql};\n\\echo {end}\n")
            self.process.stdin.flush()
            lines = []
            for line in self.process.stdout:
                if line.rstrip("\n") == end:
                    break
                lines.append(line.rstrip("\n"))
            else:
                raise AssertionError(f"psql ended: {lines}")
        if any("ERROR:" in line for line in lines):
            raise AssertionError(f"psql: {lines}")
        return "\n".join(lines)

    def number(self, sql):
        return int(self.ask(sql) or 0)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Load:
    """Lets the procedure `work` of a database write, in a session of its own, until its table
    `control` says to stop."""

    def __init__(self, url, control):
        self.url, self.control, self.session = url, control, None

    def begin(self, *figures):
        self.control.ask("update control set go = true")
        self.session = Psql(self.url)
        self.session.process.stdin.write(f"call work({', '.join(map(str, figures))});\n")
        self.session.process.stdin.flush()

    def end(self):
        if self.session:
            self.control.ask("update control set go = false")
            # Answered when the procedure has returned.
            self.session.ask("select 1")
            self.session.close()
            self.session = None


def database(name):
    """The address of another database of the test's server."""
    return SERVER.rpartition("/")[0] + "/" + name


class Shop:
    def __init__(self, name="shop"):
        self.names = (f"{name}_from", f"{name}_to")
        server = Psql(SERVER)
        for each in self.names:
            server.ask(f"create database {each}")
        server.close()
        self.source, self.target = (Psql(database(each)) for each in self.names)
        self.env = {"SHOP_SOURCE": database(self.names[0]), "SHOP_TARGET": database(self.names[1])}
        self.source.ask(SOURCE)
        self.load = Load(database(self.names[0]), self.source)

    def begin(self, rate=200, keys=500):
        self.load.begin(rate, keys)

    def end(self):
        """Stops the writer; the number of transactions so far."""
        self.load.end()
        return self.written()

    def written(self):
        return self.source.number("select max(seq) from events")

    def arrived(self, flow="events"):
        """The newest transaction that the flow's target knows; 0 while there is no table."""
        if self.target.ask(f"select to_regclass('{flow}')") == "":
            return 0
        return self.target.number(f"select max({NEWEST[flow]}) from {flow}")

    def wait_arrival(self, seconds=20, story="", flow="events"):
        """Until a row that was written after this call is in the target."""
        now = self.written()
        return wait(lambda: f"a row behind {now} in {flow} of the target, which has {self.arrived(flow)}\n"
                            f"{story() if callable(story) else story}",
                    lambda: self.arrived(flow) > now, seconds, every=0.02)

    def audit(self):
        """Lost and doubled rows of the ledger among those that had the time to arrive."""
        rows = self.target.ask("select count(*), count(distinct seq), coalesce(max(seq), 0) from events")
        count, distinct, last = (int(n) for n in rows.split("|"))
        wanted = self.source.number(f"select count(*) from events where seq <= {last}")
        return wanted - distinct, count - distinct

    def differences(self):
        """Empty when source and target are equal."""
        found = []
        for table, (ours, theirs) in CONTENT.items():
            if self.target.ask(f"select to_regclass('{table}')") == "":
                found.append(f"{table} is not in the target")
                continue
            a, b = self.source.ask(DIGEST.format(ours)), self.target.ask(DIGEST.format(theirs))
            if a != b:
                found.append(f"{table}: source {a}, target {b}")
        return found

    def wait_equal(self, seconds=20, story=""):
        """Ends the writer, waits until both sides are equal; how many rows of the ledger there are."""
        written = self.end()
        wait(lambda: f"source = target; {self.differences()}, (lost, doubled) = {self.audit()}\n"
                     f"{story() if callable(story) else story}",
             lambda: not self.differences(), seconds, every=0.1)
        return written

    def close(self):
        self.end()
        for each in (self.source, self.target):
            each.close()
