"""Silences of the real cloud_alertd, made and ended with Debian's amtool: what they cover is not told, what was told before gets
its end all the same, and what still fires afterwards is told."""

import json
import signal
import subprocess

import harness
from receivers import HOST, WebhookReceiver

RULE = """
[[rule]]
alert = "{name}"
expr = "vector(1)"
severity = "critical"
summary = "{name} fires"
"""


class Amtool:
    def __init__(self, url: str):
        self.program = harness.peer("prometheus-alertmanager", "usr/bin/amtool")
        self.url = url

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return harness.run_program(self.program, f"--alertmanager.url={self.url}", *arguments)

    def __call__(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, f"amtool {arguments}: {done.stderr}{done.stdout}"
        return done.stdout.strip()

    def json(self, *arguments: str):
        return json.loads(self(*arguments, "--output=json"))


def write_rules(bench, *names: str):
    (bench.dir / "rules.toml").write_text("".join(RULE.format(name=name) for name in names))


def alert_states(amtool) -> dict[str, str]:
    return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in amtool.json("alert", "query")}


def told(receiver: WebhookReceiver, name: str, status: str) -> bool:
    return any(alert["labels"]["alertname"] == name and alert["status"] == status
               for request in receiver.requests.items for alert in request["payload"]["alerts"])


def main():
    with harness.Bench() as bench, WebhookReceiver() as receiver:
        config = bench.dir / "alertd.toml"
        config.write_text(f"""
[http]
listen = "{HOST}:0"
[storage]
dir = "{bench.dir}/state"
[rules]
files = ["{bench.dir}/rules.toml"]
interval = "200ms"
[route]
group_wait = "0s"
group_interval = "200ms"
[[receiver]]
name = "ops"
webhook = {{ url = "{receiver.url}" }}
""")
        write_rules(bench, "Before")
        alertd = bench.start("cloud_alertd", "--config", config)
        amtool = Amtool(harness.with_token(alertd.ready()["http"]))
        receiver.wait_accepted("Before fires", lambda _: told(receiver, "Before", "firing"))

        roof = amtool("silence", "add", "alertname=~Before|During", "--author=anna", "--comment=works", "--duration=1h")
        silences = amtool.json("silence", "query")
        assert [(s["id"], s["status"]["state"], s["createdBy"]) for s in silences] == [(roof, "active", "anna")], silences

        write_rules(bench, "During", "Beside")
        alertd.signal(signal.SIGHUP)
        # Beside comes after During in every evaluation: were During told, it would have been by now.
        receiver.wait_accepted("Beside fires", lambda _: told(receiver, "Beside", "firing"))
        receiver.wait_accepted("Before has ended", lambda _: told(receiver, "Before", "resolved"))
        assert not told(receiver, "During", "firing")
        assert alert_states(amtool) == {"Beside": "active"}, alert_states(amtool)
        silenced = amtool.json("alert", "query", "--silenced")
        assert [(a["labels"]["alertname"], a["status"]["silencedBy"]) for a in silenced] == [("During", [roof])], silenced

        alertd.kill()  # A silence outlives it.
        alertd = bench.start("cloud_alertd", "--config", config)
        amtool = Amtool(harness.with_token(alertd.ready()["http"]))
        harness.wait_for("the silence to stand after the start", lambda: amtool.json("silence", "query"))
        assert not told(receiver, "During", "firing")

        amtool("silence", "expire", roof)
        receiver.wait_accepted("During fires", lambda _: told(receiver, "During", "firing"))
        assert amtool.json("silence", "query") == []
        refused = amtool.run("silence", "add", "alertname=~.*", "--author=anna", "--comment=all", "--duration=1h")
        assert refused.returncode != 0 and "empty value" in refused.stderr + refused.stdout, refused
        assert "disabled" in amtool("cluster", "show")


if __name__ == "__main__":
    harness.run(main)
