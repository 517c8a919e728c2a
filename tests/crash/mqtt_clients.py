"""MQTT 3.1.1 clients with sessions of their own that outlive every connection, for the crash test: they keep what the
standard makes a client keep, and count what was acknowledged to them and what they got."""

import random
import socket
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = range(1, 12)
DISCONNECT = 14


class Wrong(Exception):
    """The server broke a promise."""


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray([first])
    while True:
        head.append(length % 128 | (128 if length > 127 else 0))
        length //= 128
        if length == 0:
            return bytes(head) + body


def ack(kind: int, packet_id: int) -> bytes:
    return bytes([kind << 4 | (2 if kind == PUBREL else 0), 2]) + struct.pack(">H", packet_id)


class Client:
    """One persistent client; `sock` is None while it is away."""

    def __init__(self, client_id: str):
        self.client_id = client_id
        self.sock = None
        self.known = False  # A CONNACK has come: from then on the session must be there.
        self.connected = False
        self._in = b""
        self._out = b""

    def connect(self, address: tuple[str, int]):
        self.sock = socket.create_connection(address, timeout=20)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._in, self._out, self.connected = b"", b"", False
        self.send(packet(CONNECT << 4, text("MQTT") + b"\x04\x00\x00\x00" + text(self.client_id)))

    def drop(self):
        if self.sock is not None:
            self.sock.close()
        self.sock, self.connected = None, False

    def disconnect(self):
        """Leaves with a DISCONNECT."""
        self.send(packet(DISCONNECT << 4, b""))
        self.drop()

    def send(self, data: bytes):
        self._out += data
        self.flush()

    def flush(self):
        try:
            while self._out:
                self._out = self._out[self.sock.send(self._out):]
        except BlockingIOError:
            pass
        except OSError:
            self._out = b""  # The server is gone; what it had sent may still be there to read.

    def read_to_end(self):
        """Takes what a server that is dead by now had sent: it counts as much as what was read before."""
        if self.sock is not None:
            self.sock.setblocking(True)
            while self.receive():
                pass
        self.drop()

    def receive(self) -> bool:
        """Handles what has come; False once the connection is gone."""
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        self._in += data
        at = 0
        while (end := self._end_of_packet(at)) is not None:
            kind, flags, body = self._in[at] >> 4, self._in[at] & 15, self._in[self._body:end]
            at = end
            if kind == CONNACK:
                self._on_connack(body)
            else:
                self.handle(kind, flags, body)
        self._in = self._in[at:]
        self.more()
        self.flush()
        return True

    def _end_of_packet(self, at: int):
        length, shift, place = 0, 0, at + 1
        while place < len(self._in):
            byte = self._in[place]
            length |= (byte & 127) << shift
            shift, place = shift + 7, place + 1
            if byte < 128:
                self._body = place
                return place + length if place + length <= len(self._in) else None
        return None

    def _on_connack(self, body: bytes):
        if body[1] != 0:
            raise Wrong(f"{self.client_id}: CONNACK {body[1]}")
        if self.known and body[0] != 1:
            raise Wrong(f"{self.client_id}: the session is gone")
        self.known = self.connected = True
        self.resume()

    def resume(self):
        """What the standard has a client send again."""

    def more(self):
        """What the client wants to send anew."""

    def handle(self, kind: int, flags: int, body: bytes):
        raise Wrong(f"{self.client_id}: unexpected packet {kind}")

    def idle(self) -> bool:
        return True


class Publisher(Client):
    """Publishes 1, 2, 3 ... to its topic, at most `window` at a time."""

    def __init__(self, client_id: str, topic: str, qos: int, window: int = 20):
        super().__init__(client_id)
        self.topic, self.qos, self.window = topic, qos, window
        self.next_number = 1
        self.sending = True
        self.acked: set[int] = set()
        self.open: dict[int, int] = {}      # packet id -> number, not answered yet
        self.released: dict[int, int] = {}  # the same, after a PUBREC
        self._next_id = 1

    def _publish(self, packet_id: int, number: int, dup: bool):
        first = PUBLISH << 4 | (8 if dup else 0) | self.qos << 1
        self._out += packet(first, text(self.topic) + struct.pack(">H", packet_id) + str(number).encode())

    def resume(self):
        for packet_id, number in self.open.items():
            self._publish(packet_id, number, True)
        for packet_id in self.released:
            self._out += ack(PUBREL, packet_id)
        self.more()
        self.flush()

    def more(self):
        while self.connected and self.sending and len(self.open) + len(self.released) < self.window:
            while self._next_id in self.open or self._next_id in self.released:
                self._next_id = self._next_id % 65535 + 1
            self.open[self._next_id] = self.next_number
            self._publish(self._next_id, self.next_number, False)
            self._next_id = self._next_id % 65535 + 1
            self.next_number += 1

    def handle(self, kind: int, flags: int, body: bytes):
        packet_id = struct.unpack(">H", body[:2])[0]
        if kind == PUBACK and self.qos == 1:
            if packet_id not in self.open:
                raise Wrong(f"{self.client_id}: PUBACK for {packet_id}, which is not open")
            self.acked.add(self.open.pop(packet_id))
        elif kind == PUBREC and self.qos == 2:
            if packet_id in self.open:
                self.released[packet_id] = self.open.pop(packet_id)
                self.acked.add(self.released[packet_id])
            self._out += ack(PUBREL, packet_id)
        elif kind == PUBCOMP and self.qos == 2:
            self.released.pop(packet_id, None)
        else:
            super().handle(kind, flags, body)

    def idle(self) -> bool:
        return not self.open and not self.released


