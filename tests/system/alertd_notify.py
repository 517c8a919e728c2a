"""Notices of the real cloud_alertd to real receivers: a killed cloud_server is told, and its return, by webhook, by mail with
STARTTLS and AUTH, as a file and on the terminal; receivers that fail are tried again; a notice outlives its program."""

import contextlib
import email
import email.policy
import signal
import socket
import sqlite3

import harness
from receivers import HOST, MailReceiver, WebhookReceiver, make_certificate

USER, PASSWORD = "atalaya", "a secret"
GOOD, GREYLISTED, REFUSED = "good@example.org", "grey@example.org", "refused@example.org"


def write_password(bench, password: str):
    (bench.dir / "password").touch(mode=0o600)
    (bench.dir / "password").write_text(password + "\n")


def configuration(bench, receivers: str) -> str:
    path = bench.dir / "alertd.toml"
    (bench.dir / "rules").mkdir(exist_ok=True)
    (bench.dir / "rules" / "server.toml").write_text("""
[[rule]]
alert = "CloudServerDown"
down = { process = "cloud_server" }
severity = "critical"
summary = "{{ $labels.process }} is down \N{BLACK LARGE SQUARE}"
""")
    path.write_text(f"""
[http]
listen = "{HOST}:0"
[storage]
dir = "{bench.dir}/state"
[rules]
files = ["{bench.dir}/rules/*.toml"]
interval = "200ms"
[[process]]
name = "cloud_server"
stats_file = "{bench.stats_file()}"
{receivers}""")
    return str(path)


def start_alertd(bench, config: str):
    alertd = bench.start("cloud_alertd", "--config", config)
    alertd.ready()
    return alertd


def wait_watched(alertd):
    """Until the process is watched: what ends before that is not a death that anyone saw."""
    page = "http://" + alertd.ready()["http"].removeprefix("http://").rstrip("/")

    def watched():
        _, _, body = harness.http(f"{page}/api/v1/query?query=process_watch_up%3D%3D1")
        return b'"process":"cloud_server"' in body
    harness.wait_for("cloud_server is watched", watched)


def outbox(bench) -> list[sqlite3.Row]:
    with contextlib.closing(sqlite3.connect(f"file:{bench.dir}/state/state.db?mode=ro", uri=True)) as database:
        database.row_factory = sqlite3.Row
        return database.execute("SELECT * FROM outbox ORDER BY id").fetchall()


def equal(found, expected, what: str):
    if found != expected:
        raise AssertionError(f"{what}: {found!r}, not {expected!r}")


def check_payload(payload: dict, status: str):
    equal(payload["version"], "4", "version")
    equal(payload["status"], status, "status")
    equal(payload["receiver"], "web", "receiver")
    equal(payload["groupKey"], '{}:{alertname="CloudServerDown"}', "groupKey")
    alert = payload["alerts"][0]
    equal(alert["status"], status, "status of the alert")
    equal(alert["labels"]["severity"], "critical", "severity")
    equal(alert["annotations"]["summary"], "cloud_server is down \N{BLACK LARGE SQUARE}", "summary")
    equal(alert["endsAt"] == "0001-01-01T00:00:00Z", status == "firing", "an end only where resolved")


def check_mail(mail: dict, status: str):
    message = mail["message"]
    equal((mail["tls"], mail["user"]), (True, USER), "TLS and user")
    equal(message["Subject"], f"[{status.upper()}] CloudServerDown", "subject")
    equal(message["To"], mail["to"][0], "To")
    equal(list(message.defects), [], "defects")
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    for part in (text, html):
        if "cloud_server is down \N{BLACK LARGE SQUARE}" not in part:
            raise AssertionError(f"no summary in {part}")


