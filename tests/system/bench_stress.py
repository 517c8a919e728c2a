"""`bench/run stress` and `bench/run stress_report` work at all: in tiny, without peers, every figure is taken and every page written."""

import os
import subprocess
import sys

import harness

FIGURES = ["16 or more to a send call", "each by itself", "each wakes a thread twice", "send lag at half", "connections: memory", "one under way, one CPU",
           "the two are apart"]


def bench(folder, name: str):
    done = subprocess.run([sys.executable, str(harness.ROOT / "bench/main.py"), name, "--tiny"], capture_output=True, text=True,
                          timeout=harness.DEADLINE_S * 6, check=False,
                          env={**os.environ, "ATALAYA_BIN": str(harness.BIN), "ATALAYA_PEERS": str(folder / "none"),
                               "ATALAYA_SHARED": str(folder / "none")})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def main():
    with harness.Bench() as folder:
        text = bench(folder.dir, "stress")
        for figure in FIGURES:
            row = next((line for line in text.splitlines() if figure in line), None)
            assert row, f"no row for {figure}:\n{text}"
            assert float(row.split("|")[3].strip().replace(",", "")) >= 0, row
        text = bench(folder.dir, "stress_report")
        for case in ("connections", "fan-out", "capacity-qos1", "overload", "faults"):
            assert f"{case}, cloud_server: " in text, text
        assert "written: " in text, text


harness.run(main)
