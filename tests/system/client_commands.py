"""cloud_client's pub, sub and agent against cloud_server, and against Debian's mosquitto where it is unpacked."""

import json
import os
import socket
import subprocess
import time

import harness
import mosquitto

PUB = "/usr/bin/mosquitto_pub"


def client(command: str, address: str, *flags, **options) -> subprocess.CompletedProcess:
    return harness.run_program("cloud_client", command, "--server", f"mqtt://{address}", *flags, **options)


def published_is_received(bench: harness.Bench, address: str):
    done = client("pub", address, "--topic", "house/kitchen", "--message", "21.5", "--qos", "1", "--retain")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
    payload = bench.dir / "payload"
    payload.write_text("two\nlines")
    assert client("pub", address, "--topic", "house/hall", "--file", payload, "--retain").returncode == 0
    got = client("sub", address, "--topic", "house/+", "--qos", "1", "--count", "2", "--verbose")
    assert got.returncode == 0 and got.stderr == "", got
    assert sorted(got.stdout.splitlines()) == ["house/hall two", "house/kitchen 21.5", "lines"], got.stdout


def lines_of_stdin_are_packets(bench: harness.Bench, address: str):
    subscriber = bench.start("cloud_client", "sub", "--server", f"mqtt://{address}", "--topic", "count/#", "--qos", "1",
                             "--count", "2001")
    # The first packet that arrives shows that the subscription stands.
    marker = bench.start("cloud_client", "pub", "--server", f"mqtt://{address}", "--topic", "count/0", "--message", "begin",
                         "--retain", "--qos", "1")
    assert marker.wait() == 0, marker.output()
    subscriber.wait_line(lambda line: line == "begin", "first packet")
    lines = [str(number) for number in range(2000)]
    done = client("pub", address, "--topic", "count/1", "--qos", "1", stdin="\n".join(lines) + "\n")
    assert done.returncode == 0, done
    assert subscriber.wait() == 0, subscriber.output()
    assert subscriber.lines == ["begin", *lines], subscriber.lines[-5:]


def sub_ends_cleanly_on_sigterm(bench: harness.Bench, address: str):
    assert client("pub", address, "--topic", "ending", "--message", "x", "--retain").returncode == 0
    subscriber = bench.start("cloud_client", "sub", "--server", f"mqtt://{address}", "--topic", "ending")
    subscriber.wait_line(lambda line: line == "x", "packet")
    subscriber.stop(expect=0)


def agent_sends_what_the_machine_shows(bench: harness.Bench, address: str):
    agent = bench.start("cloud_client", "agent", "--server", f"mqtt://{address}", "--id", "box", "--interval", "200ms",
                        "--spool", bench.dir / "agent")
    assert agent.ready() == {"server": f"mqtt://{address}", "id": "box"}
    subscriber = bench.start("cloud_client", "sub", "--server", f"mqtt://{address}", "--topic", "telemetry/box/#",
                             "--qos", "1", "--verbose")
    for name in ("cpu", "disk/rootfs", "load", "memory", "uptime", "agent"):
        subscriber.wait_line(lambda line: line.startswith(f"telemetry/box/{name} "), f"reading {name}")
    readings = {}
    for line in subscriber.lines:
        topic, payload = line.split(" ", 1)
        readings[topic.removeprefix("telemetry/box/")] = json.loads(payload)
    assert readings["agent"]["interval_seconds"] == 0.2, readings["agent"]
    assert 0 <= readings["cpu"]["used_share"] <= 1, readings["cpu"]
    disk = os.statvfs("/")
    assert readings["disk/rootfs"]["size_bytes"] == disk.f_blocks * disk.f_frsize, readings["disk/rootfs"]
    assert 0 < readings["memory"]["used_share"] < 1, readings["memory"]
    assert readings["uptime"]["seconds"] > 0 and readings["uptime"]["time"] > 1.5e9, readings["uptime"]
    subscriber.stop()
    agent.stop(expect=0)
    # A sensor that is not there is said once, however often it is looked for.
    assert sum("temperature: no temperature sensor" in line for line in agent.log) <= 1, agent.output()


