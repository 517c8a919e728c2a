"""`bench/run packets` works at all: with tiny counts and no peer every figure of ours is taken, and what cannot be measured ends
it instead of being made up."""

import os
import subprocess
import sys

import harness

sys.path.insert(0, str(harness.ROOT / "bench"))
from core import packet_meter  # noqa: E402
from core.bench import Failed  # noqa: E402

FIGURES = ["1 -> 1, QoS 0 ", "1 -> 1,000, QoS 0", "100 -> 100, QoS 0", "at 10,000 messages/s", "QoS 1, window 100",
           "persistent subscriber", "round trip on one CPU", "memory of each", "connecting each", "1,000 SUBSCRIBEs/s"]


def bench(folder, **environment):
    return subprocess.run(
        [sys.executable, str(harness.ROOT / "bench/main.py"), "packets", "--tiny"], capture_output=True, text=True,
        timeout=harness.DEADLINE_S * 4, check=False,
        env={**os.environ, "ATALAYA_BIN": str(harness.BIN), "ATALAYA_PEERS": str(folder / "none"),
             "ATALAYA_SHARED": str(folder / "none"), **environment})


def takes_every_figure(folder):
    done = bench(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for figure in FIGURES:
        row = next((line for line in done.stdout.splitlines() if figure in line), None)
        assert row, f"no row for {figure}:\n{done.stdout}"
        value = row.split("|")[3].strip()
        assert float(value.replace(",", "")) >= 0, row
    assert "mosquitto is not unpacked" in done.stdout, done.stdout


def ends_where_the_server_does_not_start(folder):
    programs = folder / "build/bin"
    programs.mkdir(parents=True)
    (folder / "build/bench").symlink_to(harness.BIN.parent / "bench")
    (programs / "cloud_server").symlink_to("/bin/false")
    done = bench(folder, ATALAYA_BIN=str(programs))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cloud_server does not serve" in done.stderr, done.stderr


def believes_no_lossy_run():
    good = "mqtt 1->1 qos0 pay=64 W=10: 5 pub 5 deliv in 0.1 s = 1 pub/s 1 deliv/s | server CPU 80 ns/delivery (schedstat"
    assert packet_meter.parse_independent(good)["server_cpu_ns"] == 80
    for bad in ("STALL/LOSS: missing 3 msgs\n" + good, good.replace("5 deliv", "4 deliv"), ""):
        try:
            packet_meter.parse_independent(bad)
        except Failed:
            continue
        raise AssertionError(f"believed: {bad}")


def main():
    believes_no_lossy_run()
    with harness.Bench() as test:
        takes_every_figure(test.dir)
        ends_where_the_server_does_not_start(test.dir)


harness.run(main)
