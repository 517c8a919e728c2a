"""`bench/run notices`: how long it takes from a failure to the notice that a webhook took, beside Debian's Prometheus and
Alertmanager; see docs/reference/bench.md."""

import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import statistics
import struct
import threading
import time
import urllib.error

from core import bench as b
from core.bench import Bench
from core.process import Process, free_port
from core.table import Table
from core.webhook import Webhook

OURS = "cloud_alertd"
PEER = "Prometheus, Alertmanager"
KILLS = 100              # Of a local cloud_server.
RESETS = 50              # Of a remote target.
SILENCES = 20            # Of a target that does not answer.
SCRAPED_KILLS = 40       # Of a scraped target, ours and the peers'.
INTERVAL_MS = 100        # Of scrapes, evaluations and probes, where it matters.
SILENT_INTERVAL_MS = 500
SILENT_TIMEOUT_MS = 200
ALERTS = 10_000          # At once.
GROUPS = 100
DEADLINE_S = 30

STAGES = {"kill -> seen": ("killed", "event"), "seen -> evaluated": ("event", "evaluated"),
          "evaluated -> stored": ("evaluated", "stored"), "stored -> accepted": ("stored", "accepted")}


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Notices:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.table = Table("notices", OURS, [PEER])
        self.random = random.Random(1)
        self.prometheus = b.PEERS / "prometheus/usr/bin/prometheus"
        self.alertmanager = b.PEERS / "prometheus-alertmanager/usr/bin/prometheus-alertmanager"
        if not (self.prometheus.exists() and self.alertmanager.exists()):
            bench.remark(f"prometheus and prometheus-alertmanager are not both unpacked under {b.PEERS}: their column is empty")
            self.prometheus = None

    def folder(self, name: str) -> pathlib.Path:
        folder = self.bench.dir / f"{name}-{free_port()}"
        folder.mkdir()
        return folder

    def alertd(self, webhook: Webhook, watched: str, rules: str, interval_ms: int = 5_000, group_by: str = "alertname") -> Process:
        port, folder = free_port(), self.folder("alertd")
        (folder / "rules.toml").write_text(rules)
        (folder / "alertd.toml").write_text(f"""
[http]
listen = "127.0.0.1:{port}"
[storage]
dir = "{folder}"
[rules]
files = ["{folder}/rules.toml"]
interval = "{interval_ms}ms"
[route]
group_by = ["{group_by}"]
group_wait = "0s"
group_interval = "{INTERVAL_MS}ms"
[[receiver]]
name = "bench"
webhook = {{ url = "{webhook.url}" }}
{watched}""")
        server = Process(OURS, [b.BIN / OURS, "--config", folder / "alertd.toml"], port, self.bench.dir)
        server.token_file = folder / "token"
        server.state_db = folder / "state.db"
        return server

    def wait_up(self, server: Process, expression: str, least: float = 1):
        """Until `expression`, a count, is that large: the target has been seen well."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                result = json.loads(server.fetch("/api/v1/query?query=" + expression))["data"]["result"]
                if result and float(result[0]["value"][1]) >= least:
                    return
            time.sleep(0.05)
        raise b.Failed(f"{server.name}: {expression} is not {least} within {DEADLINE_S} s: {server.log.read_text()[-500:]}")

    def rounds(self, count: int, webhook: Webhook, fail, mend) -> list[tuple[int, int]]:
        """`fail` and `mend` by turns; (when it failed, when a firing notice was taken), in ns of the steady clock."""
        found = []
        for _ in range(count):
            time.sleep(self.random.uniform(0.05, 0.15))  # So that no round hits the same moment of a tick.
            failed_ns = fail()
            found.append((failed_ns, webhook.wait("firing", failed_ns, DEADLINE_S)))
            mended_ns = time.monotonic_ns()
            mend()
            webhook.wait("resolved", mended_ns, DEADLINE_S)
        return found

    def report(self, name: str, times: dict[str, list[tuple[int, int]]], p50: float | None, p99: float | None):
        ms = {who: [(took - failed) / 1e6 for failed, took in found] for who, found in times.items()}
        self.table.add(f"{name}, p50", "ms", {who: statistics.median(values) for who, values in ms.items()}, p50)
        self.table.add(f"{name}, p99", "ms", {who: percentile(values, 0.99) for who, values in ms.items()}, p99)

    # A local cloud_server, killed: its process is watched.
    def local_kill(self):
        webhook, port, folder = Webhook(), free_port(), self.folder("server")
        command = [b.BIN / "cloud_server", "--listen", f"127.0.0.1:{port}", "--data-dir", folder / "data", "--stats-file", folder / "stats"]
        with contextlib.ExitStack() as stack:
            server = {"now": stack.enter_context(Process("cloud_server", command, port, self.bench.dir))}
            alertd = stack.enter_context(self.alertd(
                webhook, f'[[process]]\nname = "cloud_server"\nstats_file = "{folder}/stats"\n',
                '[[rule]]\nalert = "ServerDown"\ndown = { process = "cloud_server" }\nsummary = "{{ $labels.process }} is down"\n'))
            self.wait_up(alertd, "count(process_watch_up==1)")

            def fail() -> int:
                at_ns = time.monotonic_ns()
                os.kill(server["now"].pid, signal.SIGKILL)
                return at_ns

            def mend():
                server["now"].process.wait()
                server["now"] = stack.enter_context(Process("cloud_server", command, port, self.bench.dir))

            found = self.rounds(3 if self.bench.tiny else self.bench.count(KILLS), webhook, fail, mend)
            self.report("local cloud_server killed -> webhook", {OURS: found}, 5, 20)
            self.stages(alertd, found)

    def stages(self, alertd: Process, found: list[tuple[int, int]]):
        with contextlib.closing(sqlite3.connect(f"file:{alertd.state_db}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT event_ns, evaluated_ns, stored_ns, accepted_ns FROM outbox WHERE status = 'firing' "
                                    "AND state = 'sent' ORDER BY id").fetchall()
        if len(rows) != len(found):
            raise b.Failed(f"{len(rows)} firing notices are in the outbox, {len(found)} were taken")
        ways = [dict(zip(("killed", "event", "evaluated", "stored", "accepted"), (failed, *row))) for (failed, _), row in zip(found, rows)]
        for stage, (begin, end) in STAGES.items():
            self.table.add(f"- {stage}, p50", "ms", {OURS: statistics.median((way[end] - way[begin]) / 1e6 for way in ways)})

    # A remote target whose connection is reset, and that refuses new ones.
    def remote_reset(self):
        webhook, target = Webhook(), Resettable()
        watched = (f'[[probe]]\nname = "remote"\nkind = "tcp"\nhold = true\ntarget = "127.0.0.1:{target.port}"\n'
                   f'interval = "{INTERVAL_MS}ms"\ntimeout = "{INTERVAL_MS}ms"\n')
        rules = '[[rule]]\nalert = "RemoteDown"\nexpr = "probe_success == 0"\nimmediate = true\n'
        with self.alertd(webhook, watched, rules) as alertd:
            self.wait_up(alertd, "count(probe_success==1)")
            found = self.rounds(3 if self.bench.tiny else self.bench.count(RESETS), webhook, target.reset, target.listen)
        self.report("remote TCP target reset -> webhook", {OURS: found}, 10, None)

    # A target that takes connections and says nothing.
    def silent(self):
        webhook, target = Webhook(), Silenceable()
        watched = (f'[[probe]]\nname = "silent"\nkind = "http"\ntarget = "http://127.0.0.1:{target.port}/"\n'
                   f'interval = "{SILENT_INTERVAL_MS}ms"\ntimeout = "{SILENT_TIMEOUT_MS}ms"\n')
        rules = '[[rule]]\nalert = "TargetSilent"\nexpr = "probe_success == 0"\nimmediate = true\n'
        with self.alertd(webhook, watched, rules) as alertd:
            self.wait_up(alertd, "count(probe_success==1)")
            found = self.rounds(2 if self.bench.tiny else self.bench.count(SILENCES), webhook, target.silence, target.speak)
        slowest = max((took - failed) / 1e6 for failed, took in found)
        self.table.add(f"silent target ({SILENT_INTERVAL_MS} ms interval, {SILENT_TIMEOUT_MS} ms timeout) -> webhook, slowest", "ms",
                       {OURS: slowest}, SILENT_INTERVAL_MS + SILENT_TIMEOUT_MS + 10)

    # A scraped target, killed; the same intervals for all, and no event that would tell sooner.
    def scraped_kill(self):
        count = 2 if self.bench.tiny else self.bench.count(SCRAPED_KILLS)
        times = {OURS: self.scraped(count, self.scraping_alertd)}
        if self.prometheus:
            times[PEER] = self.scraped(count, self.scraping_peers)
        self.report(f"scraped target killed -> webhook, {INTERVAL_MS} ms intervals", times, None, None)

    def scraped(self, count: int, start) -> list[tuple[int, int]]:
        webhook, port = Webhook(), free_port()
        command = [b.BIN / "cloud_exporter", "--web.listen-address", f"127.0.0.1:{port}"]
        with contextlib.ExitStack() as stack:
            target = {"now": stack.enter_context(Process("cloud_exporter", command, port, self.bench.dir))}
            server = start(stack, webhook, port)
            self.wait_up(server, "count(up==1)")

            def fail() -> int:
                at_ns = time.monotonic_ns()
                os.kill(target["now"].pid, signal.SIGKILL)
                return at_ns

            def mend():
                target["now"].process.wait()
                target["now"] = stack.enter_context(Process("cloud_exporter", command, port, self.bench.dir))

            return self.rounds(count, webhook, fail, mend)

    def scraping_alertd(self, stack, webhook: Webhook, port: int) -> Process:
        watched = (f'[[scrape]]\njob = "node"\ntargets = ["127.0.0.1:{port}"]\ninterval = "{INTERVAL_MS}ms"\n'
                   f'timeout = "{INTERVAL_MS}ms"\n')
        rules = '[[rule]]\nalert = "TargetDown"\nexpr = "up == 0"\n'
        return stack.enter_context(self.alertd(webhook, watched, rules, INTERVAL_MS))

    def scraping_peers(self, stack, webhook: Webhook, port: int) -> Process:
        folder, manager_port, prometheus_port = self.folder("peers"), free_port(), free_port()
        # YAML is a superset of JSON.
        (folder / "alertmanager.yml").write_text(json.dumps({
            "route": {"receiver": "bench", "group_by": ["alertname"], "group_wait": "0s", "group_interval": f"{INTERVAL_MS}ms"},
            "receivers": [{"name": "bench", "webhook_configs": [{"url": webhook.url}]}]}))
        (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "bench", "rules": [
            {"alert": "TargetDown", "expr": "up == 0"}]}]}))
        every = f"{INTERVAL_MS}ms"
        (folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(folder / "rules.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager_port}"]}]}]},
            "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]}))
        # Debian's looks for its templates under /usr/share, where an unpacked one has none.
        inside = ["unshare", "--mount", "--map-root-user", "sh", "-c",
                  f'mount --bind "{self.alertmanager.parents[1] / "share"}" /usr/share && exec "$0" "$@"']
        stack.enter_context(Process("alertmanager", [
            *inside, self.alertmanager, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'alerts'}",
            f"--web.listen-address=127.0.0.1:{manager_port}", "--cluster.listen-address="], manager_port, self.bench.dir))
        return stack.enter_context(Process("prometheus", [
            self.prometheus, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{prometheus_port}"], prometheus_port, self.bench.dir))

    # Ten thousand alerts that begin to fire with one scrape.
    def storm(self):
        count, groups = (200, 10) if self.bench.tiny else (ALERTS, GROUPS)
        webhook, target = Webhook(), Gauges(count, groups)
        watched = f'[[scrape]]\njob = "bench"\ntargets = ["127.0.0.1:{target.port}"]\ninterval = "1s"\n'
        rules = '[[rule]]\nalert = "Many"\nexpr = "bench_gauge > 0"\nsummary = "{{ $labels.id }} is at {{ $value }}"\n'
        with self.alertd(webhook, watched, rules, INTERVAL_MS, "shard") as alertd:
            self.wait_up(alertd, "count(bench_gauge==0)", count)
            target.raised.set()
            if not target.told.wait(DEADLINE_S):
                raise b.Failed("the target was not scraped again")
            done_ns = webhook.wait_alerts(count, DEADLINE_S)
            self.table.add(f"{count:,} alerts at once in {groups} groups: scraped -> last webhook", "ms",
                           {OURS: (done_ns - target.told_ns) / 1e6}, 2_000)
            self.table.add("- memory then", "MB", {OURS: alertd.rss_bytes() / 1e6}, 60)


class Resettable:
    """Takes connections; reset() refuses further ones and resets those that are there."""

    def __init__(self):
        self.port = free_port()
        self._lock = threading.Lock()
        self.listen()

    def listen(self):
        self._taken: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=16)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # reset() closed it.
            with self._lock:
                self._taken.append(connection)

    def reset(self) -> int:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        at_ns = time.monotonic_ns()
        with self._lock:
            for connection in self._taken:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
        return at_ns


class HttpTarget:
    """Answers each request by answer(); what that returns is a body, or None to say nothing."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket):
        held = b""
        with connection, contextlib.suppress(ConnectionError):
            while more := connection.recv(1 << 16):
                held += more
                if not held.endswith(b"\r\n\r\n"):
                    continue
                held = b""
                body = self.answer()
                if body is not None:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %d\r\n\r\n%b"
                                       % (len(body), body))
                    self.answered()

    def answer(self) -> bytes | None:
        raise NotImplementedError

    def answered(self):
        pass