def tells_an_outage_and_its_end(bench):
    certificate, key = make_certificate(bench.dir)
    write_password(bench, PASSWORD)
    webhook = bench.enter_context(WebhookReceiver())
    mail = bench.enter_context(MailReceiver(
        refuse={REFUSED: "550 no such user", GREYLISTED: ["451 come back later"]},
        certificate=certificate, key=key, user=USER, password=PASSWORD))
    config = configuration(bench, f"""
[[receiver]]
name = "web"
webhook = {{ url = "{webhook.url}" }}
[[receiver]]
name = "post"
[receiver.email]
smtp = "{mail.url}"
starttls = true
username = "{USER}"
password_file = "password"
ca_file = "{certificate}"
from = "atalaya@example.org"
to = ["{GOOD}", "{GREYLISTED}", "{REFUSED}"]
[[receiver]]
name = "box"
email = {{ directory = "mail", from = "atalaya@example.org", to = ["{GOOD}"] }}
[[receiver]]
name = "terminal"
stdout = true
""")
    server, _ = bench.start_server()
    alertd = start_alertd(bench, config)
    wait_watched(alertd)
    server.kill()

    check_payload(webhook.wait_accepted("the firing webhook")["payload"], "firing")
    alertd.wait_line(lambda line: line.startswith("notice firing CloudServerDown severity=critical"), "line on the terminal")
    first = {}
    for recipient in (GOOD, GREYLISTED):
        first[recipient] = mail.mails.wait(lambda m, to=recipient: m["to"] == [to], f"the firing mail to {recipient}")
        check_mail(first[recipient], "firing")

    bench.start_server()
    resolved = webhook.wait_accepted("the resolved webhook", lambda payload: payload["status"] == "resolved")
    check_payload(resolved["payload"], "resolved")
    alertd.wait_line(lambda line: line.startswith("notice resolved CloudServerDown"), "line on the terminal")
    for recipient in (GOOD, GREYLISTED):
        second = mail.mails.wait(
            lambda m, to=recipient: m["to"] == [to] and m["message"]["Subject"].startswith("[RESOLVED]"),
            f"the resolved mail to {recipient}")
        check_mail(second, "resolved")
        equal(second["message"]["References"], first[recipient]["message"]["Message-ID"], "References")

    def all_told():
        return all(row["state"] != "waiting" for row in outbox(bench))
    harness.wait_for("an outbox where nothing waits", all_told)
    ends = {(row["receiver"], row["target"], row["status"]): (row["state"], row["attempts"]) for row in outbox(bench)}
    equal(ends["post", REFUSED, "firing"], ("failed", 1), "the refused recipient")
    equal(ends["post", GREYLISTED, "firing"], ("sent", 2), "the greylisted recipient")
    equal(ends["post", GOOD, "resolved"], ("sent", 1), "the good recipient")
    files = sorted((bench.dir / "mail").glob("*.eml"))
    equal(len(files), 2, "mails as files")
    for file in files:
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        equal(message["Message-ID"], f"<{file.stem}@example.org>", "Message-ID")
    alertd.stop()
    warnings = [line for line in alertd.log if REFUSED in line]
    equal(len(warnings), 1, f"log lines about the refused recipient, one per change of state: {warnings}")


def tries_again_what_failed(bench):
    """500, then 429 with Retry-After, then 200; a receiver that hangs holds up no other; a wrong password holds the mail."""
    failing = bench.enter_context(WebhookReceiver(answers=[500, (429, {"Retry-After": "2"})]))
    hung = bench.enter_context(WebhookReceiver(answers=["hang"]))
    write_password(bench, "wrong")
    mail = bench.enter_context(MailReceiver(user=USER, password=PASSWORD))
    config = configuration(bench, f"""
[[receiver]]
name = "hung"
webhook = {{ url = "{hung.url}", timeout = "1s" }}
[[receiver]]
name = "web"
webhook = {{ url = "{failing.url}" }}
[[receiver]]
name = "post"
email = {{ smtp = "{mail.url}", username = "{USER}", password_file = "password", from = "a@example.org", to = ["{GOOD}"] }}
""")
    server, _ = bench.start_server()
    alertd = start_alertd(bench, config)
    wait_watched(alertd)
    server.kill()
    first, second, third = failing.requests.wait_count(3, "attempts")
    equal(len({first["id"], second["id"], third["id"]}), 1, "ids of one notice")
    equal([r["status"] for r in (first, second, third)], [500, 429, 200], "answers")
    if not 0.7 <= second["at_s"] - first["at_s"]:
        raise AssertionError("the first retry came before 0.8 s")
    if not 1.9 <= third["at_s"] - second["at_s"]:
        raise AssertionError("Retry-After was not honoured")
    hung.wait_accepted("the notice that hung at first")

    def held():
        rows = [row for row in outbox(bench) if row["receiver"] == "post"]
        return rows and rows[0]["attempts"] > 0 and rows[0]
    row = harness.wait_for("an attempt with the wrong password", held)
    equal(row["state"], "waiting", "a mail that waits for its password")
    if "535" not in row["last_error"]:
        raise AssertionError(f"the last error does not name the reply: {row['last_error']}")
    write_password(bench, PASSWORD)
    alertd.signal(signal.SIGHUP)
    mail.mails.wait(lambda m: m["to"] == [GOOD], "the mail once the password is right")
    alertd.stop()


def outlives_its_program(bench):
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    config = configuration(bench, f"""
[[receiver]]
name = "web"
webhook = {{ url = "http://{HOST}:{port}/notices" }}
""")
    server, _ = bench.start_server()
    alertd = start_alertd(bench, config)
    wait_watched(alertd)
    server.kill()
    waiting = harness.wait_for("a failed attempt", lambda: [row for row in outbox(bench) if row["attempts"] > 0])[0]
    alertd.kill()
    equal(outbox(bench)[0]["state"], "waiting", "state after SIGKILL")

    alertd = start_alertd(bench, config)
    webhook = bench.enter_context(WebhookReceiver(port=port))
    told = webhook.wait_accepted("the notice from before the SIGKILL")
    equal(told["id"], waiting["notice_id"], "id over the restart")
    check_payload(told["payload"], "firing")
    bench.start_server()
    webhook.wait_accepted("the resolved webhook", lambda payload: payload["status"] == "resolved")
    accepted = [r for r in webhook.requests.items if r["status"] == 200]
    equal(len({r["id"] for r in accepted}), len(accepted), "accepted notices, none twice")
    alertd.stop()


def main():
    for test in (tells_an_outage_and_its_end, tries_again_what_failed, outlives_its_program):
        print(test.__name__, flush=True)
        with harness.Bench() as bench:
            test(bench)


harness.run(main)
