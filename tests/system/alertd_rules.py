"""Rules go to and fro between cloud_alertd and Debian's promtool: imported, exported and tested, with one verdict."""

import json
import pathlib
import re
import signal
import urllib.parse

import harness
import prometheus
from metrics_page import serve_metrics

SAMPLES = harness.ROOT / "alertd/tests/prometheus"
RULE_FILES = ["node.yml", "blackbox.yml", "self.yml"]


def alertd(*command):
    return harness.run_program(harness.BIN / "cloud_alertd", *command)


def promtool(*command):
    return harness.run_program(harness.peer("prometheus", "usr/bin/promtool"), *command)


def shown_rules(bench, rule_file: pathlib.Path) -> list[str]:
    """Each rule as cloud_alertd understands it, without the place that it stands at."""
    config = bench.dir / "alertd.toml"
    config.write_text(f'[http]\nlisten = "127.0.0.1:0"\n[rules]\nfiles = ["{rule_file}"]\n')
    done = alertd("--config", config, "--check-config", "--show-rules")
    assert done.returncode == 0, done.stderr
    return [re.sub(r", \S+:\d+:\d+\)", ")", line) for line in done.stdout.splitlines()]


def import_loads_and_export_brings_it_back(bench):
    for name in RULE_FILES:
        imported = alertd("import", SAMPLES / name)
        assert imported.returncode == 0, imported.stderr
        toml = bench.dir / "imported.toml"
        toml.write_text(imported.stdout)
        before = shown_rules(bench, toml)
        exported = alertd("export", toml)
        assert exported.returncode == 0 and exported.stderr == "", exported.stderr
        yaml = bench.dir / "exported.yml"
        yaml.write_text(exported.stdout)
        checked = promtool("check", "rules", yaml)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        toml.write_text(alertd("import", yaml).stdout)
        assert shown_rules(bench, toml) == before, name


def shipped_rules_export(bench):
    exported = alertd("export", *sorted((harness.ROOT / "rules").glob("*.toml")))
    assert exported.returncode == 0, exported.stderr
    yaml = bench.dir / "shipped.yml"
    yaml.write_text(exported.stdout)
    checked = promtool("check", "rules", yaml)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "DiskSpaceLow: no_data" in exported.stderr and "InodesLow: recover" in exported.stderr, exported.stderr


def bad_rules_are_named(bench):
    bad = bench.dir / "bad.yml"
    bad.write_text('groups:\n- name: a\n  rules:\n  - alert: A\n    expr: "up ="\n    fro: 5m\n  - record: b\n')
    done = alertd("import", bad)
    assert done.returncode == 1 and done.stdout == "", done
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{bad}:5:11: expr: "), lines
    assert lines[1:3] == ['      expr: "up ="', "            ^"], lines
    assert lines[3].startswith(f'{bad}:6:5: unknown key "fro"; did you mean "for"?'), lines
    assert lines[6].startswith(f'{bad}:7:5: "expr" is missing'), lines


def tests_have_promtools_verdict(bench):
    """The sample, and copies of it with one expectation changed, each of which must fail in both."""
    text = (SAMPLES / "rules_test.yml").read_text()
    for name in RULE_FILES:
        (bench.dir / name).write_text((SAMPLES / name).read_text())
    changes = [("", ""), ("eval_time: 3m", "eval_time: 2m"), ("VALUE = 5", "VALUE = 6"), ("nodename: a}", "nodename: b}"),
               ("eval_time: 15m", "eval_time: 16m"), ("value: 1.5", "value: 1.25"), ("exp_samples: [{value: 1}]", ""),
               ("4+0x5 50+0x24", "4+0x6 50+0x23"), ("evaluation_interval: 1m", "evaluation_interval: 90s"),
               ("group_eval_order: [node.recorded, node]", "group_eval_order: [node, node.recorded]")]
    file = bench.dir / "changed_test.yml"
    for old, new in changes:
        assert old in text
        file.write_text(text.replace(old, new, 1))
        ours, theirs = alertd("test", file), promtool("test", "rules", file)
        assert (ours.returncode == 0) == (theirs.returncode == 0), (old, new, ours.stdout, theirs.stdout, theirs.stderr)


def start_alertd(bench, rule_files: list, listen: str = "127.0.0.1:0", targets: tuple = ()):
    config = bench.dir / "running.toml"
    scrapes = "".join(f'[[scrape]]\njob = "{job}"\ntargets = ["{target}"]\ninterval = "500ms"\ntimeout = "400ms"\n'
                      for job, target in targets)
    config.write_text(f'''
[http]
listen = "{listen}"
[storage]
dir = "{bench.dir}/state"
[rules]
files = [{", ".join(f'"{file}"' for file in rule_files)}]
interval = "500ms"
{scrapes}''')
    program = bench.start("cloud_alertd", "--config", config)
    return program, program.ready()["http"], config


def api(address: str, path: str):
    return json.loads(harness.http(f"http://{address}/api/v1/{path}")[2])["data"]


