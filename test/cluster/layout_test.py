#!/usr/bin/env python3
"""Topics of several partitions under `kill -9`: what is on the bus afterwards, read past rtdp."""
import json
import pathlib
import random
import sqlite3
import time
import unittest

from harness import Case

PARTITIONS = 3


class Layout(Case):
    def messages(self, topic, partition):
        path = pathlib.Path(self.path("data")) / "bus" / topic / f"{partition}.db"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            for key, value in db.execute("SELECT key, value FROM log ORDER BY offset"):
                yield key.decode(), json.loads(value)

    def rows_on(self, topic):
        """(partition, table, tuple) of every row, in the order of each partition."""
        for partition in range(PARTITIONS):
            for _, m in self.messages(topic, partition):
                if m["protocol"]["type"] == "data_increment_data":
                    for row in m["payload"]:
                        yield partition, m["schema"]["namespace"], row["tuple"]

    def layout(self, more="", rate=40000, rows=300_000, flow=""):
        return self.pipeline(f"""
sources:
  gen: {{kind: generator, rows: {rows}, rows_per_second: {rate}, keys: 5000, update_share: 0.4, delete_share: 0.2,
        tables: [orders, returns], partitions: {PARTITIONS}{more}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  orders: {{source: generator.gen.main.orders, sink: dw.orders, create: true{flow}}}
""")

    def test_kills_leave_each_row_on_the_bus_once_with_ids_that_only_rise(self):
        rows, seed = 300_000, random.randrange(1 << 32)
        print("seed", seed)
        moments = random.Random(seed)
        file = self.layout(rows=rows)
        for _ in range(12):
            node = self.start(file, wait=False)
            time.sleep(moments.uniform(0.3, 1.2))
            node.kill()
        self.until_idle(file, seconds=60)
        last, ids, places = {}, set(), {}
        for partition, table, row in self.rows_on("rtdp.gen"):
            row_id, key = int(row[0]), row[3]
            self.assertGreater(row_id, last.get((partition, table), 0))
            last[partition, table] = row_id
            self.assertNotIn(row_id, ids, "published twice")
            ids.add(row_id)
            self.assertEqual(places.setdefault((table, key), partition), partition, "a key has one partition")
        # A generator gives each event the next id: so none is missing either.
        self.assertEqual((len(ids), max(ids)), (rows, rows))
        self.assertEqual({p for p, _ in last}, set(range(PARTITIONS)))
        self.same_as_the_bus()

    def same_as_the_bus(self):
        """The target holds the newest row of each key."""
        newest = {}
        for _, table, row in self.rows_on("rtdp.gen"):
            if table.startswith("generator.gen.main.orders."):
                held = newest.get(row[3])
                if held is None or int(row[0]) > int(held[0]):
                    newest[row[3]] = row
        target = self.sqlite("dw.db", "SELECT id, ums_id_, ums_active_, note FROM orders ORDER BY id")
        wanted = sorted((int(key), int(r[0]), int(r[2] != "d")) for key, r in newest.items())
        self.assertEqual([tuple(r[:3]) for r in target], wanted)

    def test_another_number_of_partitions_is_refused_with_what_to_do(self):
        file = self.layout(rows=100)
        self.until_idle(file)
        done = self.until_idle(file, "--set", "sources.gen.partitions=4", code=1)
        self.assert_has(done.stdout + done.stderr, "has 3 partitions", "set partitions: 3")

    def test_two_sources_on_one_topic_are_refused_before_the_start(self):
        file = self.pipeline(f"""
sources:
  a: {{kind: generator, rows: 10, topic: shared}}
  b: {{kind: generator, rows: 10, topic: shared}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{orders: {{source: generator.a, sink: dw.orders, create: true}}}}
""")
        done = self.rtdp("check", file, code=1)
        self.assert_has(done.stdout + done.stderr, "sources.b.topic", "source a writes to topic shared too")

    def test_messages_of_one_row_have_the_key_of_the_row(self):
        file = self.layout(more=", rows_per_message: 1", rows=400)
        self.until_idle(file)
        seen = 0
        for partition in range(PARTITIONS):
            for key, m in self.messages("rtdp.gen", partition):
                if m["protocol"]["type"] == "data_increment_data":
                    self.assertEqual(len(m["payload"]), 1)
                    values = json.dumps([m["payload"][0]["tuple"][3]], separators=(",", ":"))
                    self.assertEqual(key, f"data_increment_data.{m['schema']['namespace']}.{values}")
                    seen += 1
        self.assertEqual(seen, 400)

    def test_a_row_larger_than_a_message_is_a_dead_letter_and_the_stream_goes_on(self):
        with sqlite3.connect(self.path("shop.db")) as db:
            db.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, note TEXT)")
            db.executemany("INSERT INTO notes VALUES (?, ?)", [(1, "a"), (2, "x" * 3_000_000), (3, "c")])
        file = self.pipeline(f"""
sources: {{shop: {{kind: sqlite, path: {self.path('shop.db')}, tables: [notes]}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{notes: {{source: sqlite.shop, sink: dw.notes, create: true}}}}
""")
        self.until_idle(file)
        self.assertEqual([r[0] for r in self.sqlite("dw.db", "SELECT id FROM notes ORDER BY id")], [1, 3])
        node = self.start(file)
        letters = json.loads(node.get("/api/v1/dead-letters")[1])["items"]
        self.assertEqual(len(letters), 1)
        self.assert_has(letters[0]["reason"], "message_bytes_max", "1048576")
        self.assertIn("sqlite.shop.main.notes", letters[0]["namespace"])
        # The letter holds the whole message: its flows can take it past the bus.
        self.rtdp("dead-letters", "replay", "--all")
        self.assertEqual(self.sqlite("dw.db", "SELECT length(note) FROM notes WHERE id = 2")[0][0], 3_000_000)


if __name__ == "__main__":
    unittest.main()
