#!/usr/bin/env python3
"""A small shop in a SQLite file, and somebody who works in it.

  demo_shop.py create PATH --rows N              customers, products, N orders and their items
  demo_shop.py write PATH --seconds S --rate R   some R changed rows a second, for S seconds

The same --seed makes the same shop and the same changes; how many of them fit into the seconds
depends on the machine.
"""
import argparse
import datetime
import os
import random
import sqlite3
import sys
import time

SCHEMA = """
CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT NOT NULL, region TEXT, born DATE);
CREATE TABLE products(sku TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, price_cents INTEGER NOT NULL,
                      weight REAL, active BOOLEAN NOT NULL);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers ON UPDATE CASCADE,
                    qty INTEGER NOT NULL, price DECIMAL(12,2) NOT NULL, note TEXT,
                    created_at DATETIME NOT NULL);
CREATE TABLE order_items(order_id INTEGER NOT NULL REFERENCES orders ON UPDATE CASCADE ON DELETE CASCADE,
                         line INTEGER NOT NULL, sku TEXT NOT NULL REFERENCES products ON UPDATE CASCADE,
                         amount_cents INTEGER NOT NULL, PRIMARY KEY(order_id, line)) WITHOUT ROWID;
CREATE INDEX order_of_customer ON orders(customer_id);
CREATE INDEX item_of_product ON order_items(sku);
"""
REGIONS = ["north", "south", "east", "west", "Zürich", None]
WORDS = "gift urgent fragile “quoted” it's late été 東京 please ring twice".split()
FIRST_DAY = datetime.datetime(2026, 1, 1)


class Shop:
    """Knows which keys exist, so that every statement hits something."""

    def __init__(self, path, seed):
        # Waits for others' locks; 30 s is far above the 20 ms that a snapshot piece takes.
        self.db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute("PRAGMA foreign_keys = ON")
        self.random = random.Random(seed)

    def load_keys(self):
        self.orders = [r[0] for r in self.db.execute("SELECT id FROM orders ORDER BY id")]
        self.customers = [r[0] for r in self.db.execute("SELECT id FROM customers ORDER BY id")]
        self.products = [r[0] for r in self.db.execute("SELECT sku FROM products ORDER BY sku")]
        self.next_id = max(self.orders + self.customers + [0]) + 1

    def new_id(self):
        self.next_id += 1
        return self.next_id

    def note(self):
        if self.random.random() < 0.3:
            return None
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 5)))

    def moment(self):
        at = FIRST_DAY + datetime.timedelta(microseconds=self.random.randrange(300 * 86400 * 10**6))
        return at.strftime("%Y-%m-%d %H:%M:%S.%f" if at.microsecond else "%Y-%m-%d %H:%M:%S")

    def insert_customer(self):
        key = self.new_id()
        born = FIRST_DAY - datetime.timedelta(days=self.random.randrange(30000))
        self.db.execute("INSERT INTO customers VALUES(?, ?, ?, ?)",
                        (key, f"customer {key}", self.random.choice(REGIONS),
                         born.strftime("%Y-%m-%d") if self.random.random() < 0.8 else None))
        self.customers.append(key)
        return 1

    def insert_product(self):
        sku = f"sku-{self.new_id():06}"
        self.db.execute("INSERT INTO products VALUES(?, ?, ?, ?, ?)",
                        (sku, f"product {sku}", self.random.randrange(50, 100000),
                         self.random.choice([None, self.random.random() * 10]), self.random.randrange(2)))
        self.products.append(sku)
        return 1

    def insert_order(self):
        key = self.new_id()
        self.db.execute("INSERT INTO orders VALUES(?, ?, ?, ?, ?, ?)",
                        (key, self.random.choice(self.customers + [None]), self.random.randrange(0, 20),
                         self.random.randrange(1, 10**7) / 100, self.note(), self.moment()))
        lines = self.random.randint(0, 3)
        for line in range(lines):
            self.db.execute("INSERT INTO order_items VALUES(?, ?, ?, ?)",
                            (key, line, self.random.choice(self.products), self.random.randrange(10**6)))
        self.orders.append(key)
        return 1 + lines

    def update_orders(self):
        keys = self.random.sample(self.orders, min(len(self.orders), self.random.randint(1, 5)))
        for key in keys:
            self.db.execute("UPDATE orders SET qty = ?, price = ?, note = ? WHERE id = ?",
                            (self.random.randrange(0, 20), self.random.randrange(1, 10**7) / 100,
                             self.note(), key))
        return len(keys)

    def update_product(self):
        self.db.execute("UPDATE products SET price_cents = price_cents + 1, weight = ? WHERE sku = ?",
                        (self.random.choice([None, self.random.random()]), self.random.choice(self.products)))
        return 1

    def delete_order(self):
        if len(self.orders) < 10:
            return 0
        key = self.orders.pop(self.random.randrange(len(self.orders)))
        items = self.db.execute("SELECT count(*) FROM order_items WHERE order_id = ?", (key,)).fetchone()[0]
        self.db.execute("DELETE FROM orders WHERE id = ?", (key,))
        return 1 + items

    def change_order_key(self):
        """The items follow by the foreign key."""
        at, key = self.random.randrange(len(self.orders)), self.new_id()
        items = self.db.execute("UPDATE order_items SET line = line WHERE order_id = ?",
                                (self.orders[at],)).rowcount
        self.db.execute("UPDATE orders SET id = ? WHERE id = ?", (key, self.orders[at]))
        self.orders[at] = key
        return 2 + 2 * items

    def replace_customer(self):
        self.db.execute("INSERT INTO customers VALUES(?, ?, ?, NULL) ON CONFLICT(id) DO UPDATE SET "
                        "name = excluded.name, region = excluded.region",
                        (self.random.choice(self.customers), "renamed", self.random.choice(REGIONS)))
        return 1

    def transaction(self):
        """Several statements at once; one in twenty is taken back."""
        acts = [self.insert_order] * 5 + [self.update_orders] * 4 + [self.delete_order] * 2 + [
            self.change_order_key, self.update_product, self.replace_customer, self.insert_customer]
        if self.random.random() < 0.05:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.execute("DELETE FROM order_items WHERE line = 0")
            self.db.execute("ROLLBACK")
        self.db.execute("BEGIN IMMEDIATE")
        rows = sum(self.random.choice(acts)() for _ in range(self.random.randint(1, 6)))
        self.db.execute("COMMIT")
        return rows