def agent_outlives_its_server(bench: harness.Bench):
    server, address = bench.start_server(name="first")
    agent = bench.start("cloud_client", "agent", "--server", f"mqtt://{address}", "--id", "box", "--interval", "200ms",
                        "--spool", bench.dir / "agent")
    agent.ready()
    server.kill()
    agent.wait_line(lambda line: f"readings wait in {bench.dir / 'agent'}" in line, "word of the lost server", stream="log")
    again = bench.start("cloud_server", "--listen", address, "--name", "second", "--data-dir", bench.dir / "second",
                        "--stats-file", bench.stats_file("second"))
    again.ready()
    got = client("sub", address, "--topic", "telemetry/box/load", "--count", "3")
    assert got.returncode == 0 and len(got.stdout.splitlines()) == 3, got
    agent.stop(expect=0)


def agent_reloads_its_file_or_keeps_it(bench: harness.Bench, address: str):
    config = bench.dir / "agent.toml"
    config.write_text(f'server = "mqtt://{address}"\nid = "first"\ninterval = "1h"\nspool = "none"\n')
    agent = bench.start("cloud_client", "agent", "--config", config)
    assert agent.ready()["id"] == "first"
    config.write_text("interval = 5\n")
    agent.signal(harness.signal.SIGHUP)
    agent.wait_line(lambda line: "configuration kept" in line and f"{config}:1:12" in line, "fault", stream="log")
    config.write_text(f'server = "mqtt://{address}"\nid = "second"\ninterval = "1h"\nspool = "none"\n')
    agent.signal(harness.signal.SIGHUP)
    got = client("sub", address, "--topic", "telemetry/second/agent", "--count", "1")
    assert json.loads(got.stdout)["interval_seconds"] == 3600, got
    agent.stop(expect=0)


def agent_reads_files_and_commands(bench: harness.Bench, address: str):
    """Each at its own interval; one that cannot be read is said once, and the others go on."""
    fan, config = bench.dir / "fan", bench.dir / "more.toml"
    fan.write_text("1200\n")
    config.write_text(f'server = ["mqtt://{address}"]\nid = "more"\ninterval = "1h"\nspool = "{bench.dir}/more"\n'
                      f'[[file]]\nname = "fan"\npath = "{fan}"\ninterval = "100ms"\n'
                      '[[file]]\nname = "gone"\npath = "/no/such/file"\ninterval = "100ms"\n'
                      '[[command]]\nname = "ups"\nrun = ["echo", \'{"charge":0.9,"state":"ok"}\']\ninterval = "100ms"\n'
                      '[[command]]\nname = "slow"\nrun = ["sleep", "60"]\ninterval = "200ms"\n')
    subscriber = bench.start("cloud_client", "sub", "--server", f"mqtt://{address}", "--topic", "telemetry/more/+",
                             "--qos", "1", "--verbose")
    agent = bench.start("cloud_client", "agent", "--config", config)
    agent.ready()
    for name, expected in (("fan", {"value": 1200}), ("ups", {"charge": 0.9, "state": "ok"})):
        line = subscriber.wait_line(lambda line: line.startswith(f"telemetry/more/{name} "), f"reading {name}")
        fields = json.loads(line.split(" ", 1)[1])
        assert fields.pop("time") > 1.5e9 and fields == expected, fields
    agent.wait_line(lambda line: "slow: sleep: no end within 200ms" in line, "word of the slow command", stream="log")
    agent.wait_line(lambda line: "gone: /no/such/file" in line, "word of the missing file", stream="log")
    before = len(subscriber.lines)
    harness.wait_for("ten more readings", lambda: len(subscriber.lines) > before + 10)
    for name in ("slow", "gone"):
        assert sum(f"{name}: " in line for line in agent.log) == 1, agent.output()
    subscriber.stop()
    agent.stop(expect=0)


