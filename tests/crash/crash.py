"""Kills cloud_server again and again under load, and checks after each start that it kept every promise: no acknowledged
packet is lost, none of QoS 2 comes twice, subscriptions and retained messages are as they were acknowledged.

    crash.py [--kills N] [--power-failures M] [--seed S]

A kill is SIGKILL at a random moment. A power failure is the same to cloud_server_power_loss, whose disk keeps what was synced
only, and some sectors of the rest. ./check runs a few of each; the long run is `--kills 1000 --power-failures 200`.
Programs are found through ATALAYA_BIN and ATALAYA_POWER_LOSS.
"""

import argparse
import os
import pathlib
import random
import selectors
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import harness
from mqtt_clients import Changer, Client, Prober, Publisher, Retainer, Subscriber, Wrong

DEADLINE_S = 60
TOPICS = 5


class World:
    """The clients, over all lives of the server."""

    def __init__(self):
        self.publishers = [Publisher("p1", "load/1", 1), Publisher("p2", "load/2", 2), Publisher("p3", "load/2b", 2, 5)]
        self.subscribers = [Subscriber("s1", "load/1", 1), Subscriber("s2", "load/+", 2), Subscriber("s3", "load/#", 2),
                            Subscriber("s4", "load/2", 1)]
        self.retainer = Retainer("r1", TOPICS)
        self.changer = Changer("c1", TOPICS)
        self.lasting = [*self.publishers, *self.subscribers, self.retainer, self.changer]

    def expected(self, subscriber: Subscriber) -> dict[str, set[int]]:
        """What a subscriber must have in the end, by topic."""
        matches = {"load/1": ["load/1"], "load/2": ["load/2"]}.get(subscriber.filter, ["load/1", "load/2", "load/2b"])
        return {p.topic: p.acked for p in self.publishers if p.topic in matches}


def run(clients: list[Client], address, seconds: float, until=lambda: False):
    """Lets the connected ones talk for a while; those that the server drops stay away."""
    selector = selectors.DefaultSelector()
    for client in clients:
        if client.sock is None:
            client.connect(address)
        selector.register(client.sock, selectors.EVENT_READ, client)
    end = time.monotonic() + seconds
    while not until() and (left := end - time.monotonic()) > 0:
        for key, _ in selector.select(min(left, 0.05)):
            client = key.data
            if client.sock is not None and not client.receive():
                selector.unregister(client.sock)
                client.drop()
        for client in clients:
            if client.sock is not None and client._out:
                client.flush()
    selector.close()


def run_until(what: str, clients, address, until):
    run(clients, address, DEADLINE_S, until)
    if not until():
        raise Wrong(f"waited {DEADLINE_S} s in vain for: {what}")


