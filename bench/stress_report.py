"""`bench/run stress_report`: cloud_server under concurrency, overload and faults, beside Debian's mosquitto with the same load; writes
docs/STRESS_REPORT.md and each run's page beside it. `--tiny` writes nothing into docs/."""

import contextlib
import json
import shlex
import subprocess

from core import bench as b
from core import machine
from core.bench import Bench, Failed
from core.packet_servers import MOSQUITTO, OURS, PacketServers
from core.process import Process, free_port

STRESS = "cloud_stress"
EXITS = range(7)  # A report is written in every case but 1 and 2.


class Case:
    """A run: its name in the report, what it asks, and the words of its command. `seconds` is that of a full run."""

    def __init__(self, name: str, asks: str, *words, seconds: float, faults: bool = False):
        self.name, self.asks, self.words, self.seconds, self.faults = name, asks, words, seconds, faults


CASES = [
    Case("connections", "10,000 clients connect, 2,000 more each second", "run", "conn-tcp-10k-2k", seconds=5),
    Case("pairs", "1,000 publishers to 1,000 subscribers, QoS 1", "run", "p2p-1K-1K-1K-1K", seconds=20),
    Case("fan-out", "one publisher to 1,000 subscribers", "run", "fanout-1-1k-1-10K", seconds=20),
    Case("shared", "1,000 publishers to five sharing subscribers", "run", "sharedsub-1K-5-1K-1K", seconds=20),
    Case("steps", "10 pairs, the rate in steps up to 80,000/s", "run", "steps", "--rate", "20000", seconds=25),
    Case("capacity-qos0", "the highest rate with p99 under 10 ms and nothing lost, QoS 0", "capacity", "p2p", "--rate", "4000",
         "--slo", "p99<10ms,loss=0", seconds=3),
    Case("capacity-qos1", "the same at QoS 1", "capacity", "p2p", "--qos", "1", "--rate", "2000", "--slo", "p99<10ms,loss=0",
         seconds=3),
    Case("overload", "fifty times what it is used to for a quarter of the time, and back", "run", "overload", "--rate", "10000",
         seconds=20),
    Case("storm", "1,000 pairs are reset at once and come back", "run", "reconnect-storm", "--clients", "1000", "--rate", "1000",
         seconds=15),
    Case("drain", "subscribers come back to full queues", "run", "drain", "--rate", "2000", seconds=20),
    Case("faults", "bad clients, a halted and a killed server, and whether alertd told", "run", "faults", "--rate", "1000",
         seconds=90, faults=True),
]


