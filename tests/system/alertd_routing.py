"""Routes, groups and inhibitions of the real cloud_alertd against Debian's Alertmanager under the same configurations and alerts;
alerts that Debian's Prometheus and amtool send, and what becomes of them."""

import json
import random
import signal
import socket

import harness
from metrics_page import serve_metrics
from prometheus import Prometheus, listening_port
from receivers import HOST, WebhookReceiver

CONFIGURATIONS = 12
ALERTS = 60
LABELS = ("alertname", "site", "team")
VALUES = ("1", "2", "3")
RECEIVERS = ("r0", "r1", "r2")
SETTLE_S = 10  # After a reload, until all alerts are in their groups.
NEVER = "1h"  # A group_wait: nothing is told meanwhile.


class Draws:
    """Random configurations in words that both programs take."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def matcher(self) -> str:
        sign = self.random.choice(("=", "!=", "=~", "!~"))
        values = ("1", "1|2", ".*", "[23]", "") if "~" in sign else (*VALUES, "")
        return f'{self.random.choice(LABELS)}{sign}"{self.random.choice(values)}"'

    def matchers(self) -> list[str]:
        return [self.matcher() for _ in range(self.random.randint(1, 2))]

    def labels(self, least: int = 0) -> list[str]:
        return self.random.sample(LABELS, self.random.randint(least, len(LABELS)))

    def route(self, depth: int) -> dict:
        route = {"matchers": self.matchers(), "continue": self.random.random() < 0.4}
        if self.random.random() < 0.6:
            route["receiver"] = self.random.choice(RECEIVERS)
        if self.random.random() < 0.5:
            # To Alertmanager, an empty list below the root says nothing.
            route["group_by"] = ["..."] if self.random.random() < 0.2 else self.labels(least=1)
        if depth > 0:
            route["routes"] = [self.route(depth - 1) for _ in range(self.random.randint(0, 3))]
        return route

    def root(self) -> dict:
        return {"receiver": "r0", "group_by": self.labels(), "group_wait": NEVER,
                "routes": [self.route(2) for _ in range(self.random.randint(1, 4))]}

    def inhibit_rules(self) -> list[dict]:
        return [{"source_matchers": self.matchers(), "target_matchers": self.matchers(), "equal": self.labels()}
                for _ in range(self.random.randint(0, 2))]

    def alerts(self) -> list[dict]:
        found = {tuple((name, self.random.choice((*VALUES, ""))) for name in LABELS) for _ in range(ALERTS)}
        return [{"labels": {"n": str(n), **{name: value for name, value in labels if value}},
                 "endsAt": "2100-01-01T00:00:00Z"} for n, labels in enumerate(sorted(found))]


def toml_value(value) -> str:
    """Inline, as one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value)


def toml_table(name: str, table: dict) -> str:
    return "\n".join([name, *(f"{key} = {toml_value(value)}" for key, value in table.items())]) + "\n"


