"""Debian's Prometheus, unpacked and never installed, as a child of a test: on a port of the kernel's choice, in the test's
folder."""

import json
import os
import pathlib
import urllib.parse

import harness

LISTENING = "0A"  # In /proc/net/tcp.


def listening_port(pid: int) -> int | None:
    """The port that a process listens on; Prometheus does not say it where it was told 0."""
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                return int(fields[1].split(":")[1], 16)
    return None


class Prometheus:
    """Scrapes `targets` (job -> host:port) every `interval`, and evaluates `rules` as often. `jobs`: further scrape_configs.
    Alerts go to `alertmanagers`, each the host:port of a ready cloud_alertd."""

    def __init__(self, bench: harness.Bench, targets: dict[str, str], interval: str = "500ms", rules: list[dict] | None = None,
                 retention: str = "15d", jobs: list[dict] | None = None, alertmanagers: list[str] | None = None):
        binary = harness.peer("prometheus", "usr/bin/prometheus")
        config = bench.dir / "prometheus.yml"
        jobs = [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()] + (jobs or [])
        # YAML is a superset of JSON.
        rule_file = bench.dir / "rules.yml"
        rule_file.write_text(json.dumps({"groups": [{"name": "test", "rules": rules or []}]}))
        alerting = [{"static_configs": [{"targets": [address]}], "authorization": {"credentials": harness.token_of(address)}}
                    for address in alertmanagers or []]
        config.write_text(json.dumps({"global": {"scrape_interval": interval, "scrape_timeout": interval,
                                                 "evaluation_interval": interval},
                                      "alerting": {"alertmanagers": alerting},
                                      "rule_files": [str(rule_file)], "scrape_configs": jobs}))
        self.program = bench.start(binary, f"--config.file={config}", f"--storage.tsdb.path={bench.dir / 'tsdb'}",
                                   f"--storage.tsdb.retention.time={retention}", "--web.listen-address=127.0.0.1:0")
        port = harness.wait_for("Prometheus to listen", lambda: listening_port(self.program.pid))
        self.address = f"127.0.0.1:{port}"
        harness.wait_for("Prometheus to be ready", self._is_ready)

    def _is_ready(self) -> bool:
        try:
            return harness.http(f"http://{self.address}/-/ready")[0] == 200
        except OSError:
            return False

    def get(self, path: str, **parameters):
        """The `data` of an API call."""
        query = urllib.parse.urlencode(parameters)
        status, _, body = harness.http(f"http://{self.address}/api/v1/{path}?{query}")
        reply = json.loads(body)
        assert reply["status"] == "success", (status, path, parameters, reply)
        return reply["data"]

    def query(self, expression: str) -> list:
        return self.get("query", query=expression)["result"]

    def value(self, expression: str) -> float | None:
        """The value of the one series that `expression` gives, or None."""
        result = self.query(expression)
        return float(result[0]["value"][1]) if len(result) == 1 else None
