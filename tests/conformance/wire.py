"""MQTT packets as bytes, and a raw connection: for tests that say exactly what is sent and what comes back."""

import socket
import struct

REPLY_S = 10  # For one expected packet.

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)

# Property identifiers of 5.0, with how their values stand on the wire.
PROPERTIES = {
    "payload_format": (0x01, "B"), "message_expiry": (0x02, "I"), "content_type": (0x03, "s"), "response_topic": (0x08, "s"),
    "correlation_data": (0x09, "s"), "subscription_id": (0x0B, "v"), "session_expiry": (0x11, "I"),
    "assigned_client_id": (0x12, "s"), "server_keep_alive": (0x13, "H"), "auth_method": (0x15, "s"), "auth_data": (0x16, "s"),
    "request_problem_info": (0x17, "B"), "will_delay": (0x18, "I"), "request_response_info": (0x19, "B"),
    "response_info": (0x1A, "s"), "server_reference": (0x1C, "s"), "reason_string": (0x1F, "s"), "receive_maximum": (0x21, "H"),
    "topic_alias_maximum": (0x22, "H"), "topic_alias": (0x23, "H"), "maximum_qos": (0x24, "B"), "retain_available": (0x25, "B"),
    "user": (0x26, "p"), "maximum_packet_size": (0x27, "I"), "wildcard_available": (0x28, "B"),
    "subscription_id_available": (0x29, "B"), "shared_available": (0x2A, "B"),
}
BY_ID = {number: (name, kind) for name, (number, kind) in PROPERTIES.items()}


def field(text: bytes | str) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return len(data).to_bytes(2, "big") + data


def varint(value: int) -> bytes:
    out = b""
    while True:
        value, low = divmod(value, 128)
        out += bytes([low | (0x80 if value else 0)])
        if not value:
            return out


def packet(first: int, body: bytes = b"") -> bytes:
    return bytes([first]) + varint(len(body)) + body


def properties(*pairs) -> bytes:
    """A property block of (name, value) pairs; a user property's value is a pair of texts."""
    body = b""
    for name, value in pairs:
        number, kind = PROPERTIES[name]
        body += bytes([number])
        if kind == "s":
            body += field(value)
        elif kind == "p":
            body += field(value[0]) + field(value[1])
        elif kind == "v":
            body += varint(value)
        else:
            body += struct.pack(">" + kind, value)
    return varint(len(body)) + body


def take_varint(data: bytes) -> tuple[int, bytes]:
    value = shift = 0
    while True:
        byte, data = data[0], data[1:]
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, data


