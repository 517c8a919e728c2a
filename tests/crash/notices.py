"""Kills cloud_alertd at random moments while alerts come and go, with receivers that fail, hang, close half way and answer 500,
429 and 451 by turns, and checks that every notice arrives, that none comes twice but one that was in flight at a kill, and that
every firing that was told is told to have ended.

    notices.py [--kills N] [--seed S]

A kill is SIGKILL. ./check does a few; a long run is `--kills 500`. Programs are found through ATALAYA_BIN.
"""

import argparse
import collections
import contextlib
import json
import pathlib
import random
import sqlite3
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import harness
from conditions import Conditions
from receivers import MailReceiver, WebhookReceiver

LONGEST_LIFE_S = 1.5  # From ready to the kill.
LAST_NOTICE_S = 240   # After many failures a notice waits for its next attempt.
IN_FLIGHT_S = 2       # From when a receiver has taken a notice to when that is on stable storage, on a busy machine.
WEB_FAULTS = (500, 503, (429, {"Retry-After": "1"}), "hang", "half")
MAIL_FAULTS = ("451 come back later", "421 not now", "450 greylisted")
MAIL_TO = "ops@example.org"


class Faults:
    """Answers that never run out: a fault one time in three, until they are ended."""

    def __init__(self, source: random.Random, faults: tuple, well):
        self._source, self._faults, self._well = source, faults, well
        self.on = True

    def pop(self, _):
        return self._source.choice(self._faults) if self.on and self._source.random() < 1 / 3 else self._well


class Deliveries:
    """What one receiver accepted, in order: (id, when, {(alert, start): status})."""

    def __init__(self):
        self.accepted: list[tuple[str, float, dict]] = []

    def check_news(self, who: str):
        """Each notice tells something that no earlier one told."""
        told, ids = set(), set()
        for notice, _, alerts in self.accepted:
            news = set(alerts.items()) - told
            assert news or notice in ids, f"{who}: {notice} repeats what was told: {alerts}"
            told |= news
            ids.add(notice)

    def check_ends(self, who: str, firing: set[str]):
        """Each episode that was told to fire was told to have ended, but those that still fire."""
        ended = {episode for _, _, alerts in self.accepted for episode, status in alerts.items() if status == "resolved"}
        began = {episode for _, _, alerts in self.accepted for episode, status in alerts.items() if status == "firing"}
        open_ids = collections.Counter(alert for alert, _ in began - ended)
        assert set(open_ids) == firing and all(count == 1 for count in open_ids.values()), (who, began - ended, firing)

    def repeats(self, who: str, kills: list[float]) -> int:
        """How many came again; each must have been in flight at a kill, and only one can be at each."""
        blamed = set()
        first: dict[str, float] = {}
        for notice, at, _ in self.accepted:
            if notice not in first:
                first[notice] = at
                continue
            kill = next((kill for kill in kills if first[notice] <= kill <= first[notice] + IN_FLIGHT_S and kill <= at), None)
            assert kill is not None, f"{who}: {notice} came at {first[notice]} and again at {at}; killed at {kills}"
            assert kill not in blamed, f"{who}: two notices came again after the kill at {kill}"
            blamed.add(kill)
            first[notice] = at
        return len(blamed)


def web_deliveries(receiver: WebhookReceiver) -> Deliveries:
    found = Deliveries()
    for request in list(receiver.requests.items):
        if request["status"] == 200:
            alerts = {(a["labels"]["alertname"] + a["labels"]["id"], a["startsAt"]): a["status"] for a in request["payload"]["alerts"]}
            found.accepted.append((request["id"], request["at_s"], alerts))
    return found


