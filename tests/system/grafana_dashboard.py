"""Every query of every dashboard returns data: from Debian's Prometheus, which scrapes the real exporter while a stress run goes
through a real cloud_server. Grafana itself is not needed; what of a dashboard can be wrong without it is checked too."""

import importlib.util
import json
import pathlib
import re
import tempfile
import tomllib

import harness
from harness import ROOT, Bench, wait_for
from prometheus import Prometheus

DASHBOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
GRID_WIDTH = 24
RATE_INTERVAL = "5s"
KNOWN_UNITS = {"none", "short", "s", "bytes", "Bps", "pps", "percentunit", "celsius"}
# A dashboard may ask for what is not there on a good day.
MAY_BE_EMPTY = re.compile(r"resets\(|changes\(|node_hwmon_temp_celsius|_success\{.*== 0")
STATS_SEGMENT = (ROOT / "telemetry" / "stats_segment.h").read_text()
HUNG_AFTER = int(re.search(r"milliseconds kHungAfter\{(\d+)\}", STATS_SEGMENT).group(1)) / 1000
LOAD = ["run", "p2p", "--clients", "4", "--rate", "200", "--qos", "1", "--duration", "300s"]
RULE = {"alert": "Watching", "expr": "vector(1)", "labels": {"severity": "info"}}  # So that ALERTS is there.


def shipped_thresholds() -> dict[str, list[float]]:
    """{what an expression contains: where the shipped rules on it fire, in the unit of the panels}"""
    rules = {}
    for path in (ROOT / "rules").glob("*.toml"):
        rules |= {rule["alert"]: rule for rule in tomllib.loads(path.read_text()).get("rule", []) if "alert" in rule}

    def used(alert: str, kind: str) -> float:
        return 1 - float(rules[alert][kind]["free_below"].rstrip("%")) / 100
    return {
        "node_filesystem_avail_bytes": [used("DiskSpaceLow", "disk"), used("DiskSpaceCritical", "disk")],
        "node_filesystem_files_free": [used("InodesLow", "inode")],
        "node_memory_MemAvailable_bytes": [used("MemoryLow", "memory")],
        "avg by (instance) (rate(node_cpu_seconds_total": [rules["CpuBusy"]["cpu"]["above"] / 100],
        "node_load1": [rules["LoadHigh"]["load"]["above"]],
        "node_hwmon_temp_celsius": [rules["TemperatureHigh"]["temperature"]["above"]],
        "cloud_server_loop_heartbeat_age_seconds": [HUNG_AFTER],
    }


def check_thresholds(panel: dict, shipped: dict[str, list[float]]):
    """A panel whose figure a shipped rule looks at changes its colour where that rule fires."""
    steps = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]]
    for target in panel["targets"]:
        for part, wanted in shipped.items():
            if part in target["expr"]:
                assert [round(step, 6) for step in steps] == [round(step, 6) for step in wanted], \
                    f"{panel['title']}: colours change at {steps}, the rules fire at {wanted}"


def panels_of(dashboard: dict) -> list[dict]:
    """All panels, those folded into rows included."""
    found = []
    for panel in dashboard["panels"]:
        found += [panel, *panel.get("panels", [])]
    return found


def check_layout(panels: list[dict]):
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids)), f"doubled panel ids in {ids}"
    taken = {}
    for panel in panels:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= GRID_WIDTH and grid["w"] > 0 and grid["h"] > 0, panel["title"]
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies over {other}"


def check_panel(panel: dict):
    title = panel["title"]
    assert len(panel.get("description", "")) > 20, f"{title}: no description"
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, title
    assert panel["fieldConfig"]["defaults"]["unit"] in KNOWN_UNITS, f"{title}: unit"
    assert panel["targets"], f"{title}: no query"
    for target in panel["targets"]:
        expression = target["expr"]
        for selector in re.findall(r"\b(?:node|cloud|up)[a-z_A-Z0-9]*(\{[^}]*\})?", expression):
            assert 'job=~"$job"' in selector and 'instance=~"$instance"' in selector, f"{title}: {expression}"
        for window in re.findall(r"\[([^\]]*)\]", expression):
            assert window == "$__rate_interval", f"{title}: {expression}"


