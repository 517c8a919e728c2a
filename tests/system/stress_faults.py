"""cloud_stress breaks a real cloud_server in every way it knows, while a real cloud_alertd watches: what was lost, when the alert
came, and when all was well again."""

import json
import os
import signal
import urllib.request

from harness import BIN, Bench, run, run_program, wait_for
from mosquitto import free_port

SCENARIO = """\
name = "broken"
reconnect_after = "100ms"
assert = ["loss=0", "recover<20s", "false_alerts=0"]
[[flow]]
name = "pairs"
publishers = 4
subscribers = 4
rate = 200
[[phase]]
duration = "{duration}"
{faults}
"""


def fault(kind: str, at: float, lasts: float, count: int = 20, alert: str = "") -> str:
    named = f'alert = "{alert}"\n' if alert else ""
    return f'[[fault]]\nkind = "{kind}"\nat = "{int(at * 1000)}ms"\nfor = "{int(lasts * 1000)}ms"\ncount = {count}\n{named}'


def server_command(bench: Bench, port: int) -> str:
    return (f"{BIN}/cloud_server --listen 127.0.0.1:{port} --data-dir {bench.dir}/data --stats-file {bench.stats_file()} "
            f"--log-level error")


def stress(bench: Bench, duration: str, faults: list[str], *flags):
    scenario, data = bench.dir / "broken.toml", bench.dir / "report.json"
    scenario.write_text(SCENARIO.format(duration=duration, faults="\n".join(faults)))
    done = run_program("cloud_stress", "run", scenario, "--json", data, "--report", bench.dir / "report.html", *flags, deadline_s=90)
    assert data.exists(), done.stdout + done.stderr
    return done, json.loads(data.read_text())


def bad_clients(bench: Bench):
    """They cost the others nothing."""
    server, address = bench.start_server()
    done, report = stress(bench, "3500ms", [fault("slow-readers", 0.2, 0.6), fault("half-open", 1, 0.5), fault("malformed", 1.7, 0.5),
                                            fault("connect-storm", 2.4, 0.5, 50)], "--target", f"mqtt://{address}")
    assert done.returncode in (0, 3, 4, 6), done.stdout + done.stderr
    ledger = report["ledger"]
    assert ledger["lost"] == ledger["lost_in_faults"] == 0 and ledger["received"] == 700, ledger
    notes = {one["kind"]: one["note"] for one in report["faults"]}
    assert "20 closed by the server" in notes["malformed"], notes
    assert "0 refused" in notes["half-open"] and "50 taken in" in notes["connect-storm"], notes
    assert "20 connections" in notes["slow-readers"], notes
    server.stop()


def a_killed_and_a_halted_server(bench: Bench):
    """Its own child, an alertd that scrapes a port of it, and both faults."""
    port = free_port()
    exporter = bench.start("cloud_exporter", "--web.listen-address", "127.0.0.1:0", "--cloud-server.stats-file", bench.stats_file())
    rules = bench.dir / "rules.toml"
    rules.write_text('[[rule]]\nalert = "ServerGone"\nexpr = "cloud_server_up == 0"\n')
    config = bench.dir / "alertd.toml"
    config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[storage]\ndir = "{bench.dir}/alertd"\n[rules]\nfiles = ["rules.toml"]\n'
                      f'interval = "200ms"\n[[scrape]]\njob = "server"\ninterval = "200ms"\n'
                      f'targets = ["{exporter.ready()["http"]}"]\n')
    alertd = bench.start("cloud_alertd", "--config", config)
    api = f"http://{alertd.ready()['http']}"
    metrics = free_port()
    done, report = stress(bench, "14s", [fault("kill", 2, 2, alert="ServerGone"), fault("stop", 9, 1.5)],
                          "--target", f"mqtt://127.0.0.1:{port}", "--start", server_command(bench, port), "--alertd", api, "--alertd-token-file", bench.dir / "alertd/token",
                          "--metrics-listen", f"127.0.0.1:{metrics}")
    print(done.stdout)
    killed, halted = report["faults"]
    assert "was killed, and started again as pid" in killed["note"], killed
    assert killed["alert"] == "ServerGone" and 0 < killed["detect_ns"] < 10e9, killed
    assert killed["recover_ns"] is not None and halted["recover_ns"] is not None, report["faults"]
    ledger = report["ledger"]
    assert ledger["lost"] == 0 and ledger["lost_in_faults"] > 0, ledger
    assert report["errors"]["reset"]["in_faults"] == report["errors"]["reset"]["count"] > 0, report["errors"]
    assert report["connections"]["reconnected"] >= 8, report["connections"]
    assert not any(b"cloud_server" in cmd and str(port).encode() in cmd for cmd in commands()), "what was started was left behind"


def commands():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                yield file.read()
        except OSError:
            continue


def a_server_named_by_its_pid(bench: Bench):
    server, address = bench.start_server()
    done, report = stress(bench, "3s", [fault("stop", 0.5, 1)], "--target", f"mqtt://{address}", "--server-pid", server.pid)
    assert report["faults"][0]["recover_ns"] is not None and report["ledger"]["lost"] == 0, report["ledger"]
    assert report["latency"]["response"]["max_ns"] > 0.8e9, "messages that were due while it was halted are charged for it"
    server.stop()


def an_interruption_in_the_middle_of_a_fault(bench: Bench):
    server, address = bench.start_server()
    (bench.dir / "broken.toml").write_text(SCENARIO.format(duration="60s", faults=fault("stop", 1, 50)))
    program = bench.start("cloud_stress", "run", bench.dir / "broken.toml", "--json", bench.dir / "report.json", "--target",
                          f"mqtt://{address}", "--server-pid", server.pid)
    halted = lambda: "T" in open(f"/proc/{server.pid}/stat").read().rpartition(")")[2].split()[0]
    wait_for("the server to be halted", halted)
    program.signal(signal.SIGINT)
    program.wait()
    assert not halted(), "the fault was not taken back"
    assert json.loads((bench.dir / "report.json").read_text())["run"]["interrupted"]
    server.stop()


def live_metrics(bench: Bench):
    server, address = bench.start_server()
    program = bench.start("cloud_stress", "run", "p2p", "--duration", "60s", "--rate", "200", "--target", f"mqtt://{address}",
                          "--metrics-listen", "127.0.0.1:0")
    line = program.wait_line(lambda text: text.startswith("metrics: "), "address", stream="log")
    url = line.split()[1]

    def figures():
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (text.rsplit(" ", 1) for text in lines if not text.startswith("#"))}
    found = wait_for("a second's figures", lambda: (now := figures())["cloud_stress_deliveries_total"] >= 199 and now)
    assert found["cloud_stress_connections"] == found["cloud_stress_connections_wanted"] == 20, found
    assert found['cloud_stress_response_seconds_bucket{le="+Inf"}'] == found["cloud_stress_deliveries_total"], found
    program.signal(signal.SIGINT)
    program.wait()
    server.stop()


def main():
    for part in (bad_clients, a_killed_and_a_halted_server, a_server_named_by_its_pid, an_interruption_in_the_middle_of_a_fault,
                 live_metrics):
        with Bench() as bench:
            part(bench)
        print(f"{part.__name__}: fine")


run(main)
