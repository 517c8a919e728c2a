"""Debian's OpenSMTPD, unpacked, for a test: in an overlay of this machine, as it knows its users and folders by name. Needs
root. What it delivers is found in `box`, one file for each mail."""

import email
import email.policy
import os
import pathlib
import socket

import harness

DOMAIN = "example.org"

SETUP = """
set -eu
mount -t tmpfs none "$WORK"
mkdir "$WORK/up" "$WORK/work" "$WORK/root"
mount -t overlay none -o "lowerdir=/,upperdir=$WORK/up,workdir=$WORK/work" "$WORK/root"
cd "$WORK/root"
mount --rbind /dev dev
mount -t proc none proc
cp -a "$PEER/usr/." usr/
mkdir -p var/lib/opensmtpd/empty var/spool/smtpd mail run
chmod 711 var/spool/smtpd
mount --bind "$MAIL" mail
id=7000
for user in opensmtpd opensmtpq reader; do
  id=$((id + 1))
  echo "$user:x:$id:$id::/var/lib/opensmtpd/empty:/bin/sh" >> etc/passwd
  echo "$user:x:$id:" >> etc/group
done
chown $id mail
exec chroot . /usr/sbin/smtpd -d -f /mail/smtpd.conf
"""

CONFIGURATION = """
table boxes {{ "@" = "reader" }}
listen on 127.0.0.1 port {port}
action "deliver" maildir "/mail/box" virtual <boxes>
match from any for domain "{domain}" action "deliver"
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OpenSmtpd:
    """Takes mail for everybody at DOMAIN, in the clear: Debian's build fails at every TLS handshake with OpenSSL 3."""

    def __init__(self, folder: pathlib.Path):
        if os.geteuid() != 0:
            harness.skip("needs root for a throw-away copy of the machine")
        program = harness.peer("opensmtpd", "usr/sbin/smtpd")
        mail, work = folder / "opensmtpd", folder / "opensmtpd-root"
        mail.mkdir()
        work.mkdir()
        self.port = _free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        (mail / "smtpd.conf").write_text(CONFIGURATION.format(port=self.port, domain=DOMAIN))
        self.box = mail / "box/new"
        self.program = harness.Program("unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", SETUP, env={
            "WORK": str(work), "PEER": str(program.parents[2]), "MAIL": str(mail),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
        harness.wait_for("OpenSMTPD's port", self._serves)

    def _serves(self) -> bool:
        if self.program.process.poll() is not None:
            raise AssertionError(f"OpenSMTPD ended:\n{self.program.output()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def mails(self) -> list[email.message.EmailMessage]:
        """What was delivered so far, oldest first."""
        files = sorted(self.box.glob("*"), key=lambda file: file.stat().st_mtime_ns) if self.box.exists() else []
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.kill()
