"""Debian's mosquitto_pub and mosquitto_sub exchange packets with cloud_server."""

import shutil
import signal

import harness

PUB = "/usr/bin/mosquitto_pub"
SUB = "/usr/bin/mosquitto_sub"


class Exchange:
    """A server, and mosquitto's clients on it."""

    def __init__(self, bench: harness.Bench, host: str = "127.0.0.1"):
        self.bench = bench
        listen = f"[{host}]:0" if ":" in host else f"{host}:0"
        self.server = bench.start("cloud_server", "--listen", listen, "--name", "exchange", "--data-dir", bench.dir / "data",
                                  "--stats-file", bench.dir / "exchange.stats")
        self.host = host
        self.port = self.server.ready()["mqtt"].rsplit(":", 1)[1]

    def publish(self, *flags):
        done = harness.run_program(PUB, "-h", self.host, "-p", self.port, *flags)
        assert done.returncode == 0, done.stderr

    def subscribe(self, *flags) -> harness.Program:
        """A subscriber whose SUBACK has come; -d prints its packets, stdbuf makes it print them at once."""
        subscriber = self.bench.start("/usr/bin/stdbuf", "-oL", SUB, "-d", "-h", self.host, "-p", self.port, *flags)
        subscriber.wait_line(lambda line: "Subscribed (mid" in line, "SUBACK")
        return subscriber


def payloads(subscriber: harness.Program) -> list[str]:
    return [line for line in subscriber.lines if line.startswith("got:")]


def wait_payloads(subscriber: harness.Program, expected: list[str]):
    harness.wait_for(f"{expected}; so far {payloads(subscriber)}", lambda: len(payloads(subscriber)) >= len(expected))
    assert payloads(subscriber) == expected, (payloads(subscriber), expected)


def every_qos_arrives(exchange: Exchange):
    for qos in ("0", "1", "2"):
        subscriber = exchange.subscribe("-t", f"qos/{qos}", "-q", qos, "-F", "got:%q:%p")
        exchange.publish("-t", f"qos/{qos}", "-q", qos, "-m", "hello")
        wait_payloads(subscriber, [f"got:{qos}:hello"])
        subscriber.stop(expect=None)


def wildcards_choose(exchange: Exchange):
    subscriber = exchange.subscribe("-t", "house/+/temperature", "-t", "garden/#", "-F", "got:%t")
    for topic in ("house/kitchen/temperature", "house/kitchen/door", "garden", "garden/pond/level", "$garden/x"):
        exchange.publish("-t", topic, "-m", "1", "-q", "1")
    exchange.publish("-t", "garden/last", "-m", "1")
    wait_payloads(subscriber, ["got:house/kitchen/temperature", "got:garden", "got:garden/pond/level", "got:garden/last"])
    subscriber.stop(expect=None)


def retained_is_kept_and_cleared(exchange: Exchange):
    exchange.publish("-t", "kept/a", "-r", "-m", "first", "-q", "1")
    exchange.publish("-t", "kept/a", "-r", "-m", "second", "-q", "1")
    subscriber = exchange.subscribe("-t", "kept/#", "-q", "1", "-F", "got:%r:%p")
    wait_payloads(subscriber, ["got:1:second"])
    exchange.publish("-t", "kept/a", "-r", "-n", "-q", "1")
    wait_payloads(subscriber, ["got:1:second", "got:0:"])
    subscriber.stop(expect=None)
    late = exchange.subscribe("-t", "kept/#", "-F", "got:%p")
    exchange.publish("-t", "kept/b", "-m", "live")
    wait_payloads(late, ["got:live"])
    late.stop(expect=None)


def will_follows_a_crash_only(exchange: Exchange):
    watcher = exchange.subscribe("-t", "will/#", "-q", "1", "-F", "got:%t:%p")
    polite = exchange.subscribe("-t", "nothing", "--will-topic", "will/polite", "--will-payload", "gone")
    polite.signal(signal.SIGINT)  # mosquitto_sub disconnects.
    polite.wait()
    crashed = exchange.subscribe("-t", "nothing", "--will-topic", "will/crashed", "--will-payload", "gone", "--will-qos", "1")
    crashed.kill()
    wait_payloads(watcher, ["got:will/crashed:gone"])
    watcher.stop(expect=None)


def session_waits_for_its_client(exchange: Exchange):
    flags = ("-i", "sleeper", "-c", "-t", "mail/#", "-q", "1", "-F", "got:%p")
    sleeper = exchange.subscribe(*flags)
    sleeper.signal(signal.SIGINT)
    sleeper.wait()
    for text in ("one", "two", "three"):
        exchange.publish("-t", "mail/box", "-q", "1", "-m", text)
    sleeper = exchange.subscribe(*flags)
    wait_payloads(sleeper, ["got:one", "got:two", "got:three"])
    sleeper.stop(expect=None)


def large_payloads_arrive_whole(exchange: Exchange):
    path = exchange.bench.dir / "large"
    path.write_text("x" * 3_000_000)
    subscriber = exchange.subscribe("-t", "large", "-q", "1", "-F", "got:%l")
    exchange.publish("-t", "large", "-q", "1", "-f", path)
    wait_payloads(subscriber, ["got:3000000"])
    subscriber.stop(expect=None)


def main():
    if shutil.which(PUB) is None:
        harness.skip("mosquitto-clients is not installed")
    with harness.Bench() as bench:
        exchange = Exchange(bench)
        for promise in (every_qos_arrives, wildcards_choose, retained_is_kept_and_cleared, will_follows_a_crash_only,
                        session_waits_for_its_client, large_payloads_arrive_whole):
            promise(exchange)
            print("kept:", promise.__name__)
        exchange.server.stop()
    with harness.Bench() as bench:
        exchange = Exchange(bench, "::1")
        every_qos_arrives(exchange)
        exchange.server.stop()
        print("kept: IPv6")


harness.run(main)
