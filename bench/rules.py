"""`bench/run rules`: what evaluating 10,000 rules costs, beside Prometheus with the same rules on the same target; see
docs/reference/bench.md."""

import contextlib
import http.server
import json
import pathlib
import signal
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
EVALUATIONS = 20
DEADLINE_S = 60        # For each thing that is waited for, beside the time that it takes by itself.
MEMORY_MB = 30

# In this order: what the memory of one kind leaves behind is small beside the next.
KINDS = {
    "threshold": 'bench_gauge{{id="{id}"}} > 1e9',
    "rate[1m]": 'rate(bench_total{{id="{id}"}}[1m]) > 1e9',
    "active": 'bench_gauge{{id="{id}"}} > -1',
}


# Metrics of each program: when it last loaded its rules, and how long evaluating all of them took.
LOADED = {OURS: "cloud_alertd_config_last_reload_success_timestamp_seconds",
          PEER: "prometheus_config_last_reload_success_timestamp_seconds"}
LAST_TOOK = {OURS: "cloud_alertd_rule_evaluation_seconds", PEER: "prometheus_rule_group_last_duration_seconds"}


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

    def folder(self, name: str) -> pathlib.Path:
        folder = self.bench.dir / name
        folder.mkdir()
        return folder

    def expressions(self, kind: str) -> list[str]:
        return [KINDS[kind].format(id=i % SERIES) for i in range(self.count)]

    def write(self, kind: str):
        """The same rules for both programs."""
        rules = [(f"Bench{i}", expr) for i, expr in enumerate(self.expressions(kind))]
        (self.bench.dir / "rules.toml").write_text("".join(f"[[rule]]\nalert = '{alert}'\nexpr = '{expr}'\n" for alert, expr in rules))
        group = {"name": "bench", "rules": [{"alert": alert, "expr": expr} for alert, expr in rules]}
        (self.bench.dir / "rules.yml").write_text(json.dumps({"groups": [group]}))  # YAML is a superset of JSON.

    def serve(self) -> Process:
        port = free_port()
        folder = self.folder("alertd")
        config = folder / "alertd.toml"
        config.write_text(f"""
[http]
listen = "127.0.0.1:{port}"
[storage]
dir = "{folder}"
[rules]
files = ["{self.bench.dir}/rules.toml"]
interval = "{EVALUATE_S}s"
[[scrape]]
job = "bench"
targets = ["{self.target}"]
interval = "{SCRAPE_S}s"
""")
        server = Process(OURS, [b.BIN / OURS, "--config", config], port, self.bench.dir)
        server.token_file = folder / "token"
        return server

    def serve_peer(self) -> Process:
        port = free_port()
        folder = self.folder("prometheus")
        config = folder / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{EVALUATE_S}s"},
            "rule_files": [str(self.bench.dir / "rules.yml")],
            "scrape_configs": [{"job_name": "bench", "static_configs": [{"targets": [self.target]}]}]}))
        return Process(PEER, [self.peer, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
                              f"--web.listen-address=127.0.0.1:{port}"], port, self.bench.dir)

    def measure(self, kinds: list[str]):
        """All kinds one after the other with the same two servers, so that the window fills only once."""
        self.write(kinds[0])
        with contextlib.ExitStack() as stack:
            servers = {OURS: stack.enter_context(self.serve())}
            if self.peer:
                servers[PEER] = stack.enter_context(self.serve_peer())
            for kind in kinds:
                if kind != kinds[0]:
                    self.reload(kind, servers)
                self.wait_for_data(kind, servers)
                for server in servers.values():
                    # Those just loaded are evaluated with the data that is there now.
                    wait_for(server, "two evaluations", lambda: evaluations(server), evaluations(server) + 2)
                found = self.figures(kind, servers)
                self.check_alerts(kind, servers)
                self.rows(kind, found)

    def rows(self, kind: str, found: dict):
        peer = found.get(PEER, {})
        for figure, said in (("cpu_ms", "CPU"), ("ms", "time")):
            tenth = peer[figure] / 10 if peer else None
            self.table.add(f"one evaluation of {self.count:,} {kind} rules: {said}", "ms",
                           {name: figures[figure] for name, figures in found.items()}, tenth)
        self.table.add(f"memory with {self.count:,} {kind} rules", "MB", {name: figures["mb"] for name, figures in found.items()},
                       MEMORY_MB)

    def reload(self, kind: str, servers: dict):
        before = {name: metric(server, LOADED[name]) for name, server in servers.items()}
        time.sleep(max(0.0, int(max(before.values())) + 1 - time.time()))  # Prometheus counts seconds.
        self.write(kind)
        for name, server in servers.items():
            server.process.send_signal(signal.SIGHUP)
            wait_for(server, f"the {kind} rules to be loaded", lambda: metric(server, LOADED[name]), before[name] + 0.001)

    def wait_for_data(self, kind: str, servers: dict):
        window = SCRAPE_S if self.bench.tiny or "rate" not in kind else WINDOW_S
        scraped = f"count(count_over_time(bench_gauge[{window}s]) >= {window // SCRAPE_S})"
        for server in servers.values():
            wait_for(server, f"{SERIES} series scraped for {window} s", lambda: ask(server, scraped), SERIES, window)

    def figures(self, kind: str, servers: dict) -> dict:
        """CPU, time and memory of one evaluation; scraping, twice in five evaluations, is in the CPU of both."""
        count = 2 if self.bench.tiny else max(self.bench.count(EVALUATIONS), 5)
        cpu = {name: server.cpu_s() for name, server in servers.items()}
        begun = {name: evaluations(server) for name, server in servers.items()}
        times = {name: [] for name in servers}
        start = time.monotonic()
        for i in range(count):
            time.sleep(max(0.0, start + (i + 1) * EVALUATE_S - time.monotonic()))
            for name, server in servers.items():
                times[name].append(metric(server, LAST_TOOK[name]) * 1000)
        turns = (time.monotonic() - start) / EVALUATE_S
        for name, server in servers.items():
            made = evaluations(server) - begun[name]
            if made < turns - 1.5:
                raise b.Failed(f"{server.name}: {made:.0f} evaluations of the {kind} rules where {turns:.0f} were due")
        return {name: {"cpu_ms": (server.cpu_s() - cpu[name]) * 1000 / turns, "ms": statistics.median(times[name]),
                       "mb": server.rss_bytes() / 1e6} for name, server in servers.items()}

    def check_alerts(self, kind: str, servers: dict):
        """That all did what they were measured for."""
        expected = self.count if kind == "active" else 0
        for server in servers.values():
            active = ask(server, "count(ALERTS)")
            if active != expected:
                raise b.Failed(f"{server.name}: {active:.0f} alerts of the {kind} rules, not {expected}")