def create(args):
    if os.path.exists(args.path):
        sys.exit(f"{args.path} exists; remove it first, or choose another path")
    shop = Shop(args.path, args.seed)
    shop.db.executescript(SCHEMA)
    shop.load_keys()
    shop.db.execute("BEGIN")
    for _ in range(max(1, args.rows // 10)):
        shop.insert_customer()
    for _ in range(max(1, args.rows // 20)):
        shop.insert_product()
    for _ in range(args.rows):
        shop.insert_order()
    shop.db.execute("COMMIT")
    total = sum(shop.db.execute(f"SELECT count(*) FROM {t}").fetchone()[0]
                for t in ("customers", "products", "orders", "order_items"))
    print(f"{args.path}: {total} rows in 4 tables")


def write(args):
    if not os.path.exists(args.path):
        sys.exit(f"{args.path} does not exist; make it with: demo_shop.py create {args.path}")
    shop = Shop(args.path, args.seed + 1)
    shop.load_keys()
    begun, rows, transactions = time.monotonic(), 0, 0
    while (passed := time.monotonic() - begun) < args.seconds:
        if rows > passed * args.rate:
            time.sleep(min(rows / args.rate, args.seconds) - passed)
            continue
        rows += shop.transaction()
        transactions += 1
    print(f"{args.path}: {rows} changes in {transactions} transactions")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    acts = parser.add_subparsers(dest="act", required=True)
    for name in ("create", "write"):
        act = acts.add_parser(name)
        act.add_argument("path")
        act.add_argument("--seed", type=int, default=1)
        if name == "create":
            act.add_argument("--rows", type=int, default=2000, help="orders")
        else:
            act.add_argument("--seconds", type=float, default=10)
            act.add_argument("--rate", type=float, default=1000, help="changed rows a second")
    args = parser.parse_args()
    create(args) if args.act == "create" else write(args)


if __name__ == "__main__":
    main()
