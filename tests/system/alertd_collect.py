"""What cloud_alertd makes of a target is what Debian's Prometheus makes of the same one: series, labels, times, up, and the API's
targets. A target that answers garbage, forever or without end is a failed scrape with a reason. Telemetry survives a SIGKILL."""

import crypt
import gzip
import http.server
import json
import pathlib
import threading
import time

from certificates import Authority
from harness import Bench, Skip, http as get, peer, run, run_program, wait_for
from prometheus import Prometheus, listening_port

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4"
USER, PASSWORD = "ops", "secret"
ENDLESS_CHUNK = b"a" * 65536
ENDLESS_LIMIT = 1 << 20
# What a scrape of a server without end may take off it: the limit, and what sockets hold.
ENDLESS_MAX_SENT = 64 << 20

PAGES = {
    "/text": (TEXT, """# HELP a_total Help with \\\\ and \\n.
# TYPE a_total counter
a_total{job="page",instance="page",code="200"} 1.5e3
a_total{job="page",instance="page",code="404",} +Inf
padded{x="1",y="a\\\\b\\"c\\nd"}   NaN
bare 0.1
empty{x=""} -0
summary{quantile="0.5"} 4
summary_sum 8
"""),
    "/honor": (TEXT, 'a{job="page",instance=""} 1\nb{x="1"} 2\nc{instance="i"} 3\n'),
    "/open": (OPEN_METRICS, """# TYPE wait_seconds counter
# UNIT wait_seconds seconds
wait_seconds_total{code="200"} 5 # {trace_id="x"} 0.67
wait_seconds_created{code="200"} 1.5
# TYPE build info
build_info{version="1"} 1
# EOF
"""),
    "/open_without_end": (OPEN_METRICS, "a 1\n"),
    "/open_as_text": (TEXT, "a 1 # {x=\"1\"} 2\n"),
    "/bad_value": (TEXT, "a 1\nb x\n"),
    "/bad_label": (TEXT, "a 1\nb{x} 2\n"),
    "/doubled": (TEXT, "a 1\nb 2\na 1\n"),
    "/windows": (TEXT, "a 1\r\nb 2\r\n"),
    "/padded": (TEXT, ' a  {  x = "1" , y="2" }   NaN\n'),
    "/comments": (TEXT, "# nothing\n#\n# TYPE\n\na 1"),
    "/many": (TEXT, "".join(f"a{{n=\"{i}\"}} {i}\n" for i in range(30))),
    "/long_label": (TEXT, f"a{{x=\"{'1' * 200}\"}} 1\n"),
    "/nothing": (TEXT, ""),
}
# What Prometheus's own parser takes and ours does not, or the other way round, with the reason.
DIFFERENT = {
    "/windows": "Prometheus takes no carriage return; many hand-made exporters send it",
    "/padded": "Prometheus takes no blanks before a name or a brace, which the format allows",
    "/long_label": "nothing relabels here, so that both counts of samples are one",
    "/comments": "Prometheus takes no \"# TYPE\" alone",
}


class Pages:
    """Serves PAGES, packed where that is asked for, and servers that never come to an end."""

    def __init__(self):
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                pages.answer(self)

            def log_message(self, *_):
                pass

        self.sent = 0           # By /endless.
        self.flapping = True    # Whether /flapping has its second series.
        self.stopped = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        path = request.path.partition("?")[0]
        if path in ("/endless", "/trickle"):
            return self.without_end(request, path)
        if path == "/flapping":
            kind, page = TEXT, "stays 1\n" + ("comes_and_goes 1\n" if self.flapping else "")
        elif path == "/past":
            kind, page = TEXT, f"timed 1 {int(time.time() * 1000) - 60_000}\n"
        elif path in PAGES:
            kind, page = PAGES[path]
        elif path == "/garbage":
            kind, page = TEXT, "\x00\x01<html>\n"
        else:
            return request.send_error(404)
        body = page.encode()
        request.send_response(200)
        request.send_header("Content-Type", kind)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def without_end(self, request, path: str):
        request.send_response(200)
        request.send_header("Content-Type", TEXT)
        request.end_headers()
        request.close_connection = True
        try:
            while not self.stopped.is_set():
                request.wfile.write(ENDLESS_CHUNK if path == "/endless" else b"#\n")
                self.sent += len(ENDLESS_CHUNK) if path == "/endless" else 0
                if path == "/trickle":
                    self.stopped.wait(0.05)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.server.shutdown()


