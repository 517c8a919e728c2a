"""`bench/run stress`: what the load generator itself costs, how late it is, and whether its latency is that of an independent meter;
see docs/reference/bench.md."""

import json
import os
import subprocess

from core import bench as b
from core.bench import Bench, Failed, median_of
from core.packet_meter import PacketMeter
from core.packet_servers import OURS as SERVER, PacketServers
from core.table import Table

OURS = "cloud_stress"
BATCHED_NS = 150
UNBATCHED_NS = 2_500
AGREE_PERCENT = 5
MOST_PER_S = 2_000_000  # That cloud_stress sends; its own bound.
CONNECTIONS_MB = 60
CONNECTIONS = 18_000
EXITS = (0, 3, 4)  # Measured, whatever it thinks of a busy machine.


class Stress:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.servers = PacketServers(bench)
        self.seconds = 0.3 if bench.tiny else 1 if bench.quick else 3
        self.table = Table("the load generator", OURS, ["independent meter"])

    def run(self, server, *words, cpu: int | None = None) -> tuple[dict, int]:
        """The report of one run, and the most memory that it had."""
        data = self.bench.dir / "stress.json"
        command = [b.BIN / OURS, "run", *words, "--target", f"mqtt://127.0.0.1:{server.port}", "--json", data]
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   preexec_fn=None if cpu is None else lambda: os.sched_setaffinity(0, {cpu}))
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in EXITS:
            raise Failed(f"{' '.join(map(str, command))}: exit {process.returncode}: {said[-500:]}")
        return json.loads(data.read_text()), usage.ru_maxrss * 1024

    def duration(self) -> list[str]:
        return ["--duration", f"{self.seconds * 1000:.0f}ms"]

    def cost(self, figure: str, aim: float | None, wanted_batch: tuple[float, float], *words) -> float:
        """CPU of the generator for a message sent and received; how many share a send call must be as the figure says."""
        def measure(server):
            report, _ = self.run(server, "p2p", *words, *self.duration())
            sent = report["ledger"]["sent"]
            batch = sent / report["generator"]["send_calls"]
            if not wanted_batch[0] <= batch <= wanted_batch[1]:
                raise Failed(f"{figure}: {batch:.1f} messages shared a send call")
            return {"ns": report["generator"]["cpu_ns"] / sent, "rate": report["timeline"][0]["sent"] / self.seconds if
                    self.seconds < 1 else report["timeline"][0]["sent"]}
        with self.servers.start(SERVER) as server:
            found = self.bench.medians({OURS: server}, measure)[OURS]
        self.table.add(figure, "ns/message", {OURS: found["ns"]}, aim)
        return found["rate"]

    def costs(self) -> float:
        batched = "CPU for a message, 16 or more to a send call"
        rate = 0.0
        if self.bench.wants(batched) or self.bench.wants("send lag"):
            rate = self.cost(batched, BATCHED_NS, (16, 1e9), "--clients", 2, "--arrivals", "closed", "--window", 1000)
        unbatched = "CPU for a message, each by itself"
        if self.bench.wants(unbatched):
            self.cost(unbatched, UNBATCHED_NS, (1, 1.5), "--clients", 50, "--arrivals", "closed")
        paced = "the same at 5,000/s: each wakes a thread twice"
        if self.bench.wants(paced):
            self.cost(paced, None, (1, 1.5), "--clients", 1, "--rate", 5_000)
        return rate

    def lag(self, rate: float):
        figure = "send lag at half of what it can, p99"
        if not self.bench.wants(figure) or not rate:
            return
        half = min(int(rate / 2), MOST_PER_S)

        def measure(server):
            report, _ = self.run(server, "p2p", "--clients", 10, "--rate", half, *self.duration())
            return {"us": report["generator"]["lag"]["p99_ns"] / 1e3}
        with self.servers.start(SERVER) as server:
            self.table.add(f"{figure} ({half:,}/s)", "us", {OURS: self.bench.medians({OURS: server}, measure)[OURS]["us"]}, 1_000)

    def connections(self):
        count = 200 if self.bench.tiny else CONNECTIONS
        figure = f"{count:,} connections: memory"
        if not self.bench.wants(figure):
            return
        with self.servers.start(SERVER) as server:
            pairs = count // 2
            report, memory = self.run(server, f"p2p-{pairs}-{pairs}-{pairs}-{max(pairs // 10, 1)}", "--duration", "1s")
        if report["connections"]["ready"] != count:
            raise Failed(f"{figure}: {report['connections']['ready']} were ready")
        self.table.add(figure, "MB", {OURS: memory / 1e6}, CONNECTIONS_MB)

    def agreement(self):
        """One message under way, one CPU for server and meter: a delivery is half of the meter's round trip."""
        figure = "a delivery, one under way, one CPU, p50"
        if not self.bench.wants(figure):
            return
        meter = PacketMeter(self.bench)
        with self.servers.start(SERVER, cpu=0) as server:
            def both(_):
                theirs = meter(server, "pp", 64, self.bench.count(20_000), cpu=0)["p50_us"] / 2
                report, _ = self.run(server, "p2p", "--clients", 1, "--arrivals", "closed", *self.duration(), cpu=0)
                return {"theirs": theirs, "ours": report["latency"]["service"]["p50_ns"] / 1e3}
            taken = median_of([both(server) for _ in range(self.bench.repeat)])
        self.table.add(figure, "us", {OURS: taken["ours"], "independent meter": taken["theirs"]})
        apart = abs(taken["ours"] - taken["theirs"]) / taken["theirs"] * 100
        self.table.add("the two are apart", "%", {OURS: apart}, AGREE_PERCENT)


def run(bench: Bench):
    stress = Stress(bench)
    stress.lag(stress.costs())
    stress.connections()
    stress.agreement()
    if stress.table.rows:
        stress.table.print()
