"""Debian's Prometheus scrapes the real exporter, which watches a real cloud_server, and sees it live, hang and die."""

import gzip
import re
import signal
import subprocess

import harness
from harness import Bench, http, run_program, wait_for
from prometheus import Prometheus

# Names that are node_exporter's own, as are these complaints about them.
NODE_EXPORTERS_NAMES = re.compile(
    r"^node_(memory|netstat|sockstat)_\w+ metric names should be written in 'snake_case' not 'camelCase'$"
    r"|^node_entropy_\w+_bits use base unit \"bytes\" instead of \"bits\"$")
EXPECTED = [
    "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes", 'node_cpu_seconds_total{mode="idle",cpu="0"}',
    "node_load1", "node_boot_time_seconds", "node_time_seconds", 'node_filesystem_avail_bytes{mountpoint="/"}',
    'node_network_receive_bytes_total{device="lo"}', "node_uname_info", "node_netstat_Tcp_CurrEstab", "node_sockstat_sockets_used", "node_context_switches_total",
    'node_scrape_collector_success{collector="cloud_server"} == 1', "cloud_server_up == 1",
    'cloud_server_state{state="up"} == 1', "cloud_server_process_resident_memory_bytes", "cloud_server_process_open_fds",
    'cloud_server_loop_heartbeat_age_seconds{loop="0"} < 3', "cloud_server_connections", "cloud_server_uptime_seconds",
    'cloud_server_packets_received_total{type="connect"}', "cloud_exporter_scrapes_total", "process_cpu_seconds_total",
]


def check_page(address: str):
    """Formats, compression, status codes, and promtool's opinion."""
    url = f"http://{address}/metrics"
    status, headers, plain = http(url)
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers
    _, headers, packed = http(url, headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip" and b"node_load1 " in gzip.decompress(packed)
    _, headers, page = http(url, headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0"), headers
    assert page.endswith(b"# EOF\n")
    status, headers, body = http(url, method="HEAD")
    assert status == 200 and body == b"" and int(headers["Content-Length"]) > 1000, headers
    assert http(f"http://{address}/nowhere")[0] == 404
    assert http(url, method="POST", body=b"x")[0] == 405
    assert http(f"http://{address}/")[0] == http(f"http://{address}/-/ready")[0] == 200

    promtool = harness.peer("prometheus", "usr/bin/promtool")
    checked = subprocess.run([promtool, "check", "metrics", "--extended"], input=plain, capture_output=True, check=False)
    complaints = (checked.stdout + checked.stderr).decode().splitlines()
    assert [line for line in complaints if not NODE_EXPORTERS_NAMES.match(line)] == [], complaints


def check_strict_openmetrics(address: str):
    """Debian's python3-prometheus-client reads OpenMetrics by the letter."""
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        print("python3-prometheus-client is not here: the strict reading of OpenMetrics was left out")
        return
    _, _, page = http(f"http://{address}/metrics", headers={"Accept": "application/openmetrics-text"})
    names = {family.name for family in text_string_to_metric_families(page.decode())}
    assert {"node_cpu_seconds", "cloud_server_packets_received"} <= names, names


def check_states(prometheus: Prometheus, server):
    """What happens to the server is seen: hung, up again, dead."""
    def state(name: str):
        return lambda: prometheus.value(f'cloud_server_state{{state="{name}"}}') == 1

    server.signal(signal.SIGSTOP)
    wait_for("the server to be seen hanging", state("hung"))
    assert prometheus.value("cloud_server_up") == 0
    server.signal(signal.SIGCONT)
    wait_for("the server to be seen up again", state("up"))
    server.kill()
    wait_for("the server to be seen dead", state("dead"))
    wait_for("its figures to end", lambda: prometheus.query("cloud_server_connections") == [])


def check_bad_starts(address: str):
    busy = run_program("cloud_exporter", "--web.listen-address", address)
    assert busy.returncode == 1 and "in use by cloud_exporter (pid" in busy.stderr, busy
    unknown = run_program("cloud_exporter", "--colector.cpu")
    assert unknown.returncode == 2 and 'did you mean "--collector.cpu"?' in unknown.stderr, unknown
    pattern = run_program("cloud_exporter", "--web.listen-address", "127.0.0.1:0", "--collector.netdev.device-exclude", "(")
    assert pattern.returncode == 2 and "--collector.netdev.device-exclude" in pattern.stderr, pattern


def main():
    with Bench() as bench:
        server, _ = bench.start_server(name="watched")
        exporter = bench.start("cloud_exporter", "--web.listen-address", "127.0.0.1:0", "--cloud-server.stats-file",
                               bench.stats_file("watched"))
        address = exporter.ready()["http"]
        check_page(address)
        check_strict_openmetrics(address)
        check_bad_starts(address)

        prometheus = Prometheus(bench, {"node": address})
        wait_for("the target to be healthy", lambda: prometheus.value('up{job="node"}') == 1)
        target = prometheus.get("targets")["activeTargets"][0]
        assert target["health"] == "up" and target["lastError"] == "", target
        for expression in EXPECTED:
            wait_for(expression, lambda: prometheus.query(expression))
        assert prometheus.query("count(cloud_server_up)")[0]["value"][1] == "1"
        assert prometheus.query('cloud_server_up{server="watched"}')
        check_states(prometheus, server)
        exporter.stop()
        wait_for("the target to be down", lambda: prometheus.value('up{job="node"}') == 0)


if __name__ == "__main__":
    harness.run(main)
