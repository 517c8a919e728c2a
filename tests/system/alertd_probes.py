"""Each kind of probe of cloud_alertd, good and bad, against real servers: Python's, Debian's mosquitto, cloud_server, and plugins in
the manner of Nagios. Names of series are those of Debian's blackbox_exporter, where it has them."""

import http.server
import json
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse

import mosquitto
from harness import BIN, Bench, Program, Skip, http as get, peer, run, wait_for

BLACKBOX = ("prometheus-blackbox-exporter", "usr/bin/prometheus-blackbox-exporter")
# What blackbox_exporter tells and we do not, with the reason.
NOT_OURS = {
    "probe_ip_protocol": "which family was chosen: all addresses are tried",
    "probe_ip_addr_hash": "the same",
    "probe_ssl_last_chain_info": "a label with a fingerprint would be a new series with each certificate",
    "probe_http_last_modified_timestamp_seconds": "nobody has asked for it",
    "probe_icmp_reply_hop_limit": "nobody has asked for it",
}
MANY = "x" * (5 << 20)  # More than a body may hold.


class Web:
    """Answers by path; with a certificate over TLS."""

    def __init__(self, context: ssl.SSLContext | None = None):
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                web.answer(self)

            do_POST = do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.failures = 0  # So many requests of /flaky fail.
        self.seen: list[tuple[str, str, dict, str]] = []
        self.hang = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # A client that does not like the certificate.
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        path = request.path
        body = request.rfile.read(int(request.headers.get("Content-Length", 0))).decode()
        self.seen.append((request.command, path, dict(request.headers), body))
        status, text, location = 200, "all is well", None
        if path.startswith("/status/"):
            status = int(path.rsplit("/", 1)[1])
        elif path.startswith("/redirect/"):
            left = int(path.rsplit("/", 1)[1])
            status, location = 302, f"/redirect/{left - 1}" if left > 1 else "/"
        elif path == "/elsewhere":
            status, location = 301, f"http://localhost:{self.port}/"
        elif path == "/many":
            text = MANY
        elif path == "/hang":
            self.hang.wait(30)
        elif path == "/flaky" and self.failures > 0:
            self.failures -= 1
            status = 500
        data = text.encode()
        request.send_response(status)
        if location:
            request.send_header("Location", location)
        request.send_header("X-Thing", "some value")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)


