"""Rehearses an outage on the programs that ./up started: kills cloud_server, shows the notices, starts it again."""

import asyncio
import datetime
import json
import pathlib
import signal
import time
import urllib.request

import config
from child import Child, StartFailed

RECEIVER = "launch/drill_receiver.py"
NOTICE_DEADLINE_S = 60  # For the firing notices, and again for the resolved ones.
RELOAD_DEADLINE_S = 10
RELOADED_AT = "cloud_alertd_config_last_reload_success_timestamp_seconds"


class DrillFailed(Exception):
    pass


class Notices:
    """What the drill's own receivers have taken in, in order of arrival."""

    def __init__(self, say):
        self._say = say
        self._arrived = asyncio.Condition()
        self.received: list[dict] = []

    def on_line(self, line: str):
        notice = json.loads(line)
        self.received.append(notice)
        self._say(f"  {clock(notice['received_ns'])}  {notice['kind']:<8}{notice['status']:<9} {notice['summary']}")
        asyncio.ensure_future(self._announce())

    async def _announce(self):
        async with self._arrived:
            self._arrived.notify_all()

    async def _wait_for(self, condition, what: str):
        try:
            async with self._arrived:
                return await asyncio.wait_for(self._arrived.wait_for(condition), NOTICE_DEADLINE_S)
        except TimeoutError:
            raise DrillFailed(f"no {what} arrived within {NOTICE_DEADLINE_S} s") from None

    async def first(self, kind: str, status: str) -> dict:
        """The first notice of that kind (webhook, mail) and status (firing, resolved)."""
        return await self._wait_for(
            lambda: next((n for n in self.received if n["kind"] == kind and n["status"] == status), None),
            f"{status} {kind}")

    async def all_resolved(self):
        """Returns once each alert that a webhook said was firing was said to be resolved."""
        def alerts(status: str) -> set[str]:
            return {n["alertname"] for n in self.received if n["kind"] == "webhook" and n["status"] == status}
        await self._wait_for(lambda: alerts("firing") <= alerts("resolved"), "resolved webhook for each alert")


def clock(ns: int) -> str:
    return datetime.datetime.fromtimestamp(ns / 1e9).strftime("%H:%M:%S.%f")[:-3]


def since(start_ns: int, end_ns: int) -> str:
    return f"{(end_ns - start_ns) / 1e6:10.1f} ms"


def rfc3339_ns(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e9)


def reloaded_at(page: str) -> str:
    with urllib.request.urlopen(page + "metrics", timeout=RELOAD_DEADLINE_S) as reply:
        for line in reply.read().decode().splitlines():
            if line.startswith(RELOADED_AT):
                return line.split()[-1]
    return ""


async def reload_alertd(programs, text: str):
    """Gives alertd the drill's part of its configuration and returns once it has taken it over."""
    before = await asyncio.to_thread(reloaded_at, programs.page)
    config.write(config.DRILL, text)
    programs.alertd.send(signal.SIGHUP)
    end = time.monotonic() + RELOAD_DEADLINE_S
    while await asyncio.to_thread(reloaded_at, programs.page) == before:
        if time.monotonic() > end:
            raise DrillFailed(f"cloud_alertd did not take over {config.DRILL}; see {programs.alertd.log}")
        await asyncio.sleep(0.02)


async def outage(programs, notices: Notices, say, restarting: set) -> list[tuple[str, str]]:
    """Kill, notices, start, notices; returns the rows of the table of times."""
    server = programs.server
    say(f"killing cloud_server (pid {server.pid}) with SIGKILL")
    restarting.add(server)
    killed_ns = time.time_ns()
    server.send(signal.SIGKILL)
    try:
        webhook = await notices.first("webhook", "firing")
        mail = await notices.first("mail", "firing")
    finally:
        await server.wait()
        started_ns = time.time_ns()
        await server.start()
        restarting.discard(server)
    ready_ns = time.time_ns()
    say(f"started cloud_server again (pid {server.pid})")
    webhook_up = await notices.first("webhook", "resolved")
    mail_up = await notices.first("mail", "resolved")
    await notices.all_resolved()
    return [
        ("kill -> detected (the alert's startsAt)", since(killed_ns, rfc3339_ns(webhook["starts_at"]))),
        ("kill -> webhook, firing", since(killed_ns, webhook["received_ns"])),
        ("kill -> mail, firing", since(killed_ns, mail["received_ns"])),
        ("start -> serving again", since(started_ns, ready_ns)),
        ("start -> webhook, resolved", since(started_ns, webhook_up["received_ns"])),
        ("start -> mail, resolved", since(started_ns, mail_up["received_ns"])),
    ]


async def run(programs, say, notify: bool, restarting: set) -> bool:
    """One whole drill; says what happens as it happens. False where a notice did not arrive in time."""
    if not programs.server.running or not programs.alertd.running:
        say("the drill needs cloud_server and cloud_alertd running")
        return False
    notices = Notices(say)
    receiver = Child("drill_receiver", ["/usr/bin/python3", RECEIVER], pathlib.Path("var/log/drill_receiver.log"),
                     notices.on_line)
    rows = []
    try:
        await receiver.start()
        say(f"drill: a webhook receiver on {receiver.ready['webhook']} and a mail server on {receiver.ready['smtp']}"
            + ("; configured receivers hear of it, too" if notify else ""))
        await reload_alertd(programs, config.drill(receiver.ready["webhook"], receiver.ready["smtp"], notify))
        rows = await outage(programs, notices, say, restarting)
    except (DrillFailed, StartFailed) as failed:
        say(f"drill failed: {failed}")
    finally:
        if programs.alertd.running:
            await reload_alertd(programs, config.NO_DRILL)
        await receiver.stop()
    if rows:
        width = max(len(what) for what, _ in rows)
        say("")
        for what, took in rows:
            say(f"  {what:<{width}} {took}")
        say("")
    return bool(rows)