class Alertd:
    def __init__(self, bench: Bench, config: str):
        self.bench = bench
        (bench.dir / "alertd.toml").write_text(f'[http]\nlisten = "127.0.0.1:0"\n[storage]\ndir = "state"\n{config}')
        self.start()

    def start(self):
        self.program = self.bench.start("cloud_alertd", "--config", self.bench.dir / "alertd.toml")
        self.address = self.program.ready()["http"]

    get = Prometheus.get
    query = Prometheus.query
    value = Prometheus.value

    def metric(self, name: str) -> float:
        _, _, body = get(f"http://{self.address}/metrics")
        return next(float(line.split()[-1]) for line in body.decode().splitlines() if line.startswith(name))

    def target(self, pool: str) -> dict:
        return next(t for t in self.get("targets")["activeTargets"] if t["scrapePool"] == pool)


def job_name(path: str) -> str:
    return path.strip("/")


def jobs_of(address: str, folder: pathlib.Path) -> tuple[str, list[dict]]:
    """The same jobs for both: as TOML, and as scrape_configs."""
    paths = [*PAGES, "/flapping", "/past", "/missing"]
    extra = {"/honor": ("honor_labels = true", {"honor_labels": True}),
             "/many": ("sample_limit = 20", {"sample_limit": 20}),
             "/long_label": ("label_value_length_limit = 100", {"label_value_length_limit": 100})}
    toml, yaml = "", []
    for path in paths:
        more_toml, more_yaml = extra.get(path, ("", {}))
        toml += (f'[[scrape]]\njob = "{job_name(path)}"\ntargets = ["{address}"]\npath = "{path}"\ninterval = "1s"\n'
                 f'labels = {{ room = "cellar" }}\nparams = {{ module = "icmp v4" }}\n{more_toml}\n')
        yaml.append({"job_name": job_name(path), "scrape_interval": "1s", "scrape_timeout": "1s", "metrics_path": path,
                     "params": {"module": ["icmp v4"]},
                     "static_configs": [{"targets": [address], "labels": {"room": "cellar"}}], **more_yaml})
    (folder / "sd").mkdir()
    write_sd(folder, address, "attic")
    toml += f'[[scrape]]\njob = "sd"\nfiles = ["{folder}/sd/*.json"]\ninterval = "1s"\n'
    yaml.append({"job_name": "sd", "scrape_interval": "1s", "scrape_timeout": "1s",
                 "file_sd_configs": [{"files": [f"{folder}/sd/*.json"]}]})
    return toml, yaml


def write_sd(folder: pathlib.Path, address: str, room: str):
    beside = folder / "sd" / "t.new"
    beside.write_text(json.dumps([{"targets": [address], "labels": {
        "room": room, "__metrics_path__": "/text", "__scrape_timeout__": "900ms", "instance": "named"}}]))
    beside.rename(folder / "sd" / "t.json")


def series_of(server, job: str) -> dict[str, str]:
    """What an instant query finds of a job, without what differs by nature."""
    found = {}
    for result in server.query(f'{{job="{job}"}}'):
        labels = result["metric"]
        name = labels["__name__"]
        if name != "scrape_duration_seconds":
            found[json.dumps(labels, sort_keys=True)] = "" if name == "scrape_series_added" else result["value"][1]
    return found


def settled(server, jobs: list[str]) -> bool:
    """Every job was scraped three times: what is added is added."""
    counts = {r["metric"]["job"]: float(r["value"][1]) for r in server.query("min by (job) (count_over_time(up[5m]))")}
    return all(counts.get(job, 0) >= 3 for job in jobs)


def makes_of_a_page_what_prometheus_makes(alertd, prometheus, jobs: list[str]):
    for server in (alertd, prometheus):
        wait_for("all jobs to be scraped", lambda s=server: settled(s, jobs))
    for job in jobs:
        if f"/{job}" in DIFFERENT:
            continue
        ours, theirs = series_of(alertd, job), series_of(prometheus, job)
        assert ours == theirs, f"{job}:\nours   {sorted(ours.items())}\ntheirs {sorted(theirs.items())}"
    assert alertd.value('up{job="windows"}') == alertd.value('up{job="padded"}') == 1
    assert alertd.value('up{job="comments"}') == alertd.value('up{job="long_label"}') == 0


