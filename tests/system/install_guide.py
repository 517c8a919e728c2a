"""Runs the shell blocks of docs/INSTALL.md, in order, as one bash session in a throw-away copy of this machine.

The copy is an overlay on / with its own network, so that nothing here is changed and nothing leaves. Needs root.
"""

import os
import pathlib
import re
import subprocess
import tempfile

from harness import ROOT, run, skip

GUIDE = ROOT / "docs/INSTALL.md"
NOT_RUN = re.compile(r"^\*\(not run by the test: (.+)\)\*$")
DEADLINE_S = 280

SETUP = """
set -eu
mount -t tmpfs none "$WORK"
mkdir "$WORK/up" "$WORK/work" "$WORK/root"
mount -t overlay none -o "lowerdir=/,upperdir=$WORK/up,workdir=$WORK/work" "$WORK/root"
mount --rbind /dev "$WORK/root/dev"
mount -t tmpfs none "$WORK/root/dev/shm" -o mode=1777
mount -t proc none "$WORK/root/proc"
mount --rbind /sys "$WORK/root/sys"
ip link set lo up
printf '#!/bin/sh\\nexec "$@"\\n' > "$WORK/root/usr/local/bin/sudo"
chmod 0755 "$WORK/root/usr/local/bin/sudo"
exec chroot "$WORK/root" /bin/bash -c "cd '$CHECKOUT' && exec /bin/bash -euo pipefail -x /guide.sh"
"""


def shell_blocks(text: str) -> tuple[list[str], list[str]]:
    """The blocks to run, and the reasons of those that are left out."""
    blocks, left_out = [], []
    reason, inside = None, None
    for line in text.splitlines():
        if inside is not None:
            if line == "```":
                if reason:
                    left_out.append(reason)
                else:
                    blocks.append("\n".join(inside))
                inside = reason = None
            else:
                inside.append(line)
        elif line == "```sh":
            inside = []
        elif match := NOT_RUN.match(line):
            reason = match.group(1)
    return blocks, left_out


def main():
    if os.geteuid() != 0:
        skip("needs root for a throw-away copy of the machine")
    blocks, left_out = shell_blocks(GUIDE.read_text())
    assert len(blocks) >= 8, f"only {len(blocks)} blocks found"
    with tempfile.TemporaryDirectory(prefix="atalaya-guide-") as work:
        guide = pathlib.Path("/guide.sh")
        script = "\n".join(blocks) + "\necho the guide ran to its end\n"
        setup = SETUP.replace("ip link set lo up", f"ip link set lo up\ncat > \"$WORK/root{guide}\"", 1)
        environment = {**os.environ, "WORK": work, "CHECKOUT": str(ROOT), "HOME": "/root",
                       "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-c", setup],
            input=script, capture_output=True, text=True, timeout=DEADLINE_S, env=environment, check=False)
    print(done.stdout[-6000:])
    print(done.stderr[-8000:])
    assert done.returncode == 0, f"the guide failed with {done.returncode}"
    assert "the guide ran to its end" in done.stdout
    print(f"{len(blocks)} blocks run; {len(left_out)} left out: {', '.join(left_out)}")


run(main)
