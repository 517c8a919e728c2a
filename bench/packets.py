"""`bench/run packets`: what a message costs cloud_server, beside mosquitto, nats-server and a bare relay. All figures of CPU
are the server's own (schedstat), for 64-byte messages; see docs/reference/bench.md."""

import contextlib

from core.bench import Bench, median_of
from core.packet_meter import PacketMeter
from core.packet_servers import FLOOR, MOSQUITTO, NATS, OURS, PEERS, PacketServers
from core.table import Table

BYTES = 64
SLOW_SHARE = {MOSQUITTO: 16, NATS: 4}  # Peers that cost many times ours get as many fewer messages.


class Packets:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.servers = PacketServers(bench)
        self.meter = PacketMeter(bench)
        self.table = Table("packets, 64 B", OURS, PEERS)

    def compare(self, figure: str, unit: str, key: str, aim, measure, *names: str, cpu: int | None = None, scale: float = 1):
        """A row: `measure(server)` of each server in turn, and what stands under `key` in its figures."""
        if not self.bench.wants(figure):
            return
        with contextlib.ExitStack() as stack:
            servers = self.servers.start_all(stack, *names, cpu=cpu)
            medians = self.bench.medians(servers, measure)
            self.table.add(figure, unit, {name: found[key] * scale for name, found in medians.items()}, aim)

    def messages(self, server, full: int) -> int:
        return self.bench.count(full // SLOW_SHARE.get(server.name, 1))

    def flows(self):
        cpu = "server_cpu_ns"
        self.compare("1 -> 1, QoS 0", "ns/message", cpu, 80,
                     lambda s: self.meter(s, "p2p", BYTES, self.messages(s, 4_000_000), 1000))
        self.compare("1 -> 1,000, QoS 0, window 100", "ns/delivery", cpu, 220,
                     lambda s: self.meter(s, "fan", 20 if self.bench.tiny else 1000, BYTES, self.messages(s, 3_200), 100))
        self.compare("100 -> 100, QoS 0", "ns/message", cpu, 90,
                     lambda s: self.meter(s, "many", 100, BYTES, max(self.messages(s, 4_000_000), 10_000), 1000))
        self.compare("1 -> 1, QoS 0, at 10,000 messages/s", "ns/message", cpu, f"{MOSQUITTO}, {NATS}",
                     lambda s: self.meter(s, "paced", BYTES, 10_000, 0.2 if self.bench.tiny else 1))
        self.compare("1 -> 1, QoS 1, window 100", "ns/message", cpu, 1_000,
                     lambda s: self.meter(s, "q1", BYTES, self.messages(s, 400_000), 100), OURS, MOSQUITTO)
        self.compare("the same, persistent subscriber, on disk", "ns/message", cpu, 3_000,
                     lambda s: self.meter(s, "q1_persistent", BYTES, self.messages(s, 200_000), 100), OURS)

    def round_trip(self):
        self.compare("round trip on one CPU, p50", "us", "p50_us", 28,
                     lambda s: self.meter(s, "pp", BYTES, self.bench.count(20_000), cpu=0), cpu=0)

    def idle(self):
        """Memory is that of a fresh server's first crowd; CPU the median of all crowds."""
        figure = "idle connections"
        if not self.bench.wants(figure):
            return
        count = 100 if self.bench.tiny else 10_000
        repeats = 1 if self.bench.quick else self.bench.repeat
        plain = self._crowds(self.servers.names(), self.servers.start, count, False, repeats)
        self.table.add(f"10,000 {figure}, memory of each", "B", {name: found["bytes_each"] for name, found in plain.items()}, 735)
        self.table.add(f"10,000 {figure}, connecting each", "us", {name: found["us"] for name, found in plain.items()}, 20)
        count //= 10  # A handshake costs far more than all the rest.
        tls = self._crowds(self.servers.names(OURS, MOSQUITTO), self.servers.start_tls, count, True, 1)
        self.table.add(f"1,000 {figure} with TLS, memory of each", "B", {name: found["bytes_each"] for name, found in tls.items()})
        self.table.add(f"1,000 {figure} with TLS, connecting each", "us", {name: found["us"] for name, found in tls.items()})

    def _crowds(self, names: list[str], start, count: int, tls: bool, repeats: int) -> dict:
        found = {}
        for name in names:
            with start(name) as server:
                crowds = self.meter.lines(server, "idle", count, int(tls), 200, repeats)
            found[name] = {"us": median_of(crowds)["server_cpu_ns"] / 1e3, "bytes_each": crowds[0]["bytes_each"]}
        return found

    def curve(self):
        """1,000 topics in turn, to one wildcard subscription, beside more and more others."""
        figure = "curve"
        if not self.bench.wants(figure):
            return
        sizes = [1, 100] if self.bench.tiny else [1, 100, 10_000, 1_000_000]
        table = Table("ns/message with so many subscriptions", OURS, [])
        memory = Table("what a subscription costs", OURS, [])
        costs = {}
        for size in sizes:
            with self.servers.start(OURS) as server:
                lines = self.meter.lines(server, "curve", size, 0.1 if self.bench.tiny else 0.5 if self.bench.quick else 1,
                                         self.bench.repeat)
            for phase, said in (("steady", ""), ("subscribing", ", and 1,000 SUBSCRIBEs/s")):
                costs[f"{size:,}{said}"] = median_of([line for line in lines if line["phase"] == phase])["server_cpu_ns"]
            if size > 100:
                load = next(line for line in lines if line["phase"] == "load")
                memory.add(f"{size:,}: memory of each", "B", {OURS: load["bytes_each"]})
                memory.add(f"{size:,}: making each", "ns", {OURS: load["server_cpu_ns"]})
        for said, cost in costs.items():
            table.add(said, "ns/message", {OURS: cost}, 2 * min(costs.values()))
        table.print()
        if memory.rows:
            memory.print()


def run(bench: Bench):
    packets = Packets(bench)
    packets.flows()
    packets.round_trip()
    packets.idle()
    if packets.table.rows:
        packets.table.print()
    packets.curve()
