"""Mails of the real cloud_alertd through a real mail server, Debian's OpenSMTPD: an address that is refused beside
ones that are taken, and the thread of firing and resolved. TLS and passwords are tested by alertd_notify."""

import contextlib
import signal
import sqlite3

import harness
from opensmtpd import DOMAIN, OpenSmtpd
from receivers import HOST

ANNA, BEN, REFUSED = f"anna@{DOMAIN}", f"ben@{DOMAIN}", "nobody@elsewhere.test"


def configuration(bench, server: OpenSmtpd) -> str:
    (bench.dir / "rules.toml").write_text("""
[[rule]]
alert = "CloudServerDown"
down = { process = "cloud_server" }
summary = "{{ $labels.process }} is down \N{BLACK LARGE SQUARE}"
""")
    path = bench.dir / "alertd.toml"
    path.write_text(f"""
[http]
listen = "{HOST}:0"
[storage]
dir = "{bench.dir}/state"
[rules]
files = ["rules.toml"]
interval = "200ms"
[[process]]
name = "cloud_server"
stats_file = "{bench.stats_file()}"
[[receiver]]
name = "post"
email = {{ smtp = "{server.url}", from = "atalaya@{DOMAIN}", to = ["{ANNA}", "{BEN}", "{REFUSED}"] }}
""")
    return str(path)


def outbox(bench) -> dict:
    with contextlib.closing(sqlite3.connect(f"file:{bench.dir}/state/state.db?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT target, status, state, last_error FROM outbox").fetchall()
    return {(target, status): (state, error) for target, status, state, error in rows}


def mail_to(server: OpenSmtpd, address: str, status: str):
    def found():
        return next((mail for mail in server.mails() if mail["To"] == address and mail["Subject"].startswith(f"[{status}]")), None)
    try:
        return harness.wait_for(f"the {status} mail to {address}", found)
    except AssertionError as failure:
        raise AssertionError(f"{failure}\n{server.program.output()}") from None


def watched(alertd) -> bool:
    page = alertd.ready()["http"].removeprefix("http://").rstrip("/")
    _, _, body = harness.http(f"http://{page}/api/v1/query?query=process_watch_up%3D%3D1")
    return b'"process":"cloud_server"' in body


def main():
    with harness.Bench() as bench:
        mail_server = bench.enter_context(OpenSmtpd(bench.dir))
        alertd = bench.start("cloud_alertd", "--config", configuration(bench, mail_server))
        server, _ = bench.start_server()
        harness.wait_for("cloud_server is watched", lambda: watched(alertd))
        server.kill()
        firing = {address: mail_to(mail_server, address, "FIRING") for address in (ANNA, BEN)}
        for mail in firing.values():
            assert not mail.defects, mail.defects
            for part in ("plain", "html"):
                assert "cloud_server is down \N{BLACK LARGE SQUARE}" in mail.get_body((part,)).get_content(), f"no summary in {part}"
        bench.start_server()
        for address in (ANNA, BEN):
            resolved = mail_to(mail_server, address, "RESOLVED")
            assert resolved["References"] == firing[address]["Message-ID"], f"{address}: another thread: {resolved['References']}"
        harness.wait_for("an outbox where nothing waits", lambda: all(state != "waiting" for state, _ in outbox(bench).values()))
        state, error = outbox(bench)[REFUSED, "firing"]
        assert state == "failed" and "550" in error, f"{REFUSED}: {state}, {error}"
        assert outbox(bench)[ANNA, "firing"] == ("sent", ""), outbox(bench)
        alertd.signal(signal.SIGTERM)


harness.run(main)