def take_field(data: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(data[:2], "big")
    assert len(data) >= 2 + size, data.hex(" ")
    return data[2:2 + size], data[2 + size:]


def take_properties(data: bytes) -> tuple[list, bytes]:
    size, data = take_varint(data)
    block, rest = data[:size], data[size:]
    found = []
    while block:
        name, kind = BY_ID[block[0]]
        block = block[1:]
        if kind == "s":
            value, block = take_field(block)
        elif kind == "p":
            key, block = take_field(block)
            text, block = take_field(block)
            value = (key.decode(), text.decode())
        elif kind == "v":
            value, block = take_varint(block)
        else:
            width = struct.calcsize(">" + kind)
            value, block = int.from_bytes(block[:width], "big"), block[width:]
        found.append((name, value))
    return found, rest


class Packet:
    """One packet from the server, taken apart."""

    def __init__(self, first: int, body: bytes, version: int):
        self.first, self.body = first, body
        self.type, self.flags = first >> 4, first & 0x0F
        self.properties: list = []
        self.reason = 0
        is_v5 = version == 5
        if self.type == CONNACK:
            self.session_present, self.reason = body[0], body[1]
            if is_v5 and len(body) > 2:
                self.properties, rest = take_properties(body[2:])
                assert not rest
        elif self.type == PUBLISH:
            self.qos, self.retain, self.dup = self.flags >> 1 & 3, bool(self.flags & 1), bool(self.flags & 8)
            topic, rest = take_field(body)
            self.topic = topic.decode()
            self.id = 0
            if self.qos:
                self.id, rest = int.from_bytes(rest[:2], "big"), rest[2:]
            if is_v5:
                self.properties, rest = take_properties(rest)
            self.payload = rest
        elif self.type in (PUBACK, PUBREC, PUBREL, PUBCOMP):
            self.id = int.from_bytes(body[:2], "big")
            if len(body) > 2:
                self.reason = body[2]
            if len(body) > 3:
                self.properties, _ = take_properties(body[3:])
        elif self.type in (SUBACK, UNSUBACK):
            self.id, rest = int.from_bytes(body[:2], "big"), body[2:]
            if is_v5:
                self.properties, rest = take_properties(rest)
            self.codes = list(rest)
        elif self.type == DISCONNECT:
            if body:
                self.reason = body[0]
            if len(body) > 1:
                self.properties, _ = take_properties(body[1:])

    def get(self, name: str):
        """The property's value, or None; of a repeated one the list of all."""
        found = [value for key, value in self.properties if key == name]
        return None if not found else found[0] if len(found) == 1 else found

    def __repr__(self):
        return f"<{self.first:02X} {self.body.hex(' ')}>"


class Client:
    """A raw connection that speaks one version. Methods that wait fail after REPLY_S."""

    def __init__(self, address: str, version: int = 5):
        host, port = address.rsplit(":", 1)
        self.address, self.version = address, version
        self.socket = socket.create_connection((host.strip("[]"), int(port)), REPLY_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next_id = 0
        self.connack = None

    def props(self, pairs) -> bytes:
        return properties(*pairs) if self.version == 5 else b""

    def send(self, data: bytes):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # Closed by the server: the next receive shows it.

    def _bytes(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self.socket.recv(size - len(got))
            if not part:
                raise EOFError("the server closed the connection")
            got += part
        return got

    def receive(self) -> Packet:
        first = self._bytes(1)[0]
        length = shift = 0
        while True:
            byte = self._bytes(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        return Packet(first, self._bytes(length), self.version)

    def expect(self, kind: int) -> Packet:
        got = self.receive()
        assert got.type == kind, f"expected type {kind}, got {got}"
        return got

    def connect_bytes(self, client_id: str | bytes = "", *, clean=True, keep_alive=60, will=None, username=None, password=None,
                      props=()) -> bytes:
        """`will` is a dict of topic, payload, qos, retain, props."""
        flags = 0x02 if clean else 0
        payload = field(client_id)
        if will is not None:
            flags |= 0x04 | will.get("qos", 0) << 3 | (0x20 if will.get("retain") else 0)
            payload += self.props(will.get("props", ())) + field(will["topic"]) + field(will.get("payload", ""))
        if username is not None:
            flags |= 0x80
            payload += field(username)
        if password is not None:
            flags |= 0x40
            payload += field(password)
        name = "MQIsdp" if self.version == 3 else "MQTT"
        head = field(name) + bytes([self.version, flags]) + keep_alive.to_bytes(2, "big") + self.props(props)
        return packet(0x10, head + payload)

    def connect(self, client_id: str = "", code: int = 0, **options) -> "Client":
        self.send(self.connect_bytes(client_id, **options))
        self.connack = self.expect(CONNACK)
        assert self.connack.reason == code, self.connack
        return self

    def new_id(self) -> int:
        self.next_id = self.next_id % 65535 + 1
        return self.next_id

    def publish_bytes(self, topic: str, payload: str | bytes = "", *, qos=0, retain=False, dup=False, packet_id=None, props=()) -> bytes:
        data = payload.encode() if isinstance(payload, str) else payload
        number = b"" if not qos else (packet_id or self.new_id()).to_bytes(2, "big")
        first = 0x30 | (8 if dup else 0) | qos << 1 | (1 if retain else 0)
        return packet(first, field(topic) + number + self.props(props) + data)

    def publish(self, topic: str, payload: str | bytes = "", **options) -> int:
        """Sends it, and for QoS 1 and 2 goes through the exchange; returns the reason of its first answer."""
        self.send(self.publish_bytes(topic, payload, **options))
        if not options.get("qos"):
            return 0
        if options["qos"] == 1:
            return self.expect(PUBACK).reason
        answer = self.expect(PUBREC)
        if answer.reason < 0x80:
            self.ack(PUBREL, answer.id)
            assert self.expect(PUBCOMP).id == answer.id
        return answer.reason

    def ack(self, kind: int, packet_id: int, reason: int = 0):
        body = packet_id.to_bytes(2, "big") + (bytes([reason]) if reason else b"")
        self.send(packet(kind << 4 | (2 if kind == PUBREL else 0), body))

    def subscribe_bytes(self, *filters, packet_id: int, props=()) -> bytes:
        """Each filter is a text, or a text and its options byte."""
        body = packet_id.to_bytes(2, "big") + self.props(props)
        for each in filters:
            text, options = each if isinstance(each, tuple) else (each, 0)
            body += field(text) + bytes([options])
        return packet(0x82, body)

    def subscribe(self, *filters, props=()) -> list[int]:
        number = self.new_id()
        self.send(self.subscribe_bytes(*filters, packet_id=number, props=props))
        answer = self.expect(SUBACK)
        assert answer.id == number, answer
        return answer.codes

    def unsubscribe(self, *filters) -> list[int]:
        number = self.new_id()
        self.send(packet(0xA2, number.to_bytes(2, "big") + self.props(()) + b"".join(field(each) for each in filters)))
        answer = self.expect(UNSUBACK)
        assert answer.id == number, answer
        return answer.codes

    def message(self, acknowledge: bool = True) -> Packet:
        """The next PUBLISH; QoS 1 and 2 are acknowledged to the end."""
        got = self.expect(PUBLISH)
        if acknowledge and got.qos == 1:
            self.ack(PUBACK, got.id)
        if acknowledge and got.qos == 2:
            self.ack(PUBREC, got.id)
            assert self.expect(PUBREL).id == got.id
            self.ack(PUBCOMP, got.id)
        return got

    def ping(self):
        """Nothing but the answer comes: so nothing else was on its way."""
        self.send(b"\xC0\x00")
        self.expect(PINGRESP)

    def disconnect(self, reason: int = 0, props=()):
        body = b"" if self.version != 5 or (not reason and not props) else bytes([reason]) + properties(*props)
        self.send(packet(0xE0, body))
        self.wait_closed()

    def wait_closed(self):
        """Reads up to the end, in which the server sends nothing."""
        try:
            got = self.receive()
        except (EOFError, ConnectionError):
            self.socket.close()
            return
        raise AssertionError(f"expected the end of the connection, got {got}")

    def ends_with(self, reason: int):
        """5.0: a DISCONNECT with `reason` and the end; before: the end alone."""
        if self.version == 5:
            got = self.expect(DISCONNECT)
            assert got.reason == reason, got
        self.wait_closed()

    def drop(self):
        """Ends the connection without a DISCONNECT, as a crash does."""
        self.socket.close()