def check_structure(dashboard: dict, shipped: dict[str, list[float]]):
    assert re.fullmatch(r"atalaya-[a-z-]+", dashboard["uid"]), dashboard["uid"]
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert names[:3] == ["datasource", "job", "instance"], names
    assert any(link["type"] == "dashboards" and link["tags"] == ["atalaya"] for link in dashboard["links"]), dashboard["uid"]
    assert "atalaya" in dashboard["tags"], dashboard["uid"]
    notes = " ".join(note["expr"] for note in dashboard["annotations"]["list"])
    restarts = ["changes(node_boot_time_seconds{"] + (["resets(cloud_server_uptime_seconds{"] if "server" in names else [])
    for wanted in ["ALERTS{", *restarts]:
        assert wanted in notes, f"{dashboard['uid']}: no annotation of {wanted}"
    panels = panels_of(dashboard)
    check_layout(panels)
    for panel in panels:
        if panel["type"] != "row":
            check_panel(panel)
            check_thresholds(panel, shipped)


def as_prometheus(expression: str) -> str:
    """The query as Grafana would send it, with All chosen in every variable."""
    plain = expression.replace("$__rate_interval", RATE_INTERVAL)
    return re.sub(r"\$(job|instance|server)\b", ".*", plain)


def queries_of(dashboard: dict) -> list[tuple[str, str]]:
    found = [(panel["title"], target["expr"]) for panel in panels_of(dashboard) for target in panel.get("targets", [])]
    found += [(note["name"], note["expr"]) for note in dashboard["annotations"]["list"]]
    return found


def check_variables(prometheus: Prometheus, dashboard: dict):
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
        found = prometheus.get(f"label/{label}/values", **{"match[]": as_prometheus(selector)})
        assert found, f"variable {variable['name']}: no values"


def check_queries(prometheus: Prometheus, dashboard: dict) -> int:
    queries = queries_of(dashboard)
    for title, expression in queries:
        plain = as_prometheus(expression)
        if MAY_BE_EMPTY.search(plain):
            prometheus.query(plain)  # Raises where it is no PromQL.
        else:
            wait_for(f"data for {title}: {plain}", lambda: prometheus.query(plain))
    return len(queries)


def check_generated():
    """The files that grafana/generate.py writes are those it would write now."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "grafana" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    with tempfile.TemporaryDirectory() as folder:
        generate.FOLDER = pathlib.Path(folder)
        for write in generate.DASHBOARDS:
            write()
        made = {path.name: path.read_text() for path in generate.FOLDER.iterdir()}
    assert made == {path.name: path.read_text() for path in DASHBOARDS}, "run grafana/generate.py: a dashboard differs"


def check_provisioning():
    """The files name the data source and the folder that the dashboards rely on."""
    try:
        import yaml
    except ImportError:
        print("python3-yaml is not here: the provisioning files were not read")
        return
    folder = ROOT / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "atalaya.yaml").read_text())["datasources"]
    assert sources[0]["type"] == "prometheus" and sources[0]["uid"] == "atalaya", sources
    providers = yaml.safe_load((folder / "dashboards" / "atalaya.yaml").read_text())["providers"]
    assert providers[0]["options"]["path"].endswith("/share/atalaya/grafana/dashboards"), providers


def main():
    assert DASHBOARDS, "no dashboards"
    dashboards = {path.name: json.loads(path.read_text()) for path in DASHBOARDS}
    uids = [dashboard["uid"] for dashboard in dashboards.values()]
    assert len(uids) == len(set(uids)), uids
    shipped = shipped_thresholds()
    for dashboard in dashboards.values():
        check_structure(dashboard, shipped)
    check_provisioning()
    check_generated()

    with Bench() as bench:
        _, mqtt = bench.start_server()
        exporter = bench.start("cloud_exporter", "--web.listen-address", "127.0.0.1:0", "--cloud-server.stats-file",
                               bench.stats_file())
        load = bench.start("cloud_stress", *LOAD, "--target", f"mqtt://{mqtt}", "--report", bench.dir / "report.html",
                           "--json", bench.dir / "report.json", "--metrics-listen", "127.0.0.1:0")
        line = load.wait_line(lambda text: text.startswith("metrics: "), "address of the metrics", stream="log")
        generator = line.removeprefix("metrics: http://").removesuffix("/metrics")
        prometheus = Prometheus(bench, {"node": exporter.ready()["http"], "stress": generator}, rules=[RULE])
        wait_for("the first scrape", lambda: prometheus.query("cloud_server_up"))
        for name, dashboard in dashboards.items():
            check_variables(prometheus, dashboard)
            print(f"{name}: {check_queries(prometheus, dashboard)} queries return data")
        load.kill()


if __name__ == "__main__":
    harness.run(main)