class CrashTest:
    def __init__(self, bench: harness.Bench, seed: int):
        self.bench = bench
        self.random = random.Random(seed)
        self.conditions = Conditions(bench)
        self.web_faults = Faults(self.random, WEB_FAULTS, 200)
        self.mail_faults = Faults(self.random, MAIL_FAULTS, "")
        self.steady = bench.enter_context(WebhookReceiver())
        self.faulty = bench.enter_context(WebhookReceiver())
        self.faulty.answers = self.web_faults
        self.mail = bench.enter_context(MailReceiver(refuse={MAIL_TO: self.mail_faults}))
        self.kills: list[float] = []
        self.config = bench.dir / "alertd.toml"
        # `keep`: on a busy machine a scrape may take longer than its 100 ms.
        (bench.dir / "rules.toml").write_text("""
[[rule]]
alert = "Urgent"
expr = "trouble == 1"
no_data = "keep"
immediate = true
[[rule]]
alert = "Patient"
expr = "trouble == 1"
no_data = "keep"
""")
        self.config.write_text(self.conditions.alertd_config(bench) + f"""
[route]
group_wait = "300ms"
group_interval = "500ms"
[[route.routes]]
matchers = ["id=~\\"1|2|3\\""]
group_by = ["id"]
[[receiver]]
name = "steady"
webhook = {{ url = "{self.steady.url}" }}
[[receiver]]
name = "faulty"
webhook = {{ url = "{self.faulty.url}", timeout = "2s" }}
[[receiver]]
name = "mail"
email = {{ smtp = "{self.mail.url}", from = "atalaya@example.org", to = ["{MAIL_TO}"], timeout = "2s" }}
""")

    def start(self):
        self.alertd = self.bench.start("cloud_alertd", "--config", self.config)
        self.address = self.alertd.ready()["http"]

    def one_life(self):
        self.conditions.flip_some(self.random)
        pause, end = threading.Event(), time.monotonic() + self.random.uniform(0, LONGEST_LIFE_S)
        while time.monotonic() < end:
            pause.wait(self.random.uniform(0.05, 0.4))
            self.conditions.flip_some(self.random)
        self.alertd.kill()
        self.kills.append(time.monotonic())
        self.start()

    def firing(self) -> set[str]:
        alerts = json.loads(harness.http(f"http://{self.address}/api/v1/alerts")[2])["data"]["alerts"]
        return {a["labels"]["alertname"] + a["labels"]["id"] for a in alerts if a["state"] == "firing"}

    def outbox(self) -> collections.Counter:
        with contextlib.closing(sqlite3.connect(f"file:{self.bench.dir}/state/state.db?mode=ro", uri=True)) as database:
            return collections.Counter(dict(database.execute("SELECT state, count(*) FROM outbox GROUP BY state")))

    def end(self):
        """Receivers are well again: all that waits is told."""
        self.web_faults.on = self.mail_faults.on = False
        truth = {name + each for name in ("Urgent", "Patient") for each in self.conditions.true_ids()}
        harness.wait_for("the alerts whose conditions hold", lambda: self.firing() == truth)

        def all_told():
            latest = {}
            for _, _, alerts in web_deliveries(self.steady).accepted:
                for (alert, start), status in alerts.items():
                    latest[alert] = max(latest.get(alert, ("", "")), (start, status))
            told = {alert for alert, (_, status) in latest.items() if status == "firing"}
            return told == truth and self.outbox()["waiting"] == 0
        harness.wait_for("every notice to be told", all_told, LAST_NOTICE_S)
        return truth

    def check(self, truth: set[str]):
        states = self.outbox()
        assert set(states) <= {"sent", "merged"}, f"notices were lost: {states}"
        repeats = 0
        for who, receiver in (("steady", self.steady), ("faulty", self.faulty)):
            deliveries = web_deliveries(receiver)
            deliveries.check_news(who)
            deliveries.check_ends(who, truth)
            repeats += deliveries.repeats(who, self.kills)
        mails = Deliveries()
        mails.accepted = [(mail["message"]["Message-ID"], mail["at_s"], {}) for mail in self.mail.mails.items]
        repeats += mails.repeats("mail", self.kills)
        sent = sum(len({notice for notice, _, _ in each.accepted}) for each in
                   (web_deliveries(self.steady), web_deliveries(self.faulty), mails))
        assert sent >= states["sent"], f"{states['sent']} notices are said to be sent, {sent} arrived"
        invented = {alert for _, _, alerts in web_deliveries(self.steady).accepted for alert, _ in alerts} & {"Urgent0", "Patient0"}
        assert not invented, f"an alert whose condition never held was told: {invented}"
        failed = sum(request["status"] != 200 for request in self.faulty.requests.items) + len(self.mail.refused.items)
        print(f"{len(self.kills)} kills: {sent} notices arrived, {states['merged']} were merged into later ones, {failed} attempts failed; "
              f"none lost, {repeats} came again under the same id, each in flight at a kill; every firing that was told has its end")


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
        test.check(test.end())


harness.run(main)
