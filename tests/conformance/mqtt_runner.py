"""Runs the MQTT cases of the shared conformance folder against cloud_server.

A case sends and expects exact bytes (see the README beside the cases). Prints counts, and fails on any failure that SKIPS does
not name with the section of the standard that allows the other behaviour.
"""

import json
import os
import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import harness  # noqa: E402
from wire import varint  # noqa: E402

VERSIONS = {3, 4, 5}
REPLY_S = 5  # For one expected answer.

# (file, group, test) -> why the standard allows what we do instead.
SKIPS: dict[tuple[str, str, str], str] = {}


def field(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + varint(len(body)) + body


class Peer:
    """One raw connection."""

    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), REPLY_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data: bytes):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # Closed by the server: the next receive shows it.

    def receive(self, size: int) -> bytes:
        """`size` bytes, or fewer where the server closes first or stays silent."""
        got = b""
        while len(got) < size:
            try:
                part = self.socket.recv(size - len(got))
            except OSError:
                break
            if not part:
                break
            got += part
        return got

    def receive_packet(self) -> bytes:
        got = self.receive(2)
        while got and got[-1] & 0x80 and len(got) < 5:
            got += self.receive(1)
        length = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(got[1:]))
        return got + self.receive(length)

    def is_closed(self) -> bool:
        """Whether the server ends the connection, rather than answer a PINGREQ."""
        self.send(b"\xC0\x00")
        return self.receive(2) != b"\xD0\x00"

    def ends(self) -> bool:
        """Whether the server has ended the connection, or does so now, without being spoken to."""
        try:
            while self.socket.recv(4096):
                pass
            return True
        except ConnectionError:
            return True
        except OSError:
            return False

    def close(self):
        self.socket.close()


def connect(address: str, client_id: str, version: int) -> Peer:
    peer = Peer(address)
    name = b"MQIsdp" if version == 3 else b"MQTT"
    properties = b"\x03\x21\x00\x14" if version == 5 else b""
    peer.send(packet(0x10, field(name) + bytes([version, 2]) + b"\x00\x3C" + properties + field(client_id.encode())))
    answer = peer.receive_packet()
    if answer[:1] != b"\x20" or answer[3:4] != b"\x00":
        raise AssertionError(f"the runner's own CONNECT was answered with {answer.hex(' ')}")
    return peer


def publish_from_helper(address: str, message: dict, version: int):
    helper = connect(address, "", 5 if version == 5 else 4)
    qos = message.get("qos", 0)
    body = field(message["topic"].encode()) + (b"\x00\x01" if qos else b"") + (b"\x00" if version == 5 else b"")
    helper.send(packet(0x30 | qos << 1, body + message.get("payload", "").encode()))
    if qos:
        helper.receive_packet()
    if qos == 2:
        helper.send(b"\x62\x02\x00\x01")
        helper.receive_packet()
    helper.send(b"\xE0\x00")
    helper.close()


def run_case(address: str, test: dict) -> str:
    """Why the case failed, or ""."""
    version = test.get("ver", 4)
    peer = connect(address, test["name"], version) if test.get("connect", True) else Peer(address)
    try:
        for message in test["msgs"]:
            if message["type"] == "publish":
                publish_from_helper(address, message, version)
                continue
            data = bytes.fromhex(message["payload"])
            if message["type"] == "send":
                peer.send(data)
                continue
            got = peer.receive(len(data))
            if got != data:
                return f"expected {data.hex(' ')}, got {got.hex(' ') or 'nothing'}"
        if test.get("expect_disconnect", True):
            peer.socket.settimeout(REPLY_S)
            return "" if peer.ends() else "the connection was not closed"
        return "the connection was closed" if peer.is_closed() else ""
    finally:
        peer.close()


def version_of(group: str, test: dict) -> int:
    """The version that a case is about: cases that connect by themselves say it in their bytes only."""
    if "ver" in test:
        return test["ver"]
    for message in test["msgs"]:
        found = re.match(r"1. ?.. ?(?:0004 ?4D515454|0006 ?4D5149736470) ?0([0-9])", message.get("payload", ""), re.I)
        if found and int(found[1]) in (3, 4, 5):
            return int(found[1])
    return 5 if "v5" in group else 4


def main():
    folder = harness.SHARED / "conformance" / "mqtt"
    if not folder.is_dir():
        harness.skip(f"{folder} is not there; set ATALAYA_SHARED to the folder that holds conformance/")
    only = os.environ.get("ATALAYA_CASE", "")
    counts = {"passed": 0, "skipped": 0, "other version": 0}
    failures = []
    with harness.Bench() as bench:
        _, address = bench.start_server()
        for path in sorted(folder.glob("*.json")):
            for group in json.loads(path.read_text()):
                for test in group["tests"]:
                    key = (path.name, group["group"], test["name"])
                    if only not in test["name"]:
                        continue
                    if version_of(group["group"], test) not in VERSIONS:
                        counts["other version"] += 1
                    elif group.get("disable") or key in SKIPS:
                        counts["skipped"] += 1
                    elif why := run_case(address, test):
                        failures.append(f"{key}: {why}")
                    else:
                        counts["passed"] += 1
    print(", ".join(f"{number} {name}" for name, number in counts.items()) + f", {len(failures)} failed")
    for key, why in SKIPS.items():
        print(f"skipped {key}: {why}")
    if failures:
        raise AssertionError("\n".join(failures))


harness.run(main)
