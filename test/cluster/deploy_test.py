#!/usr/bin/env python3
"""config/deploy: what can be checked of it without systemd running and without a container engine."""
import re
import shutil
import subprocess
import unittest

from harness import BINARY, ROOT, Case

DEPLOY = ROOT / "config/deploy"


class Unit(Case):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze (package systemd)")
    def test_systemd_finds_no_fault_in_the_unit(self):
        text = (DEPLOY / "rtdp@.service").read_text()
        # The binary of an installation is not on this machine.
        unit = self.file(text.replace("/usr/local/bin/rtdp", BINARY), "rtdp@.service")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit.replace("@", "@shop")],
                              capture_output=True, text=True, timeout=60)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "rtdp@" in line]
        self.assertEqual((done.returncode, ours), (0, []), done.stdout + done.stderr)

    def test_its_time_limit_is_above_that_of_the_process(self):
        text = (DEPLOY / "rtdp@.service").read_text()
        code = "".join(p.read_text() for p in ROOT.glob("*.cpp"))
        seconds = int(re.search(r"stop_seconds_max = (\d+)", code)[1])
        seconds += int(re.search(r"linger_seconds_max = (\d+)", code)[1])
        self.assertGreater(int(re.search(r"TimeoutStopSec=(\d+)", text)[1]), seconds)


class Image(Case):
    @unittest.skipUnless(shutil.which("dpkg"), "needs dpkg")
    def test_the_image_installs_the_libraries_that_the_binary_is_linked_to(self):
        installed = set(re.findall(r"\blib[a-z0-9+.-]+", (DEPLOY / "Dockerfile").read_text()))
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", subprocess.run(
            ["readelf", "-d", BINARY], capture_output=True, text=True, check=True).stdout)
        self.assertGreater(len(needed), 10)
        for library in needed:
            # DuckDB is copied, the C library is everywhere.
            if library.startswith(("libduckdb", "libc.so", "libm.so", "ld-linux")):
                continue
            found = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, text=True, check=True)
            packages = {line.split(":")[0] for line in found.stdout.splitlines()}
            self.assertTrue(packages & installed, f"{library} of {packages} is not in the image")


if __name__ == "__main__":
    unittest.main(verbosity=2)
