#!/usr/bin/env python3
"""Fails when config/reference.md is not what `rtdp reference` prints, or when `rtdp check` refuses
an example: of config/examples, or of the page. Contacts nobody: the addresses are of a closed port.

RTDP_BINARY names the rtdp to ask."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RTDP = os.environ["RTDP_BINARY"]
# Nobody listens on port 1.
ADDRESS = "postgresql://app:secret@127.0.0.1:1/shop?connect_timeout=1"
WEBHOOK = "https://example.com/hook"
SOURCE = "sources: {shop: {kind: generator, tables: [orders]}}\n"
SINK = "sinks: {dw: {kind: print}}\n"
BUS = "bus: {kind: kafka, brokers: 127.0.0.1:1}\n"
NODES = "nodes: {n1: {data_dir: ./n1, listen: 127.0.0.1:7001}}\n"
FLOW = "flows:\n  f:\n    source: generator.shop\n    sink: dw.t\n"


def rtdp(*arguments, folder=ROOT):
    # Each variable that an example names has a value; none of them is this machine's own.
    settings = "".join(p.read_text() for p in examples()) + page()
    variables = {name: WEBHOOK if "WEBHOOK" in name else ADDRESS for name in re.findall(r"\$\{env:(\w+)\}", settings)}
    done = subprocess.run([RTDP, *arguments], cwd=folder, env={**os.environ, **variables},
                          capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def examples():
    return sorted((ROOT / "config/examples").rglob("*.yaml"))


def page():
    return (ROOT / "config/reference.md").read_text()


def examples_of_page():
    """Each with what its place in a file needs around it; not the outline at the top."""
    for text in re.findall(r"```yaml\n(.*?)```", page(), re.S)[1:]:
        if text.startswith("    steps:"):
            # The columns of the source; one figure of `aggregate`, which needs some one of them.
            text = text.replace("[event_id]", "[id]").replace("# count:", "count:")
            text = SOURCE + SINK + FLOW + text
        elif text.startswith("nodes:"):
            text += BUS
        elif text.startswith("cluster:"):
            text = NODES + BUS + text
        elif text.startswith("flows:"):
            text = text.replace("postgres.shop.public.orders", "generator.shop.main.orders")
            text = SOURCE + SINK + text
        yield text


def main():
    wrong = []
    code, printed, _ = rtdp("reference")
    if code != 0 or printed != page():
        wrong.append("config/reference.md is stale: run `rtdp reference > config/reference.md`")
    with tempfile.TemporaryDirectory() as folder:
        files = {str(p): p for p in examples()}
        for n, text in enumerate(examples_of_page()):
            file = pathlib.Path(folder) / f"example{n}.yaml"
            file.write_text(text)
            files[f"config/reference.md, example {n + 1}:\n{text}"] = file
        for name, file in files.items():
            code, _, said = rtdp("check", str(file), folder=folder)
            if code != 0:
                wrong.append(f"{name}\n{said}")
    for text in wrong:
        print(text, file=sys.stderr)
    print(f"{len(files)} examples, {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