class CrashTest:
    def __init__(self, bench: harness.Bench, seed: int):
        self.bench = bench
        self.random = random.Random(seed)
        self.world = World()
        self.program = "cloud_server"
        self.server = None
        self.address = None
        self.ready_s: list[float] = []

    def start(self):
        begin = time.monotonic()
        self.server, address = self.bench.start_server(program=self.program)
        self.ready_s.append(time.monotonic() - begin)
        host, port = address.rsplit(":", 1)
        self.address = (host, int(port))

    def kill(self):
        self.server.kill()
        for line in self.server.log:
            if "lost to damage" in line and " 0 lost" not in line or "damaged" in line:
                raise Wrong(f"a crash looks like damage: {line}")
        for client in self.world.lasting:
            client.read_to_end()

    def subscribe(self):
        """The first life: what is published later goes to all subscribers."""
        self.start()
        subscribers = self.world.subscribers
        run_until("every SUBACK", subscribers, self.address, lambda: all(s.subscribed for s in subscribers))
        self.kill()

    def live_and_die(self):
        """One life of the server, under load, of a random length."""
        self.start()
        # Now and then somebody stays away, so that messages wait for them.
        away = {c for c in self.world.subscribers if self.random.random() < 0.3}
        present = [c for c in self.world.lasting if c not in away or not c.known]
        run_until("every CONNACK", present, self.address, lambda: all(c.connected for c in present))
        run(present, self.address, self.random.uniform(0.0, 0.15))
        self.kill()

    def settle(self):
        """A life in which nothing new is sent, until all that was acknowledged has arrived."""
        self.start()
        self.arrive()
        self.kill()

    def arrive(self):
        """Lets everything arrive, and judges it."""
        world = self.world
        for client in [*world.publishers, world.retainer, world.changer]:
            client.sending = False
        def done():
            return (all(c.connected and c.idle() for c in world.lasting) and
                    all(not s.missing(topic, acked) for s in world.subscribers
                        for topic, acked in world.expected(s).items()))
        run(world.lasting, self.address, DEADLINE_S, done)
        self.judge()
        self.judge_retained()
        self.judge_subscriptions()
        for client in [*world.publishers, world.retainer, world.changer]:
            client.sending = True

    def judge(self):
        for subscriber in self.world.subscribers:
            for topic, acked in self.world.expected(subscriber).items():
                if missing := subscriber.missing(topic, acked):
                    raise Wrong(f"{subscriber.client_id} never got {sorted(missing)[:10]} of {topic} "
                                f"({len(missing)} of {len(acked)})\n{self.server.output()}")
            if subscriber.qos == 2:
                twice = [(t, n) for t, n in subscriber.twice if t.startswith("load/2")]
                if twice:
                    raise Wrong(f"{subscriber.client_id} got twice at QoS 2: {twice[:10]}\n{self.server.output()}")

    def judge_retained(self):
        world, reader = self.world, Subscriber("reader", "state/#", 0)
        wanted = {topic for topic, number in world.retainer.acked.items() if number > 0}
        run_until("the retained messages", [reader], self.address, lambda: wanted <= set(reader.got))
        reader.drop()
        for topic in wanted:
            value = reader.got[topic][0]
            if not world.retainer.acked[topic] <= value <= world.retainer.sent[topic]:
                raise Wrong(f"{topic} retains {value}, acknowledged was {world.retainer.acked[topic]}")

    def judge_subscriptions(self):
        changer = self.world.changer
        changer.heard.clear()
        # The one that everybody waits for comes last, so that what should not come had its chance.
        prober = Prober("prober", list(changer.acked))
        wanted = {topic for topic, there in changer.acked.items() if there}
        run_until("the subscriptions", [prober, changer], self.address,
                  lambda: prober.idle() and wanted <= changer.heard)
        run([changer], self.address, 0.02)
        prober.drop()
        if changer.heard != wanted:
            raise Wrong(f"subscribed to {sorted(wanted)}, heard of {sorted(changer.heard)}")

    def run(self, lives: int, name: str, settle_every: int):
        begin, sent_before = time.monotonic(), self.sent()
        for life in range(1, lives + 1):
            self.live_and_die()
            if life % settle_every == 0 or life == lives:
                self.settle()
        acked = sum(len(p.acked) for p in self.world.publishers)
        print(f"{lives} {name}: {self.sent() - sent_before} publishes sent, {acked} acknowledged in all, none lost, "
              f"no QoS 2 packet twice; {time.monotonic() - begin:.0f} s, start at most {max(self.ready_s):.2f} s",
              flush=True)

    def sent(self) -> int:
        return sum(p.next_number - 1 for p in self.world.publishers)


def flip_bytes(test: CrashTest):
    """Bytes change in a segment that is not the last: the server starts and says so."""
    folder = test.bench.dir / "cloud_server" / "journal"
    segments = sorted(folder.glob("journal-*.segment"))
    content = bytearray(segments[0].read_bytes())
    used = max(i for i in range(len(content)) if content[i])
    for _ in range(20):
        content[test.random.randrange(used)] ^= 1 << test.random.randrange(8)
    segments[0].write_bytes(content)
    test.start()
    said = [line for line in test.server.log if "damaged" in line or "lost" in line]
    test.server.stop()
    print(f"20 bits flipped in an old segment: started, and said: {said[-1].split('info ')[-1] if said else 'nothing lost'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--power-failures", type=int, default=6)
    parser.add_argument("--settle-every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    random.seed(arguments.seed)
    with harness.Bench() as bench:
        test = CrashTest(bench, arguments.seed)
        test.subscribe()
        test.run(arguments.kills, "kills", arguments.settle_every)
        test.program = os.environ["ATALAYA_POWER_LOSS"]
        test.run(arguments.power_failures, "power failures", arguments.settle_every)
        test.program = "cloud_server"
        flip_bytes(test)


if __name__ == "__main__":
    harness.run(main)
