"""Passwords, access rules, packets for one client, presence and the admin API of cloud_server, as its operator and
Debian's mosquitto clients meet them."""

import json
import os
import shutil

import harness

PUB = "/usr/bin/mosquitto_pub"
SUB = "/usr/bin/mosquitto_sub"
CURL = "/usr/bin/curl"

RULES = """
[access]
anonymous = "nowhere"
password_file = "{passwords}"

[admin]
listen = "127.0.0.1:0"

[[acl]]
user = "boss"
read = ["#"]
write = ["#"]

[[acl]]
read = ["open/#", "to/%c/+", "presence/+"]
write = ["open/#", "to/#", "telemetry/%c/#"]
"""


class Site:
    """A server with users ann, bob and boss, whose passwords are their names backwards."""

    def __init__(self, bench: harness.Bench):
        self.bench = bench
        self.passwords = bench.dir / "passwords"
        for user in ("ann", "bob", "boss"):
            passwd(self.passwords, user, stdin=user[::-1] + "\n")
        self.config = bench.dir / "server.toml"
        self.config.write_text(RULES.format(passwords=self.passwords))
        self.server = bench.start("cloud_server", "--listen", "127.0.0.1:0", "--name", "site", "--data-dir", bench.dir / "data",
                                  "--stats-file", bench.dir / "site.stats", "--config", self.config)
        ready = self.server.ready()
        self.port = ready["mqtt"].rsplit(":", 1)[1]
        self.admin = ready["admin"]

    def flags(self, user: str, client: str | None = None, password: str | None = None) -> list[str]:
        return ["-V", "5", "-h", "127.0.0.1", "-p", self.port, "-u", user, "-P", password or user[::-1], "-i", client or user]

    def publish(self, user: str, *flags, **names):
        return harness.run_program(PUB, *self.flags(user, **names), *flags)

    def subscribe(self, user: str, *flags, **names) -> harness.Program:
        subscriber = self.bench.start("/usr/bin/stdbuf", "-oL", SUB, "-d", *self.flags(user, **names), *flags)
        subscriber.wait_line(lambda line: "Subscribed (mid" in line, "SUBACK")
        return subscriber

    def api(self, path: str, *flags) -> tuple[int, dict]:
        token = (self.bench.dir / "data" / "admin.token").read_text().strip()
        done = harness.run_program(CURL, "-s", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {token}", *flags,
                                   f"http://{self.admin}{path}")
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body)


