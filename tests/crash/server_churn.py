"""Lets clients of cloud_server come, go and take each other's place under load, while its operator reloads the configuration
and asks the admin API, and checks that every promise to them was kept, as crash.py does.

    server_churn.py [--seconds N] [--seed S]

Its main use is with a cloud_server built with ThreadSanitizer, which ends with another code than 0 where it saw a race:
`ATALAYA_BIN=build/tsan/bin server_churn.py --seconds 60`. ./check lets it run for a few seconds.
"""

import argparse
import concurrent.futures
import itertools
import json
import pathlib
import random
import signal
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import harness
from crash import CrashTest, run, run_until
from mqtt_clients import PUBLISH, SUBACK, SUBSCRIBE, Client, Wrong, packet, text

CONFIG = """
[admin]
listen = "127.0.0.1:0"

[limits]
in_flight = {in_flight}
client_publish_rate = {rate}
session_queue_packets = 1000000
session_queue_bytes = "1GiB"
sys_interval = "50ms"
"""
RULES = """
[[acl]]
read = ["#"]
write = ["#"]
"""
PLAYERS = 6


def config(times: int) -> str:
    """What the server gets with its reload number `times`. Publishers are slowed so that subscribers can follow."""
    return CONFIG.format(in_flight=20 + times % 20, rate=200 + times % 3 * 50) + (RULES if times % 2 else "")


class Player(Client):
    """Answers each number that comes to its topic with the next one to a neighbour's, at QoS 0: loops that sleep most of the
    time. Of several balls in play the one that is furthest goes on."""

    def __init__(self, number: int):
        super().__init__(f"player/{number}")
        self.topic, self.neighbour = f"play/{number}", f"play/{(number + 1) % PLAYERS}"
        self.ball = 0

    def resume(self):
        self.send(packet(SUBSCRIBE << 4 | 2, b"\x00\x01" + text(self.topic) + b"\x00"))

    def handle(self, kind: int, flags: int, body: bytes):
        if kind == PUBLISH:
            (length,) = struct.unpack(">H", body[:2])
            ball = int(body[2 + length:])
            if ball <= self.ball:
                return
            self.ball = ball
        elif kind != SUBACK:
            super().handle(kind, flags, body)
        self._out += packet(PUBLISH << 4, text(self.neighbour) + str(self.ball + 1).encode())


class ChurnTest(CrashTest):
    """One life of the server."""

    def __init__(self, bench: harness.Bench, seed: int):
        super().__init__(bench, seed)
        self.players = [Player(i) for i in range(PLAYERS)]
        self.config = bench.dir / "churn.toml"
        self.config.write_text(config(0))
        self.over = threading.Event()

    def start(self):
        self.server, address = self.bench.start_server("--durability", "disk", "--config", self.config)
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))

    def operate(self) -> int:
        """What an operator does, until it is over; returns how often."""
        token = (self.bench.dir / "cloud_server" / "admin.token").read_text().strip()
        clients = f"http://{self.server.ready()['admin']}/api/v1/clients"

        def ask(path: str, method: str = "GET"):
            status, _, body = harness.http(clients + path, method, headers={"Authorization": f"Bearer {token}"})
            if status not in (200, 404):  # 404: it was not connected.
                raise Wrong(f"{method} {path}: {status} {body}")
            return json.loads(body)

        for times in itertools.count(1):
            self.config.write_text(config(times))
            self.server.signal(signal.SIGHUP)
            harness.wait_for("a reload", lambda: times <= sum("configuration reloaded" in line for line in self.server.log))
            ids = [client["id"] for client in ask("")["clients"]]
            for client_id in ids:
                ask(f"/{client_id}")
            ask(f"/{random.choice(ids)}", "DELETE")
            if self.over.is_set():
                return times

    def take_over(self, client: Client):
        """It connects once more; the server ends its first connection."""
        first = client.sock
        client.connect(self.address)
        run_until("the CONNACK after a takeover", [client], self.address,
                  lambda: client.connected or client.sock is None)  # The operator may have ended it.
        with first:
            first.setblocking(True)
            first.settimeout(harness.DEADLINE_S)
            try:
                while first.recv(1 << 16):
                    pass
            except ConnectionResetError:  # It had not read all that we sent.
                pass
            except socket.timeout:
                raise Wrong(f"{client.client_id}: a connection goes on that was taken over") from None

    def churn(self, seconds: float):
        """Clients come and go."""
        everybody = [*self.world.lasting, *self.players]
        end, gone = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            run([c for c in everybody if c.sock is not None or self.random.random() < 0.7], self.address,
                self.random.uniform(0.0, 0.1))
            for client in everybody:
                change = self.random.random()
                if client.sock is None or change > 0.3:
                    continue
                gone += 1
                if change < 0.1:
                    client.drop()
                elif change < 0.2:
                    client.disconnect()
                elif client.connected:
                    self.take_over(client)
        return gone

    def run(self, seconds: float):
        self.start()
        subscribers = self.world.subscribers
        run_until("every SUBACK", subscribers, self.address, lambda: all(s.subscribed for s in subscribers))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            operator = pool.submit(self.operate)
            try:
                gone = self.churn(seconds)
            finally:
                self.over.set()
            reloads = operator.result()
        for client in [*self.world.lasting, *self.players]:
            client.drop()  # Also those that the operator has just sent away.
        self.arrive()
        self.server.stop()
        acked = sum(len(p.acked) for p in self.world.publishers)
        print(f"{seconds:g} s: clients went {gone} times, {reloads} reloads, {max(p.ball for p in self.players)} throws, "
              f"{acked} publishes acknowledged, none lost, no QoS 2 packet twice")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    random.seed(arguments.seed)
    with harness.Bench() as bench:
        ChurnTest(bench, arguments.seed).run(arguments.seconds)


if __name__ == "__main__":
    harness.run(main)
