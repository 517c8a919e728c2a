"""`bench/run rules`: what evaluating 10,000 rules costs, beside Prometheus with the same rules on the same target; see
docs/reference/bench.md."""

import contextlib
import http.server
import json
import pathlib
import statistics
import threading
import time
import urllib.parse

from core import bench as b
from core.bench import Bench
from core.process import Process, free_port
from core.table import Table

OURS = "cloud_alertd"
PEER = "Prometheus"
RULES = 10_000
SERIES = 1_000         # Of each kind on the target's page.
SCRAPE_S = 5
EVALUATE_S = 2
WINDOW_S = 60          # Of rate(): before it is full of samples nothing is measured.
EVALUATIONS = 10
READY_DEADLINE_S = 60
MEMORY_MB = 30

KINDS = {
    "threshold": 'bench_gauge{{id="{id}"}} > 1e9',
    "rate[1m]": 'rate(bench_total{{id="{id}"}}[1m]) > 1e9',
    "active": 'bench_gauge{{id="{id}"}} > -1',
}


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        now = time.time()
        lines = ["# TYPE bench_gauge gauge"]
        lines += [f'bench_gauge{{id="{i}"}} {i % 97}' for i in range(SERIES)]
        lines += ["# TYPE bench_total counter"]
        lines += [f'bench_total{{id="{i}"}} {now * (i % 7 + 1):.0f}' for i in range(SERIES)]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Rules:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.count = 100 if bench.tiny else RULES
        self.peer = b.PEERS / "prometheus/usr/bin/prometheus"
        if not self.peer.exists():
            bench.remark(f"prometheus is not unpacked under {b.PEERS}: its column is empty")
            self.peer = None
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        bench.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.target = f"127.0.0.1:{server.server_port}"
        self.table = Table("rules", OURS, [PEER])

    def expressions(self, kind: str) -> list[str]:
        return [KINDS[kind].format(id=i % SERIES) for i in range(self.count)]

    def serve(self, kind: str, folder: pathlib.Path) -> Process:
        port = free_port()
        rules = "".join(f"[[rule]]\nalert = 'Bench{i}'\nexpr = '{expr}'\n" for i, expr in enumerate(self.expressions(kind)))
        (folder / "rules.toml").write_text(rules)
        config = folder / "alertd.toml"
        config.write_text(f"""
[http]
listen = "127.0.0.1:{port}"
[storage]
dir = "{folder}"
[rules]
files = ["rules.toml"]
interval = "{EVALUATE_S}s"
[[scrape]]
job = "bench"
targets = ["{self.target}"]
interval = "{SCRAPE_S}s"
""")
        server = Process(OURS, [b.BIN / OURS, "--config", config], port, self.bench.dir)
        server.token_file = folder / "token"
        return server

    def serve_peer(self, kind: str, folder: pathlib.Path) -> Process:
        port = free_port()
        rules = [{"alert": f"Bench{i}", "expr": expr} for i, expr in enumerate(self.expressions(kind))]
        # YAML is a superset of JSON.
        (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "bench", "rules": rules}]}))
        config = folder / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{EVALUATE_S}s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "bench", "static_configs": [{"targets": [self.target]}]}]}))
        return Process(PEER, [self.peer, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
                              f"--web.listen-address=127.0.0.1:{port}"], port, self.bench.dir)

    def measure(self, kind: str):
        folder = self.bench.dir / kind.partition("[")[0]  # Prometheus takes brackets in paths for patterns.
        folder.mkdir()
        with contextlib.ExitStack() as stack:
            servers = {OURS: stack.enter_context(self.serve(kind, folder))}
            if self.peer:
                servers[PEER] = stack.enter_context(self.serve_peer(kind, folder))
            self.wait_for_data(kind, servers)
            found = self.figures(servers)
            self.check_alerts(kind, servers)
        peer = found.get(PEER, {})
        for figure, said in (("cpu_ms", "CPU"), ("ms", "time")):
            tenth = peer[figure] / 10 if peer else None
            self.table.add(f"one evaluation of {RULES:,} {kind} rules: {said}", "ms",
                           {name: figures[figure] for name, figures in found.items()}, tenth)
        self.table.add(f"memory with {RULES:,} {kind} rules", "MB", {name: figures["mb"] for name, figures in found.items()},
                       MEMORY_MB)

    def wait_for_data(self, kind: str, servers: dict):
        window = 2 * SCRAPE_S if self.bench.tiny else WINDOW_S
        end = time.monotonic() + READY_DEADLINE_S + window
        for server in servers.values():
            while ask(server, f"count(count_over_time(bench_gauge[{window}s]) >= {window // SCRAPE_S})") != SERIES:
                if time.monotonic() > end:
                    raise b.Failed(f"{server.name} did not scrape {self.target} for {window} s")
                time.sleep(0.2)

    def figures(self, servers: dict) -> dict:
        """CPU, time and memory of one evaluation; scraping, twice in five evaluations, is in the CPU of both."""
        evaluations = 2 if self.bench.tiny else max(self.bench.count(EVALUATIONS), 5)
        cpu = {name: server.cpu_s() for name, server in servers.items()}
        times = {name: [] for name in servers}
        begun = time.monotonic()
        for i in range(evaluations):
            time.sleep(max(0.0, begun + (i + 1) * EVALUATE_S - time.monotonic()))
            for name, server in servers.items():
                times[name].append(evaluation_s(server) * 1000)
        turns = (time.monotonic() - begun) / EVALUATE_S
        return {name: {"cpu_ms": (server.cpu_s() - cpu[name]) * 1000 / turns, "ms": statistics.median(times[name]),
                       "mb": server.rss_bytes() / 1e6} for name, server in servers.items()}

    def check_alerts(self, kind: str, servers: dict):
        """That all did what they were measured for."""
        expected = self.count if kind == "active" else 0
        for server in servers.values():
            active = len(get(server, "/api/v1/alerts")["data"]["alerts"])
            if active != expected:
                raise b.Failed(f"{server.name}: {active} alerts, not {expected}")


def get(server: Process, path: str) -> dict:
    return json.loads(server.fetch(path))


def ask(server: Process, query: str) -> float:
    result = get(server, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))["data"]["result"]
    return float(result[0]["value"][1]) if result else 0


def evaluation_s(server: Process) -> float:
    """How long the last one took, as the server says."""
    name = "prometheus_rule_group_last_duration_seconds{" if server.name == PEER else "cloud_alertd_rule_evaluation_seconds "
    for line in server.fetch("/metrics").splitlines():
        if line.startswith(name):
            return float(line.rsplit(" ", 1)[1])
    raise b.Failed(f"{server.name} does not say how long an evaluation took")


def run(bench: Bench):
    rules = Rules(bench)
    for kind in KINDS:
        if bench.wants(kind):
            rules.measure(kind)
    rules.table.print()
