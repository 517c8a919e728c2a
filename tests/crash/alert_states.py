"""Kills cloud_alertd at random moments while conditions come and go, and checks after each start that its alerts are those
whose conditions hold, that those which went on firing have kept their beginning, and in the end that each was told as it was.

    alert_states.py [--kills N] [--seed S]

A kill is SIGKILL. ./check does a few; a long run is `--kills 200`. Programs are found through ATALAYA_BIN.
"""

import argparse
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import harness
from conditions import Conditions
from receivers import WebhookReceiver

LONGEST_LIFE_S = 1.5  # From ready to the kill.


class CrashTest:
    def __init__(self, bench: harness.Bench, seed: int):
        self.bench = bench
        self.random = random.Random(seed)
        self.conditions = Conditions(bench)
        self.webhook = bench.enter_context(WebhookReceiver())
        self.config = bench.dir / "alertd.toml"
        # `keep`: on a busy machine a scrape may take longer than its 100 ms.
        (bench.dir / "rules.toml").write_text(
            '[[rule]]\nalert = "Trouble"\nexpr = "trouble == 1"\nno_data = "keep"\nimmediate = true\n')
        self.config.write_text(self.conditions.alertd_config(bench) + f"""
[[receiver]]
name = "web"
webhook = {{ url = "{self.webhook.url}" }}
""")

    def start(self):
        self.alertd = self.bench.start("cloud_alertd", "--config", self.config)
        self.address = self.alertd.ready()["http"]

    def firing(self) -> dict[str, str]:
        """When each alert that fires began, by id."""
        alerts = json.loads(harness.http(f"http://{self.address}/api/v1/alerts")[2])["data"]["alerts"]
        return {alert["labels"]["id"]: alert["activeAt"] for alert in alerts if alert["state"] == "firing"}

    def one_life(self):
        """From settled alerts to settled alerts, with changes before, during and after the kill."""
        before = self.firing()
        assert set(before) == self.conditions.true_ids(), (before, self.conditions.holds)
        touched = self.conditions.flip_some(self.random)
        threading.Event().wait(self.random.uniform(0, LONGEST_LIFE_S))
        self.alertd.kill()
        touched |= self.conditions.flip_some(self.random)
        self.start()
        touched |= self.conditions.flip_some(self.random)
        harness.wait_for("the alerts whose conditions hold", lambda: set(self.firing()) == self.conditions.true_ids())
        after = self.firing()
        for each in set(before) & set(after) - touched:
            assert after[each] == before[each], f"{each} began at {before[each]}, and now at {after[each]}"

    def told(self) -> dict[str, str]:
        """What the webhook was last told of each alert. Notices may come twice and out of order: the last change counts."""
        latest = {}
        for request in list(self.webhook.requests.items):
            for alert in request["payload"]["alerts"]:
                key = max(alert["startsAt"], alert["endsAt"] if alert["status"] == "resolved" else "")
                known = latest.get(alert["labels"]["id"], ("", ""))
                latest[alert["labels"]["id"]] = max(known, (key, alert["status"]))
        return {each: status for each, (_, status) in latest.items()}

    def check_told(self):
        def all_told():
            told = self.told()
            return {each for each, status in told.items() if status == "firing"} == self.conditions.true_ids()
        harness.wait_for("every alert to be told as it is", all_told)
        assert "0" not in self.told(), "an alert whose condition never held was told"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with harness.Bench() as bench:
        test = CrashTest(bench, options.seed)
        test.start()
        harness.wait_for("the first scrape", lambda: b'"health":"up"' in harness.http(f"http://{test.address}/api/v1/targets")[2])
        for _ in range(options.kills):
            test.one_life()
        test.check_told()
        print(f"{options.kills} kills, {len(test.webhook.requests.items)} notices; nothing lost, nothing invented")


harness.run(main)
