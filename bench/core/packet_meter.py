"""The two meters that load a packet server: ours, and an independent one that knows the older modes, where it is there."""

import json
import re

from core import bench as b
from core.packet_servers import compile_once, protocol
from core.process import Process, run

INDEPENDENT_MODES = {"p2p", "many", "fan", "q1", "pp"}
_PATTERNS = {
    "published": r"(\d+) pub ",
    "delivered": r"(\d+) deliv in",
    "server_cpu_ns": r"server CPU ([\d.]+) ns/delivery",
    "p50_us": r"p50 ([\d.]+)",
    "p99_us": r"p99 ([\d.]+)",
    "p999_us": r"p99\.9 ([\d.]+)",
}


def parse_independent(text: str) -> dict:
    """The figures of the independent meter's lines; Failed where messages were lost or the line is another."""
    figures = {key: float(found[1]) for key, pattern in _PATTERNS.items() if (found := re.search(pattern, text))}
    if "STALL" in text or "server_cpu_ns" not in figures or figures["delivered"] < figures["published"]:
        raise b.Failed(f"the independent meter did not see every message: {text.strip()[:300]}")
    return figures


class PacketMeter:
    def __init__(self, bench: b.Bench):
        self._own = b.BIN.parent / "bench/packet_meter"
        if not self._own.exists():
            raise b.Failed(f"{self._own} is not built")
        source = b.SHARED / "bench/packet_meter.c"
        self._independent = None
        if source.exists():
            self._independent = compile_once(bench, "gcc", [], source)
            bench.remark(f"modes {', '.join(sorted(INDEPENDENT_MODES))} were taken by {source}, the others by our own meter")
        else:
            bench.remark(f"no {source}: every figure was taken by our own meter")

    def __call__(self, server: Process, mode: str, *arguments, cpu: int | None = None) -> dict:
        """One run that prints one set of figures."""
        if self._independent and mode in INDEPENDENT_MODES:
            return parse_independent(run(self._independent, *self._target(server), mode, *arguments, cpu=cpu))
        return self.lines(server, mode, *arguments, cpu=cpu)[-1]

    def lines(self, server: Process, mode: str, *arguments, cpu: int | None = None) -> list[dict]:
        """One run of our own meter, with every set of figures it prints."""
        text = run(self._own, *self._target(server), mode, *arguments, cpu=cpu)
        figures = [json.loads(line) for line in text.splitlines()]
        if not figures:
            raise b.Failed(f"{mode}: the meter printed nothing")
        return figures

    def _target(self, server: Process) -> list:
        return [protocol(server.name), server.port, server.pid]
