#!/usr/bin/env python3
"""Rows that cannot be decoded, computed or written: kept as dead letters while the good rows go on,
and replayed, shown and dropped from the command line."""
import json
import unittest

from harness import Case


class Letters(Case):
    """orders in shop.db -> a target of ours in dw.db that is stricter than the source."""

    def shop(self, target, flow="", rows=20):
        self.sqlite("shop.db", "CREATE TABLE orders(id INTEGER PRIMARY KEY, qty INTEGER, note TEXT);")
        self.order(*((i, i, f"note {i}") for i in range(1, rows + 1)))
        if target:
            self.sqlite("dw.db", target)
        return self.pipeline(f"""
sources: {{shop: {{kind: sqlite, path: {self.path('shop.db')}, tables: [orders]}}}}
sinks: {{dw: {{kind: sqlite, path: {self.path('dw.db')}}}}}
flows:
  orders:
    source: sqlite.shop.main.orders
    sink: dw.orders
    {flow}
""")

    def order(self, *rows):
        for row in rows:
            self.sqlite("shop.db", "INSERT INTO orders VALUES(?, ?, ?)", *row)

    def letters(self, *args):
        out = self.rtdp("dead-letters", "list", "--json", *args).stdout
        return [json.loads(line) for line in out.splitlines()]

    def ids(self):
        return [r[0] for r in self.rows("dw.db", "SELECT id FROM orders WHERE ums_active_ = 1 ORDER BY id")]

    def wait_ids(self, node, expected, seconds=10):
        self.wait(f"the target has {expected}", lambda: self.ids() == expected, seconds, node)


STRICT = ("CREATE TABLE orders(ums_id_ INTEGER, ums_ts_ TEXT, ums_active_ INTEGER, id INTEGER PRIMARY KEY, "
          "qty INTEGER{}, note TEXT);")