def agent_sends_later_what_it_took_while_the_server_was_away(bench: harness.Bench):
    """Also over its own SIGKILL; with the time when it was taken."""
    server, address = bench.start_server(name="away")
    server.stop()
    flags = ("--server", f"mqtt://{address}", "--id", "kept", "--interval", "100ms", "--spool", bench.dir / "kept")
    began = time.time()
    agent = bench.start("cloud_client", "agent", *flags)
    agent.wait_line(lambda line: "readings wait in" in line, "word of the missing server", stream="log")
    spool = bench.dir / "kept"
    harness.wait_for("a few readings on disk", lambda: sum(file.stat().st_size for file in spool.glob("*.spool")) > 3000)
    agent.kill()
    killed = time.time()
    bench.start("cloud_server", "--listen", address, "--name", "back", "--data-dir", bench.dir / "back",
                "--stats-file", bench.stats_file("back")).ready()
    # Filters are sent in their order: the retained packet shows that both subscriptions stand.
    assert client("pub", address, "--topic", "zmark", "--message", "there", "--retain").returncode == 0
    subscriber = bench.start("cloud_client", "sub", "--server", f"mqtt://{address}", "--topic", "telemetry/kept/load",
                             "--topic", "zmark")
    subscriber.wait_line(lambda line: line == "there", "retained packet")
    agent = bench.start("cloud_client", "agent", *flags)
    line = subscriber.wait_line(lambda line: line.startswith("{"), "a reading")
    assert began - 1 < json.loads(line)["time"] < killed + 1, (began, line, killed)
    subscriber.stop()
    agent.stop(expect=0)


def errors_name_their_place(bench: harness.Bench):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    for flags in (["pub", address, "--topic", "a", "--message", "x"], ["sub", address, "--topic", "a"]):
        done = client(*flags)
        assert done.returncode == 1, done
        assert done.stderr == f"cloud_client: cannot connect to {address}: Connection refused\n", done
    for flags, expected in ((["pub", "--topic", "a/#"], "--topic: \"a/#\""), (["sub"], "--topic: needed"),
                            (["pub", "--topic", "a", "--retian"], "did you mean \"--retain\"?"),
                            (["agent", "--interval", "5x"], "--interval: \"5x\" is not a duration"),
                            (["publish"], "\"publish\" is not a command")):
        done = harness.run_program("cloud_client", *flags, stdin="")
        assert done.returncode == 2 and expected in done.stderr, done
    for flags in (["--help"], ["--version"], ["pub", "--help"], ["sub", "--version"], ["agent", "--help"]):
        done = harness.run_program("cloud_client", *flags)
        assert done.returncode == 0 and done.stdout and not done.stderr, done


def mosquitto_understands_it(bench: harness.Bench, address: str):
    done = harness.run_program(PUB, "-h", "127.0.0.1", "-p", address.rsplit(":", 1)[1], "-t", "from/mosquitto", "-m", "hi",
                               "-r", "-q", "1")
    assert done.returncode == 0, done
    got = client("sub", address, "--topic", "from/#", "--qos", "1", "--count", "1")
    assert got.stdout == "hi\n", got


def main():
    with harness.Bench() as bench:
        errors_name_their_place(bench)
        _, address = bench.start_server()
        published_is_received(bench, address)
        lines_of_stdin_are_packets(bench, address)
        sub_ends_cleanly_on_sigterm(bench, address)
        agent_sends_what_the_machine_shows(bench, address)
        agent_outlives_its_server(bench)
        agent_reloads_its_file_or_keeps_it(bench, address)
        agent_reads_files_and_commands(bench, address)
        agent_sends_later_what_it_took_while_the_server_was_away(bench)
        if os.path.exists(PUB):
            mosquitto_understands_it(bench, address)
        else:
            print(f"left out: {PUB} is not installed")


def with_mosquitto():
    with harness.Bench() as bench:
        _, port = mosquitto.start(bench)
        address = f"127.0.0.1:{port}"
        published_is_received(bench, address)
        lines_of_stdin_are_packets(bench, address)
        agent_sends_what_the_machine_shows(bench, address)


if __name__ == "__main__":
    harness.run(with_mosquitto if "--mosquitto" in harness.sys.argv else main)
