"""`bench/run scrapes`: what it costs to scrape a thousand targets every 5 s, beside Debian's Prometheus on the same ones; see
docs/reference/bench.md."""

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.parse

from core import bench as b
from core.bench import Bench
from core.process import Process, free_port
from core.table import Table

OURS = "cloud_alertd"
PEER = "Prometheus"
TARGETS = 1000
INTERVAL_S = 5
SERIES = (100, 180)   # Of each target. History takes 200,000 series, and of a target five are about the scrape.
QUARTER = 25          # Per cent of a core.
DEADLINE_S = 90


class Targets:
    """A thousand exporters in one process; ends with the bench."""

    def __init__(self, count: int, series: int):
        program = b.BIN.parent / "bench/scrape_targets"
        if not program.exists():
            raise b.Failed(f"{program} is not built")
        self.process = subprocess.Popen([program, str(count), str(series)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        words = self.process.stdout.readline().split()
        if words[:1] != ["ready"] or len(words) != count + 1:
            raise b.Failed(f"scrape_targets said: {' '.join(words)[:200]}")
        self.addresses = [f"127.0.0.1:{port}" for port in words[1:]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def query(server: Process, expression: str) -> float:
    text = urllib.parse.urlencode({"query": expression})
    result = json.loads(server.fetch(f"/api/v1/query?{text}"))["data"]["result"]
    return float(result[0]["value"][1]) if result else 0


class Scrapes:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.count = 50 if bench.tiny else TARGETS
        self.seconds = 2 if bench.tiny else 15 if bench.quick else 60
        self.peer = b.PEERS / "prometheus/usr/bin/prometheus"
        if not self.peer.exists():
            bench.remark(f"prometheus is not unpacked under {b.PEERS}: its column is empty")
            self.peer = None
        self.table = Table(f"{self.count:,} targets, each every {INTERVAL_S} s", OURS, [PEER])

    def ours(self, addresses: list[str]) -> Process:
        port = free_port()
        folder = self.bench.dir / f"alertd-{port}"
        folder.mkdir()
        config = folder / "alertd.toml"
        config.write_text(f'[http]\nlisten = "127.0.0.1:{port}"\n[storage]\ndir = "{folder}"\n[[scrape]]\njob = "node"\n'
                          f'interval = "{INTERVAL_S}s"\ntargets = {json.dumps(addresses)}\n')
        server = Process(OURS, [b.BIN / OURS, "--config", config], port, self.bench.dir)
        server.token_file = folder / "token"
        return server

    def prometheus(self, addresses: list[str]) -> Process:
        port = free_port()
        config = self.bench.dir / "prometheus.yml"
        job = {"job_name": "node", "scrape_interval": f"{INTERVAL_S}s", "scrape_timeout": f"{INTERVAL_S}s",
               "static_configs": [{"targets": addresses}]}
        config.write_text(json.dumps({"scrape_configs": [job]}))  # YAML is a superset of JSON.
        return Process(PEER, [self.peer, f"--config.file={config}", f"--storage.tsdb.path={self.bench.dir / f'tsdb-{port}'}",
                              f"--web.listen-address=127.0.0.1:{port}"], port, self.bench.dir)

    def wait_up(self, server: Process):
        """Until every target was scraped twice: what is new by then costs more."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            with contextlib.suppress(urllib.error.URLError):
                if query(server, "count(sum_over_time(up[1m]) >= 2)") >= self.count:
                    return
            time.sleep(0.5)
        raise b.Failed(f"{server.name} has not scraped all targets twice within {DEADLINE_S} s")

    def measure(self, start, series: int) -> dict:
        """One server alone: the share of a core over `seconds`, in which every target must have been scraped each time."""
        with Targets(self.count, series) as targets, start(targets.addresses) as server:
            self.wait_up(server)
            cpu_s, began = server.cpu_s(), time.monotonic()
            time.sleep(self.seconds)
            took_s, used_s = time.monotonic() - began, server.cpu_s() - cpu_s
            rss = server.rss_bytes() / 1e6
            scrapes = query(server, f"sum(count_over_time(up[{self.seconds}s]))")
            failed = query(server, f"sum(count_over_time(up[{self.seconds}s])) - sum(sum_over_time(up[{self.seconds}s]))")
        due = self.count * self.seconds / INTERVAL_S
        if scrapes < 0.95 * due or failed > 0:
            raise b.Failed(f"{server.name}: {scrapes:.0f} scrapes where {due:.0f} were due, {failed:.0f} of them failed")
        return {"share": used_s / took_s * 100, "us": used_s / took_s * INTERVAL_S / self.count * 1e6, "rss": rss}

    def row(self, series: int):
        figure = f"{series} series each"
        if not self.bench.wants(figure):
            return
        found = {OURS: self.measure(self.ours, series)}
        if self.peer:
            found[PEER] = self.measure(self.prometheus, series)
        self.table.add(f"{figure}: CPU", "% of a core", {n: f["share"] for n, f in found.items()}, QUARTER)
        self.table.add(f"{figure}: CPU of a scrape", "us", {n: f["us"] for n, f in found.items()})
        self.table.add(f"{figure}: memory", "MB", {n: f["rss"] for n, f in found.items()})


def run(bench: Bench):
    scrapes = Scrapes(bench)
    for series in SERIES:
        scrapes.row(series)
    scrapes.table.print()
