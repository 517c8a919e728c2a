"""Debian's mosquitto, unpacked by ./check, as a peer of tests."""

import socket

import harness


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(bench: harness.Bench, *lines: str, port: int | None = None) -> tuple[harness.Program, int]:
    """A mosquitto on a loopback port. It cannot choose one itself, and binds to what was free just before. `lines` follow
    the listener's in its configuration; without any, everybody may connect."""
    program = harness.peer("mosquitto", "usr/sbin/mosquitto")
    port = port or free_port()
    config = bench.dir / f"mosquitto-{port}.conf"
    config.write_text("\n".join(["user root", f"listener {port} 127.0.0.1", *(lines or ["allow_anonymous true"]), ""]))
    server = bench.start(program, "-c", config)

    def answers():
        assert server.process.poll() is None, server.output()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    harness.wait_for("mosquitto to listen", answers)
    return server, port