def dates_a_sample_as_prometheus_does(alertd, prometheus):
    for server in (alertd, prometheus):
        samples = server.query('timed{job="past"}[5m]')[0]["values"]
        assert samples and all(time.time() - float(at) > 50 for at, _ in samples), samples


def marks_an_end_as_prometheus_does(alertd, prometheus, pages):
    pages.flapping = False
    for server in (alertd, prometheus):
        wait_for("the series to end", lambda s=server: s.value("comes_and_goes") is None)
        assert server.value("stays") == 1
    pages.flapping = True
    for server in (alertd, prometheus):
        wait_for("the series to come back", lambda s=server: s.value("comes_and_goes") == 1)


def shows_targets_as_prometheus_does(alertd, prometheus):
    ours, theirs = alertd.get("targets"), prometheus.get("targets")
    assert set(theirs) <= set(ours), (set(ours), set(theirs))
    assert ours["droppedTargets"] == theirs["droppedTargets"] == [], ours["droppedTargets"]
    by_job = {target["scrapePool"]: target for target in ours["activeTargets"]}
    for target in theirs["activeTargets"]:
        mine = by_job[target["scrapePool"]]
        assert set(mine) == set(target), (set(mine), set(target))
        for key in ("discoveredLabels", "labels", "scrapePool", "scrapeUrl", "scrapeInterval", "scrapeTimeout"):
            assert mine[key] == target[key], (key, mine[key], target[key])
        if f"/{target['scrapePool']}" not in DIFFERENT:
            assert mine["health"] == target["health"], (mine, target)
            assert bool(mine["lastError"]) == bool(target["lastError"]), (mine, target)
    assert alertd.get("targets", state="dropped")["activeTargets"] == []


def metadata_of(server, **parameters) -> dict[str, list]:
    found = server.get("metadata", **parameters)
    return {name: sorted(json.dumps(said, sort_keys=True) for said in all_said) for name, all_said in found.items()}


def tells_of_families_as_prometheus_does(alertd, prometheus):
    ours, theirs = metadata_of(alertd), metadata_of(prometheus)
    assert ours == theirs and len(ours["a_total"]) == 1 and "build" in ours, (ours, theirs)
    for parameters in ({"metric": "wait_seconds"}, {"metric": "nothing"}, {"limit": 0}, {"limit": 100, "limit_per_metric": 1}):
        assert metadata_of(alertd, **parameters) == metadata_of(prometheus, **parameters), parameters
    assert len(metadata_of(alertd, limit=1)) == len(metadata_of(prometheus, limit=1)) == 1


def follows_a_file_of_targets(alertd, prometheus, folder, address):
    write_sd(folder, address, "hall")
    for server in (alertd, prometheus):
        wait_for("the new room", lambda s=server: s.value('bare{job="sd",room="hall"}') is not None)
        wait_for("the old room to end", lambda s=server: s.value('bare{job="sd",room="attic"}') is None)
    (folder / "sd" / "t.json").write_text("[{")
    alertd.program.wait_line(lambda line: "t.json: is no JSON" in line, "word of the broken file", stream="log")
    wait_for("the broken file to be counted", lambda: alertd.metric("cloud_alertd_target_files_broken") == 1)
    assert alertd.target("sd")["labels"]["room"] == "hall"