def a_bad_file_changes_nothing(bench):
    """And a good one that nothing matches is named."""
    rules = bench.dir / "live.toml"
    rules.write_text('[[rule]]\nalert = "Good"\nexpr = "vector(1)"\n')
    program, address, config = start_alertd(bench, [rules])

    def running():
        return [rule["name"] for group in api(address, "rules")["groups"] for rule in group["rules"]]
    assert running() == ["Good"]
    rules.write_text('[[rule]]\nalert = "New"\nexpr = "vector(1)"\n[[rule]]\nalert = "Bad"\nexpr = "up =="\nfro = "5m"\n')
    program.signal(signal.SIGHUP)
    program.wait_line(lambda line: "the old configuration stays" in line, "word of the faults", stream="log")
    program.wait_line(lambda line: f"{rules}:7:1: unknown key" in line, "the second fault", stream="log")
    assert running() == ["Good"]
    metrics = harness.http(f"http://{address}/metrics")[2].decode()
    assert "cloud_alertd_config_last_reload_successful 0" in metrics
    done = alertd("--config", config, "--check-config")
    assert done.returncode == 2 and done.stderr.splitlines()[:3] == [
        f"{rules}:6:14: expr: parse error: unexpected end of input", '  expr = "up =="', "               ^"], done.stderr

    rules.write_text('[[rule]]\nalert = "Typo"\nexpr = "ALERTS{x=\'\'} and nod_load1 > 1"\n')
    program.signal(signal.SIGHUP)
    program.wait_line(lambda line: f"rule Typo ({rules}:1:1): no series matches nod_load1" in line, "the warning", stream="log")
    typo = harness.wait_for("the rule", lambda: [r for g in api(address, "rules")["groups"] for r in g["rules"] if r["name"] == "Typo"])
    assert typo[0]["unmatchedSelectors"] == ["nod_load1"], typo
    config.write_text(config.read_text().replace("127.0.0.1:0", address))
    done = alertd("--config", config, "--check-config")
    assert done.returncode == 0 and f'{rules}:1:1: warning: "Typo": no series matches nod_load1\n' in done.stdout, done.stdout
    program.stop()
    done = alertd("--config", config, "--check-config")
    assert done.returncode == 0 and "was not looked up" in done.stdout, done.stdout


def node_page(free: int, temperature: int, extra: str = "") -> str:
    return f"""
node_filesystem_avail_bytes{{device="/dev/a",mountpoint="/",fstype="ext4"}} {free}
node_filesystem_size_bytes{{device="/dev/a",mountpoint="/",fstype="ext4"}} 100
node_filesystem_readonly{{device="/dev/a",mountpoint="/",fstype="ext4"}} 0
node_memory_MemAvailable_bytes {free}
node_memory_MemTotal_bytes 100
node_load1 9
node_load5 {free}
node_cpu_seconds_total{{cpu="0",mode="idle"}} 5
node_uname_info{{nodename="a",release="6.1.0-1"}} 1
node_hwmon_temp_celsius{{sensor="temp1"}} {temperature}
node_scrape_collector_success{{collector="cpu"}} {int(free > 10)}
probe_http_status_code {200 if free > 10 else 500}
{extra}"""


def alerts_of(alerts: list) -> set:
    return {(alert["state"], tuple(sorted(alert["labels"].items()))) for alert in alerts}


def the_same_alerts_as_prometheus(bench):
    """Shipped and imported rules beside Debian's Prometheus, on the same targets, through trouble, recovery and the end of series."""
    page = node_page(4, 90)
    target = serve_metrics(bench, lambda: page)
    files = [harness.ROOT / "rules/host.toml"]
    for name in RULE_FILES:
        files.append(bench.dir / name.replace(".yml", ".toml"))
        files[-1].write_text(alertd("import", SAMPLES / name).stdout)
    targets = {"node": target, "gone": "127.0.0.1:1"}
    ours = start_alertd(bench, files, targets=tuple(targets.items()))[1]
    rules = []
    for group in api(ours, "rules")["groups"]:
        for rule in group["rules"]:
            kind = "record" if rule["type"] == "recording" else "alert"
            rules.append({kind: rule["name"], "expr": rule["query"], "labels": rule["labels"]})
            if kind == "alert":
                rules[-1] |= {"for": f"{rule['duration']}s", "keep_firing_for": f"{rule.get('keepFiringFor', 0)}s"}
    theirs = prometheus.Prometheus(bench, targets, rules=rules)

    def compared(what: str, names: set):
        def equal():
            found = alerts_of(api(ours, "alerts")["alerts"])
            return found == alerts_of(theirs.get("alerts")["alerts"]) and names <= {dict(a[1])["alertname"] for a in found}
        try:
            harness.wait_for(what, equal)
        except AssertionError as error:
            both = [alerts_of(each) for each in (api(ours, "alerts")["alerts"], theirs.get("alerts")["alerts"])]
            raise AssertionError(f"{error}\nours only: {both[0] - both[1]}\ntheirs only: {both[1] - both[0]}") from None

    recorded = '{__name__=~"instance:.+"}'

    def same_records():
        both = [{(tuple(sorted(each["metric"].items())), each["value"][1]) for each in result}
                for result in (api(ours, f"query?query={urllib.parse.quote(recorded)}")["result"], theirs.query(recorded))]
        return len(both[0]) == 2 and both[0] == both[1]
    harness.wait_for("the same recorded series", same_records)
    compared("the same trouble", {"DiskSpaceLow", "MemoryAlmostGone", "MemoryLow", "HttpStatus", "DiskFillsUp", "ExporterDown"})
    page = node_page(60, 20, "node_textfile_scrape_error 1")
    compared("the same recovery", {"DiskFillsUp", "ExporterDown", "LoadHigh"})  # One is kept for ten minutes.
    page = "other 1\n"
    compared("the same end", {"AlwaysOn"})


def main():
    with harness.Bench() as bench:
        import_loads_and_export_brings_it_back(bench)
        shipped_rules_export(bench)
        bad_rules_are_named(bench)
        tests_have_promtools_verdict(bench)
        a_bad_file_changes_nothing(bench)
    with harness.Bench() as bench:
        the_same_alerts_as_prometheus(bench)


harness.run(main)
