"""`bench/run probes`: what 1,000 TCP and 1,000 HTTP probes, each every second, cost cloud_alertd, beside Debian's
blackbox_exporter with Prometheus on the same targets; see docs/reference/bench.md."""

import contextlib
import json
import time
import urllib.error

from core import bench as b
from core.bench import Bench
from core.process import Process, free_port
from core.table import Table
from scrapes import DEADLINE_S, OURS, Targets, query

PEER = "blackbox_exporter + Prometheus"
TARGETS = 1000
INTERVAL_S = 1
THIRD = 33            # Per cent of a core.
KINDS = ("tcp", "http")


class Probes:
    def __init__(self, bench: Bench):
        self.bench = bench
        self.count = 20 if bench.tiny else TARGETS
        self.seconds = 2 if bench.tiny else 10 if bench.quick else 30
        self.programs = [b.PEERS / package / "usr/bin" / package for package in ("prometheus-blackbox-exporter", "prometheus")]
        self.table = Table(f"{self.count:,} TCP and {self.count:,} HTTP probes, each every {INTERVAL_S} s", OURS, [PEER])

    def ours(self, addresses: list[str]) -> list[Process]:
        port = free_port()
        text = f'[http]\nlisten = "127.0.0.1:{port}"\n[storage]\ndir = "alertd"\n'
        for number, address in enumerate(addresses):
            for kind, target in (("tcp", address), ("http", f"http://{address}/metrics")):
                text += f'[[probe]]\nname = "{kind}{number}"\nkind = "{kind}"\ntarget = "{target}"\ninterval = "{INTERVAL_S}s"\n' \
                        f'timeout = "{INTERVAL_S}s"\n'
        config = self.bench.dir / "probes.toml"
        config.write_text(text)
        server = Process(OURS, [b.BIN / OURS, "--config", config], port, self.bench.dir)
        server.token_file = self.bench.dir / "alertd/token"
        return [server]

    def peers(self, addresses: list[str]) -> list[Process]:
        exporter_port, port = free_port(), free_port()
        modules = {kind: {"prober": kind, kind: {"preferred_ip_protocol": "ip4"}} for kind in KINDS}
        (self.bench.dir / "blackbox.yml").write_text(json.dumps({"modules": modules}))  # YAML is a superset of JSON.
        exporter = Process("blackbox_exporter", [self.programs[0], f"--config.file={self.bench.dir / 'blackbox.yml'}",
                                                 f"--web.listen-address=127.0.0.1:{exporter_port}"], exporter_port, self.bench.dir)
        relabel = [{"source_labels": ["__address__"], "target_label": "__param_target"},
                   {"source_labels": ["__address__"], "target_label": "instance"},
                   {"target_label": "__address__", "replacement": f"127.0.0.1:{exporter_port}"}]
        jobs = [{"job_name": kind, "metrics_path": "/probe", "params": {"module": [kind]}, "scrape_interval": f"{INTERVAL_S}s",
                 "scrape_timeout": f"{INTERVAL_S}s", "relabel_configs": relabel, "static_configs": [{"targets": addresses}]}
                for kind in KINDS]
        config = self.bench.dir / "prometheus.yml"
        config.write_text(json.dumps({"scrape_configs": jobs}))
        return [Process("Prometheus", [self.programs[1], f"--config.file={config}", f"--storage.tsdb.path={self.bench.dir / 'tsdb'}",
                                       f"--web.listen-address=127.0.0.1:{port}"], port, self.bench.dir), exporter]

    def measure(self, start) -> dict:
        """The share of a core over `seconds`, once every target was looked at. The first process answers queries."""
        with Targets(self.count, 1) as targets:
            processes = start(targets.addresses)
            try:
                end = time.monotonic() + DEADLINE_S
                looked_at = 0.0
                while looked_at < 2 * self.count:
                    with contextlib.suppress(urllib.error.URLError):  # Prometheus answers 503 at first.
                        looked_at = query(processes[0], "count(probe_success)")
                    if time.monotonic() > end:
                        raise b.Failed(f"{processes[0].name} has not looked at all targets within {DEADLINE_S} s")
                    time.sleep(0.5)
                used_s, began = sum(process.cpu_s() for process in processes), time.monotonic()
                time.sleep(self.seconds)
                took_s, used_s = time.monotonic() - began, sum(process.cpu_s() for process in processes) - used_s
                rss = sum(process.rss_bytes() for process in processes) / 1e6
                window = f"probe_success[{self.seconds}s] offset 1s"  # What a second ago was seen is stored by now.
                looks = query(processes[0], f"sum(count_over_time({window}))")
                failed = query(processes[0], f"sum(count_over_time({window})) - sum(sum_over_time({window}))")
            finally:
                for process in processes:
                    process.stop()
        due = 2 * self.count * self.seconds / INTERVAL_S
        return {"share": used_s / took_s * 100, "us": used_s / took_s * self.seconds / looks * 1e6, "rss": rss,
                "done": looks / due * 100, "failed": failed}


def run(bench: Bench):
    probes = Probes(bench)
    found = {OURS: probes.measure(probes.ours)}
    if found[OURS]["done"] < 95 or found[OURS]["failed"] > 0:
        raise b.Failed(f"{found[OURS]['done']:.0f} % of the looks that were due, {found[OURS]['failed']:.0f} of them failed")
    if all(program.exists() for program in probes.programs):
        found[PEER] = probes.measure(probes.peers)
    else:
        bench.remark(f"blackbox_exporter or Prometheus is not unpacked under {b.PEERS}: its column is empty")
    columns = (("CPU", "% of a core", "share", THIRD), ("CPU of a look", "us", "us", None), ("memory", "MB", "rss", None),
               ("looks done of those due", "%", "done", None))
    for figure, unit, key, aim in columns:
        probes.table.add(figure, unit, {name: values[key] for name, values in found.items()}, aim)
    probes.table.print()
