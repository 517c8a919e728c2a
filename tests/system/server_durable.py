"""What cloud_server keeps over a SIGKILL, as its clients see it: retained messages, subscriptions, wills, what waits, and
where an exchange at QoS 2 stands; and what expires while the server is down."""

import sys
import time

import harness

sys.path.insert(0, str(harness.ROOT / "tests/conformance"))
import wire  # noqa: E402

FOREVER = [("session_expiry", 0xFFFFFFFF)]
SHORT_S = 1


class Life:
    """One cloud_server after the other over the same folder."""

    def __init__(self, bench: harness.Bench):
        self.bench = bench
        self.clients = []  # Connected until the server dies.
        self.start()

    def start(self):
        self.server, self.address = self.bench.start_server()

    def client(self, client_id: str, present: int | None = None, **options) -> wire.Client:
        """Connected with clean start off and a session that lasts, unless `options` say otherwise."""
        client = wire.Client(self.address).connect(client_id, **{"clean": False, "props": FOREVER, **options})
        self.clients.append(client)
        assert present is None or client.connack.session_present == present, client.connack
        return client

    def retained(self, *filters) -> dict[str, str]:
        """What a new subscriber gets at once; a retained mark, sent last, ends it."""
        reader = self.client("", clean=True, props=())
        reader.publish("zz/mark", "end", retain=True, qos=1)
        reader.subscribe(*filters, "zz/mark")
        got = {}
        while (message := reader.message()).topic != "zz/mark":
            got[message.topic] = message.payload.decode()
        reader.disconnect()
        return got


def prepare(life: Life) -> float:
    """What the second life is asked about. Returns when all of it was acknowledged."""
    reader = life.client("reader")
    assert reader.subscribe(("news/#", 1), ("gone/#", 1), ("will/#", 1)) == [1, 1, 1]
    reader.unsubscribe("gone/#")
    reader.disconnect()

    writer = life.client("writer")
    for topic in ("keep/a", "keep/b", "keep/cleared"):
        writer.publish(topic, "first", qos=1, retain=True)
    writer.publish("keep/a", "second", qos=1, retain=True)
    writer.publish("keep/cleared", "", qos=1, retain=True)
    writer.publish("keep/short", "x", qos=1, retain=True, props=[("message_expiry", SHORT_S)])
    writer.publish("news/1", "one", qos=1)
    writer.publish("news/short", "x", qos=1, props=[("message_expiry", SHORT_S)])
    writer.publish("news/2", "two", qos=2, props=[("message_expiry", 1000), ("user", ("key", "value"))])
    # Half an exchange: PUBREC has come, no PUBREL was sent.
    writer.send(writer.publish_bytes("news/half", "half", qos=2, packet_id=77))
    assert writer.expect(wire.PUBREC).id == 77

    brief = life.client("brief", props=[("session_expiry", SHORT_S)])
    brief.disconnect()
    # Its will is due while the server is down; that of `back` waits for 30 s at least, and it comes back.
    due = life.client("due", will={"topic": "will/due", "payload": "due", "qos": 1, "props": [("will_delay", SHORT_S)]})
    due.disconnect(reason=4)
    life.client("back", will={"topic": "will/back", "payload": "back", "qos": 1})
    life.client("proper", will={"topic": "will/proper", "payload": "proper", "qos": 1}).disconnect()
    return time.monotonic()


def ask(life: Life):
    assert life.retained("keep/#") == {"keep/a": "second", "keep/b": "first"}

    # A PUBLISH that is repeated is not passed on again; its PUBREL ends the exchange.
    writer = life.client("writer", present=1)
    writer.send(writer.publish_bytes("news/half", "half", qos=2, packet_id=77, dup=True))
    assert writer.expect(wire.PUBREC).id == 77
    writer.ack(wire.PUBREL, 77)
    assert writer.expect(wire.PUBCOMP).id == 77
    writer.publish("gone/1", "to nobody", qos=1)

    life.client("brief", present=0).disconnect()
    life.client("proper", present=1).disconnect()
    life.client("back", present=1).disconnect()

    reader = life.client("reader", present=1)
    got = {}
    while len(got) < 4:
        message = reader.message()
        assert message.topic not in got, message
        got[message.topic] = message
    assert sorted(got) == ["news/1", "news/2", "news/half", "will/due"], got
    assert [topic for topic in got if topic.startswith("news/")] == ["news/1", "news/2", "news/half"], list(got)
    assert got["news/2"].get("user") == ("key", "value"), got["news/2"]
    assert 900 <= got["news/2"].get("message_expiry") <= 1000, got["news/2"]
    writer.publish("news/3", "three", qos=1)
    assert reader.message().topic == "news/3"
    reader.ping()
    reader.disconnect()


def dies_at_once(life: Life):
    """A session that lasts an hour, of a client that is connected, also of a server that lived for a moment only."""
    life.client("hour", props=[("session_expiry", 3600)])
    life.server.kill()
    life.start()
    life.client("hour", present=1).disconnect()


def main():
    with harness.Bench() as bench:
        life = Life(bench)
        dies_at_once(life)
        acknowledged = prepare(life)
        life.server.kill()
        # What lasts for a second is over once the server starts again.
        harness.wait_for("expiry", lambda: time.monotonic() > acknowledged + SHORT_S + 0.1)
        life.start()
        ask(life)
        life.server.kill()
        life.start()
        life.client("reader", present=1)  # What it acknowledged last may come again: that was no promise of the server.
        assert life.retained("keep/#") == {"keep/a": "second", "keep/b": "first"}
        life.server.stop()


if __name__ == "__main__":
    harness.run(main)