def ask(server: Process, query: str) -> float:
    answer = json.loads(server.fetch("/api/v1/query?" + urllib.parse.urlencode({"query": query})))
    result = answer["data"]["result"]
    return float(result[0]["value"][1]) if result else 0


def metric(server: Process, name: str) -> float:
    """Of the server's own; 0 where it is not there yet."""
    for line in server.fetch("/metrics").splitlines():
        if line.startswith((name + " ", name + "{")):
            return float(line.rsplit(" ", 1)[1])
    return 0


def evaluations(server: Process) -> float:
    """How often all rules were evaluated; ours says only when that was last."""
    if server.name == OURS:
        return metric(server, "cloud_alertd_rule_last_evaluation_timestamp_seconds") / EVALUATE_S
    return metric(server, "prometheus_rule_group_iterations_total") - metric(server, "prometheus_rule_group_iterations_missed_total")


def wait_for(server: Process, what: str, value, least: float, takes_s: float = 0):
    end = time.monotonic() + DEADLINE_S + takes_s
    while True:
        found = value()
        if found >= least:
            return
        if time.monotonic() > end:
            raise b.Failed(f"{server.name}: no {what} within {DEADLINE_S + takes_s} s: {found:g} of {least:g}; its log ends "
                           f"{server.log.read_text()[-300:]}")
        time.sleep(0.2)


def run(bench: Bench):
    rules = Rules(bench)
    kinds = [kind for kind in KINDS if bench.wants(kind)]
    if kinds:
        rules.measure(kinds)
    rules.table.print()
