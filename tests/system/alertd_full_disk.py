"""cloud_alertd while the disk of its history is full: said and counted, alerts go on from memory, and nothing is lost once there
is room again. The disk is a small one of the test's own, in a namespace of its own."""

import json
import os
import socket
import subprocess
import sys
import urllib.parse

from harness import Bench, http, run, skip, wait_for

DISK_BYTES = 2 << 20
INSIDE = "ATALAYA_TEST_INSIDE"

RULES = """
[[rule]]
alert = "PortClosed"
expr = "probe_success == 0"
"""


def config(bench, port: int) -> str:
    return f"""
[http]
listen = "127.0.0.1:0"
[storage]
dir = "{bench.dir}/state"
[rules]
files = ["{bench.dir}/rules.toml"]
interval = "1s"
[[probe]]
name = "port"
kind = "tcp"
target = "127.0.0.1:{port}"
interval = "500ms"
[route]
group_wait = "0s"
[[receiver]]
name = "terminal"
stdout = true
"""


def metric(url: str, name: str) -> float:
    status, _, body = http(f"{url}/metrics")
    assert status == 200, body
    return next(float(line.split()[-1]) for line in body.decode().splitlines() if line.startswith(f"{name} "))


def value(url: str, query: str) -> float | None:
    status, _, body = http(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    assert status == 200, body
    result = json.loads(body)["data"]["result"]
    return float(result[0]["value"][1]) if result else None


def fill(path):
    """Takes all the room there is on a disk."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def inside():
    with Bench() as bench:
        disk = bench.dir / "disk"
        disk.mkdir()
        (bench.dir / "state").mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", disk], check=False)
        if mounted.returncode != 0:
            skip("a disk of the test's own cannot be mounted")
        bench.callback(subprocess.run, ["umount", disk], check=False)
        # The history alone is on it, by a link, as one would move it to a disk with room.
        (bench.dir / "state/history.db").symlink_to(disk / "history.db")
        (bench.dir / "rules.toml").write_text(RULES)
        listener = socket.create_server(("127.0.0.1", 0))
        (bench.dir / "alertd.toml").write_text(config(bench, listener.getsockname()[1]))

        alertd = bench.start("cloud_alertd", "--config", bench.dir / "alertd.toml")
        url = f"http://{alertd.ready()['http']}"
        wait_for("the port to be seen", lambda: value(url, "probe_success") == 1)
        assert metric(url, "cloud_alertd_history_saving") == 1

        fill(disk / "ballast")
        wait_for("the history to be kept in memory", lambda: metric(url, "cloud_alertd_history_saving") == 0)
        assert metric(url, "cloud_alertd_history_write_failures_total") > 0
        alertd.wait_line(lambda line: "kept in memory" in line and "full" in line, "word of the full disk", "log")
        listener.close()
        alertd.wait_line(lambda line: "PortClosed" in line, "notice while the disk is full")
        assert value(url, "probe_success") == 0
        assert metric(url, "cloud_alertd_history_saving") == 0

        (disk / "ballast").unlink()
        wait_for("the history to be saved again", lambda: metric(url, "cloud_alertd_history_saving") == 1)
        samples = value(url, "count_over_time(probe_success[1h])")
        alertd.kill()
        alertd = bench.start("cloud_alertd", "--config", bench.dir / "alertd.toml")
        url = f"http://{alertd.ready()['http']}"
        assert value(url, "count_over_time(probe_success[1h])") >= samples
        assert value(url, "min_over_time(probe_success[1h])") == 0
        alertd.stop()


def main():
    if INSIDE in os.environ:
        return inside()
    unshare = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        skip("no namespaces of one's own here")
    done = subprocess.run([*unshare, sys.executable, __file__], env={**os.environ, INSIDE: "1"}, check=False)
    sys.exit(done.returncode)


run(main)
