#!/usr/bin/env python3
"""Shows a node at work while a process lives: rows through each stage, lag and latency.

  watch.py URL PID

In a terminal the lines are drawn over each other; in a file there is one line every two seconds.
"""
import json
import os
import sys
import time
import urllib.request


def status(url):
    with urllib.request.urlopen(url + "/api/v1/status", timeout=2) as answer:
        return json.load(answer)


def alive(pid):
    # A finished child that nobody waited for is a zombie, not alive.
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def line(s):
    published = sum(c.get("rows_out", 0) for c in s["sources"])
    computed = sum(c.get("rows_in", 0) for c in s["flows"])
    written = sum(c.get("rows_out", 0) for c in s["flows"])
    lag = max([c["lag_seconds"] for c in s["flows"] if "lag_seconds" in c], default=None)
    p50 = max([c["latency_p50_ms"] for c in s["flows"] if "latency_p50_ms" in c], default=None)
    p99 = max([c["latency_p99_ms"] for c in s["flows"] if "latency_p99_ms" in c], default=None)
    text = f"source → bus {published:>8,} rows   bus → flows {computed:>8,}   flows → warehouse {written:>8,}"
    if lag is not None:
        text += f"   lag {lag:4.1f} s"
    if p50 is not None:
        text += f"   latency p50 {p50:.0f} ms, p99 {p99:.0f} ms"
    return text


def main():
    url, pid = sys.argv[1], int(sys.argv[2])
    terminal = sys.stdout.isatty()
    while alive(pid):
        try:
            text = line(status(url))
        except OSError as e:
            text = f"the node does not answer yet: {e}"
        print(f"\r\x1b[2K{text}" if terminal else text, end="" if terminal else "\n", flush=True)
        time.sleep(0.25 if terminal else 2)
    if terminal:
        print()


if __name__ == "__main__":
    main()