def send(address: str, method: str, path: str, body=None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    status, _, reply = harness.http(f"http://{address}{path}", method, data,
                                    {"Content-Type": "application/json"})
    return status, reply


def groups(address: str) -> dict:
    """(group labels, receiver, alert) -> how the alert stands; both programs make of it what they may in more than one route."""
    found = {}
    for group in json.loads(send(address, "GET", "/api/v2/alerts/groups")[1]):
        for alert in group["alerts"]:
            key = (json.dumps(group["labels"], sort_keys=True), group["receiver"]["name"], int(alert["labels"]["n"]))
            found[key] = (alert["status"]["state"], len(alert["status"]["inhibitedBy"]),
                          tuple(sorted({receiver["name"] for receiver in alert["receivers"]})))
    return found


class Alertmanager:
    def __init__(self, bench):
        self.config = bench.dir / "alertmanager.yml"
        self.write({"receiver": "r0"}, [])
        binary = harness.peer("prometheus-alertmanager", "usr/bin/prometheus-alertmanager")
        share = harness.peer("prometheus-alertmanager", "usr/share")
        # Debian's looks for its templates under /usr/share, where an unpacked one has none.
        inside = ["/usr/bin/unshare", "--mount", "--map-root-user", "sh", "-c", f'mount --bind "{share}" /usr/share && exec "$0" "$@"']
        if harness.run_program(*inside, "true").returncode != 0:
            harness.skip("Alertmanager needs a mount namespace of its own, which this machine does not allow")
        self.program = bench.start(
            *inside, binary, f"--config.file={self.config}", f"--storage.path={bench.dir}/alertmanager",
            f"--web.listen-address={HOST}:0", "--cluster.listen-address=")
        port = harness.wait_for("Alertmanager to listen", lambda: listening_port(self.program.pid))
        self.address = f"{HOST}:{port}"
        harness.wait_for("Alertmanager to be ready", self._is_ready)

    def _is_ready(self) -> bool:
        try:
            return send(self.address, "GET", "/-/ready")[0] == 200
        except OSError:
            return False

    def write(self, route: dict, inhibit_rules: list[dict]):
        receivers = [{"name": name, "webhook_configs": [{"url": "http://127.0.0.1:9/"}]} for name in RECEIVERS]
        self.config.write_text(json.dumps({"route": route, "inhibit_rules": inhibit_rules, "receivers": receivers}))

    def take_over(self, route: dict, inhibit_rules: list[dict]):
        self.write(route, inhibit_rules)
        status, body = send(self.address, "POST", "/-/reload")
        assert status == 200, body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Alertd:
    """On the same port over restarts."""

    def __init__(self, bench, more: str, receivers: dict[str, str]):
        self.bench = bench
        self.config = bench.dir / "alertd.toml"
        self.head = "".join([
            toml_table("[http]", {"listen": f"{HOST}:{free_port()}"}), toml_table("[storage]", {"dir": f"{bench.dir}/state"}),
            *(toml_table("[[receiver]]", {"name": name, "webhook": {"url": url}}) for name, url in receivers.items())])
        self.config.write_text(self.head + more)
        self.start()

    def start(self):
        self.program = self.bench.start("cloud_alertd", "--config", self.config)
        self.address = self.program.ready()["http"]

    def take_over(self, more: str):
        self.config.write_text(self.head + more)
        before = len(self.program.log)
        self.program.signal(signal.SIGHUP)
        harness.wait_for("the configuration to be taken over",
                         lambda: any("took over the configuration" in line for line in self.program.log[before:]))


def routes_as_alertmanager_does(bench):
    draws = Draws(seed=7)
    alertmanager = Alertmanager(bench)
    alertd = Alertd(bench, "", dict.fromkeys(RECEIVERS, "http://127.0.0.1:9/"))
    seen = set()
    for number in range(CONFIGURATIONS):
        root, inhibit_rules = draws.root(), draws.inhibit_rules()
        alertmanager.take_over(root, inhibit_rules)
        alertd.take_over(toml_table("[route]", root) + "".join(toml_table("[[inhibit_rule]]", rule) for rule in inhibit_rules))
        if number == 0:
            alerts = draws.alerts()
            for address in (alertmanager.address, alertd.address):
                status, body = send(address, "POST", "/api/v2/alerts", alerts)
                assert status == 200, body

        def equal():
            return groups(alertmanager.address) == groups(alertd.address)
        try:
            harness.wait_for("the same groups", equal, SETTLE_S)
        except AssertionError:
            theirs, ours = groups(alertmanager.address), groups(alertd.address)
            raise AssertionError(f"{json.dumps(root)} {json.dumps(inhibit_rules)}\nonly Alertmanager: "
                                 f"{theirs.items() - ours.items()}\nonly cloud_alertd: {ours.items() - theirs.items()}") from None
        found = groups(alertd.address)
        seen |= {(state, len(receivers)) for state, _, receivers in found.values()}
    assert {state for state, _ in seen} == {"active", "suppressed"} and max(count for _, count in seen) > 1, seen
    print(f"{CONFIGURATIONS} configurations and {len(alerts)} alerts: groups, receivers and inhibitions as Alertmanager has them")


class Gauge:
    """A page with one metric."""

    def __init__(self, bench):
        self.value = 1
        self.address = serve_metrics(bench, lambda: f"trouble {self.value}\n")


AT_ONCE = """
[route]
group_wait = "0s"
group_interval = "200ms"
"""


def told(receiver: WebhookReceiver, name: str, status: str) -> dict:
    """The alert, once a notice has told of it."""
    def find(payload):
        return next((a for a in payload["alerts"] if a["labels"]["alertname"] == name and a["status"] == status), None)
    return find(receiver.wait_accepted(f"{name} {status}", find)["payload"])


def takes_alerts_of_prometheus(bench):
    receiver = bench.enter_context(WebhookReceiver())
    alertd = Alertd(bench, AT_ONCE, {"ops": receiver.url})
    gauge = Gauge(bench)
    rule = {"alert": "Trouble", "expr": "trouble == 1", "labels": {"severity": "critical"},
            "annotations": {"summary": "it is {{ $value }}"}}
    prometheus = Prometheus(bench, {"gauge": gauge.address}, rules=[rule], alertmanagers=[alertd.address])
    firing = told(receiver, "Trouble", "firing")
    assert firing["annotations"] == {"summary": "it is 1"}, firing
    assert firing["labels"]["severity"] == "critical" and "/graph?" in firing["generatorURL"], firing

    alertd.program.kill()
    alertd.start()
    alerts = json.loads(send(alertd.address, "GET", "/api/v2/alerts?active=true")[1])
    assert [alert["labels"]["alertname"] for alert in alerts] == ["Trouble"], alerts
    assert alerts[0]["receivers"] == [{"name": "ops"}], alerts
    gauge.value = 0
    resolved = told(receiver, "Trouble", "resolved")
    assert resolved["startsAt"] == firing["startsAt"] < resolved["endsAt"], (firing, resolved)
    # The first may have been in flight at the kill, and comes again then.
    assert len({request["id"] for request in receiver.requests.items}) == 2, receiver.requests.items


def takes_alerts_of_amtool(bench):
    receiver = bench.enter_context(WebhookReceiver())
    alertd = Alertd(bench, AT_ONCE + '[posted_alerts]\nresolve_timeout = "1s"\n', {"ops": receiver.url})
    amtool = harness.peer("prometheus-alertmanager", "usr/bin/amtool")

    def run(*arguments: str) -> str:
        done = harness.run_program(amtool, f"--alertmanager.url={harness.with_token(alertd.address)}", *arguments)
        assert done.returncode == 0, f"amtool {arguments}: {done.stderr}{done.stdout}"
        return done.stdout
    run("alert", "add", "alertname=ByHand", "node=a", "--annotation=summary=look", "--end=2100-01-01T00:00:00Z")
    assert told(receiver, "ByHand", "firing")["annotations"] == {"summary": "look"}
    assert "ByHand" in run("alert", "query", "node=a", "--receiver=ops")
    run("alert", "add", "alertname=Forgotten", "node=a")
    told(receiver, "Forgotten", "firing")
    told(receiver, "Forgotten", "resolved")  # Once resolve_timeout is over.
    status, body = send(alertd.address, "POST", "/api/v2/alerts", [{"labels": {}}])
    assert status == 400 and b"needs a label" in body, (status, body)
    metrics = harness.http(f"http://{alertd.address}/metrics")[2].decode().splitlines()
    assert "cloud_alertd_posted_alerts_total 2" in metrics and "cloud_alertd_posted_alerts_refused_total 1" in metrics, metrics


def main():
    for test in (takes_alerts_of_prometheus, takes_alerts_of_amtool, routes_as_alertmanager_does):
        print(test.__name__, flush=True)
        with harness.Bench() as bench:
            test(bench)


harness.run(main)
