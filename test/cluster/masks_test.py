#!/usr/bin/env python3
"""Clear text of masked columns reaches nothing that leaves the source: not the bus, not the dead letters, not the
log, not REST, not the metrics, not the target. A canary is written into every masked column and looked for."""
import glob
import os
import unittest
import urllib.request

from harness import Case, free_port, needs_postgres, psql

CANARY = "canary"
# Of the same letters, so that nothing of it is left by a mask of its parts.
ENV = {"SALT": "salt and pepper", "KEY": "key and lock"}
MASKS = """
      - name: %s
        before_images: true
        mask:
          - {column: id, with: hmac, salt: "${env:SALT}"}
          - {column: email, with: sha256, salt: "${env:SALT}"}
          - {column: name, with: partial, first: 2}
          - {column: phone, with: digits, salt: "${env:KEY}"}
          - {column: note, with: 'null'}
          - {column: born, with: %s}
          - {column: address, with: regex, pattern: '^.*, ', replacement: ''}
"""
PLACES = ("/api/v1/sources", "/api/v1/tables", "/api/v1/flows", "/api/v1/sinks", "/api/v1/dead-letters", "/metrics",
          "/readyz", "/")


class Masks(Case):
    def look(self, node, also=()):
        """Fails when the canary stands anywhere but in the source."""
        needle = CANARY.encode()
        for path in PLACES:
            status, text = node.get(path)
            self.assertNotIn(CANARY, text, path)
        self.assertNotIn(CANARY, self.rtdp("dead-letters", "list", "--json").stdout)
        for letter in self.letters():
            self.assertNotIn(CANARY, self.rtdp("dead-letters", "show", letter).stdout)
        self.assertNotIn(CANARY, node.log())
        files = [f for f in glob.glob(self.path("**"), recursive=True) if os.path.isfile(f)]
        looked = [f for f in files if not os.path.basename(f).startswith("shop.db")]
        self.assertTrue(any("data" in f for f in looked), looked)
        for file in looked:
            with open(file, "rb") as f:
                self.assertNotIn(needle, f.read(), file)

    def letters(self):
        return [line.split('"id":')[1].split(",")[0].strip('" }')
                for line in self.rtdp("dead-letters", "list", "--json").stdout.splitlines()]


class Sqlite(Masks):
    def test_a_canary_in_every_masked_column_is_nowhere_but_in_the_source(self):
        self.sqlite("shop.db", "CREATE TABLE people(id TEXT PRIMARY KEY, email TEXT, name TEXT, phone TEXT, "
                               "note TEXT, born TEXT, address TEXT, plain TEXT);")
        add = lambda key, address=f"{CANARY} street, Rome": self.sqlite(
            "shop.db", "INSERT INTO people VALUES(?, ?, ?, ?, ?, ?, ?, ?)", f"{CANARY}{key}", f"{CANARY}@example.org",
            f"xx{CANARY}", f"123-{key}", CANARY, CANARY, address, f"plain {key}")
        for i in range(3):
            add(i)
        # Its address has no match: to the dead letters.
        add(8, CANARY)
        # It does not decode: the driver's own dead letter.
        self.sqlite("shop.db", "INSERT INTO people VALUES(?, ?, ?, ?, ?, ?, ?, ?)", f"{CANARY}9",
                    f"{CANARY}@example.org", CANARY.encode() + b"\xff\xfe", "1", CANARY, CANARY, CANARY, "bad")
        file = self.pipeline(f"""
sources:
  shop:
    kind: sqlite
    path: {self.path('shop.db')}
    tables:{MASKS % ('people', 'replace')}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{people: {{source: sqlite.shop.main.people, sink: dw.people, mutation: iud_clean, create: true}}}}
""")
        self.assertIn("no problem", self.rtdp("check", file, env=ENV).stdout)
        node = self.start(file, env=ENV)
        rows = lambda: self.rows("dw.db", "SELECT id, email, name, phone, note, born, address, plain FROM people "
                                          "ORDER BY plain")
        self.wait("three rows", lambda: len(rows()) == 3, node=node)
        first = rows()[0]
        self.assertRegex(first[0], "^[0-9a-f]{64}$")
        self.assertRegex(first[1], "^[0-9a-f]{64}$")
        self.assertEqual(first[2], "xx******")
        self.assertRegex(first[3], r"^\d{3}-\d$")
        self.assertEqual(first[4:], (None, "***", "Rome", "plain 0"))
        self.assertEqual(len({r[0] for r in rows()}), 3)
        self.wait("two letters", lambda: len(self.letters()) == 2, node=node)
        self.look(node)
        # Changes, before-images, deletes, a key that changes.
        self.sqlite("shop.db", "UPDATE people SET note = ?, plain = 'changed' WHERE plain = 'plain 0'", CANARY + " 2")
        self.sqlite("shop.db", "DELETE FROM people WHERE plain = ?", "plain 1")
        self.sqlite("shop.db", "UPDATE people SET id = ? WHERE plain = 'plain 2'", CANARY + " other key")
        add(4)
        self.wait("the changes", lambda: [r[7] for r in rows()] == ["changed", "plain 2", "plain 4"], node=node)
        self.look(node)
        node.kill()
        node = self.start(file, env=ENV)
        add(5)
        self.wait("a row after the kill", lambda: len(rows()) == 4, node=node)
        self.look(node)
        self.assertEqual(node.terminate(), 0)

    def test_masks_that_do_not_fit_are_refused_at_their_line(self):
        self.sqlite("shop.db", "CREATE TABLE people(id INTEGER PRIMARY KEY, email TEXT);")
        file = self.pipeline(f"""
sources:
  shop:
    kind: sqlite
    path: {self.path('shop.db')}
    tables:
      - name: people
        mask:
          - {{column: id, with: replace}}
          - {{column: email, with: date}}
          - {{column: mail, with: 'null'}}
  other:
    kind: sqlite
    path: {self.path('shop.db')}
    log: other
    tables: [{{name: people, mask: [{{column: email, with: sha256}}]}}]
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{people: {{source: sqlite.shop.main.people, sink: dw.people, create: true}}}}
""")
        text = self.rtdp("check", file, code=1).stderr
        self.assert_has(text, ":10: sources.shop.tables.0.mask", "part of the key", "needs salt")

    def test_a_masked_column_that_is_renamed_stops_the_source(self):
        self.sqlite("shop.db", "CREATE TABLE people(id INTEGER PRIMARY KEY, email TEXT);")
        self.sqlite("shop.db", "INSERT INTO people VALUES(1, ?)", CANARY)
        file = self.pipeline(f"""
sources:
  shop:
    kind: sqlite
    path: {self.path('shop.db')}
    tables: [{{name: people, mask: [{{column: email, with: 'null'}}]}}]
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{people: {{source: sqlite.shop.main.people, sink: dw.people, create: true}}}}
""")
        node = self.start(file)
        self.wait("the row", lambda: self.rows("dw.db", "SELECT id, email FROM people") == [(1, None)], node=node)
        self.sqlite("shop.db", "ALTER TABLE people RENAME COLUMN email TO mail;")
        self.sqlite("shop.db", "UPDATE people SET mail = ?", CANARY + " again")
        failed = self.wait_state(node, "sources", "shop", "failed")
        self.assert_has(failed["reason"], "no column email to be masked", "renamed")
        self.look(node)


