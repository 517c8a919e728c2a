"""cloud_server, cloud_exporter and cloud_alertd together: a crash fires at once, a planned stop does not, state outlives a
restart, and a reload is taken over whole or not at all."""

import json
import signal
import time
import urllib.parse

from harness import Bench, http, run, run_program, wait_for

RULES = """
[[rule]]
alert = "ServerDown"
down = { process = "*" }
severity = "critical"
summary = "{{ $labels.process }} is down"

[[rule]]
alert = "ServerUnreachable"
down = { probe = "*" }
for = "2s"

[[rule]]
alert = "ExporterDown"
down = { job = "node" }
for = "1h"

[[rule]]
alert = "Always"
expr = "up >= 0"
"""


def config(bench, mqtt: str, exporter: str) -> str:
    return f"""
[http]
listen = "127.0.0.1:0"
[storage]
dir = "state"
[rules]
files = ["{bench.dir}/rules.toml"]
interval = "1s"
[[scrape]]
job = "node"
targets = ["{exporter}"]
interval = "1s"
[[process]]
name = "cloud_server"
stats_file = "{bench.stats_file()}"
labels = {{ server = "cloud_server" }}
[[probe]]
name = "mqtt"
kind = "mqtt"
target = "{mqtt}"
interval = "500ms"
process = "cloud_server"
[telemetry]
server = "{mqtt}"
[[receiver]]
name = "terminal"
stdout = true
"""