class Sink(Letters):
    def test_rows_that_break_a_check_are_kept_and_the_others_are_written(self):
        file = self.shop(STRICT.format(" CHECK (qty % 10 <> 0)"), rows=25)
        node = self.start(file)
        good = [i for i in range(1, 26) if i % 10]
        self.wait_ids(node, good)
        letters = self.wait("two letters", lambda: (lambda l: l if len(l) == 2 else None)(self.letters()),
                            node=node)
        for letter in letters:
            self.assertEqual(sorted(letter), sorted(["id", "component", "namespace", "topic", "partition", "offset",
                                                     "reason", "at"]))
            self.assertEqual(letter["component"], "flow.orders")
            self.assertEqual(letter["namespace"], "sqlite.shop.main.orders.0.0.0")
            self.assertEqual((letter["topic"], letter["partition"]), ("rtdp.shop", 0))
            self.assertGreaterEqual(letter["offset"], 0)
            self.assertIn("CHECK", letter["reason"])
            self.assertRegex(letter["at"], r"^\d{4}-\d\d-\d\dT.*Z$")
        self.assertEqual(node.state("flows", "orders"), "running")
        self.wait("they are counted", lambda: node.one("flows", "orders").get("dead_letters") == 2, node=node)
        self.assertIn('rtdp_dead_letters_total{node="n1",flow="orders"} 2', node.get("/metrics")[1])
        self.order((26, 26, "later"))
        self.wait_ids(node, good + [26])
        self.commands(node, good + [26], letters)
        self.assertEqual(node.terminate(), 0)

    def commands(self, node, good, letters):
        first, second = (letter["id"] for letter in letters)
        human = self.rtdp("dead-letters", "list").stdout
        self.assert_has(human, str(first), "flow.orders", "CHECK")
        self.assertIn("flow.orders", self.rtdp("dead-letters").stdout)
        self.assertEqual(len(self.letters("--component", "flow.orders")), 2)
        self.assertEqual(self.letters("--component", "flow.nobody"), [])
        self.assertEqual(len(self.letters("--limit", "1")), 1)
        self.assert_has(self.rtdp("dead-letters", "show", str(first)).stdout, "note 10", "CHECK", "message")
        shown = json.loads(self.rtdp("dead-letters", "show", str(first), "--json").stdout)
        message = json.loads(shown["message"])
        self.assertEqual(len(message["payload"]), 1)
        self.assertIn("note 10", message["payload"][0]["tuple"])
        self.assertEqual(message["schema"]["namespace"], "sqlite.shop.main.orders.0.0.0")
        # Not mended: the letter stays, and there is no second one of the same row.
        refused = self.rtdp("dead-letters", "replay", str(first), code=1)
        self.assertIn("still a dead letter", refused.stderr)
        self.assertEqual([letter["id"] for letter in self.letters()], [first, second])
        self.sqlite("dw.db", "ALTER TABLE orders RENAME TO strict;" + STRICT.format("")
                    + "INSERT INTO orders SELECT * FROM strict; DROP TABLE strict;")
        self.assertIn("replayed 1", self.rtdp("dead-letters", "replay", str(first)).stdout)
        self.wait_ids(node, sorted(good + [10]))
        self.assertEqual(self.sqlite("dw.db", "SELECT qty, note FROM orders WHERE id = 10"), [(10, "note 10")])
        self.assertEqual([letter["id"] for letter in self.letters()], [second])
        self.assertEqual(json.loads(self.rtdp("dead-letters", "replay", "--all", "--json").stdout),
                         {"replayed": 1})
        self.wait_ids(node, sorted(good + [10, 20]))
        self.assertEqual(self.letters(), [])
        self.assertIn("replayed 0", self.rtdp("dead-letters", "replay", "--all").stdout)
        self.assert_has(self.rtdp("dead-letters", "show", str(first), code=1).stderr, "no dead letter",
                        "rtdp dead-letters list")

    def test_a_replay_never_puts_an_old_row_over_a_newer_one(self):
        file = self.shop(STRICT.format(" CHECK (qty <> 7)"), rows=5)
        node = self.start(file)
        self.wait_ids(node, [1, 2, 3, 4, 5])
        self.sqlite("shop.db", "UPDATE orders SET qty = 7 WHERE id = 3")
        self.wait("the letter", self.letters, node=node)
        self.sqlite("shop.db", "UPDATE orders SET qty = 8 WHERE id = 3")
        newest = "SELECT qty FROM orders WHERE id = 3"
        self.wait("the newer row", lambda: self.sqlite("dw.db", newest) == [(8,)], node=node)
        self.sqlite("dw.db", "ALTER TABLE orders RENAME TO strict;" + STRICT.format("")
                    + "INSERT INTO orders SELECT * FROM strict; DROP TABLE strict;")
        self.rtdp("dead-letters", "replay", "--all")
        self.assertEqual(self.letters(), [])
        self.assertEqual(self.sqlite("dw.db", newest), [(8,)])
        self.assertEqual(node.terminate(), 0)

    def test_drop_forgets_and_a_restart_keeps_the_others(self):
        file = self.shop(STRICT.format(" CHECK (qty > 3)"), rows=6)
        node = self.start(file)
        self.wait_ids(node, [4, 5, 6])
        ids = [str(letter["id"]) for letter in self.wait("letters", lambda: self.letters()[2:] and self.letters())]
        self.assertIn("dropped 1", self.rtdp("dead-letters", "drop", ids[0]).stdout)
        self.assertEqual(node.terminate(), 0)
        node = self.start(file)
        self.assertEqual([str(letter["id"]) for letter in self.letters()], ids[1:])
        self.assertEqual(json.loads(self.rtdp("dead-letters", "drop", *ids[1:], "--json").stdout), {"dropped": 2})
        self.assertEqual(self.letters(), [])
        self.rtdp("dead-letters", "drop", ids[0], code=1)
        self.assertEqual(node.terminate(), 0)

    def test_kills_in_between_keep_each_bad_row_once(self):
        file = self.shop(STRICT.format(" CHECK (qty % 2 = 0)"), rows=0)
        for part in range(3):
            node = self.start(file)
            for i in range(1, 101):
                self.order((part * 100 + i, i, "x"))
            self.wait("some rows", lambda p=part: len(self.ids()) > p * 50, node=node)
            node.kill()
        self.until_idle(file)
        self.assertEqual(self.ids(), list(range(2, 301, 2)))
        node = self.start(file)
        rows = [json.loads(json.loads(self.rtdp("dead-letters", "show", str(letter["id"]), "--json").stdout)["message"])
                ["payload"][0]["tuple"][3] for letter in self.letters()[:20]]
        self.assertEqual(len(self.letters()), 150)
        self.assertEqual(rows, [str(i) for i in range(1, 41, 2)])
        self.assertEqual(node.terminate(), 0)

    def test_too_many_bad_rows_fail_the_flow(self):
        file = self.shop(STRICT.format(" CHECK (qty < 0)"), "dead_letters_max: 10", rows=50)
        node = self.start(file)
        failed = self.wait_state(node, "flows", "orders", "failed")
        self.assert_has(failed["reason"], "dead_letters_max", "rtdp dead-letters")
        self.assertEqual(len(self.letters()), 50)
        self.assertEqual(node.terminate(), 0)
        # A person who starts it again lets it put as many aside once more.
        self.until_idle(file)
        self.assertEqual(self.ids(), [])