class Http(Masks):
    def test_events_that_fit_no_table_or_column_are_kept_without_clear_text(self):
        listen = free_port()
        file = self.pipeline(f"""
sources:
  web:
    kind: http
    listen: 127.0.0.1:{listen}
    tables:
      - name: people
        match: email
        columns: [{{name: n, type: long}}, {{name: email}}]
        mask: [{{column: email, with: sha256, salt: "${{env:SALT}}"}}]
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{people: {{source: log.web.main.people, sink: dw.people, mutation: i, create: true}}}}
""")
        node = self.start(file, env=ENV)
        self.wait_state(node, "sources", "web", "running")
        body = (f'{{"n": 1, "email": "{CANARY}@example.org"}}\n{{"n": "{CANARY}", "email": "{CANARY}"}}\n'
                f'{{"other": "{CANARY}"}}\n')
        asked = urllib.request.Request(f"http://127.0.0.1:{listen}/", data=body.encode(), method="POST")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        self.wait("the row", lambda: len(self.rows("dw.db", "SELECT n, email FROM people")) == 1, node=node)
        self.wait("two letters", lambda: len(self.letters()) == 2, node=node)
        self.look(node)
        self.assertEqual(node.terminate(), 0)


@needs_postgres
class Postgres(Masks):
    def test_a_canary_in_every_masked_column_is_nowhere_but_in_the_source(self):
        psql("DROP TABLE IF EXISTS people; CREATE TABLE people(id text PRIMARY KEY, email text, name text, phone text, "
             "note text, born date, address text, plain text); ALTER TABLE people REPLICA IDENTITY FULL;")
        add = lambda key: psql(f"INSERT INTO people VALUES('{CANARY}{key}', '{CANARY}@example.org', 'xx{CANARY}', "
                               f"'123-{key}', '{CANARY}', '1979-05-27', '{CANARY} street, Rome', 'plain {key}')")
        for i in range(3):
            add(i)
        file = self.pipeline(f"""
sources:
  shop:
    kind: postgres
    url: ${{env:RTDP_TEST_PG_URL}}
    slot: masks
    publication: masks
    tables:{MASKS % ('public.people', 'date, to: year')}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows: {{people: {{source: postgres.shop.public.people, sink: dw.people, mutation: iud_clean, create: true}}}}
""")
        node = self.start(file, env=ENV)
        rows = lambda: self.rows("dw.db", "SELECT plain, born, name FROM people ORDER BY plain")
        self.wait("three rows", lambda: len(rows()) == 3, 20, node)
        self.assertEqual(rows()[0], ("plain 0", "1979-01-01", "xx******"))
        self.look(node)
        psql(f"UPDATE people SET note = '{CANARY} 2', plain = 'changed' WHERE plain = 'plain 0'; "
             f"DELETE FROM people WHERE plain = 'plain 1'; "
             f"UPDATE people SET id = '{CANARY} other' WHERE plain = 'plain 2'")
        add(4)
        self.wait("the changes", lambda: [r[0] for r in rows()] == ["changed", "plain 2", "plain 4"], 20, node)
        self.look(node)
        self.assertEqual(node.terminate(), 0)
        psql("SELECT pg_drop_replication_slot('masks'); DROP PUBLICATION masks; DROP TABLE people")


if __name__ == "__main__":
    unittest.main()
