#!/usr/bin/env python3
"""Tables that change their columns, and tables that are one of several shards, through a whole node."""
import json
import unittest

from harness import Case

TRIGGERS = "".join(f"DROP TRIGGER rtdp_changes_items_{what};" for what in "iud")


class SchemaChange(Case):
    def items(self, on_change="evolve", flow=""):
        return self.pipeline(f"""
sources:
  shop: {{kind: sqlite, path: {self.path('shop.db')}, tables: [{{name: items, on_schema_change: {on_change}}}]}}
sinks:
  dw: {{kind: sqlite, path: {self.path('dw.db')}}}
flows:
  items: {{source: sqlite.shop.main.items, sink: dw.items, create: true, {flow}}}
""")

    def setUp(self):
        super().setUp()
        self.sqlite("shop.db", "PRAGMA journal_mode = WAL; CREATE TABLE items(id INTEGER PRIMARY KEY, "
                               "name TEXT, qty INT); INSERT INTO items VALUES(1, 'a', 5);")

    def target(self, columns, expected, node=None):
        sql = f"SELECT {columns} FROM items WHERE ums_active_ = 1 ORDER BY id"
        self.wait(f"{columns} of the target are {expected}, not {self.rows('dw.db', sql)}",
                  lambda: self.rows("dw.db", sql) == expected, node=node)

    def versions(self, node, name="sqlite.shop.main.items"):
        return json.loads(node.get(f"/api/v1/tables/{name}/versions")[1])["items"]

    def test_columns_come_go_and_are_renamed_while_it_runs_and_while_it_is_down(self):
        file = self.items()
        node = self.start(file)
        self.target("id, name, qty", [(1, "a", 5)], node)
        self.sqlite("shop.db", "ALTER TABLE items ADD COLUMN note TEXT; "
                               "INSERT INTO items VALUES(2, 'b', 6, 'n');")
        self.target("id, note", [(1, None), (2, "n")], node)
        self.sqlite("shop.db", "ALTER TABLE items RENAME COLUMN note TO remark; "
                               "UPDATE items SET remark = 'r' WHERE id = 2;")
        # The old name stays in the target, with what it held last.
        self.target("id, remark", [(1, None), (2, "r")], node)
        self.assertIn("note", [row[1] for row in self.sqlite("dw.db", "PRAGMA table_info(items)")])
        self.assertEqual(node.terminate(), 0)
        self.sqlite("shop.db", f"BEGIN; {TRIGGERS} ALTER TABLE items DROP COLUMN qty; "
                               "ALTER TABLE items ADD COLUMN price REAL; COMMIT;"
                               "INSERT INTO items VALUES(3, 'c', 'r3', 1.5);")
        node = self.start(file)
        self.target("id, name, remark, price", [(1, "a", None, None), (2, "b", "r", None),
                                                (3, "c", "r3", 1.5)], node)
        kinds = [[c["kind"] for c in v["changes"]] for v in self.versions(node)]
        self.assertEqual(kinds, [[], ["added"], ["renamed"], ["dropped", "added"]])
        self.assertEqual([v["compatible"] for v in self.versions(node)], [True, True, False, False])
        compared = json.loads(node.get("/api/v1/tables/items/compatibility?from=0&to=1")[1])
        self.assertEqual((compared["compatible"], compared["from"], compared["to"]), (True, 0, 1))
        shown = self.rtdp("tables", "items", "--versions").stdout
        self.assert_has(shown, "note was renamed remark (!)", "entry ", "price REAL")
        self.wait("the table's columns are those of its last version", lambda: node.one(
            "tables", "sqlite.shop.main.items.3.0.0").get("columns") ==
            "id long key, name string, remark string, price double", node=node)

    def test_fail_stops_the_source_until_the_setting_is_another_one(self):
        node = self.start(self.items("fail"))
        self.target("id", [(1,)], node)
        self.sqlite("shop.db", "INSERT INTO items VALUES(2, 'b', 6);"
                               f"BEGIN; {TRIGGERS} ALTER TABLE items DROP COLUMN qty; COMMIT;"
                               "INSERT INTO items VALUES(3, 'c');")
        for restart in range(2):
            reason = self.wait_state(node, "sources", "shop", "failed")["reason"]
            self.assert_has(reason, "version 0 became 1", "dropped qty", "set evolve", "entry ")
            self.assertEqual([v["decision"] for v in self.versions(node)], ["published", "refused"])
            self.assertEqual(node.get("/readyz")[0], 503)
            node.terminate()
            if restart == 0:
                node = self.start(self.items("fail"))
        node = self.start(self.items("evolve"))
        # Without its triggers a table is read anew.
        self.target("id, name, qty", [(1, "a", None), (2, "b", None), (3, "c", None)], node)
        self.assertEqual([v["decision"] for v in self.versions(node)], ["published", "published"])

    def test_ignore_goes_on_with_the_old_columns(self):
        node = self.start(self.items("ignore"))
        self.target("id", [(1,)], node)
        self.sqlite("shop.db", f"BEGIN; {TRIGGERS} ALTER TABLE items DROP COLUMN name; "
                               "ALTER TABLE items ADD COLUMN note TEXT; COMMIT;"
                               "UPDATE items SET qty = 50; INSERT INTO items VALUES(2, 6, 'n');")
        self.target("id, name, qty", [(1, None, 50), (2, None, 6)], node)
        self.assertEqual(self.versions(node)[1]["decision"], "ignored")
        columns = [row[1] for row in self.sqlite("dw.db", "PRAGMA table_info(items)")]
        self.assertNotIn("note", columns)

    def test_a_key_that_changed_stops_the_flow_with_what_to_do(self):
        node = self.start(self.items())
        self.target("id", [(1,)], node)
        self.sqlite("shop.db", "BEGIN; DROP TABLE items; CREATE TABLE items(id INT, name TEXT, "
                               "qty INT, PRIMARY KEY(id, name)); INSERT INTO items VALUES(1, 'b', 6);"
                               "COMMIT;")
        reason = self.wait_state(node, "flows", "items", "failed")["reason"]
        self.assert_has(reason, 'exactly ("id", "name")', "CREATE UNIQUE INDEX")
        self.assertIn("key", [c["kind"] for c in self.versions(node)[1]["changes"]])

    def test_a_value_of_the_new_type_that_the_target_cannot_hold_is_a_dead_letter(self):
        self.sqlite("dw.db", "CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, "
                             "qty INTEGER CHECK (typeof(qty) = 'integer'), ums_id_ INTEGER, "
                             "ums_ts_ TEXT, ums_active_ INTEGER DEFAULT 1);")
        node = self.start(self.items())
        self.target("id, qty", [(1, 5)], node)
        self.sqlite("shop.db", "BEGIN; DROP TABLE items; CREATE TABLE items(id INTEGER PRIMARY KEY, "
                               "name TEXT, qty TEXT); INSERT INTO items VALUES(2, 'b', 'many'), "
                               "(3, 'c', '7'); COMMIT;")
        self.target("id, qty", [(3, 7)], node)
        letters = json.loads(node.get("/api/v1/dead-letters")[1])["items"]
        self.assertEqual(len(letters), 1)
        self.assert_has(letters[0]["reason"], "CHECK")


