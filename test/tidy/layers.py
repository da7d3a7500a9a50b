#!/usr/bin/env python3
"""Fails when a file includes upward or sideways. The map is the architecture (DESIGN, section 3)."""
import pathlib
import re
import sys

CORE = {"config", "runtime/core"}
FLOOR1 = CORE | {"runtime/ums", "runtime/state", "runtime/bus", "runtime/sql", "runtime/ops", "runtime"}
MAY_INCLUDE = {
    "config": {"config"},
    "runtime/core": {"runtime/core"},
    "runtime/ums": {"runtime/ums", "runtime/core"},
    "runtime/state": {"runtime/state", "runtime/ums", "runtime/core"},
    "runtime/bus": {"runtime/bus", "runtime/state"} | CORE,
    "runtime/sql": {"runtime/sql", "runtime/ums", "runtime/core"},
    "runtime/ops": {"runtime/ops"} | CORE,
    "runtime": FLOOR1,
    "runtime/cluster": FLOOR1 | {"runtime/cluster"},
    "actors/extract": FLOOR1 | {"actors/extract"},
    "actors/flow": FLOOR1 | {"actors/flow"},
    "actors/sink": FLOOR1 | {"actors/sink"},
    "actors/query": FLOOR1 | {"actors/query"},
    "actors/heartbeat": FLOOR1 | {"actors/heartbeat"},
}
KNOWS_CAF = {"runtime", "runtime/cluster"} | {f for f in MAY_INCLUDE if f.startswith("actors/")}
ROOT = pathlib.Path(__file__).resolve().parents[2]


def problems_of(folder, allowed):
    for path in sorted((ROOT / folder).glob("*.[ch]pp")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            place = f"{path.relative_to(ROOT)}:{number}"
            own = re.match(r'#include "(.+)/[^/"]+"', line)
            if own and own[1] not in allowed:
                yield f"{place}: {folder} must not include {own[1]}"
            if folder not in KNOWS_CAF and re.match(r"#include <caf/", line):
                yield f"{place}: {folder} must not know CAF"
            # A driver is plain: only *_actor files and the protocol know CAF under actors/.
            if folder.startswith("actors/") and "<caf/" in line and "_actor" not in path.name:
                yield f"{place}: only *_actor files include CAF under actors/"


def main():
    found = [p for folder, allowed in MAY_INCLUDE.items() for p in problems_of(folder, allowed)]
    folders = {str(p.parent.relative_to(ROOT)) for top in ("config", "runtime", "actors")
               for p in (ROOT / top).rglob("*.[ch]pp")}
    found += [f"{f}: is not in the map of test/tidy/layers.py" for f in sorted(folders - set(MAY_INCLUDE))]
    print("\n".join(found) or "layers: every include points to its own folder or a lower floor")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
