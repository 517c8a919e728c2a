"""./up as its user meets it: ready and its table, a drill on the running set, a clean Ctrl-C."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket

from harness import ROOT, Bench, http, run, run_program, skip, wait_for

SERVING = "Serving after"
ROW = re.compile(r"^(cloud_\S+(?: agent)?)\s+(\S.*?)\s{2,}(\d+)\s+(\S+)$")


def checkout(folder: pathlib.Path) -> pathlib.Path:
    """A checkout of its own, so that its var/ is nobody else's; what is built is shared."""
    for part in ("launch", "rules"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "up", folder / "up")
    (folder / "build").symlink_to(ROOT / "build")
    return folder


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def rows(program) -> dict[str, tuple[str, int]]:
    return {m[1]: (m[2], int(m[3])) for m in map(ROW.match, program.lines) if m}


def query(page: str, token: str, expression: str) -> list:
    status, _, body = http(f"{page}api/v1/query?query={expression}", headers={"Authorization": f"Bearer {token}"})
    assert status == 200, body
    return json.loads(body)["data"]["result"]


def main():
    if not (ROOT / "build/release/bin/cloud_alertd").exists():
        skip("build/release is not built; ./check builds it")
    with Bench() as bench, socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            occupant.bind(("127.0.0.1", 1883))
            occupant.listen()  # So that ./up has to choose another, whoever has it now.
        except OSError:
            pass
        folder = checkout(bench.dir / "checkout")
        up = bench.start(str(folder / "up"))
        up.wait_line(lambda line: line.startswith(SERVING), "table", deadline_s=60)
        assert any("port 1883 (mqtt) is taken; using" in line for line in up.lines), up.output()
        running = rows(up)
        assert list(running) == ["cloud_server", "cloud_exporter", "cloud_alertd", "cloud_client agent"], up.output()
        pids = {name: pid for name, (_, pid) in running.items()}
        page = running["cloud_alertd"][0]
        printed = next(line for line in up.lines if line.startswith("Page: ")).split()[1]
        assert http(printed)[0] == 200 and printed.startswith(f"{page}?token="), printed
        token = printed.partition("=")[2]
        wait_for("the exporter's figures in history", lambda: query(page, token, "up==1"))
        wait_for("the agent's readings in history", lambda: query(page, token, "{__name__=~'telemetry_.%2B'}"))

        second = run_program(str(folder / "up"))
        assert second.returncode == 1 and "already running" in second.stderr, second

        drill = run_program(str(folder / "up"), "--drill", deadline_s=200)
        print(drill.stdout, drill.stderr)
        assert drill.returncode == 0, up.output()
        for words in ("webhook firing", "mail    firing", "webhook resolved", "mail    resolved",
                      "kill -> webhook, firing", "start -> mail, resolved"):
            assert words in drill.stdout, f"{words!r} is missing"
        assert not is_alive(pids.pop("cloud_server")), "the killed server"
        assert not any("notice" in line for line in up.lines), "a configured receiver heard of the drill"
        new_server = int(re.search(r"started cloud_server again \(pid (\d+)\)", drill.stdout)[1])
        pids["cloud_server"] = new_server
        assert all(map(is_alive, pids.values()))

        up.signal(signal.SIGINT)
        assert up.wait() == 0, up.output()
        stops = [line.removeprefix("stopping ") for line in up.lines if line.startswith("stopping ")]
        assert stops == ["cloud_alertd", "cloud_client agent", "cloud_exporter", "cloud_server"], stops
        assert not any(map(is_alive, pids.values())), "something was left behind"
        port = running["cloud_server"][0].rpartition(":")[2]
        assert not pathlib.Path(f"/dev/shm/atalaya-up-{os.getuid()}-{port}.stats").exists()
        assert not any("notice" in line for line in up.lines), "a planned stop raised a notice"



run(main)