class Silenceable(HttpTarget):
    def __init__(self):
        self._silent = False
        super().__init__()

    def answer(self) -> bytes | None:
        return None if self._silent else b""

    def silence(self) -> int:
        self._silent = True
        return time.monotonic_ns()

    def speak(self):
        self._silent = False


class Gauges(HttpTarget):
    """A page of gauges that are 0, then 1 from the first scrape after `raised` is set."""

    def __init__(self, count: int, groups: int):
        self.raised, self.told = threading.Event(), threading.Event()
        self.told_ns = 0
        self._pages = {value: "".join(f'bench_gauge{{id="{i}",shard="{i % groups}"}} {value}\n' for i in range(count)).encode()
                       for value in (0, 1)}
        super().__init__()

    def answer(self) -> bytes:
        self._shown = int(self.raised.is_set())
        return self._pages[self._shown]

    def answered(self):
        if self._shown and not self.told.is_set():
            self.told_ns = time.monotonic_ns()
            self.told.set()


def run(bench: Bench):
    notices = Notices(bench)
    for name, part in (("local", notices.local_kill), ("reset", notices.remote_reset), ("silent", notices.silent),
                       ("scraped", notices.scraped_kill), ("storm", notices.storm)):
        if bench.wants(name):
            part()
    notices.table.print()