class Speaker:
    """A TCP server: greets, answers `ping` with `pong`; `stop` resets all that is open, `mute` ones never speak."""

    def __init__(self, greeting: bytes = b"", port: int = 0):
        self.greeting = greeting
        self.open: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection):
        try:
            connection.sendall(self.greeting)
            while data := connection.recv(1000):
                if b"ping" in data:
                    connection.sendall(b"pong\n")
        except OSError:
            pass

    def reset(self):
        """Ends the listener, then every connection with a reset, as the death of a machine's process does."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                pass
            connection.close()


def openssl(bench: Bench, *arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], cwd=bench.dir, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_certificates(bench: Bench):
    """good.pem (for localhost), wrong.pem (for another name) and expired.pem, signed by ca.pem; stranger.pem by itself."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(bench, "req", "-x509", *key, "-days", "40", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(bench, "req", "-x509", *key, "-days", "9", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", "stranger.key", "-out", "stranger.pem")
    for name, dns, days in (("good", "localhost", 30), ("wrong", "other.example", 30), ("expired", "localhost", -1)):
        openssl(bench, "req", *key, "-subj", f"/CN={dns}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (bench.dir / f"{name}.ext").write_text(f"subjectAltName=DNS:{dns}\n")
        openssl(bench, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                days, "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def secure_web(bench: Bench, name: str) -> Web:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bench.dir / f"{name}.pem", bench.dir / f"{name}.key")
    return Web(context)


def plugin(bench: Bench, name: str, script: str) -> pathlib.Path:
    path = bench.dir / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def fold(value) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {fold(v)}" for k, v in value.items()) + " }"
    return json.dumps(value) if not isinstance(value, pathlib.Path) else json.dumps(str(value))


class Alertd:
    """A cloud_alertd with the probes that `probes` names; all but what a probe says itself is alike."""

    def __init__(self, bench: Bench, probes: dict[str, dict], name: str = "alertd", more: str = "", wrap: tuple = ()):
        text = f'[http]\nlisten = "127.0.0.1:0"\n[storage]\ndir = "{name}"\n{more}'
        for probe, keys in probes.items():
            keys = {"interval": "1s", "timeout": "1s", **keys}
            text += f'[[probe]]\nname = "{probe}"\n' + "".join(f"{key} = {fold(value)}\n" for key, value in keys.items())
        (bench.dir / f"{name}.toml").write_text(text)
        self.program: Program = bench.start(*wrap, BIN / "cloud_alertd", "--config", bench.dir / f"{name}.toml")
        self.url = f"http://{self.program.ready()['http']}"

    def get(self, path: str, **query):
        status, _, body = get(f"{self.url}{path}?{urllib.parse.urlencode(query)}")
        assert status == 200, (status, body)
        return json.loads(body)["data"]

    def value(self, query: str) -> float | None:
        result = self.get("/api/v1/query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def target(self, probe: str) -> dict:
        return next(t for t in self.get("/api/v1/targets")["activeTargets"] if t["scrapePool"] == probe)

    def looked(self, probe: str) -> dict | None:
        target = self.target(probe)
        return target if target["health"] != "unknown" else None

    def firing(self, probe: str) -> bool:
        return any(a["labels"].get("probe") == probe and a["state"] == "firing" for a in self.get("/api/v1/alerts")["alerts"])

    def names(self, probe: str) -> set[str]:
        return {s["__name__"] for s in self.get("/api/v1/series", **{"match[]": f'{{probe="{probe}"}}'})}

    def expect(self, probe: str, good: bool, error: str = ""):
        target = wait_for(f"the first look of {probe}", lambda: self.looked(probe))
        assert (target["health"] == "up") == good and error in target["lastError"], (probe, target)
        query = f'probe_success{{probe="{probe}"}}'
        wait_for(f"{query} == {int(good)}", lambda: self.value(query) == int(good))

    def counted(self, reason: str) -> float:
        _, _, body = get(f"{self.url}/metrics")
        line = f'cloud_alertd_probes_failed_total{{reason="{reason}"}}'
        return next(float(text.split()[-1]) for text in body.decode().splitlines() if text.startswith(line))


def http_is_judged_by_what_it_answers(bench: Bench):
    web, free = Web(), mosquitto.free_port()
    page, ca = f"http://127.0.0.1:{web.port}", bench.dir / "ca.pem"
    tls = {name: secure_web(bench, name) for name in ("good", "wrong", "expired", "stranger")}
    probes = {
        "plain": ({"target": page + "/"}, ""),
        "named": ({"target": f"http://localhost:{web.port}/"}, ""),
        "post": ({"target": page + "/post", "method": "POST", "body": "abc", "headers": {"X-A": "1", "Content-Type": "text/a"}}, ""),
        "secret": ({"target": page + "/secret", "username": "me", "password_file": "word"}, ""),
        "away": ({"target": page + "/elsewhere", "headers": {"X-Secret": "1"}}, ""),
        "status": ({"target": page + "/status/404"}, "answered 404"),
        "wanted": ({"target": page + "/status/404", "status": ["404", "3xx"]}, ""),
        "body": ({"target": page + "/", "expect": "all .* well"}, ""),
        "no_body": ({"target": page + "/", "expect": "^well"}, "does not match expect"),
        "rejected": ({"target": page + "/", "reject": "(?i)WELL"}, "matches reject"),
        "header": ({"target": page + "/", "expect_headers": {"X-Thing": "^some"}}, ""),
        "no_header": ({"target": page + "/", "expect_headers": {"X-Other": "."}}, "header x-other"),
        "followed": ({"target": page + "/redirect/10"}, ""),
        "too_often": ({"target": page + "/redirect/11"}, "more than 10 redirects"),
        "not_followed": ({"target": page + "/redirect/1", "follow_redirects": False}, "answered 302"),
        "many": ({"target": page + "/many", "timeout": "10s", "interval": "10s"}, "longer than"),
        "hang": ({"target": page + "/hang", "timeout": "100ms"}, "within 100 ms"),
        "refused": ({"target": f"http://127.0.0.1:{free}/"}, "127.0.0.1"),
        "no_name": ({"target": "http://nobody.invalid/"}, "cannot resolve"),
        "https": ({"target": f"https://localhost:{tls['good'].port}/", "ca_file": ca}, ""),
        "https_wrong": ({"target": f"https://localhost:{tls['wrong'].port}/", "ca_file": ca}, "localhost'"),
        "https_expired": ({"target": f"https://localhost:{tls['expired'].port}/", "ca_file": ca}, "expired"),
        "https_stranger": ({"target": f"https://localhost:{tls['stranger'].port}/", "ca_file": ca}, "certificate"),
    }
    (bench.dir / "word").write_text("pass\n")
    (bench.dir / "word").chmod(0o600)
    alertd = Alertd(bench, {name: {"kind": "http", "timeout": "5s", "interval": "5s", **keys} for name, (keys, _) in probes.items()}, "http")
    for name, (_, error) in probes.items():
        alertd.expect(name, error == "", error)
    for query, wanted in (('probe_http_status_code{probe="status"}', 404), ('probe_http_redirects{probe="followed"}', 10),
                          ('probe_http_status_code{probe="refused"}', 0), ('probe_http_ssl{probe="https"}', 1),
                          ('probe_http_content_length{probe="plain"}', 11), ('probe_http_version{probe="plain"}', 1.1),
                          ('probe_failed_due_to_regex{probe="rejected"}', 1), ('probe_failed_due_to_regex{probe="status"}', 0),
                          ('probe_tls_version_info{probe="https",version="TLS 1.3"}', 1),
                          ('probe_http_uncompressed_body_length{probe="plain"}', 11)):
        wait_for(f"{query} == {wanted}", lambda q=query, w=wanted: alertd.value(q) == w)
    assert alertd.value('count(probe_http_duration_seconds{probe="https"} > 0)') >= 4, "phases"
    assert alertd.value('probe_dns_lookup_time_seconds{probe="named"}') > 0
    # Days left: told also where the certificate is not accepted.
    for name, days in (("https", 30), ("https_wrong", 30), ("https_expired", -1), ("https_stranger", 9)):
        left = alertd.value(f'(probe_ssl_earliest_cert_expiry{{probe="{name}"}} - time()) / 86400')
        assert left is not None and days - 0.2 < left <= days, (name, left)
    assert alertd.value('probe_ssl_last_chain_expiry_timestamp_seconds{probe="https_stranger"}') is None
    requests = {path: (method, headers, body) for method, path, headers, body in web.seen}
    method, headers, body = requests["/post"]
    assert (method, body, headers["X-A"], headers["Content-Type"]) == ("POST", "abc", "1", "text/a"), requests["/post"]
    assert requests["/secret"][1]["Authorization"] == "Basic bWU6cGFzcw==", requests["/secret"]
    assert not [h for _, path, h, _ in web.seen if path == "/" and "X-Secret" in h], "a redirect took a header to another server"
    for reason in ("resolve", "connection", "timeout", "tls", "answer", "limit"):
        assert alertd.counted(reason) > 0, reason
    alertd.program.stop()


def tcp_and_tls(bench: Bench):
    plain, greets = Speaker(), Speaker(b"220 ready\r\n")
    tls = {name: secure_web(bench, name) for name in ("good", "wrong", "expired", "stranger")}
    ca = bench.dir / "ca.pem"
    probes = {
        "open": ({"target": f"127.0.0.1:{plain.port}"}, ""),
        "shut": ({"target": f"127.0.0.1:{mosquitto.free_port()}"}, "refused"),
        "banner": ({"target": f"127.0.0.1:{greets.port}", "expect": "^220 "}, ""),
        "no_banner": ({"target": f"127.0.0.1:{plain.port}", "expect": "^220 ", "timeout": "200ms"}, "no answer that matches"),
        "answers": ({"target": f"localhost:{plain.port}", "send": "ping\n", "expect": "pong"}, ""),
        "no_name": ({"target": "nobody.invalid:1"}, "cannot resolve"),
        "tls": ({"kind": "tls", "target": f"localhost:{tls['good'].port}", "ca_file": ca}, ""),
        "tls_named": ({"tls": True, "target": f"127.0.0.1:{tls['good'].port}", "ca_file": ca, "server_name": "localhost"}, ""),
        "tls_wrong": ({"kind": "tls", "target": f"localhost:{tls['wrong'].port}", "ca_file": ca}, "ostname"),
        "tls_expired": ({"kind": "tls", "target": f"localhost:{tls['expired'].port}", "ca_file": ca}, "expired"),
        "tls_stranger": ({"kind": "tls", "target": f"localhost:{tls['stranger'].port}", "ca_file": ca}, "self-signed"),
        "tls_none": ({"kind": "tls", "target": f"127.0.0.1:{greets.port}", "ca_file": ca}, "TLS"),
    }
    alertd = Alertd(bench, {name: {"timeout": "5s", "interval": "5s", **keys} for name, (keys, _) in probes.items()}, "tcp")
    for name, (_, error) in probes.items():
        alertd.expect(name, error == "", error)
    for name, days in (("tls", 30), ("tls_wrong", 30), ("tls_expired", -1), ("tls_stranger", 9)):
        left = alertd.value(f'(probe_ssl_earliest_cert_expiry{{probe="{name}"}} - time()) / 86400')
        assert left is not None and days - 0.2 < left <= days, (name, left)
    assert alertd.value('probe_failed_due_to_regex{probe="no_banner"}') == 1
    alertd.program.stop()


def icmp_answers_or_says_what_it_lacks(bench: Bench):
    probes = {"ping": {"kind": "icmp", "target": "127.0.0.1"}, "ping_name": {"kind": "icmp", "target": "localhost"}}
    alertd = Alertd(bench, probes, "icmp")
    target = wait_for("the first ping", lambda: alertd.looked("ping"))
    if "not permitted" in target["lastError"]:
        print("icmp: not permitted here; only the message was tested")
        return alertd.program.stop()
    for name in probes:
        alertd.expect(name, True)
    assert alertd.value('count(probe_icmp_duration_seconds{probe="ping"})') == 3
    assert alertd.value('probe_icmp_duration_seconds{probe="ping",phase="rtt"}') > 0
    alertd.program.stop()
    setpriv = shutil.which("setpriv")
    allowed = pathlib.Path("/proc/sys/net/ipv4/ping_group_range").read_text().split()
    if os.getuid() != 0 or not setpriv or int(allowed[0]) <= os.getgid() <= int(allowed[1]):
        return print("icmp: that it is not permitted could not be tried here")
    alertd = Alertd(bench, probes, "icmp_not", wrap=(setpriv, "--inh-caps=-net_raw", "--bounding-set=-net_raw"))
    alertd.expect("ping", False, "CAP_NET_RAW")
    assert alertd.counted("system") > 0
    alertd.program.stop()


def mqtt_round_trip(bench: Bench):
    server, ours = bench.start_server(name="probed")
    accounts = bench.dir / "accounts"
    accounts.write_text("")
    accounts.chmod(0o600)
    subprocess.run([peer("mosquitto", "usr/bin/mosquitto_passwd"), "-b", accounts, "ana", "right"], check=True, capture_output=True)
    _, port = mosquitto.start(bench, "allow_anonymous false", f"password_file {accounts}")
    _, tls_port = mosquitto.start(bench, "allow_anonymous true", f"certfile {bench.dir}/good.pem", f"keyfile {bench.dir}/good.key")
    for name, word in (("right", "right"), ("wrong", "wrong")):
        (bench.dir / f"{name}.word").write_text(word + "\n")
        (bench.dir / f"{name}.word").chmod(0o600)
    probes = {
        "ours": ({"target": ours, "round_trip": True}, ""),
        "right": ({"target": f"127.0.0.1:{port}", "username": "ana", "password_file": "right.word", "round_trip": True}, ""),
        "wrong": ({"target": f"127.0.0.1:{port}", "username": "ana", "password_file": "wrong.word"}, "code 5"),
        "stranger": ({"target": f"127.0.0.1:{port}"}, "code 5"),
        "tls": ({"target": f"localhost:{tls_port}", "tls": True, "ca_file": bench.dir / "ca.pem", "round_trip": True,
                 "topic": "a/b"}, ""),
        "mute": ({"target": f"127.0.0.1:{Speaker().port}", "timeout": "200ms"}, "no CONNACK within"),
    }
    alertd = Alertd(bench, {name: {"kind": "mqtt", "timeout": "5s", "interval": "5s", **keys} for name, (keys, _) in probes.items()}, "mqtt")
    for name, (_, error) in probes.items():
        alertd.expect(name, error == "", error)
    for phase in ("connect", "connack", "round_trip"):
        assert alertd.value(f'probe_mqtt_duration_seconds{{probe="ours",phase="{phase}"}}') > 0, phase
    assert alertd.value('probe_ssl_earliest_cert_expiry{probe="tls"} > time()') is not None
    alertd.program.stop()
    server.stop()


def files_and_plugins(bench: Bench):
    old, new = bench.dir / "backup-1.gz", bench.dir / "backup-2.gz"
    old.write_text("x" * 10)
    new.write_text("x" * 100)
    os.utime(old, (time.time() - 7200,) * 2)
    pids = bench.dir / "pids"
    scripts = {
        "ok": ("echo \"DISK OK - 5 GB|/=5GB;10;20;0;100 'a b'=3ms rate=7c\"; echo more; echo 'long|x=1%'", True, ""),
        "warning": ("echo 'DISK WARNING - nearly full|/=9GB'; exit 1", True, ""),
        "critical": ("echo 'DISK CRITICAL - full'; exit 2", False, "CRITICAL: DISK CRITICAL - full"),
        "unknown": ("echo 'no such disk'; exit 3", False, "UNKNOWN: no such disk"),
        "strange": ("exit 42", False, "ended with code 42"),
        "crash": ("kill -SEGV $$", False, "ended by signal 11"),
        "flood": ("yes", False, "wrote more than 65536 bytes"),
        "hang": (f"echo wait; sleep 600 & echo $! >{pids}; wait", False, "not done within 500ms"),
        "env": ("echo \"$HOME.$LC_ALL.$(pwd)\"; [ -z \"$HOME\" ] && [ \"$LC_ALL\" = C ]", True, ""),
        "signals": ("grep -q 'SigBlk:.*0000000000000000' /proc/$$/status && ls /proc/$$/fd | wc -l", True, ""),
    }
    probes = {f"plugin_{name}": ({"kind": "command", "timeout": "500ms" if name == "hang" else "10s", "interval": "10s",
                                  "command": [str(plugin(bench, name, script))]}, good, error)
              for name, (script, good, error) in scripts.items()}
    probes |= {
        "newest": ({"kind": "file", "path": bench.dir / "backup-*.gz", "max_age": "1h", "min_size": "50"}, True, ""),
        "too_old": ({"kind": "file", "path": old, "max_age": "1h"}, False, "old, more than 1h"),
        "too_small": ({"kind": "file", "path": old, "min_size": "1KiB"}, False, "10 bytes, less than 1024"),
        "no_file": ({"kind": "file", "path": bench.dir / "nothing"}, False, "No such file"),
        "no_match": ({"kind": "file", "path": bench.dir / "nothing-*"}, False, "no file matches"),
        "no_plugin": ({"kind": "command", "command": [str(bench.dir / "nothing")]}, False, "cannot be started"),
    }
    alertd = Alertd(bench, {name: keys for name, (keys, _, _) in probes.items()}, "plugins")
    for name, (_, good, error) in probes.items():
        alertd.expect(name, good, error)
    for query, wanted in (('probe_command_state{probe="plugin_ok"}', 0), ('probe_command_state{probe="plugin_warning"}', 1),
                          ('probe_command_state{probe="plugin_critical"}', 2), ('probe_command_state{probe="plugin_hang"}', 3),
                          ('probe_command_perfdata{probe="plugin_ok",label="/"}', 5 << 30),
                          ('probe_command_perfdata{probe="plugin_ok",label="a b"}', 0.003),
                          ('probe_command_perfdata{probe="plugin_ok",label="x"}', 1),
                          ('probe_file_size_bytes{probe="newest"}', 100)):
        wait_for(f"{query} == {wanted}", lambda q=query, w=wanted: alertd.value(q) == w)
    assert alertd.target("plugin_warning")["note"] == "WARNING: DISK WARNING - nearly full", alertd.target("plugin_warning")
    hung = int(wait_for("the plugin that hangs", lambda: pids.exists() and pids.read_text().strip()))
    wait_for("its child to be ended with it", lambda: not alive(hung))
    alertd.program.stop()


def alive(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def retries_and_recovery(bench: Bench):
    web = Web()
    alertd = Alertd(bench, {"flaky": {"kind": "http", "target": f"http://127.0.0.1:{web.port}/flaky", "retries": 2, "recovery": 2,
                                      "interval": "300ms", "timeout": "300ms"}}, "flaky")
    alertd.expect("flaky", True)
    web.failures = 2
    wait_for("two failures in a row", lambda: web.failures == 0)
    seen = len(web.seen)
    wait_for("some rounds more", lambda: len(web.seen) > seen + 3)
    assert alertd.value('min_over_time(probe_success{probe="flaky"}[1m])') == 1, "two failures have counted, with two retries"
    web.failures = 1000
    wait_for("it to be down", lambda: alertd.value('probe_success{probe="flaky"}') == 0)
    web.failures = 0
    wait_for("it to be well again", lambda: alertd.value('probe_success{probe="flaky"}') == 1)
    assert alertd.value('max_over_time((probe_http_status_code{probe="flaky"} == 200 unless probe_success == 1)[1m:50ms])') == 200, \
        "one good look was enough, where recovery asks for two"
    alertd.program.stop()


def a_reset_is_noticed_at_once(bench: Bench):
    """A held connection's end is looked into at once, whatever the interval."""
    speaker = Speaker()
    server, mqtt = bench.start_server(name="held")
    rules = bench.dir / "held.rules.toml"
    rules.write_text('[[rule]]\nalert = "Down"\ndown = { probe = "*" }\nimmediate = true\n')
    more = f'[rules]\nfiles = ["{rules}"]\ninterval = "1h"\n[[receiver]]\nname = "terminal"\nstdout = true\n'
    alertd = Alertd(bench, {"held": {"target": f"127.0.0.1:{speaker.port}", "hold": True, "interval": "10m"},
                            "mqtt": {"kind": "mqtt", "target": mqtt, "hold": True, "interval": "10m"},
                            "other": {"target": f"127.0.0.1:{speaker.port}", "interval": "10m"}}, "held", more)
    for name in ("held", "mqtt", "other"):
        alertd.expect(name, True)
    began = time.monotonic()
    speaker.reset()
    alertd.program.wait_line(lambda line: "Down" in line and "held" in line, "notice of the reset", deadline_s=10)
    print(f"from the reset to the notice: {(time.monotonic() - began) * 1000:.1f} ms")
    server.kill()
    wait_for("the alert on the packet server", lambda: alertd.firing("mqtt"))
    assert alertd.value('probe_success{probe="other"}') == 1, "it holds no connection and was not due"
    alertd.program.stop()


def names_are_blackbox_exporters(bench: Bench):
    program = peer(*BLACKBOX)
    web, tls, speaker = Web(), secure_web(bench, "good"), Speaker(b"220 ready\r\n")
    tls_config = {"ca_file": str(bench.dir / "ca.pem")}
    modules = {"http": {"prober": "http", "http": {"tls_config": tls_config, "preferred_ip_protocol": "ip4",
                                                   "fail_if_body_not_matches_regexp": ["well"]}},
               "tcp": {"prober": "tcp", "tcp": {"query_response": [{"expect": "^220"}], "preferred_ip_protocol": "ip4"}},
               "tls": {"prober": "tcp", "tcp": {"tls": True, "tls_config": tls_config, "preferred_ip_protocol": "ip4"}},
               "icmp": {"prober": "icmp", "icmp": {"preferred_ip_protocol": "ip4"}}}
    (bench.dir / "blackbox.yml").write_text(json.dumps({"modules": modules}))
    port = mosquitto.free_port()
    bench.start(program, f"--config.file={bench.dir}/blackbox.yml", f"--web.listen-address=127.0.0.1:{port}")
    ours = {"http": ({"kind": "http", "target": f"http://127.0.0.1:{web.port}/", "expect": "well"}, f"http://127.0.0.1:{web.port}/"),
            "https": ({"kind": "http", "target": f"https://localhost:{tls.port}/", "expect": "well", **tls_config},
                      f"https://localhost:{tls.port}/"),
            "tcp": ({"target": f"127.0.0.1:{speaker.port}", "expect": "^220"}, f"127.0.0.1:{speaker.port}"),
            "tls": ({"kind": "tls", "target": f"localhost:{tls.port}", **tls_config}, f"localhost:{tls.port}"),
            "icmp": ({"kind": "icmp", "target": "127.0.0.1"}, "127.0.0.1")}
    alertd = Alertd(bench, {name: {"interval": "5s", "timeout": "5s", **keys} for name, (keys, _) in ours.items()}, "names")
    wait_for("blackbox_exporter", lambda: listens(port))
    for name, (_, target) in ours.items():
        wait_for(f"a look of {name}", lambda n=name: alertd.looked(n))
        module = "http" if name == "https" else name
        _, _, body = get(f"http://127.0.0.1:{port}/probe?" + urllib.parse.urlencode({"target": target, "module": module}))
        theirs = {line.split("{")[0].split()[0] for line in body.decode().splitlines() if line and not line.startswith("#")}
        assert "probe_success 1" in body.decode() or name == "icmp", (name, body.decode())
        missing = theirs - alertd.names(name) - set(NOT_OURS)
        added = alertd.names(name) - theirs
        assert not missing and not added, (name, missing, added)
    theirs_phases = {"resolve", "connect", "tls", "processing", "transfer"}
    ours_phases = {s["phase"] for s in alertd.get("/api/v1/series", **{"match[]": 'probe_http_duration_seconds{probe="http"}'})}
    assert ours_phases == theirs_phases, ours_phases
    alertd.program.stop()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main():
    with Bench() as bench:
        make_certificates(bench)
        http_is_judged_by_what_it_answers(bench)
        tcp_and_tls(bench)
        icmp_answers_or_says_what_it_lacks(bench)
        files_and_plugins(bench)
        retries_and_recovery(bench)
        a_reset_is_noticed_at_once(bench)
        for part in (mqtt_round_trip, names_are_blackbox_exporters):
            try:
                part(bench)
            except Skip as why:
                print(f"{part.__name__}: skipped: {why}")


if __name__ == "__main__":
    run(main)
