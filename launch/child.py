"""One program that ./up runs: started, waited for, stopped; never outlives ./up."""

import asyncio
import ctypes
import pathlib
import signal

READY_DEADLINE_S = 20
STOP_DEADLINE_S = 15
LOG_TAIL_LINES = 15
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class StartFailed(Exception):
    pass


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A child in a session of its own, so that Ctrl-C in the terminal reaches ./up alone, which stops them in order."""

    def __init__(self, name: str, command: list[str], log: pathlib.Path, on_line=None):
        self.name = name
        self.command = command
        self.log = log
        self.process: asyncio.subprocess.Process | None = None
        self.ready: dict[str, str] = {}
        self._on_line = on_line or (lambda line: None)
        self._pump: asyncio.Task | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self):
        """Returns once the program has printed its ready line; raises StartFailed with the end of its log otherwise."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent)
        served = asyncio.get_running_loop().create_future()
        self._pump = asyncio.create_task(self._read_lines(served))
        try:
            self.ready = await asyncio.wait_for(served, READY_DEADLINE_S)
        except TimeoutError:
            self.ready = {}
        if not self.ready:
            await self.stop()
            raise StartFailed(f"{self.name} did not start (exit {self.process.returncode}); the end of {self.log}:\n"
                              + self.log_tail())

    async def _read_lines(self, served: asyncio.Future):
        async for raw in self.process.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            if not served.done() and line.startswith("ready "):
                served.set_result(dict(part.split("=", 1) for part in line.split() if "=" in part))
            else:
                self._on_line(line)
        if not served.done():
            served.set_result({})

    def log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines)

    def send(self, number: signal.Signals):
        if self.running:
            self.process.send_signal(number)

    async def wait(self) -> int:
        code = await self.process.wait()
        if self._pump:
            await self._pump
        return code

    async def stop(self):
        """SIGTERM; SIGKILL after the deadline."""
        if not self.running:
            return
        self.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), STOP_DEADLINE_S)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.wait()
