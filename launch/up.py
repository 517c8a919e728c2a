"""Runs Atalaya's programs together until Ctrl-C, and drills on request. Started by ./up, from the top of the checkout."""

import asyncio
import os
import pathlib
import signal
import sys
import time

import drill
from child import StartFailed
from programs import Programs

CONTROL = pathlib.Path("var/up.sock")  # Relative: a Unix socket's path may have 107 bytes only.
REQUEST_LIMIT_BYTES = 64


def say(line: str):
    print(line, flush=True)


def describe_end(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


async def watch(child, stopping: asyncio.Event, restarting: set):
    """Says so when a program ends that nobody stopped."""
    while not stopping.is_set():
        code = await child.wait()
        if stopping.is_set():
            return
        if child in restarting:  # A drill ended it and starts it again.
            while child in restarting and not child.running:
                await asyncio.sleep(0.01)
            continue
        say(f"{child.name} ended ({describe_end(code)}); its log: {child.log}; Ctrl-C and ./up start all of it again")
        return


class Control:
    """Lets `./up --drill` in another terminal ask the running ./up for a drill."""

    def __init__(self, programs: Programs, restarting: set):
        self._programs = programs
        self._restarting = restarting
        self._busy = asyncio.Lock()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        def answer(line: str):
            writer.write((line + "\n").encode())

        request = (await reader.read(REQUEST_LIMIT_BYTES)).decode().split()
        if self._busy.locked():
            answer("a drill is running already")
            answer("exit 1")
        elif request[:1] == ["drill"]:
            async with self._busy:
                done = await drill.run(self._programs, answer, "notify" in request, self._restarting)
            answer(f"exit {0 if done else 1}")
        else:
            answer("unknown request")
            answer("exit 2")
        await writer.drain()
        writer.close()


async def ask_running(notify: bool) -> int | None:
    """Asks a running ./up for a drill and shows what it says; None where none is running."""
    try:
        reader, writer = await asyncio.open_unix_connection(CONTROL)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    writer.write(b"drill notify" if notify else b"drill")
    await writer.drain()
    async for raw in reader:
        line = raw.decode().rstrip("\n")
        if line.startswith("exit "):
            return int(line.split()[1])
        say(line)
    return 1


async def is_running() -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(CONTROL)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    return True


async def serve(drill_only: bool, notify: bool, began: float) -> int:
    stopping, restarting = asyncio.Event(), set()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    programs = Programs(say)
    code = 0
    control = None
    try:
        await programs.start()
        say(programs.table())
        say(f"Serving after {time.monotonic() - began:.1f} s.")
        watches = [asyncio.create_task(watch(child, stopping, restarting)) for child in programs.all]
        if drill_only:
            code = 0 if await drill.run(programs, say, notify, restarting) else 1
        else:
            CONTROL.unlink(missing_ok=True)
            control = await asyncio.start_unix_server(Control(programs, restarting).serve, CONTROL)
            CONTROL.chmod(0o600)
            await stopping.wait()
        stopping.set()
    except StartFailed as failed:
        say(f"./up: {failed}")
        code, watches = 1, []
    finally:
        stopping.set()
        if control:
            control.close()
            CONTROL.unlink(missing_ok=True)
        await programs.stop()
    await asyncio.gather(*watches)
    return code


async def main(flags: list[str]) -> int:
    began = time.monotonic()
    wants_drill, notify = "--drill" in flags, "--notify" in flags
    if notify and not wants_drill:
        print("./up: --notify goes with --drill", file=sys.stderr)
        return 2
    pathlib.Path("var").mkdir(exist_ok=True)
    if wants_drill:
        code = await ask_running(notify)
        if code is not None:
            return code
    elif await is_running():
        print("./up: already running in this checkout; stop it with Ctrl-C there", file=sys.stderr)
        return 1
    return await serve(wants_drill, notify, began)


if __name__ == "__main__":
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    sys.exit(asyncio.run(main(sys.argv[1:])))
