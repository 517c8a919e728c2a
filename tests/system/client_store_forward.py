"""What is published through a spool arrives in order, and once at QoS 2: over a server that stops and starts, and over a
client that is killed at random. Against cloud_server, and against Debian's mosquitto where it is unpacked.

    client_store_forward.py build/dev/cloud_client/spool_sender [--kills 1000] [--seed N]
"""

import argparse
import collections
import os
import random
import signal
import threading

import harness
import mosquitto

LINES_BEFORE, LINES_AWAY, LINES_AFTER = 300, 400, 300
PUBLISHES_PER_RUN = 4000
PERSISTENT = ("allow_anonymous true", "persistence true", "max_queued_messages 0")


def subscribe(bench: harness.Bench, address: str, qos: int) -> harness.Program:
    """A subscriber whose session is kept; it has subscribed when this returns."""
    subscriber = bench.start("cloud_client", "sub", "--server", f"mqtt://{address}", "--id", "reader", "--keep-session",
                             "--topic", "count/#", "--qos", str(qos))
    marker = harness.run_program("cloud_client", "pub", "--server", f"mqtt://{address}", "--topic", "count/0", "--message",
                                 "begin", "--retain", "--qos", "1")
    assert marker.returncode == 0, marker
    subscriber.wait_line(lambda line: line == "begin", "first packet")
    return subscriber


def numbers(subscriber: harness.Program) -> list[str]:
    return [line for line in subscriber.lines if line != "begin"]


class KilledServer:
    """cloud_server, which keeps its sessions over a SIGKILL."""

    def __init__(self, bench: harness.Bench, name: str):
        self.name = name
        self._bench = bench
        self._server, self.address = bench.start_server(name=name)

    def end(self):
        self._server.kill()

    def start(self):
        self._bench.start_server(name=self.name, listen=self.address)


class StoppedMosquitto:
    """mosquitto keeps its sessions over a clean stop only."""

    def __init__(self, bench: harness.Bench, name: str):
        self.name = name
        self._bench = bench
        location = bench.dir / name
        location.mkdir()
        self._options = (*PERSISTENT, f"persistence_location {location}/")
        self._server, self._port = mosquitto.start(bench, *self._options)
        self.address = f"127.0.0.1:{self._port}"

    def end(self):
        self._server.stop()

    def start(self):
        mosquitto.start(self._bench, *self._options, port=self._port)


def server_restarts_while_publishing(bench: harness.Bench, qos: int, server: KilledServer | StoppedMosquitto):
    """At QoS 2 everything must come through once."""
    address = server.address
    subscriber = subscribe(bench, address, qos)
    spool = bench.dir / f"spool-{server.name}"
    publisher = bench.start("cloud_client", "pub", "--server", f"mqtt://{address}", "--topic", "count/1", "--qos", str(qos),
                            "--spool", spool, stdin=harness.subprocess.PIPE)
    total = LINES_BEFORE + LINES_AWAY + LINES_AFTER
    feed = iter(range(total))

    def write(count: int):
        for number in (next(feed) for _ in range(count)):
            publisher.process.stdin.write(f"{number}\n")
        publisher.process.stdin.flush()

    write(LINES_BEFORE)
    subscriber.wait_line(lambda line: line == "5", "packet 5")
    server.end()
    write(LINES_AWAY)
    server.start()
    write(LINES_AFTER)
    publisher.process.stdin.close()
    assert publisher.wait(60) == 0, publisher.output()
    assert "wait in" not in publisher.output(), publisher.output()
    subscriber.wait_line(lambda line: line == str(total - 1), "last packet")
    subscriber.stop()
    got = numbers(subscriber)
    if qos == 2:
        assert got == [str(number) for number in range(total)], duplicates_and_gaps(got, total)
    else:
        assert list(dict.fromkeys(got)) == [str(number) for number in range(total)], duplicates_and_gaps(got, total)
    print(f"QoS {qos}: {total} packets over a restart of {server.name}, {len(got) - total} came twice")


def duplicates_and_gaps(got: list[str], total: int) -> str:
    counts = collections.Counter(got)
    twice = [number for number, times in counts.items() if times > 1]
    missing = [number for number in range(total) if str(number) not in counts]
    return f"twice: {twice[:20]}, missing: {missing[:20]}, in order: {got == sorted(got, key=int)}"


