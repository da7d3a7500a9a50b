#!/usr/bin/env python3
"""Fails on what the house rules forbid: long functions, files and lines, [&] in actors, sleeps in
tests, left-overs without an issue number."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES_PER_FILE, LINES_PER_FUNCTION, COLUMNS = 400, 70, 110
# A function begins at a line without indent (or one level, in a class) that ends in "{" and holds a
# parenthesis, and ends at the closing brace of the same indent.
OPENS = re.compile(r"^( {0,2})(?!namespace|class|struct|enum|union|extern|using|#|//|\}|if|for|while|switch|do\b|else|return)\S.*\)?.*\{$")


def tracked():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                           capture_output=True, text=True, check=True).stdout.split("\n")
    return [ROOT / n for n in names if re.search(r"\.(cpp|hpp)$", n) and (ROOT / n).exists()]


def long_functions(lines):
    start, indent = None, ""
    for number, line in enumerate(lines, 1):
        if start is None:
            found = OPENS.match(line)
            if found and "(" in line + " ".join(lines[max(0, number - 4):number - 1]):
                start, indent = number, found[1]
        elif re.match(rf"^{indent}\}}", line):
            if number - start + 1 > LINES_PER_FUNCTION:
                yield start, number - start + 1
            start = None


def problems_of(path):
    text = path.read_text()
    lines = text.split("\n")
    name = str(path.relative_to(ROOT))
    if len(lines) - 1 > LINES_PER_FILE:
        yield f"{name}: {len(lines) - 1} lines, at most {LINES_PER_FILE}"
    for start, length in long_functions(lines):
        yield f"{name}:{start}: function of {length} lines, at most {LINES_PER_FUNCTION}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            yield f"{name}:{number}: {len(line)} columns, at most {COLUMNS}"
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b(?! \(#\d+\))", line):
            yield f"{name}:{number}: left-over without an issue number"
        if name.startswith("actors/") and "_actor" in name and "[&]" in line:
            yield f"{name}:{number}: capture [self], never [&], in an actor"
        if name.startswith("test/") and not name.startswith("test/cluster/") \
                and re.search(r"\bsleep_(for|until)\(|\busleep\(", line):
            yield f"{name}:{number}: tests use simulated time; no sleep outside test/cluster"
        if "caf/all.hpp" in line:
            yield f"{name}:{number}: caf/all.hpp costs 2.4 s a file; include what is used"


def main():
    found = [p for path in tracked() for p in problems_of(path)]
    print("\n".join(found) or "style: every file keeps the house rules")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