def passwd(*arguments, stdin: str = ""):
    done = harness.run_program("cloud_server", "passwd", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr


def wrong_passwords_are_refused(site: Site):
    assert site.publish("ann", "-t", "open/a", "-m", "x", "-q", "1").returncode == 0
    refused = site.publish("ann", "-t", "open/a", "-m", "x", password="guess")
    assert refused.returncode != 0 and "Bad User Name or Password" in refused.stderr, refused


def rules_decide(site: Site):
    boss = site.subscribe("boss", "-t", "#", "-F", "got:%t:%p", client="screen")
    for topic, user in (("closed/a", "ann"), ("telemetry/bob/x", "ann"), ("telemetry/ann/x", "ann"), ("open/a", "ann"), ("closed/b", "boss")):
        site.publish(user, "-t", topic, "-m", "1", "-q", "1")
    boss.wait_line(lambda line: line == "got:closed/b:1", "last publish")
    assert [line for line in boss.lines if line.startswith("got:")] == ["got:telemetry/ann/x:1", "got:open/a:1", "got:closed/b:1"]
    boss.stop(expect=None)
    refused = harness.run_program(SUB, *site.flags("ann"), "-t", "closed/#", "-W", "5")
    assert "All subscription requests were denied" in refused.stderr, refused


def packets_reach_one_client(site: Site):
    bob = site.subscribe("bob", "-t", "to/bob/+", "-F", "got:%t:%p")
    spy = site.subscribe("boss", "-t", "#", "-F", "got:%t:%p", client="spy")
    assert site.publish("ann", "-t", "to/bob/ann", "-m", "hello", "-q", "1").returncode == 0
    bob.wait_line(lambda line: line == "got:to/bob/ann:hello", "packet")
    missing = site.publish("ann", "-d", "-t", "to/nobody/ann", "-m", "x", "-q", "1")
    assert "RC:16" in missing.stdout, missing.stdout  # No matching subscribers.
    forged = site.publish("ann", "-d", "-t", "to/bob/boss", "-m", "x", "-q", "1")
    assert "RC:135" in forged.stdout, forged.stdout  # Not authorized.
    site.publish("boss", "-t", "last", "-m", "1", "-q", "1")
    spy.wait_line(lambda line: line == "got:last:1", "last publish")
    assert not any("hello" in line for line in spy.lines), spy.output()
    bob.stop(expect=None)
    spy.stop(expect=None)


def presence_follows(site: Site):
    watcher = site.subscribe("boss", "-t", "presence/+", "-F", "got:%r:%t:%p", client="watcher")
    watcher.wait_line(lambda line: line.startswith('got:1:presence/watcher:{"status":"online"'), "own status")
    pump = site.subscribe("ann", "-t", "open/x", client="pump/7")
    watcher.wait_line(lambda line: line.startswith('got:0:presence/pump%2F7:{"status":"online"'), "online")
    pump.kill()
    watcher.wait_line(lambda line: line.startswith('got:0:presence/pump%2F7:{"status":"offline"') and "peer_gone" in line, "offline")
    watcher.stop(expect=None)


def reload_ends_what_is_no_longer_allowed(site: Site):
    ann = site.subscribe("ann", "-t", "open/#", "-F", "got:%p")
    bob = site.subscribe("bob", "-t", "open/#", "-F", "got:%p")
    passwd(site.passwords, "bob", "--delete")
    site.server.signal(harness.signal.SIGHUP)
    bob.wait_line(lambda line: "DISCONNECT" in line, "DISCONNECT")
    assert site.publish("boss", "-t", "open/a", "-m", "still", "-q", "1").returncode == 0
    ann.wait_line(lambda line: line == "got:still", "publish after the reload")
    os.chmod(site.passwords, 0o644)
    site.server.signal(harness.signal.SIGHUP)
    site.server.wait_line(lambda line: "configuration kept as it was" in line and str(site.passwords) in line, "fault", stream="log")
    os.chmod(site.passwords, 0o600)
    ann.stop(expect=None)
    bob.kill()


def operators_see_and_disconnect(site: Site):
    ann = site.subscribe("ann", "-t", "open/#")
    status, page = site.api("/api/v1/clients?user=ann")
    assert status == 200 and [client["id"] for client in page["clients"]] == ["ann"], page
    status, client = site.api("/api/v1/clients/ann")
    assert status == 200 and client["filters"] == [{"filter": "open/#", "qos": 0}] and client["protocol"] == "5.0", client
    assert site.api("/api/v1/clients?limit=x")[0] == 400
    assert site.api("/api/v1/clients", "-H", "Authorization: Bearer x")[0] == 401
    assert site.api("/api/v1/clients/ann", "-X", "DELETE")[0] == 200
    ann.wait_line(lambda line: "DISCONNECT" in line, "DISCONNECT")
    ann.kill()


def drain_ends_the_server(site: Site):
    ann = site.subscribe("ann", "-t", "open/#")
    assert site.api("/api/v1/drain", "-d", '{"within": "200ms"}')[0] == 202
    ann.wait_line(lambda line: "DISCONNECT" in line, "DISCONNECT")
    ann.kill()
    assert site.server.wait() == 0, site.server.output()


def faults_name_their_place(bench: harness.Bench):
    """Each configuration that cannot be used, and what is said of it."""
    open_file = bench.dir / "open-passwords"
    passwd(open_file, "ann", stdin="secret\n")
    os.chmod(open_file, 0o644)
    broken = bench.dir / "broken-passwords"
    broken.write_text("#atalaya passwords 1\nann:plain\n")
    os.chmod(broken, 0o600)
    newer = bench.dir / "newer-passwords"
    newer.write_text("#atalaya passwords 9\n")
    os.chmod(newer, 0o600)
    token = bench.dir / "token"
    token.write_text("short\n")
    os.chmod(token, 0o600)
    path = bench.dir / "bad.toml"
    for text, said in (
            ("[access]\nanonymous = 'maybe'\n", f'{path}:2:13: anonymous: "maybe"'),
            ("[access]\npasswords = 'x'\n", f'{path}:2:1: unknown key "passwords"'),
            ("[access]\npassword_file = ''\n", f"{path}:2:17: password_file: must not be empty"),
            ("[access]\npassword_file = '/nowhere'\n", f"{path}:2:17: password_file: /nowhere: cannot open"),
            (f"[access]\npassword_file = '{open_file}'\n", f"{path}:2:17: password_file: {open_file}: holds a secret"),
            (f"[access]\npassword_file = '{broken}'\n", f'{path}:2:17: password_file: {broken}:2: the hash of "ann"'),
            (f"[access]\npassword_file = '{newer}'\n", f"{path}:2:17: password_file: {newer}:1: written by a newer"),
            ("[[acl]]\nread = 'a'\n", f"{path}:2:8: read"),
            ("[[acl]]\nread = ['a/#/b']\n", f'{path}:2:8: read: "a/#/b" is not a topic filter'),
            ("[[acl]]\nwrite = ['$share/g/a']\n", f"{path}:2:9: write"),
            ("[[acl]]\nuser = 'x'\n", f"{path}:1:1: lists no topics"),
            ("[[acl]]\nclient = ''\nread = ['a']\n", f"{path}:2:10: client: must not be empty"),
            ("[[acl]]\nreads = ['a']\nwrite = ['a']\n", f'{path}:2:1: unknown key "reads"'),
            ("[admin]\nlisten = 'x'\n", f"{path}:2:10: listen"),
            ("[admin]\nlisten = '0.0.0.0:1880'\n", f'{path}:2:10: listen: "0.0.0.0" can be reached from other machines'),
            (f"[admin]\ntoken_file = '{token}'\n", f"{path}:2:14: token_file: {token}: must hold one token"),
            ("[admin]\ntoken_file = '/nowhere'\n", f"{path}:2:14: token_file: /nowhere: cannot open"),
            ("[[listener]]\naddress = '0.0.0.0:1883'\n", "allow_remote = true"),
            ("[[listener]]\naddress = '0.0.0.0:1883'\nallow_remote = true\n", "needs a password_file in [access]"),
    ):
        path.write_text(text)
        done = harness.run_program("cloud_server", "--check-config", "--config", path)
        assert done.returncode == 2 and said in done.stderr, (text, said, done)
    exposed = harness.run_program("cloud_server", "--check-config", "--listen", "0.0.0.0:1883")
    assert exposed.returncode == 2 and "--listen" in exposed.stderr and "allow_remote" in exposed.stderr, exposed


def main():
    if shutil.which(PUB) is None or shutil.which(CURL) is None:
        harness.skip("mosquitto-clients or curl is not installed")
    with harness.Bench() as bench:
        faults_name_their_place(bench)
        print("kept: faults_name_their_place")
        site = Site(bench)
        for promise in (wrong_passwords_are_refused, rules_decide, packets_reach_one_client, presence_follows,
                        operators_see_and_disconnect, reload_ends_what_is_no_longer_allowed, drain_ends_the_server):
            promise(site)
            print("kept:", promise.__name__)


harness.run(main)