def spool_waits_for_a_later_start(bench: harness.Bench, address: str):
    closed = f"127.0.0.1:{mosquitto.free_port()}"
    spool = bench.dir / "waiting"
    flags = ["--topic", "later", "--qos", "1", "--spool", spool, "--id", "later"]
    away = harness.run_program("cloud_client", "pub", "--server", f"mqtt://{closed}", "--message", "a", "--message", "b", *flags)
    assert away.returncode == 0 and f"2 packets wait in {spool} for the server" in away.stderr, away
    # Several servers, of which the first is away; and a retained packet that shows that the reader has subscribed.
    there = harness.run_program("cloud_client", "pub", "--server", f"mqtt://{closed}", "--server", f"mqtt://{address}",
                                "--topic", "zmark", "--message", "there", "--retain")
    assert there.returncode == 0, there
    reader = bench.start("cloud_client", "sub", "--server", f"mqtt://{address}", "--topic", "later", "--topic", "zmark",
                         "--qos", "1", "--count", "4")
    reader.wait_line(lambda line: line == "there", "retained packet")
    back = harness.run_program("cloud_client", "pub", "--server", f"mqtt://{address}", "--message", "c", *flags)
    assert back.returncode == 0 and back.stderr == "", back
    assert reader.wait() == 0 and reader.lines == ["there", "a", "b", "c"], reader.output()
    other = harness.run_program("cloud_client", "pub", "--server", f"mqtt://{address}", "--message", "d", *flags[:-1], "other")
    assert other.returncode == 1 and 'belongs to client id "later", not "other"' in other.stderr, other


def client_is_killed(bench: harness.Bench, sender_path: str, address: str, qos: int, kills: int, chance: random.Random):
    subscriber = subscribe(bench, address, qos)
    spool = bench.dir / f"killed{qos}-{address.rsplit(':', 1)[1]}"
    promised = []
    for run in range(kills + 1):
        count = PUBLISHES_PER_RUN if run < kills else 100
        sender = bench.start(sender_path, address, spool, str(qos), str(run), str(count))
        if run < kills:
            after = f"stored {chance.randrange(PUBLISHES_PER_RUN // 4)}"
            sender.wait_line(lambda line: line == after, after)
            threading.Event().wait(chance.random() * 0.01)  # Anywhere between two lines, too.
            sender.kill()
        else:
            assert sender.wait(660) == 0, sender.output()
        promised.append(sum(line.startswith("stored ") for line in sender.lines))
    last = f"{kills}.99"
    subscriber.wait_line(lambda line: line == last, "last packet", deadline_s=120)
    subscriber.stop()
    got = numbers(subscriber)
    unique = list(dict.fromkeys(got))
    assert qos < 2 or len(unique) == len(got), f"came twice: {[x for x, n in collections.Counter(got).items() if n > 1][:20]}"
    position = 0
    for run, count in enumerate(promised):
        arrived = 0
        while position < len(unique) and unique[position] == f"{run}.{arrived}":
            arrived, position = arrived + 1, position + 1
        assert arrived >= count, f"run {run}: {count} were promised, {arrived} arrived; then {unique[position:position + 3]}"
    assert position == len(unique), f"out of order from {unique[position:position + 5]}"
    print(f"QoS {qos}: {kills} SIGKILLs of the client, {sum(promised)} packets promised, {len(unique)} arrived, "
          f"{len(got) - len(unique)} of them twice")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sender")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    chance = random.Random(options.seed)
    with harness.Bench() as bench:
        _, address = bench.start_server()
        spool_waits_for_a_later_start(bench, address)
        for qos in (1, 2):
            client_is_killed(bench, options.sender, address, qos, options.kills, chance)
            server_restarts_while_publishing(bench, qos, KilledServer(bench, f"cloud_server-{qos}"))
        if not (harness.PEERS / "mosquitto").exists():
            print("left out: mosquitto is not unpacked; ./check fetches it")
            return
        for qos in (1, 2):
            server_restarts_while_publishing(bench, qos, StoppedMosquitto(bench, f"mosquitto-{qos}"))
        _, port = mosquitto.start(bench, "allow_anonymous true", "max_queued_messages 0")
        client_is_killed(bench, options.sender, f"127.0.0.1:{port}", 2, options.kills, chance)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    harness.run(main)