class StressReport:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.header = machine.header()
        self.servers = PacketServers(bench)
        self.docs = bench.dir / "docs" if bench.tiny else b.ROOT / "docs"
        self.folder = self.docs / "stress"
        self.folder.mkdir(parents=True, exist_ok=True)

    def seconds(self, case: Case) -> float:
        # A fault must last long enough for an alert.
        shortest = 1.5 if self.bench.tiny and case.faults else 45 if case.faults else 1.5 if case.words[0] == "run" else 0.3
        return max(case.seconds / (20 if self.bench.tiny else 5 if self.bench.quick else 1), shortest)

    def run(self, name: str, case: Case) -> dict:
        page, data = self.folder / f"{case.name}-{name}.html", self.bench.dir / "run.json"
        data.unlink(missing_ok=True)
        words = [*case.words, "--probe" if case.words[0] == "capacity" else "--duration", f"{self.seconds(case) * 1000:.0f}ms",
                 "--report", page, "--json", data]
        with contextlib.ExitStack() as stack:
            if case.faults:
                port = free_port()
                words += ["--start", shlex.join(map(str, self.servers.command(name, port))), *self.alertd(stack, port)]
            else:
                port = stack.enter_context(self.servers.start(name)).port
            command = [str(word).replace(f"{b.ROOT}/", "")  # The pages tell it, wherever the checkout is.
                       for word in [b.BIN / STRESS, *words, "--target", f"mqtt://127.0.0.1:{port}"]]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800, cwd=b.ROOT)
        if done.returncode not in EXITS or not data.exists():
            raise Failed(f"{shlex.join(command)}: exit {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
        print(f"{case.name}, {name}: {done.stdout.splitlines()[0]}", flush=True)
        return json.loads(data.read_text())

    def alertd(self, stack, port: int) -> list:
        """The words for a cloud_alertd that asks the server's port with a CONNECT twice a second, with the shipped rules about
        servers."""
        http, folder = free_port(), self.bench.dir / f"alertd-{port}"
        folder.mkdir()
        config = folder / "alertd.toml"
        rules = folder / "rules.toml"
        rules.write_text((b.ROOT / "rules/cloud_server.toml").read_text().replace('for = "15s"', 'for = "1s"'))
        config.write_text(f'[http]\nlisten = "127.0.0.1:{http}"\n[storage]\ndir = "{folder}"\n[[probe]]\nname = "server"\nkind = "mqtt"\n'
                          f'target = "127.0.0.1:{port}"\ninterval = "500ms"\ntimeout = "400ms"\n'
                          f'[rules]\nfiles = ["rules.toml"]\ninterval = "500ms"\n')
        stack.enter_context(Process("cloud_alertd", [b.BIN / "cloud_alertd", "--config", config], http, self.bench.dir))
        return ["--alertd", f"http://127.0.0.1:{http}", "--alertd-token-file", folder / "token"]

    def write(self, found: dict):
        lines = ["# Stress report", "",
                 "`cloud_server` under concurrency, overload and faults, and Debian's mosquitto under the same load. Written by "
                 "`bench/run stress_report`; server, generator and all else share one machine, so that each would do better alone: only "
                 "the two beside each other say something. Each cell leads to the run's own report, which has its verdict, charts and "
                 "data.", "", f"- {self.header}", f"- {machine.footer()}", ""]
        names = [name for name in (OURS, MOSQUITTO) if any(name in of for of in found.values())]
        for case in CASES:
            if case.name in found:
                lines += [f"## {case.name.capitalize()}", "", f"{case.asks[0].upper()}{case.asks[1:]}.", "", *self.rows(case, found[case.name], names), ""]
        (self.docs / "STRESS_REPORT.md").write_text("\n".join(lines))

    def rows(self, case: Case, found: dict, names: list[str]) -> list[str]:
        columns = [name for name in names if name in found]
        rows = ["| | " + " | ".join(f"[{name}](stress/{case.name}-{name}.html)" for name in columns) + " |",
                "|---|" + "---|" * len(columns)]
        for title, read in FIGURES:
            cells = [read(found[name]) for name in columns]
            if any(cells):
                rows.append(f"| {title} | " + " | ".join(cells) + " |")
        return rows


def latency(ns: float) -> str:
    return "" if ns <= 0 else f"{ns / 1e3:.0f} us" if ns < 1e6 else f"{ns / 1e6:.1f} ms" if ns < 1e9 else f"{ns / 1e9:.1f} s"


def faults(report: dict) -> str:
    said = []
    for fault in report["faults"]:
        alert = f"{fault['alert']} after {fault['detect_ns'] / 1e9:.1f} s" if fault["alert"] else "no alert"
        back = "not recovered" if fault["recover_ns"] is None else f"recovered in {fault['recover_ns'] / 1e9:.1f} s"
        said.append(f"{fault['kind']}: {alert}, {back}")
    return "<br>".join(said)


def verdict(report: dict) -> str:
    said = report["verdict"]["validity"]
    if report["verdict"]["target_failed"]:
        said += ", target failed"
    missed = [f"{one['objective']} ({one['measured']})" for one in report["verdict"]["objectives"] if not one["met"]]
    return said + (", missed " + ", ".join(missed) if missed else "")


def server(report: dict) -> str:
    rows = [row for row in report["timeline"] if not row["drain"] and row["server_cpu_percent"] is not None]
    if not rows:
        return ""
    cpu = sum(row["server_cpu_percent"] for row in rows) / len(rows)
    return f"{cpu:.0f} % CPU, {max(row['server_memory_bytes'] for row in rows) / 1e6:.1f} MB"


FIGURES = [
    ("verdict", verdict),
    ("capacity", lambda r: r["capacity"]["sentence"] if "capacity" in r else ""),
    ("messages sent, deliveries received",
     lambda r: f"{r['ledger']['sent']:,}, {r['ledger']['received']:,}" if r["ledger"]["sent"] else ""),
    ("lost; missing around faults; duplicated",
     lambda r: f"{r['ledger']['lost']:,}; {r['ledger']['lost_in_faults'] + r['ledger']['lost_unconfirmed']:,}; "
               f"{r['ledger']['duplicated']:,}" if r["ledger"]["sent"] else ""),
    ("response time, p50 and p99",
     lambda r: f"{latency(r['latency']['response']['p50_ns'])}, {latency(r['latency']['response']['p99_ns'])}"
     if r["latency"]["response"]["count"] else ""),
    ("by phase, p99", lambda r: "<br>".join(f"{p['name']}: {latency(p['response']['p99_ns'])}" for p in r["phases"])
     if len(r["phases"]) > 1 else ""),
    ("connecting, p50 and p99",
     lambda r: f"{latency(r['connections']['connect']['p50_ns'])}, {latency(r['connections']['connect']['p99_ns'])}"),
    ("connections failed", lambda r: str(sum(e["count"] - e["in_faults"] for e in r["errors"].values()))),
    ("server", server),
    ("faults", faults),
    ("false alerts", lambda r: str(r["alerts"]["false_alerts"]) if not r["alerts"]["note"] else ""),
]


def run(bench: Bench):
    report = StressReport(bench)
    found = {}
    for case in CASES:
        if bench.wants(case.name):
            found[case.name] = {name: report.run(name, case) for name in report.servers.names(OURS, MOSQUITTO)}
    report.write(found)
    print(f"written: {report.docs / 'STRESS_REPORT.md'}")
