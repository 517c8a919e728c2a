"""Debian's promtool reads the API of a running cloud_alertd: instant, range, series and labels; and what it must refuse."""

import json
import time
import urllib.parse

import harness
from metrics_page import serve_metrics

PAGE = """# HELP test_requests_total Requests.
# TYPE test_requests_total counter
test_requests_total{code="200"} 7
test_requests_total{code="500"} 1
# TYPE test_gauge gauge
test_gauge 2.5
"""


def start_alertd(bench, target: str) -> str:
    config = bench.dir / "alertd.toml"
    config.write_text(f"""
[http]
listen = "127.0.0.1:0"
[storage]
dir = "{bench.dir}/alertd"
[[scrape]]
job = "test"
targets = ["{target}"]
interval = "500ms"
timeout = "400ms"
""")
    (bench.dir / "alertd").mkdir()
    return bench.start("cloud_alertd", "--config", config).ready()["http"]


def get(address: str, path: str, **params):
    status, headers, body = harness.http(f"http://{address}{path}?{urllib.parse.urlencode(params)}")
    return status, headers, json.loads(body) if body.startswith(b"{") else body


def promtool(*command) -> str:
    tool = harness.peer("prometheus", "usr/bin/promtool")
    done = harness.run_program(tool, *command)
    assert done.returncode == 0, f"promtool {command}: {done.stderr}"
    return done.stdout


def ask_with_promtool(address: str):
    url = harness.with_token(address)
    instant = promtool("query", "instant", url, "sum(test_requests_total)")
    assert instant.startswith("{} => 8 @["), instant
    start = str(int(time.time()) - 60)
    ranged = promtool("query", "range", f"--start={start}", "--step=1s", url, "test_gauge")
    assert "2.5 @[" in ranged and 'job="test"' in ranged, ranged
    series = promtool("query", "series", "--match=test_requests_total", url)
    assert series.count("__name__=\"test_requests_total\"") == 2, series
    labels = promtool("query", "labels", url, "code")
    assert labels.split() == ["200", "500"], labels


def alertd(*command):
    return harness.run_program(harness.BIN / "cloud_alertd", *command)


def ask_with_own_command(bench, address: str):
    server = [f"--url=http://{address}", f"--token-file={bench.dir}/alertd/token"]
    instant = alertd("query", *server, "sum(test_requests_total)")
    assert instant.returncode == 0 and instant.stdout.startswith("{} => 8 @["), instant
    now = int(time.time())
    ranged = alertd("query", *server, f"--start={now - 60}", f"--end={now}", "--step=1s", "test_gauge")
    assert 'test_gauge{instance="' in ranged.stdout and "\n2.5 @[" in ranged.stdout, ranged
    noted = alertd("query", *server, "rate(test_gauge[1m])")
    assert "might not be a counter" in noted.stderr, noted
    refused = alertd("query", *server, "up{")
    assert refused.returncode == 1 and "1:4: parse error" in refused.stderr, refused
    assert alertd("query", *server, "--start=1", "up").returncode == 2
    good, bad = bench.dir / "good.test", bench.dir / "bad.test"
    good.write_text("load 1m\n  a 1+1x5\n\neval instant at 2m a * 2\n  {} 6\n\neval instant at 2m limitk(1, a)\n")
    bad.write_text("eval instant at 0 1 + 1\n  3\n")
    done = alertd("promqltest", good)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "1 passed, 0 failed, 1 skipped", done
    assert done.stdout.startswith("good.test: 1 passed, 0 failed, 1 skipped\n"), done
    done = alertd("promqltest", good, bad, bench.dir / "none.test")
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == "1 passed, 2 failed, 1 skipped", done


def ask_by_hand(address: str):
    status, headers, answer = get(address, "/api/v1/query", query="up{")
    assert status == 400 and answer["errorType"] == "bad_data", answer
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Access-Control-Allow-Origin"] is None
    status, _, answer = get(address, "/api/v1/targets")
    assert answer["data"]["activeTargets"][0]["health"] == "up", answer
    assert get(address, "/api/v1/rules")[2]["data"]["groups"] == []
    assert get(address, "/api/v1/alerts")[2]["data"]["alerts"] == []
    assert get(address, "/api/atalaya/notices")[2]["data"]["notices"] == []
    assert get(address, "/-/healthy")[0] == 200 and get(address, "/-/ready")[0] == 200
    page = get(address, "/metrics")[2]
    assert b"cloud_alertd_history_samples_total" in page
    families = [line for line in page.splitlines() if line.startswith(b"# TYPE ")]
    assert len(families) == len(set(families)), "a family stands twice on /metrics"
    assert b"<title>Atalaya</title>" in get(address, "/")[2]
    status, _, _ = harness.http(f"http://{address}/api/v1/alerts", headers={"Host": "evil.example"})
    assert status == 421, status
    status, _, body = harness.http(f"http://{address}/api/v1/query", "POST", b"query=1%2B1",
                                   {"Content-Type": "application/x-www-form-urlencoded"})
    assert json.loads(body)["data"]["result"][1] == "2", body


def main():
    with harness.Bench() as bench:
        address = start_alertd(bench, serve_metrics(bench, lambda: PAGE))
        # Some seconds of scrapes, so that a range of whole seconds meets them.
        harness.wait_for("six scrapes", lambda: get(
            address, "/api/v1/query", query="count_over_time(test_gauge[1m]) >= 6")[2]["data"]["result"])
        ask_by_hand(address)
        ask_with_own_command(bench, address)
        ask_with_promtool(address)


harness.run(main)
