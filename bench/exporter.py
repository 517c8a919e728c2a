"""`bench/run exporter`: what a scrape costs cloud_exporter, beside Debian's node_exporter with the same collectors. CPU is the
exporter's own (schedstat) for each scrape; latency is the client's."""

import contextlib
import http.client
import re
import subprocess
import time

from core import bench as b
from core.bench import Bench
from core.packet_servers import compile_once
from core.process import Process, free_port
from core.process import run as run_meter
from core.table import Table

OURS = "cloud_exporter"
PEER = "node_exporter"
LEFT_OUT = ["--no-collector.systemd"]  # Which cloud_exporter does not have.
MANY_PROCESSES = 300
PACE_S = 0.05  # From one paced scrape to the next: what was warm has cooled.
_PATTERN = re.compile(r"body=(\d+) B.*schedstat ([\d.]+) us .*p50 ([\d.]+) us .*p99 ([\d.]+)")


class OwnMeter:
    """Scrapes one after the other over one connection, each at once or PACE_S after the last: where the independent meter, which
    knows no pauses, is not at hand or a pause is wanted."""

    def __init__(self, pause_s: float = 0):
        self.pause_s = pause_s

    def __call__(self, server: Process, path: str, count: int, gzip: bool) -> dict:
        headers = {"Accept-Encoding": "gzip"} if gzip else {}
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        taken_s, size = [], 0
        before = server.cpu_s()
        for _ in range(count):
            began = time.perf_counter()
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            size = len(response.read())
            if response.status != 200:
                raise b.Failed(f"{server.name}: status {response.status}")
            taken_s.append(time.perf_counter() - began)
            time.sleep(self.pause_s)
        cpu_s = server.cpu_s() - before
        taken_s.sort()
        return {"cpu_us": cpu_s / count * 1e6, "p50_us": taken_s[count // 2] * 1e6,
                "p99_us": taken_s[count * 99 // 100] * 1e6, "bytes": size}


class IndependentMeter:
    def __init__(self, program):
        self.program = program

    def __call__(self, server: Process, path: str, count: int, gzip: bool) -> dict:
        text = run_meter(self.program, "127.0.0.1", server.port, path, count, int(gzip), 1, server.pid)
        found = _PATTERN.search(text)
        if not found:
            raise b.Failed(f"the independent meter said: {text.strip()[:300]}")
        size, cpu_us, p50_us, p99_us = (float(value) for value in found.groups())
        return {"cpu_us": cpu_us, "p50_us": p50_us, "p99_us": p99_us, "bytes": size}


def choose_meter(bench: Bench):
    source = b.SHARED / "bench/scrape_meter.c"
    if source.exists():
        bench.remark(f"scrapes were timed by {source}")
        return IndependentMeter(compile_once(bench, "gcc", [], source))
    bench.remark(f"no {source}: scrapes were timed by a meter of our own")
    return OwnMeter()


class Exporters:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.peer = b.PEERS / "prometheus-node-exporter/usr/bin/prometheus-node-exporter"
        if not self.peer.exists():
            bench.remark(f"node_exporter is not unpacked under {b.PEERS}: its column is empty")

    def start_all(self, stack, *flags: str) -> dict[str, Process]:
        commands = {OURS: [b.BIN / OURS]}
        if self.peer.exists():
            commands[PEER] = [self.peer, *([] if flags else LEFT_OUT), "--log.level=error"]
        started = {}
        for name, command in commands.items():
            port = free_port()
            own = ["--cloud-server.stats-file", self.bench.dir / "none.stats"] if name == OURS else []
            started[name] = stack.enter_context(
                Process(name, [*command, f"--web.listen-address=127.0.0.1:{port}", *own, *flags], port, self.bench.dir))
        return started


def scrapes(bench: Bench, meter, exporters: Exporters, table: Table):
    with contextlib.ExitStack() as stack:
        servers = exporters.start_all(stack)
        for server in servers.values():
            meter(server, "/metrics", 10, False)  # The first ones open files.
        for gzip, name, aim in ((False, "a scrape", 400), (True, "a scrape, gzip", 480)):
            if not bench.wants(name):
                continue
            found = bench.medians(servers, lambda s, gzip=gzip: meter(s, "/metrics", bench.count(1000), gzip))
            table.add(f"{name}: CPU", "us", {n: f["cpu_us"] for n, f in found.items()}, aim)
            table.add(f"{name}: p50", "us", {n: f["p50_us"] for n, f in found.items()})
            table.add(f"{name}: p99", "us", {n: f["p99_us"] for n, f in found.items()}, 1000)
            table.add(f"{name}: size", "B", {n: f["bytes"] for n, f in found.items()})


def paced_scrapes(bench: Bench, exporters: Exporters, table: Table):
    meter = OwnMeter(PACE_S)
    with contextlib.ExitStack() as stack:
        servers = exporters.start_all(stack)
        for gzip, name, aim in ((False, f"a scrape, {1 / PACE_S:.0f}/s", 400), (True, f"a scrape, gzip, {1 / PACE_S:.0f}/s", 480)):
            if bench.wants(name):
                found = bench.medians(servers, lambda s, gzip=gzip: meter(s, "/metrics", bench.count(200), gzip))
                table.add(f"{name}: CPU", "us", {n: f["cpu_us"] for n, f in found.items()}, aim)


def memory(bench: Bench, meter, exporters: Exporters, table: Table):
    count = bench.count(10_000)
    figure = f"memory after {count:,} scrapes"
    if not bench.wants(figure):
        return
    with contextlib.ExitStack() as stack:
        servers = exporters.start_all(stack)
        found = {}
        for name, server in servers.items():
            for gzip in (False, True):
                meter(server, "/metrics", count // 2 if name == OURS else min(count // 2, 1000), gzip)
            found[name] = server.rss_bytes() / 1e6
        table.add(figure, "MB", found, 6)
        if PEER in found and count > 2000:
            bench.remark("node_exporter's memory was taken after 2,000 scrapes")


def processes(bench: Bench, meter, exporters: Exporters, table: Table):
    figure = f"processes, for each of {MANY_PROCESSES} more"
    if not bench.wants(figure):
        return
    with contextlib.ExitStack() as stack:
        servers = exporters.start_all(stack, "--collector.disable-defaults", "--collector.processes")
        take = lambda s: meter(s, "/metrics", bench.count(200), False)  # noqa: E731
        few = bench.medians(servers, take)
        sleepers = [subprocess.Popen(["sleep", "600"]) for _ in range(MANY_PROCESSES)]
        try:
            many = bench.medians(servers, take)
        finally:
            for sleeper in sleepers:
                sleeper.kill()
                sleeper.wait()
        table.add(figure, "us", {n: (many[n]["cpu_us"] - few[n]["cpu_us"]) / MANY_PROCESSES for n in few}, 7)


def run(bench: Bench):
    meter = choose_meter(bench)
    exporters = Exporters(bench)
    table = Table("a page of metrics", OURS, [PEER])
    scrapes(bench, meter, exporters, table)
    paced_scrapes(bench, exporters, table)
    memory(bench, meter, exporters, table)
    processes(bench, meter, exporters, table)
    table.print()

