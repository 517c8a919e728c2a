"""TLS, WebSocket and IPv6 as others' clients speak them, a reload of certificates, and bytes of every kind at every door."""

import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import harness
from certificates import Authority

PUB = "/usr/bin/mosquitto_pub"
SUB = "/usr/bin/mosquitto_sub"
SENT = [("t/small", "x", 1), ("t/large", "y" * 300_000, 2), ("t/medium", "z" * 70_000, 0)]


def listener(protocol: str, address: str, **keys) -> str:
    lines = ["[[listener]]", f'address = "{address}"', f'protocol = "{protocol}"']
    return "\n".join(lines + [f'{key} = "{value}"' for key, value in keys.items()]) + "\n"


class Exchange:
    def __init__(self, bench: harness.Bench):
        self.bench = bench
        self.authority = Authority(bench.dir)
        self.authority.issue("server")
        self.authority.issue("client")
        own = {"certificate_file": self.authority.path("server.pem"), "key_file": self.authority.path("server.key")}
        self.config = bench.dir / "server.toml"
        self.config.write_text(
            listener("mqtt", "127.0.0.1:0") + listener("mqtts", "[::1]:0", **own) + listener("ws", "[::1]:0") +
            listener("wss", "127.0.0.1:0", **own, ca_file=self.authority.path("ca.pem"), client_certificates="required") +
            listener("mqtts", "127.0.0.1:0", **own, ca_file=self.authority.path("ca.pem"), client_certificates="required") +
            '[limits]\nconnect_timeout = "2s"\n')
        self.server = bench.start("cloud_server", "--config", self.config, "--data-dir", bench.dir / "data", "--name", "exchange",
                                  "--stats-file", bench.dir / "exchange.stats")
        ready = self.server.ready()
        self.doors = {protocol: [self.split(door) for door in doors.split(",")] for protocol, doors in ready.items()}

    @staticmethod
    def split(door: str) -> tuple[str, int]:
        host, port = door.rsplit(":", 1)
        return host.strip("[]"), int(port)

    def tls(self, with_certificate: bool):
        flags = ["--cafile", self.authority.path("ca.pem")]
        if with_certificate:
            flags += ["--cert", self.authority.path("client.pem"), "--key", self.authority.path("client.key")]
        return flags


def mosquitto_over_tls(exchange: Exchange):
    for (host, port), certificate in zip(exchange.doors["mqtts"], (False, True)):
        where = ["-h", host, "-p", str(port), *exchange.tls(certificate)]
        subscriber = exchange.bench.start("/usr/bin/stdbuf", "-oL", SUB, "-d", *where, "-t", "t/#", "-q", "2", "-F", "got:%t:%l")
        subscriber.wait_line(lambda line: "Subscribed (mid" in line, "SUBACK")
        for topic, payload, qos in SENT:
            done = harness.run_program(PUB, *where, "-t", topic, "-q", str(qos), "-s", stdin=payload)
            assert done.returncode == 0, done.stderr
        for topic, payload, _ in SENT:
            subscriber.wait_line(lambda line, want=f"got:{topic}:{len(payload)}": line == want, topic)
        subscriber.stop(expect=None)
    host, port = exchange.doors["mqtts"][1]
    refused = harness.run_program(PUB, "-h", host, "-p", str(port), *exchange.tls(False), "-t", "t", "-m", "x")
    assert refused.returncode != 0, "a client without a certificate was let in"


def paho_everywhere(exchange: Exchange):
    try:
        import paho.mqtt.client as mqtt
    except ImportError:
        print("skipped: python3-paho-mqtt is not installed")
        return
    for protocol, doors in exchange.doors.items():
        for host, port in doors:
            arrived, all_here = {}, threading.Event()

            def on_connect(client, *_):
                client.subscribe("t/#", 2)

            def on_subscribe(client, *_):
                for topic, payload, qos in SENT:
                    client.publish(topic, payload, qos)

            def on_message(_client, _data, message, arrived=arrived, all_here=all_here):
                arrived[message.topic] = message.payload.decode()
                if len(arrived) == len(SENT):
                    all_here.set()

            client = mqtt.Client(client_id=f"paho-{port}", transport="websockets" if protocol.startswith("ws") else "tcp")
            client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
            if protocol.endswith("s") and protocol != "ws":
                client.tls_set(exchange.authority.path("ca.pem"), exchange.authority.path("client.pem"),
                               exchange.authority.path("client.key"))
            client.connect(host, port)
            client.loop_start()
            assert all_here.wait(harness.DEADLINE_S), f"{protocol} at {host}: only {list(arrived)}"
            client.disconnect()
            client.loop_stop()
            assert arrived == {topic: payload for topic, payload, _ in SENT}, protocol


