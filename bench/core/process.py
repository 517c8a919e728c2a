"""A program under measurement: started, waited for, its CPU and memory read, ended."""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

from core.bench import Failed

DEADLINE_S = 30  # To start, and to stop.
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command, cpu: int | None = None, deadline_s: float = 300) -> str:
    """Runs a meter to its end, on one CPU if asked; returns its stdout. Raises Failed where it fails."""
    text = [str(part) for part in command]
    try:
        done = subprocess.run(text, capture_output=True, text=True, timeout=deadline_s, check=False,
                              preexec_fn=None if cpu is None else lambda: os.sched_setaffinity(0, {cpu}))
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(text)}: no end within {deadline_s} s") from None
    if done.returncode != 0:
        raise Failed(f"{' '.join(text)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


class Process:
    """A server on `port` of loopback; with `cpu` it has that CPU only. It dies with the bench."""

    def __init__(self, name: str, command: list, port: int, folder: pathlib.Path, cpu: int | None = None):
        self.name = name
        self.port = port
        self.token_file: pathlib.Path | None = None  # Of a cloud_alertd, for fetch().
        self.log = folder / f"{name}-{port}.log"

        def prepare():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})

        with self.log.open("wb") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=prepare)
        self._wait_port()

    def _wait_port(self):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        self.stop()
        raise Failed(f"{self.name} does not serve: exit {self.process.returncode}: {self.log.read_text()[-500:]}")

    @property
    def pid(self) -> int:
        return self.process.pid

    def cpu_s(self) -> float:
        """CPU that all its living threads have used so far."""
        total_ns = 0
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            try:
                total_ns += int((task / "schedstat").read_text().split()[0])
            except FileNotFoundError:
                continue  # Ended meanwhile.
        return total_ns / 1e9

    def rss_bytes(self) -> int:
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def fetch(self, path: str, deadline_s: float = 60) -> str:
        headers = {"Authorization": f"Bearer {self.token_file.read_text().strip()}"} if self.token_file else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=deadline_s) as answer:
            return answer.read().decode()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