def survives_bad_targets():
    with Bench() as bench, Pages() as pages:
        toml = "".join(f'[[scrape]]\njob = "{job}"\ntargets = ["{pages.address}"]\npath = "/{job}"\ninterval = "1s"\n'
                       f'body_size_limit = "{ENDLESS_LIMIT}"\n' for job in ("endless", "trickle", "garbage", "nowhere", "text"))
        alertd = Alertd(bench, toml + '[[scrape]]\njob = "refused"\ntargets = ["127.0.0.1:1"]\ninterval = "1s"\n')
        reasons = {"endless": "the reply is longer than 1048576 bytes", "trickle": "no complete reply within 1000 ms",
                   "garbage": "line 1: ", "nowhere": "answered 404", "refused": "127.0.0.1:1"}
        for job, reason in reasons.items():
            wait_for(f"{job} to fail", lambda j=job: alertd.value(f'up{{job="{j}"}}') == 0)
            assert reason in alertd.target(job)["lastError"], alertd.target(job)
        scrapes = alertd.metric("cloud_alertd_scrapes_total")
        wait_for("the good one beside them", lambda: (alertd.value('sum_over_time(up{job="text"}[1m])') or 0) >= 3)
        assert pages.sent <= ENDLESS_MAX_SENT * max(scrapes, 1), pages.sent
        for kind in ("body_limit", "timeout", "syntax", "status", "connection"):
            assert alertd.metric(f'cloud_alertd_scrapes_failed_total{{reason="{kind}"}}') >= 1, kind
        assert alertd.program.stop() == 0


def bounds_what_pages_take_together():
    """One that its own limit would let through."""
    with Bench() as bench, Pages() as pages:
        alertd = Alertd(bench, f'[[scrape]]\njob = "huge"\ntargets = ["{pages.address}"]\npath = "/endless"\ninterval = "60s"\n'
                               'timeout = "30s"\nbody_size_limit = "1GiB"\n')
        wait_for("the huge page to fail", lambda: alertd.value('up{job="huge"}') == 0)
        assert "all replies under way together may take 134217728 bytes" in alertd.target("huge")["lastError"]
        assert alertd.metric('cloud_alertd_scrapes_failed_total{reason="memory_limit"}') == 1


def node_exporter(bench: Bench, certificate: str) -> str:
    """Debian's node_exporter with TLS and one user; returns its HOST:PORT."""
    web = bench.dir / f"{certificate}.yml"
    hashed = crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
    files = {"cert_file": str(bench.dir / f"{certificate}.pem"), "key_file": str(bench.dir / f"{certificate}.key")}
    web.write_text(json.dumps({"tls_server_config": files, "basic_auth_users": {USER: hashed}}))  # YAML is a superset of JSON.
    program = bench.start(peer("prometheus-node-exporter", "usr/bin/prometheus-node-exporter"), "--web.listen-address=127.0.0.1:0",
                          f"--web.config.file={web}", "--collector.disable-defaults", "--collector.loadavg")
    return f"127.0.0.1:{wait_for('node_exporter to listen', lambda: listening_port(program.pid))}"


def scrapes_with_tls_and_authorization():
    """Each failure has its reason, and none keeps the good one from being scraped."""
    with Bench() as bench:
        authority = Authority(bench.dir)
        Authority(bench.dir, "stranger")
        authority.issue("good")
        authority.issue("expired", days=-1)
        authority.issue("named", hosts="DNS:elsewhere")
        address = {name: node_exporter(bench, name) for name in ("good", "expired", "named")}
        for name in (PASSWORD, "wrong"):
            (bench.dir / name).write_text(name + "\n")
            (bench.dir / name).chmod(0o600)
        jobs = {  # Target, CA, password, scheme, and the reason of a failure.
            "good": (address["good"], "ca", PASSWORD, "https", ""),
            "stranger": (address["good"], "stranger", PASSWORD, "https", "unable to get local issuer certificate"),
            "password": (address["good"], "ca", "wrong", "https", "answered 401"),
            "plain": (address["good"], "ca", PASSWORD, "http", "answered 400"),
            "expired": (address["expired"], "ca", PASSWORD, "https", "certificate has expired"),
            "named": (address["named"], "ca", PASSWORD, "https", "127.0.0.1"),
        }
        alertd = Alertd(bench, "".join(
            f'[[scrape]]\njob = "{job}"\ntargets = ["{target}"]\nscheme = "{scheme}"\nca_file = "{bench.dir}/{ca}.pem"\n'
            f'username = "{USER}"\npassword_file = "{password}"\ninterval = "1s"\n'
            for job, (target, ca, password, scheme, _) in jobs.items()))
        wait_for("the good one", lambda: (alertd.value('sum_over_time(up{job="good"}[1m])') or 0) >= 2)
        assert alertd.value('node_load1{job="good"}') is not None
        for job, (*_, reason) in jobs.items():
            wait_for(f"{job} to be scraped", lambda j=job: alertd.value(f'up{{job="{j}"}}') is not None)
            assert alertd.value(f'up{{job="{job}"}}') == (0 if reason else 1), job
            assert reason in alertd.target(job)["lastError"], alertd.target(job)
        for kind in ("connection", "status"):
            assert alertd.metric(f'cloud_alertd_scrapes_failed_total{{reason="{kind}"}}') >= 2, kind


