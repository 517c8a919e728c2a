"""The four programs of ./up as one set: what they are called with, in which order they start and stop."""

import os
import pathlib

import config
import ports
from child import Child

BIN = pathlib.Path("build/release/bin")
LOGS = pathlib.Path("var/log")


class Programs:
    def __init__(self, say):
        self._say = say
        self.ports, said = ports.choose()
        for sentence in said:
            say(sentence)
        mqtt = f"{ports.HOST}:{self.ports['mqtt']}"
        self.stats_file = pathlib.Path(f"/dev/shm/atalaya-up-{os.getuid()}-{self.ports['mqtt']}.stats")
        self.page = f"http://{ports.HOST}:{self.ports['alertd']}/"
        config.write(config.ETC / "alertd.toml", config.alertd(self.ports, str(self.stats_file)))
        config.write(config.DRILL, config.NO_DRILL)
        config.MAIL.mkdir(parents=True, exist_ok=True)
        config_flags = [flag for path in config.alertd_files() for flag in ("--config", str(path))]
        self.server = self._child("cloud_server", "--listen", mqtt, "--name", config.SERVER, "--data-dir",
                                  "var/cloud_server", "--stats-file", str(self.stats_file))
        self.exporter = self._child("cloud_exporter", "--web.listen-address",
                                    f"{ports.HOST}:{self.ports['exporter']}", "--cloud-server.stats-file",
                                    str(self.stats_file))
        self.alertd = self._child("cloud_alertd", *config_flags, on_line=say)
        self.agent = self._child("cloud_client", "agent", "--server", f"mqtt://{mqtt}", "--spool", "var/agent", log="agent")
        self.all = [self.server, self.exporter, self.alertd, self.agent]

    @staticmethod
    def _child(program: str, *flags: str, log: str | None = None, on_line=None) -> Child:
        name = f"{program} {log}" if log else program
        return Child(name, [str(BIN / program), *flags], LOGS / f"{log or program}.log", on_line)

    async def start(self):
        for child in self.all:
            await child.start()

    async def stop(self):
        """alertd first, so that nobody hears of a planned stop; then those who send, then the server."""
        for child in (self.alertd, self.agent, self.exporter, self.server):
            if child.running:
                self._say(f"stopping {child.name}")
            await child.stop()
        self.stats_file.unlink(missing_ok=True)

    def table(self) -> str:
        rows = [("what", "address", "pid", "log")]
        addresses = {self.server: f"mqtt://{self.server.ready.get('mqtt', '')}",
                     self.exporter: f"http://{self.exporter.ready.get('http', '')}/metrics",
                     self.alertd: self.page, self.agent: f"sends to {self.agent.ready.get('server', '')}"}
        rows += [(child.name, addresses[child], str(child.pid), str(child.log)) for child in self.all]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([*lines, "", f"Page: {self.page}?token={self.token()}", f"Mails: {config.MAIL}/    Stop: Ctrl-C"])

    def token(self) -> str:
        """What alertd asks of everybody."""
        return pathlib.Path(self.alertd.ready["token_file"]).read_text().strip()
