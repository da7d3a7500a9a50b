#!/usr/bin/env python3
"""Compares tables of two SQLite files row by row and prints the verdict.

  compare_sqlite.py SOURCE TARGET --tables orders customers [--map orders=dw_orders]
                    [--query dw_amounts id "SELECT id, qty * 2 AS twice FROM orders WHERE qty > 0"]

A query says what a flow with a SQL step must hold: target table, its keys, the SELECT on the source.

A target with ums_active_ is of mutation `iud`: rows with ums_active_ = 1 count. Columns that begin with
ums_ are not compared, and neither is a column that the source does not have. Values must be equal
in storage class too. Exit code 0: all equal; 1: the differences, with their keys.
"""
import argparse
import os
import sqlite3
import sys

SHOWN = 10


def connect(path):
    if not os.path.exists(path):
        sys.exit(f"{path} does not exist")
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def columns_of(db, table):
    """Names with their place in the primary key; generated columns too."""
    found = [(r[1], r[5]) for r in db.execute(f"PRAGMA table_xinfo({quoted(table)})") if r[6] != 1]
    if not found:
        names = ", ".join(r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
        sys.exit(f"no table {table}; there is: {names}")
    return found


def rows_of(db, table, keys, columns, where=""):
    """Rows by key; the type belongs to the value, since 1 and 1.0 and '1' are equal for Python or SQL."""
    names = ", ".join(quoted(c) for c in keys + columns)
    rows = {}
    for row in db.execute(f"SELECT {names} FROM {quoted(table)}{where}"):
        typed = [(type(v).__name__, v) for v in row]
        key = tuple(typed[:len(keys)])
        if key in rows:
            sys.exit(f"table {table} has two rows with the key {show(key)}")
        rows[key] = tuple(typed[len(keys):])
    return rows


def show(key):
    return "(" + ", ".join(repr(v) for _, v in key) + ")"


def compare_query(source, target, target_table, keys, query):
    """As compare, for what a query on the source gives."""
    source.execute("DROP VIEW IF EXISTS temp.asked")
    source.execute(f"CREATE TEMP VIEW asked AS {query}")
    names = [d[0] for d in source.execute("SELECT * FROM asked LIMIT 0").description]
    return compare(source, target, "asked", target_table,
                   [(n, keys.index(n) + 1 if n in keys else 0) for n in names])


def compare(source, target, table, target_table, theirs=None):
    """Returns the number of rows and the differences as (what, text)."""
    theirs = theirs or columns_of(source, table)
    ours = [name for name, _ in columns_of(target, target_table)]
    keys = [name for name, place in sorted(theirs, key=lambda c: c[1]) if place > 0]
    # A table without a key: the sqlite source gives it its rowid as key.
    keys = keys or ["rowid"]
    columns = [name for name, _ in theirs if name not in keys]
    for name in keys + columns:
        if name not in ours and name != "rowid":
            sys.exit(f"table {target_table} of the target has no column {name}")
    where = " WHERE ums_active_ = 1" if "ums_active_" in ours else ""
    left = rows_of(source, table, keys, columns)
    right = rows_of(target, target_table, keys, columns, where)
    found = []
    for key in left.keys() - right.keys():
        found.append(("missing", f"{table} {show(key)}"))
    for key in right.keys() - left.keys():
        found.append(("extra", f"{target_table} {show(key)}"))
    for key in left.keys() & right.keys():
        for name, a, b in zip(columns, left[key], right[key]):
            if a != b:
                found.append(("different", f"{table} {show(key)} {name}: source {a[1]!r}, target {b[1]!r}"))
                break
    return len(left), found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--tables", nargs="+", required=True)
    parser.add_argument("--map", nargs="+", default=[], metavar="SOURCE=TARGET", action="extend")
    parser.add_argument("--query", nargs=3, default=[], metavar=("TARGET", "KEYS", "SELECT"), action="append")
    args = parser.parse_args()
    names = dict(m.split("=", 1) for m in args.map)
    source, target = connect(args.source), connect(args.target)
    rows, found = 0, []
    for table in args.tables:
        count, differences = compare(source, target, table, names.get(table, table))
        rows += count
        found += differences
    for target_table, keys, query in args.query:
        count, differences = compare_query(source, target, target_table, keys.split(","), query)
        rows += count
        found += differences
    tables = len(args.tables) + len(args.query)
    for what in ("missing", "extra", "different"):
        some = sorted(text for w, text in found if w == what)
        for text in some[:SHOWN]:
            print(f"{what}: {text}")
        if len(some) > SHOWN:
            print(f"{what}: … and {len(some) - SHOWN} more")
    count = {w: sum(1 for f in found if f[0] == w) for w in ("missing", "extra", "different")}
    verdict = "source != target" if found else "source = target"
    print(f"{verdict}: {rows} rows in {tables} tables, {count['missing']} missing, {count['extra']} extra, "
          f"{count['different']} different")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