class Merge(Case):
    def setUp(self):
        super().setUp()
        for place in ("eu", "us"):
            script = "PRAGMA journal_mode = WAL;"
            for shard in range(3):
                script += (f"CREATE TABLE orders_{shard}(id INTEGER PRIMARY KEY, note TEXT);"
                           f"INSERT INTO orders_{shard} VALUES(1, '{place}{shard}'), (2, 'x');")
            self.sqlite(f"{place}.db", script)

    def file_of(self, us="shard_column: shard, ", keys=""):
        return self.pipeline(f"""
sources:
  eu: {{kind: sqlite, path: {self.path('eu.db')}, tables: [{{name: "orders_*", into: shop.main.orders, shard_column: shard}}]}}
  us: {{kind: sqlite, path: {self.path('us.db')}, tables: [{{name: "orders_*", {us}into: shop.main.orders}}]}}
sinks:
  dw: {{kind: sqlite, path: {self.path('dw.db')}}}
flows:
  orders: {{source: sqlite.shop.main.orders, sink: dw.orders, create: true, mutation: iud_clean{keys}}}
""")

    def expected(self):
        rows = []
        for place in ("eu", "us"):
            for name, in self.sqlite(f"{place}.db", "SELECT name FROM sqlite_schema WHERE name GLOB "
                                                    "'orders_*' AND type = 'table'"):
                rows += [(i, note, f"{place}.main.{name}")
                         for i, note in self.sqlite(f"{place}.db", f"SELECT id, note FROM {name}")]
        return sorted(rows)

    def equal(self, node):
        self.wait("source = target", lambda: sorted(
            self.rows("dw.db", "SELECT id, note, shard FROM orders")) == self.expected(), node=node)

    def test_shards_of_two_databases_are_one_table(self):
        file = self.file_of()
        node = self.start(file)
        self.equal(node)
        for name in ("eu", "us"):
            self.sqlite(f"{name}.db", "CREATE TABLE orders_9(id INTEGER PRIMARY KEY, note TEXT);"
                                      "INSERT INTO orders_9 VALUES(1, 'new'); DELETE FROM orders_1 "
                                      "WHERE id = 1; UPDATE orders_0 SET note = 'u' WHERE id = 2;")
        self.equal(node)
        node.kill()
        self.sqlite("eu.db", "UPDATE orders_2 SET note = 'down'; DELETE FROM orders_0;")
        node = self.start(file)
        self.equal(node)
        tables = node.items("tables")
        self.assertEqual([name for name in tables if "orders" in name], ["sqlite.shop.main.orders.0.0.0"])
        self.assertEqual(len(json.loads(node.get("/api/v1/tables/orders/versions")[1])["items"]), 1)
        self.assertIn("shard string key", tables["sqlite.shop.main.orders.0.0.0"]["columns"])

    def test_two_databases_without_the_shard_in_the_key_are_refused(self):
        done = self.rtdp("check", self.file_of(us=""), code=1)
        self.assert_has(done.stderr, "sources.us.tables.0.shard_column", "cannot be compared")
        done = self.rtdp("check", self.file_of(keys=", keys: [id]"), code=1)
        self.assert_has(done.stderr, "flows.orders.keys", "shard must be one of the keys")
        self.rtdp("check", self.file_of())

    def test_triggers_that_went_away_empty_their_shard_only(self):
        node = self.start(self.file_of())
        self.equal(node)
        drop = "".join(f"DROP TRIGGER rtdp_changes_orders_1_{what};" for what in "iud")
        self.sqlite("eu.db", f"BEGIN; {drop} DELETE FROM orders_1 WHERE id = 2; COMMIT;")
        self.equal(node)


if __name__ == "__main__":
    unittest.main()
