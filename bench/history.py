"""`bench/run history`: what keeping and asking for history costs, beside Prometheus with the same samples; see
docs/reference/bench.md."""

import contextlib
import json
import pathlib
import sqlite3
import statistics
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from core import bench as b
from core import process
from core.bench import Bench, median_of
from core.process import Process, free_port
from core.table import Table

OURS = "cloud_alertd"
PEER = "Prometheus"
SERIES = 100       # Twenty of each five devices.
INTERVAL_MS = 5000
JITTER_MS = 4      # A scrape comes so much late.
DAY_HOURS = 24
MONTH_DAYS = 30
MONTH_INTERVAL_MS = 15_000
TWENTY = 'node_figure{figure=~"9|10|11|12"}'  # Counters, of five devices.
TIERS = ("minute_tier", "hour_tier")
BLOCK_S = 7200     # Prometheus's blocks begin at whole ones.
METER_DEADLINE_S = 300
READY_DEADLINE_S = 30


class History:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.meter = b.BIN.parent / "bench/history_meter"
        if not self.meter.exists():
            raise b.Failed(f"{self.meter} is not built")
        self.peer = b.PEERS / "prometheus/usr/bin"
        if not (self.peer / "promtool").exists():
            bench.remark(f"prometheus is not unpacked under {b.PEERS}: its column is empty")
            self.peer = None
        self.end_s = int(time.time()) // BLOCK_S * BLOCK_S
        self.table = Table("history", OURS, [PEER])

    def figures(self, mode: str, *arguments) -> dict:
        return json.loads(process.run(self.meter, mode, *arguments, deadline_s=METER_DEADLINE_S))

    def fill(self, folder: str, hours: int, interval_ms: int, jitter_ms: int, series: int, *text) -> tuple[pathlib.Path, dict]:
        path = self.bench.dir / folder
        path.mkdir()
        return path, self.figures("fill", path / "history.db", self.end_s * 1000, hours, interval_ms, jitter_ms, series, *text)

    # A day of node data.

    def day(self):
        hours = 4 if self.bench.tiny else DAY_HOURS
        text = self.bench.dir / "day.txt"
        folder, figures = self.fill("day", hours, INTERVAL_MS, JITTER_MS, SERIES, *([text] if self.peer else []))
        blocks = self.blocks_of(text) if self.peer else None
        self.sizes(folder, figures, blocks)
        self.ingestion(hours)
        with contextlib.ExitStack() as stack:
            servers = {OURS: stack.enter_context(self.serve(folder))}
            if blocks:
                servers[PEER] = stack.enter_context(self.serve_peer(blocks))
            self.range_queries(servers, hours)

    def blocks_of(self, text: pathlib.Path) -> pathlib.Path:
        blocks = self.bench.dir / "blocks"
        process.run(self.peer / "promtool", "tsdb", "create-blocks-from", "openmetrics", text, blocks, deadline_s=METER_DEADLINE_S)
        text.unlink()
        return blocks

    def sizes(self, folder: pathlib.Path, figures: dict, blocks: pathlib.Path | None):
        total = files_bytes(folder)
        tiers = tier_bytes(folder / "history.db")
        samples = figures["samples"]
        found = {OURS: (total - tiers) / samples}
        if blocks:
            found[PEER] = files_bytes(blocks) / samples
        self.table.add("a stored sample, raw, all files", "B", found, 2.0)
        self.table.add("its minutes and hours on top", "B", {OURS: tiers / samples})
        steady, steady_figures = self.fill("steady", 4 if self.bench.tiny else DAY_HOURS, INTERVAL_MS, 0, SERIES)
        found = files_bytes(steady) - tier_bytes(steady / "history.db")
        self.table.add("a stored sample, raw, scraped on the dot", "B", {OURS: found / steady_figures["samples"]}, 2.0)

    def ingestion(self, hours: int):
        taken = [self.fill(f"ingest{i}", hours, INTERVAL_MS, JITTER_MS, SERIES)[1] for i in range(self.bench.repeat)]
        self.table.add("taking in a sample: CPU", "ns", {OURS: median_of(taken)["cpu_ns"]}, 2000)

    def serve(self, folder: pathlib.Path) -> Process:
        port = free_port()
        config = folder / "alertd.toml"
        config.write_text(f'[http]\nlisten = "127.0.0.1:{port}"\n[storage]\ndir = "{folder}"\n')
        server = Process(OURS, [b.BIN / OURS, "--config", config], port, self.bench.dir)
        server.token_file = folder / "token"
        return server

    def serve_peer(self, blocks: pathlib.Path) -> Process:
        port = free_port()
        config = self.bench.dir / "prometheus.yml"
        config.write_text("global: {}\n")
        return Process(PEER, [self.peer / "prometheus", f"--config.file={config}", f"--storage.tsdb.path={blocks}",
                              "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{port}"],
                       port, self.bench.dir)

    def range_queries(self, servers: dict, hours: int):
        for said, query in (("as they are", TWENTY), ("rate[1m]", f"rate({TWENTY}[1m])")):
            ask = lambda s, q=query: self.ask(s, q, hours * 3600, 15)  # noqa: E731
            for server in servers.values():
                self.wait_ready(server)
                ask(server)  # The first one opens files.
            found = self.bench.medians(servers, ask)
            answers = {name: found[name]["points"] for name in found}
            if len(set(answers.values())) > 1:
                self.bench.remark(f"{said}: the answers differ in how many values they have: {answers}")
            fifth = found[PEER]["cpu_ms"] / 5 if PEER in found else None
            self.table.add(f"24 h of 20 series at 15 s, {said}: CPU", "ms", {n: f["cpu_ms"] for n, f in found.items()}, fifth)
            fifth = found[PEER]["ms"] / 5 if PEER in found else None
            self.table.add(f"24 h of 20 series at 15 s, {said}: time", "ms", {n: f["ms"] for n, f in found.items()}, fifth)

    def wait_ready(self, server: Process):
        """Both say so at the same place."""
        end = time.monotonic() + READY_DEADLINE_S
        while time.monotonic() < end:
            with contextlib.suppress(urllib.error.URLError):
                with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/-/ready", timeout=5):
                    return
            time.sleep(0.05)
        raise b.Failed(f"{server.name} was not ready within {READY_DEADLINE_S} s")

    def ask(self, server: Process, query: str, span_s: int, step_s: int) -> dict:
        """Median time and CPU of a range query up to the end of the data."""
        asked = urllib.parse.urlencode({"query": query, "start": self.end_s - span_s, "end": self.end_s, "step": step_s})
        times = []
        cpu_before = server.cpu_s()
        turns = max(self.bench.count(40), 20)
        for _ in range(turns):
            begun = time.monotonic()
            body = server.fetch(f"/api/v1/query_range?{asked}")
            times.append((time.monotonic() - begun) * 1000)
        cpu_ms = (server.cpu_s() - cpu_before) * 1000 / turns
        result = json.loads(body)["data"]["result"]
        points = sum(len(series["values"]) for series in result)
        if points == 0:
            raise b.Failed(f"{server.name} found nothing for {query}")
        return {"ms": statistics.median(times), "cpu_ms": cpu_ms, "points": points}

    # A month, most of it in minutes and hours.

    def month(self):
        days = 1 if self.bench.tiny else MONTH_DAYS
        folder, _ = self.fill("month", 24 * days, MONTH_INTERVAL_MS, JITTER_MS, 20)
        with self.serve(folder) as server:
            for said, query in (("as they are", "node_figure"), ("rate[1h]", "rate(node_figure[1h])")):
                self.wait_ready(server)
                self.ask(server, query, days * 86_400, 3600)
                found = self.bench.medians({OURS: server}, lambda s, q=query: self.ask(s, q, days * 86_400, 3600))
                self.table.add(f"30 days of 20 series at 1 h, {said}: time", "ms", {OURS: found[OURS]["ms"]}, 50)

    # Opening, and appending beside queries.

    def opening(self):
        times = []
        for turn in range(self.bench.repeat):
            path = self.bench.dir / f"crowd{turn}.db"
            killed = subprocess.run([self.meter, "crowd", path, "100" if self.bench.tiny else "10000", "100"],
                                    capture_output=True, timeout=METER_DEADLINE_S, check=False)
            if killed.returncode != -9:
                raise b.Failed(f"crowd ended with {killed.returncode}: {killed.stderr[-300:]}")
            times.append(self.figures("open", path))
        self.table.add("opening after SIGKILL, 10,000 series, 100 samples each in the head", "ms",
                       {OURS: median_of(times)["open_ms"]}, 1000)

    def appending(self):
        seconds = 1 if self.bench.quick or self.bench.tiny else 5
        path = self.bench.dir / "queried.db"
        found = self.figures("queried", path, 500, seconds)
        if found["queries"] == 0:
            raise b.Failed("no query ended while samples were appended")
        self.table.add("an Append of 500 samples alone: p99", "us", {OURS: found["alone_p99_us"]})
        self.table.add("the same beside queries of everything: p99", "us", {OURS: found["beside_p99_us"]})


def files_bytes(folder: pathlib.Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".toml")


def tier_bytes(path: pathlib.Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        marks = ", ".join("?" * len(TIERS))
        return database.execute(f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN ({marks})", TIERS).fetchone()[0]


def run(bench: Bench):
    history = History(bench)
    parts = {history.day: "sample, 24 h", history.month: "30 days", history.opening: "opening", history.appending: "append"}
    for part, figures in parts.items():
        if bench.wants(figures):
            part()
    history.table.print()