class Alertd:
    def __init__(self, bench):
        self.bench = bench
        self.start()

    def start(self):
        self.program = self.bench.start("cloud_alertd", "--config", self.bench.dir / "alertd.toml")
        self.url = f"http://{self.program.ready()['http']}"

    def get(self, path: str, **query):
        status, _, body = http(f"{self.url}{path}?{urllib.parse.urlencode(query)}")
        assert status == 200, (status, body)
        return json.loads(body)["data"]

    def alert(self, name: str) -> dict | None:
        found = [a for a in self.get("/api/v1/alerts")["alerts"] if a["labels"]["alertname"] == name]
        return found[0] if found else None

    def firing(self, name: str):
        alert = self.alert(name)
        return alert if alert and alert["state"] == "firing" else None

    def value(self, query: str) -> float | None:
        result = self.get("/api/v1/query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def metric(self, name: str) -> float:
        status, _, body = http(f"{self.url}/metrics")
        assert status == 200, body
        return next(float(line.split()[-1]) for line in body.decode().splitlines() if line.startswith(name))


def start_server(bench, address: str):
    server = bench.start("cloud_server", "--listen", address, "--data-dir", bench.dir / "server", "--stats-file",
                         bench.stats_file())
    return server, server.ready()["mqtt"]


def crash_fires_at_once_and_resolves(bench, alertd, server, mqtt):
    wait_for("the process to be seen", lambda: alertd.value("process_watch_up") == 1)
    assert alertd.alert("ServerDown") is None
    server.kill()
    fired = wait_for("ServerDown to fire", lambda: alertd.firing("ServerDown"))
    assert fired["labels"]["severity"] == "critical", fired
    assert fired["annotations"]["summary"] == "cloud_server is down", fired
    wait_for("ServerUnreachable to fire", lambda: alertd.firing("ServerUnreachable"))
    server, _ = start_server(bench, mqtt)
    wait_for("ServerDown to resolve", lambda: alertd.alert("ServerDown") is None)
    wait_for("ServerUnreachable to resolve", lambda: alertd.alert("ServerUnreachable") is None)
    alertd.program.wait_line(lambda line: "ServerDown" in line or "cloud_server is down" in line, "notice")
    return server


def a_packet_that_was_kept_has_its_time(bench, alertd, mqtt):
    """Published while no server was there, delivered by a later process: the sample is as old as the publish."""
    def publish(server: str, value: str):
        done = run_program("cloud_client", "pub", "--server", f"mqtt://{server}", "--id", "meter", "--spool", bench.dir / "meter",
                           "--topic", "telemetry/meter/power", "--message", value, "--qos", "1")
        assert done.returncode == 0, done

    wait_for("alertd to be connected", lambda: [
        target for target in alertd.get("/api/v1/targets")["activeTargets"]
        if target["scrapePool"] == "telemetry" and target["health"] == "up"])
    publish("127.0.0.1:1", "231.5")  # Nobody listens there.
    published_before = time.time()
    publish(mqtt, "231.6")
    values = wait_for("both samples", lambda: [
        value for series in alertd.get("/api/v1/query", query='telemetry_power{client="meter"}[1m]')["result"]
        for value in series["values"] if len(series["values"]) == 2])
    assert [value for _, value in values] == ["231.5", "231.6"], values
    assert values[0][0] <= published_before < values[1][0], (values, published_before)


def planned_stop_is_no_alert(alertd, server):
    server.stop()
    wait_for("the stop to be seen", lambda: alertd.value("process_watch_up") == 0)
    assert alertd.value("process_watch_stop_planned") == 1
    failures = alertd.value("count_over_time(probe_success[1m])")
    wait_for("eight more probes", lambda: alertd.value("count_over_time(probe_success[1m])") >= failures + 8)
    assert alertd.value("probe_success") == 0
    assert alertd.alert("ServerDown") is None and alertd.alert("ServerUnreachable") is None


def state_outlives_a_restart(alertd):
    before = wait_for("Always to fire", lambda: alertd.firing("Always"))
    alertd.program.stop()
    alertd.start()
    after = wait_for("Always to be there", lambda: alertd.firing("Always"))
    assert after["activeAt"] == before["activeAt"], (before, after)
    alertd.program.kill()
    alertd.start()
    again = wait_for("Always to be there after a kill", lambda: alertd.firing("Always"))
    assert again["activeAt"] == before["activeAt"], (before, again)


def reload_is_whole_or_nothing(bench, alertd):
    rules = bench.dir / "rules.toml"
    rules.write_text(RULES + '[[rule]]\nalert = "New"\nexpr = "up >= 0"\n[[rule]]\nalert = "Bad"\nexpr = "up >="\n')
    alertd.program.signal(signal.SIGHUP)
    alertd.program.wait_line(lambda line: "rules.toml" in line and "parse error" in line, "the fault", stream="log")
    wait_for("the reload to be called failed",
             lambda: alertd.metric("cloud_alertd_config_last_reload_successful") == 0)
    assert alertd.alert("New") is None and alertd.firing("Always")
    rules.write_text(RULES + '[[rule]]\nalert = "New"\nexpr = "up >= 0"\n')
    alertd.program.signal(signal.SIGHUP)
    wait_for("the new rule to fire", lambda: alertd.firing("New"))
    assert alertd.metric("cloud_alertd_config_last_reload_successful") == 1
    assert alertd.firing("Always")


def main():
    with Bench() as bench:
        server, mqtt = start_server(bench, "127.0.0.1:0")
        exporter = bench.start("cloud_exporter", "--web.listen-address", "127.0.0.1:0", "--cloud-server.stats-file",
                               bench.stats_file())
        (bench.dir / "rules.toml").write_text(RULES)
        (bench.dir / "alertd.toml").write_text(config(bench, mqtt, exporter.ready()["http"]))
        alertd = Alertd(bench)
        wait_for("the exporter to be scraped", lambda: alertd.value("up") == 1)
        wait_for("the server's own figures", lambda: alertd.value("cloud_server_up") == 1)
        wait_for("the probe", lambda: alertd.value("probe_success") == 1)
        a_packet_that_was_kept_has_its_time(bench, alertd, mqtt)
        server = crash_fires_at_once_and_resolves(bench, alertd, server, mqtt)
        planned_stop_is_no_alert(alertd, server)
        state_outlives_a_restart(alertd)
        reload_is_whole_or_nothing(bench, alertd)
        alertd.program.stop()


if __name__ == "__main__":
    run(main)