class Steps(Letters):
    def test_a_row_that_a_step_cannot_compute_is_kept_and_the_others_go_on(self):
        file = self.shop("", "create: true\n    steps: [{sql: \"select id, 100 / (qty - 5) as share, "
                             "cast(note as integer) as number from orders\"}]", rows=0)
        self.order(*((i, i, str(i)) for i in range(1, 11) if i not in (5, 8)), (8, 8, "eight"))
        node = self.start(file)
        self.wait_ids(node, [1, 2, 3, 4, 6, 7, 9, 10])
        letter = self.wait("the letter", self.letters, node=node)[0]
        self.assert_has(letter["reason"], "step 1", "eight")
        self.assertEqual(letter["component"], "flow.orders")
        # Still wrong: it stays where it is.
        self.assertIn("still a dead letter", self.rtdp("dead-letters", "replay", "--all", code=1).stderr)
        self.assertEqual(len(self.letters()), 1)
        self.assertEqual(node.terminate(), 0)
        node = self.start(file, "--set",
                          "flows.orders.steps.0.sql=select id, qty as share, 0 as number from orders")
        self.wait_state(node, "flows", "orders", "running")
        self.assertIn("replayed 1", self.rtdp("dead-letters", "replay", "--all").stdout)
        self.wait_ids(node, [1, 2, 3, 4, 6, 7, 8, 9, 10])
        self.assertEqual(node.terminate(), 0)


class Bus(Letters):
    def test_a_message_that_is_no_ums_is_kept_with_its_bytes(self):
        file = self.shop("", "create: true", rows=3)
        node = self.start(file)
        self.wait_ids(node, [1, 2, 3])
        self.assertEqual(node.terminate(), 0)
        self.damage_bus()
        self.order((4, 4, "behind it"))
        node = self.start(file)
        self.wait_ids(node, [1, 2, 3, 4])
        letter = self.wait("the letter", self.letters, node=node)[0]
        self.assertEqual((letter["topic"], letter["partition"]), ("rtdp.shop", 0))
        shown = json.loads(self.rtdp("dead-letters", "show", str(letter["id"]), "--json").stdout)
        self.assertEqual((shown["encoding"], shown["message"]), ("utf-8", "{\"protocol\": broken"))
        self.assertEqual(node.state("streams", "main"), "running")
        refused = self.rtdp("dead-letters", "replay", str(letter["id"]), code=1)
        self.assertIn("not a UMS message", refused.stderr)
        self.assertEqual(node.terminate(), 0)

    def damage_bus(self):
        """Appends one message to the log of topic rtdp.shop, as a broken producer would."""
        log = "data/bus/rtdp.shop/0.db"
        self.sqlite(log, """INSERT INTO log SELECT span."end", at_ms, key, CAST('{"protocol": broken' AS BLOB)
                            FROM log, span WHERE CAST(value AS TEXT) LIKE '%_data"%'
                            ORDER BY offset DESC LIMIT 1""")
        self.assertEqual(self.sqlite(log, 'UPDATE span SET "end" = "end" + 1, bytes = bytes + 100 '
                                          "WHERE \"end\" = (SELECT max(offset) FROM log) RETURNING 1"), [(1,)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