class Subscriber(Client):
    """Takes what comes for one filter, with duplicates recognised as QoS 2 says."""

    def __init__(self, client_id: str, topic_filter: str, qos: int):
        super().__init__(client_id)
        self.filter, self.qos = topic_filter, qos
        self.subscribed = False
        self.got: dict[str, list[int]] = {}
        self.twice: list[tuple[str, int]] = []
        self._seen: dict[str, set[int]] = {}
        self._unreleased: set[int] = set()

    def resume(self):
        if not self.subscribed:
            self.send(packet(SUBSCRIBE << 4 | 2, b"\x00\x01" + text(self.filter) + bytes([self.qos])))

    def handle(self, kind: int, flags: int, body: bytes):
        if kind == SUBACK:
            self.subscribed = True
        elif kind == PUBLISH:
            self._on_publish(flags, body)
        elif kind == PUBREL:
            packet_id = struct.unpack(">H", body[:2])[0]
            self._unreleased.discard(packet_id)
            self._out += ack(PUBCOMP, packet_id)
        else:
            super().handle(kind, flags, body)

    def _on_publish(self, flags: int, body: bytes):
        qos, length = flags >> 1 & 3, struct.unpack(">H", body[:2])[0]
        topic, rest = body[2:2 + length].decode(), body[2 + length:]
        packet_id = struct.unpack(">H", rest[:2])[0] if qos else 0
        number = int(rest[2 if qos else 0:])
        if qos == 2 and packet_id in self._unreleased:
            self._out += ack(PUBREC, packet_id)
            return
        if qos == 2:
            self._unreleased.add(packet_id)
        seen = self._seen.setdefault(topic, set())
        if number in seen:
            self.twice.append((topic, number))
        seen.add(number)
        self.got.setdefault(topic, []).append(number)
        if qos:
            self._out += ack(PUBREC if qos == 2 else PUBACK, packet_id)

    def missing(self, topic: str, numbers: set[int]) -> set[int]:
        return numbers - self._seen.get(topic, set())


class Retainer(Client):
    """Sets retained messages, one at a time, to numbers that only grow."""

    def __init__(self, client_id: str, topics: int):
        super().__init__(client_id)
        self.acked = {f"state/{i}": 0 for i in range(topics)}
        self.sent = dict(self.acked)
        self._open = None  # (packet id, topic, number)
        self._next_id = 1
        self.sending = True

    def _publish(self, dup: bool):
        packet_id, topic, number = self._open
        self._out += packet(PUBLISH << 4 | (8 if dup else 0) | 2 | 1,
                            text(topic) + struct.pack(">H", packet_id) + str(number).encode())

    def resume(self):
        if self._open:
            self._publish(True)
        self.more()
        self.flush()

    def more(self):
        if not self.connected or self._open or not self.sending:
            return
        topic = random.choice(list(self.sent))
        self.sent[topic] += 1
        self._open = (self._next_id, topic, self.sent[topic])
        self._next_id = self._next_id % 65535 + 1
        self._publish(False)

    def handle(self, kind: int, flags: int, body: bytes):
        if kind != PUBACK or not self._open:
            return super().handle(kind, flags, body)
        _, topic, number = self._open
        self.acked[topic], self._open = number, None

    def idle(self) -> bool:
        return self._open is None


class Changer(Client):
    """Subscribes and unsubscribes, one filter at a time, and knows which ones must be there."""

    def __init__(self, client_id: str, filters: int):
        super().__init__(client_id)
        self.acked = {f"change/{i}": False for i in range(filters)}
        self._open = None  # (filter, wanted): unknown until it is acknowledged.
        self.sending = True
        self.heard: set[str] = set()

    def _ask(self):
        topic_filter, wanted = self._open
        body = b"\x00\x07" + text(topic_filter)
        self._out += packet(SUBSCRIBE << 4 | 2, body + b"\x01") if wanted else packet(UNSUBSCRIBE << 4 | 2, body)

    def resume(self):
        if self._open:
            self._ask()
        self.more()
        self.flush()

    def more(self):
        if not self.connected or self._open or not self.sending:
            return
        topic_filter = random.choice(list(self.acked))
        self._open = (topic_filter, not self.acked[topic_filter])
        self._ask()

    def handle(self, kind: int, flags: int, body: bytes):
        if kind in (SUBACK, UNSUBACK) and self._open:
            self.acked[self._open[0]], self._open = self._open[1], None
        elif kind == PUBLISH:
            length = struct.unpack(">H", body[:2])[0]
            self.heard.add(body[2:2 + length].decode())
            if flags >> 1 & 3:
                self._out += bytes([PUBACK << 4, 2]) + body[2 + length:4 + length]
        else:
            super().handle(kind, flags, body)

    def idle(self) -> bool:
        return self._open is None


class Prober(Publisher):
    """Publishes once to each of a list of topics."""

    def __init__(self, client_id: str, topics: list[str]):
        super().__init__(client_id, "", 1)
        self._topics = list(topics)

    def more(self):
        while self.connected and self._topics:
            self.topic = self._topics.pop()
            self.open[self._next_id] = 0
            self._publish(self._next_id, 0, False)
            self._next_id += 1

    def idle(self) -> bool:
        return not self._topics and not self.open