def keeps_every_acknowledged_packet():
    """cloud_alertd is killed while packets come: each is there once it is back."""
    with Bench() as bench:
        _, mqtt = bench.start_server()
        alertd = Alertd(bench, f'[telemetry]\nserver = "{mqtt}"\n')
        connected = lambda: alertd.target("telemetry")["health"] == "up"  # noqa: E731
        wait_for("the session", connected)
        for turn in range(3):
            packets = [f'--message={{"value": {i}, "time": {time.time() - 100 + i / 10:.3f}}}' for i in range(100)]
            sending = bench.start("cloud_client", "pub", "--server", f"mqtt://{mqtt}", "--id", f"meter{turn}", "--qos", "1",
                                  "--topic", f"telemetry/meter{turn}/power", *packets)
            wait_for("the first packets", lambda t=turn: alertd.value(f'count_over_time(telemetry_power{{client="meter{t}"}}[5m])'))
            alertd.program.kill()
            alertd.start()
            assert sending.wait() == 0, sending.output()
            wait_for("every packet", lambda t=turn: alertd.value(
                f'count_over_time(telemetry_power{{client="meter{t}"}}[5m])') == 100)
        bad = run_program("cloud_client", "pub", "--server", f"mqtt://{mqtt}", "--id", "meter0", "--qos", "1",
                          "--topic", "telemetry/meter0/power", "--message", "warm", "--message", "hot")
        assert bad.returncode == 0, bad
        wait_for("the refusals", lambda: alertd.metric('cloud_alertd_telemetry_refused_total{reason="unreadable"}') == 2)
        said = [line for line in alertd.program.log if "telemetry of meter0 refused" in line]
        assert len(said) == 1, said


def tells_who_is_connected():
    with Bench() as bench:
        server, mqtt = bench.start_server()
        alertd = Alertd(bench, f'[telemetry]\nserver = "{mqtt}"\n')
        wait_for("the session", lambda: alertd.target("telemetry")["health"] == "up")
        agent = bench.start("cloud_client", "agent", "--server", f"mqtt://{mqtt}", "--id", "pump7", "--interval", "1s",
                            "--spool", "none")
        up = lambda: alertd.value('cloud_client_up{client="pump7"}')  # noqa: E731
        wait_for("the agent's telemetry", lambda: alertd.value('telemetry_load_1m{client="pump7"}') is not None)
        wait_for("the agent to be up", lambda: up() == 1)
        agent.stop()
        wait_for("the agent to be away", lambda: up() == 0)
        assert alertd.query("count(cloud_client_up)")[0]["value"][1] == "1"  # Not of alertd itself.
        alertd.program.kill()
        alertd.start()
        wait_for("to know it still", lambda: up() == 0)
        server.stop()
        wait_for("nobody to know", lambda: up() is None)


def is_what_prometheus_makes():
    with Bench() as bench, Pages() as pages:
        toml, yaml = jobs_of(pages.address, bench.dir)
        jobs = [job["job_name"] for job in yaml]
        prometheus = Prometheus(bench, {}, jobs=yaml)
        alertd = Alertd(bench, toml)
        makes_of_a_page_what_prometheus_makes(alertd, prometheus, jobs)
        dates_a_sample_as_prometheus_does(alertd, prometheus)
        marks_an_end_as_prometheus_does(alertd, prometheus, pages)
        shows_targets_as_prometheus_does(alertd, prometheus)
        tells_of_families_as_prometheus_does(alertd, prometheus)
        follows_a_file_of_targets(alertd, prometheus, bench.dir, pages.address)


def main():
    survives_bad_targets()
    bounds_what_pages_take_together()
    keeps_every_acknowledged_packet()
    tells_who_is_connected()
    for with_peer in (scrapes_with_tls_and_authorization, is_what_prometheus_makes):
        try:
            with_peer()
        except Skip as why:
            print(f"left out: {why}")


run(main)