def certificate_name(exchange: Exchange) -> str:
    host, port = exchange.doors["mqtts"][0]
    context = ssl.create_default_context(cafile=exchange.authority.path("ca.pem"))
    with socket.create_connection((host, port), harness.DEADLINE_S) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
        return dict(pair[0] for pair in tls.getpeercert()["subject"])["commonName"]


def certificates_change_under_way(exchange: Exchange):
    host, port = exchange.doors["mqtts"][0]
    where = ["-h", host, "-p", str(port), *exchange.tls(False)]
    stays = exchange.bench.start("/usr/bin/stdbuf", "-oL", SUB, "-d", *where, "-t", "news", "-F", "got:%p")
    stays.wait_line(lambda line: "Subscribed (mid" in line, "SUBACK")
    assert certificate_name(exchange) == "server"
    exchange.authority.issue("renewed", "server")
    exchange.server.signal(signal.SIGHUP)
    exchange.server.wait_line(lambda line: "configuration reloaded" in line, "reload", stream="log")
    assert certificate_name(exchange) == "renewed"
    key = exchange.authority.path("server.key")
    os.chmod(key, 0o644)
    exchange.server.signal(signal.SIGHUP)
    exchange.server.wait_line(lambda line: "kept as it was" in line and "server.key: holds a secret" in line, "refusal",
                              stream="log")
    os.chmod(key, 0o600)
    assert certificate_name(exchange) == "renewed"
    assert harness.run_program(PUB, *where, "-t", "news", "-m", "still here").returncode == 0
    stays.wait_line(lambda line: line == "got:still here", "the packet after two reloads")
    stays.stop(expect=None)


def half_valid(chance: random.Random, protocol: str) -> bytes:
    connect = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc"
    upgrade = (b"GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Protocol: mqtt\r\n\r\n")
    noise = chance.randbytes(chance.randrange(1, 4096))
    starts = {"mqtt": [connect], "ws": [upgrade, upgrade + b"\x82\x91\0\0\0\0" + connect]}
    start = chance.choice(starts.get(protocol, [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]) + [b""])
    return start[:chance.randrange(len(start) + 1)] + noise if chance.random() < 0.3 else start + noise


def nonsense_hurts_nobody(exchange: Exchange):
    """A pair goes on exchanging packets while every door gets random and half-valid bytes."""
    chance = random.Random(7)
    host, port = exchange.doors["mqtt"][0]
    subscriber = exchange.bench.start("/usr/bin/stdbuf", "-oL", SUB, "-d", "-h", host, "-p", str(port), "-t", "pair", "-F", "got:%p")
    subscriber.wait_line(lambda line: "Subscribed (mid" in line, "SUBACK")
    publisher = exchange.bench.start(PUB, "-h", host, "-p", str(port), "-t", "pair", "-q", "1", "-l", stdin=subprocess.PIPE)
    memory_before = resident_kb(exchange.server.pid)
    for round_number in range(20):
        open_ones = []
        for protocol, doors in exchange.doors.items():
            for door in doors:
                for _ in range(5):
                    attacker = socket.create_connection(door, harness.DEADLINE_S)
                    attacker.sendall(half_valid(chance, protocol))
                    if chance.random() < 0.5:
                        open_ones.append(attacker)
                    else:
                        attacker.close()
        publisher.process.stdin.write(f"{round_number}\n")
        publisher.process.stdin.flush()
        subscriber.wait_line(lambda line, want=f"got:{round_number}": line == want, f"packet {round_number}")
        for attacker in open_ones:
            attacker.close()
    assert resident_kb(exchange.server.pid) < memory_before + 40_000, "memory grew with nonsense"
    publisher.process.stdin.close()
    assert publisher.wait() == 0
    subscriber.stop(expect=None)


def resident_kb(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def remote_listeners_are_refused(bench: harness.Bench):
    done = harness.run_program("cloud_server", "--listen", "0.0.0.0:0", "--check-config")
    assert done.returncode == 2 and "allow_remote" in done.stderr, done.stderr
    config = bench.dir / "remote.toml"
    config.write_text('[[listener]]\naddress = "0.0.0.0:0"\nallow_remote = true\n')
    done = harness.run_program("cloud_server", "--config", config, "--check-config")
    assert done.returncode == 2 and "password_file" in done.stderr, done.stderr


def main():
    if shutil.which(PUB) is None:
        harness.skip("mosquitto-clients is not installed")
    with harness.Bench() as bench:
        remote_listeners_are_refused(bench)
        exchange = Exchange(bench)
        for promise in (mosquitto_over_tls, paho_everywhere, certificates_change_under_way, nonsense_hurts_nobody):
            promise(exchange)
            print("kept:", promise.__name__)
        exchange.server.stop()


harness.run(main)
