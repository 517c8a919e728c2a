"""What the black-box tests share: programs that are started, waited for and ended, and waiting for an event with a deadline.

A test is a plain script: `main()` that raises on failure, run through `run(main)`. Programs are found through ATALAYA_BIN,
unpacked peers through ATALAYA_PEERS; a test that cannot run here calls `skip(why)`.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ATALAYA_BIN", ROOT / "build/dev/bin"))
PEERS = pathlib.Path(os.environ.get("ATALAYA_PEERS", ROOT / "build/peers"))
SHARED = pathlib.Path(os.environ.get("ATALAYA_SHARED", ROOT.parent / "shared"))
DEADLINE_S = 30  # For one event; generous, since sanitizers on a busy machine are slow.
SKIPPED = 77
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


_tokens: dict[str, str] = {}  # Of each cloud_alertd that was ready, by its host:port.


class Skip(Exception):
    pass


def skip(why: str):
    raise Skip(why)


def peer(package: str, path: str) -> pathlib.Path:
    """The unpacked file of a Debian package that ./check fetched, or a skip where it is not there."""
    found = PEERS / package / path
    if not found.exists():
        skip(f"{package} is not unpacked under {PEERS}; ./check fetches it")
    return found


def wait_for(what: str, condition, deadline_s: float = DEADLINE_S):
    """Calls `condition` until it returns something true, and returns that; raises after the deadline."""
    pause = threading.Event()
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s} s in vain for: {what}")
        pause.wait(0.01)


class Program:
    """A child process whose stdout and stderr lines are kept. It dies with the test."""

    def __init__(self, *command, env=None, cwd=None, stdin=None):
        self.command = [str(part) for part in command]
        self.name = pathlib.Path(self.command[0]).name
        self.lines: list[str] = []      # stdout
        self.log: list[str] = []        # stderr
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=stdin, text=True, bufsize=1,
            env={**os.environ, **(env or {})}, cwd=cwd, errors="replace",
            preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
        self._readers = [threading.Thread(target=self._read, args=(stream, into), daemon=True)
                         for stream, into in ((self.process.stdout, self.lines), (self.process.stderr, self.log))]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, into):
        for line in stream:
            with self._changed:
                into.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_line(self, predicate, what: str, stream: str = "lines", deadline_s: float = DEADLINE_S) -> str:
        """The first stdout (or `log`: stderr) line that `predicate` accepts."""
        end = time.monotonic() + deadline_s
        lines = getattr(self, stream)
        with self._changed:
            while True:
                for line in lines:
                    if predicate(line):
                        return line
                ended = self.process.poll() is not None and not any(r.is_alive() for r in self._readers)
                if ended or time.monotonic() > end:
                    raise AssertionError(f"{self.name}: no {what}; exit {self.process.poll()}\n{self.output()}")
                self._changed.wait(0.1)

    def ready(self, deadline_s: float = DEADLINE_S) -> dict[str, str]:
        """Waits for the `ready PROGRAM key=value ...` line and returns its pairs."""
        line = self.wait_line(lambda text: text.startswith("ready "), "ready line", deadline_s=deadline_s)
        said = dict(part.split("=", 1) for part in line.split()[2:] if "=" in part)
        if "token_file" in said:
            _tokens[said["http"]] = pathlib.Path(said["token_file"]).read_text().strip()
        return said

    def signal(self, number: int):
        self.process.send_signal(number)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {deadline_s} s\n{self.output()}") from None
        for reader in self._readers:
            reader.join(5)
        return code

    def stop(self, expect: int | None = 0) -> int:
        """SIGTERM, and the exit code that a clean stop has."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        code = self.wait()
        if expect is not None and code != expect:
            raise AssertionError(f"{self.name} ended with {code}, not {expect}\n{self.output()}")
        return code

    def kill(self) -> int:
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        return self.wait()

    def output(self) -> str:
        return "\n".join([f"$ {' '.join(self.command)}", *self.lines, *[f"! {line}" for line in self.log[-60:]]])


class Bench(contextlib.ExitStack):
    """One test's folder and programs; all end with it."""

    def __enter__(self):
        super().__enter__()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="atalaya-test-"))
        self.callback(shutil.rmtree, self.dir, ignore_errors=True)
        return self

    def start(self, *command, **options) -> Program:
        """Starts one of our programs (by name) or any other (by path)."""
        first = BIN / command[0] if "/" not in str(command[0]) else command[0]
        program = Program(first, *command[1:], **options)
        self.callback(program.kill)
        return program

    def start_server(self, *flags, name: str = "cloud_server", program="cloud_server",
                     listen: str = "127.0.0.1:0") -> tuple[Program, str]:
        """A cloud_server, where not said otherwise on a port of the kernel's choice; returns it with its host:port."""
        server = self.start(program, "--listen", listen, "--name", name, "--data-dir", self.dir / name,
                            "--stats-file", self.stats_file(name), *flags)
        return server, server.ready()["mqtt"].split(",")[0]

    def stats_file(self, name: str = "cloud_server") -> pathlib.Path:
        return self.dir / f"{name}.stats"


def run_program(*command, stdin: str | None = None, deadline_s: float = DEADLINE_S, **options):
    """Runs a command to its end; returns the CompletedProcess with text output."""
    first = BIN / command[0] if "/" not in str(command[0]) else command[0]
    return subprocess.run([str(first), *map(str, command[1:])], input=stdin, capture_output=True, text=True,
                          timeout=deadline_s, check=False, **options)


def token_of(address: str) -> str:
    """The token of a ready cloud_alertd."""
    return _tokens[address]


def with_token(address: str) -> str:
    """The URL of a ready cloud_alertd with its token as password, as amtool and promtool take it."""
    return f"http://any:{token_of(address)}@{address}"


def http(url: str, method: str = "GET", body: bytes | None = None, headers: dict | None = None):
    """(status, headers, body) of one request; a status is never an exception. A ready cloud_alertd is brought its token."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    if request.host in _tokens and not request.has_header("Authorization"):
        request.add_header("Authorization", f"Bearer {_tokens[request.host]}")
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def run(main):
    """Runs a test's main and ends the process with what CTest expects: 0, 1, or 77 for a skip."""
    try:
        main()
    except Skip as why:
        print(f"skipped: {why}")
        sys.exit(SKIPPED)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    print("passed")
    sys.exit(0)
