"""The packet servers that are measured side by side: ours, those of Debian, and a relay that does the least possible."""

import pathlib
import subprocess

from core import bench as b
from core.process import Process, free_port

OURS = "cloud_server"
MOSQUITTO = "mosquitto"
NATS = "nats-server"
FLOOR = "bare relay"
PEERS = [MOSQUITTO, NATS, FLOOR]

MOSQUITTO_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 20
log_type error
persistence false
max_connections -1
set_tcp_nodelay true
"""
# `user` counts where root starts it: otherwise it gives up its rights before it reads the key.
MOSQUITTO_TLS = """\
certfile {folder}/certificate.pem
keyfile {folder}/key.pem
user root
"""
OURS_TLS = """\
[[listener]]
address = "127.0.0.1:{port}"
protocol = "mqtts"
certificate_file = "{folder}/certificate.pem"
key_file = "{folder}/key.pem"
"""
NATS_CONFIG = """\
listen: 127.0.0.1:{port}
max_connections: 20000
ping_interval: "600s"
"""


def protocol(name: str) -> str:
    return "nats" if name == NATS else "mqtt"


class PacketServers:
    """What of them can run here; what cannot is remarked, and its column stays empty."""

    def __init__(self, bench: b.Bench):
        self.bench = bench
        self._commands = {OURS: self._ours}
        for name, path, command in ((MOSQUITTO, "usr/sbin/mosquitto", self._mosquitto),
                                    (NATS, "usr/sbin/nats-server", self._nats)):
            if (b.PEERS / name / path).exists():
                self._commands[name] = command
            else:
                bench.remark(f"{name} is not unpacked under {b.PEERS}: its column is empty")
        self._relay = self._build_relay()
        if self._relay:
            self._commands[FLOOR] = lambda port: [self._relay, port]

    def names(self, *wanted: str) -> list[str]:
        return [name for name in (wanted or self._commands) if name in self._commands]

    def command(self, name: str, port: int) -> list:
        return self._commands[name](port)

    def start(self, name: str, cpu: int | None = None, flags: list | None = None) -> Process:
        port = free_port()
        return Process(name, [*self._commands[name](port), *(flags or [])], port, self.bench.dir, cpu)

    def start_all(self, stack, *wanted: str, cpu: int | None = None) -> dict[str, Process]:
        """Starts each and leaves its end to `stack`."""
        return {name: stack.enter_context(self.start(name, cpu)) for name in self.names(*wanted)}

    def start_tls(self, name: str) -> Process:
        """Ours or mosquitto, with TLS on its port and a certificate of its own making."""
        port = free_port()
        command = self._commands[name](port)
        folder = self._folder("tls", port)
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
            capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise b.Failed(f"openssl made no certificate: {made.stderr[-300:]}")
        (folder / "key.pem").chmod(0o600)
        if name == MOSQUITTO:
            with command[-1].open("a") as config:
                config.write(MOSQUITTO_TLS.format(folder=folder))
        else:
            config = folder / "cloud_server.toml"
            config.write_text(OURS_TLS.format(folder=folder, port=port))
            at = command.index("--listen")
            command[at:at + 2] = ["--config", config]
        return Process(name, command, port, self.bench.dir)

    def _folder(self, name: str, port: int) -> pathlib.Path:
        folder = self.bench.dir / f"{name}-{port}"
        folder.mkdir()
        return folder

    def _ours(self, port: int) -> list:
        folder = self._folder(OURS, port)
        return [b.BIN / "cloud_server", "--listen", f"127.0.0.1:{port}", "--data-dir", folder / "data",
                "--stats-file", folder / "stats"]

    def _mosquitto(self, port: int) -> list:
        config = self._folder(MOSQUITTO, port) / "mosquitto.conf"
        config.write_text(MOSQUITTO_CONFIG.format(port=port))
        return [b.PEERS / MOSQUITTO / "usr/sbin/mosquitto", "-c", config]

    def _nats(self, port: int) -> list:
        config = self._folder(NATS, port) / "nats.conf"
        config.write_text(NATS_CONFIG.format(port=port))
        return [b.PEERS / NATS / "usr/sbin/nats-server", "-c", config]

    def _build_relay(self) -> pathlib.Path | None:
        source = b.SHARED / "bench/bare_relay.cc"
        if not source.exists():
            self.bench.remark(f"no {source}: the bare relay's column is empty")
            return None
        return compile_once(self.bench, "g++", ["-std=c++20"], source)


def compile_once(bench: b.Bench, compiler: str, flags: list[str], source: pathlib.Path) -> pathlib.Path:
    """Compiles one file of another's into the bench's folder."""
    program = bench.dir / source.stem
    done = subprocess.run([compiler, "-O2", "-w", *flags, source, "-o", program], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise b.Failed(f"{source} does not compile: {done.stderr[-500:]}")
    return program
