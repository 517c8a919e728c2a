"""The configuration files that ./up writes into var/etc/. receivers.toml at the top of the checkout is the user's own."""

import pathlib

from ports import HOST

ETC = pathlib.Path("var/etc")
MAIL = pathlib.Path("var/mail")
DRILL = ETC / "drill.toml"
RECEIVERS = pathlib.Path("receivers.toml")
SERVER = "cloud_server"
ROOT = pathlib.Path(__file__).resolve().parent.parent  # alertd takes relative paths from its file's folder.
NO_DRILL = "# Filled by ./up --drill while a drill runs.\n"


def alertd(ports: dict[str, int], stats_file: str) -> str:
    return f"""\
# Written by ./up at each start. Your own receivers belong into {RECEIVERS} at the top of the checkout.
[http]
listen = "{HOST}:{ports['alertd']}"

[storage]
dir = "{ROOT}/var/alertd"

[[scrape]]
job = "node"
targets = ["{HOST}:{ports['exporter']}"]
interval = "5s"

[[scrape]]
job = "cloud_alertd"
targets = ["{HOST}:{ports['alertd']}"]
interval = "15s"

[[process]]
name = "{SERVER}"
stats_file = "{stats_file}"
labels = {{ server = "{SERVER}" }}

[[probe]]
name = "{SERVER}_mqtt"
kind = "mqtt"
target = "{HOST}:{ports['mqtt']}"
interval = "5s"
timeout = "2s"
process = "{SERVER}"
labels = {{ server = "{SERVER}" }}

[telemetry]
server = "{HOST}:{ports['mqtt']}"

[rules]
files = ["{ROOT}/rules/*.toml"]

[[inhibit_rule]]
source_matchers = ['alertname="ServerDown"']
target_matchers = ['alertname=~"ServerUnreachable|ServerHung"']
equal = ["server"]

[[inhibit_rule]]
source_matchers = ['alertname="DiskSpaceCritical"']
target_matchers = ['alertname="DiskSpaceLow"']
equal = ["instance", "mountpoint"]

[[receiver]]
name = "terminal"
stdout = true

[[receiver]]
name = "mailbox"
email = {{ directory = "{ROOT / MAIL}", from = "atalaya@localhost", to = ["operator@localhost"] }}
"""


def drill(webhook: str, smtp: str, notify: bool) -> str:
    return f"""\
[drill]
match = {{ server = "{SERVER}" }}
notify = {str(notify).lower()}

[[receiver]]
name = "drill-webhook"
drill = true
webhook = {{ url = "{webhook}" }}

[[receiver]]
name = "drill-mail"
drill = true
email = {{ smtp = "{smtp}", from = "atalaya@localhost", to = ["operator@localhost"] }}
"""


def write(path: pathlib.Path, text: str):
    """Replaces a file whole, so that a reload never reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def alertd_files() -> list[pathlib.Path]:
    own = [RECEIVERS] if RECEIVERS.exists() else []
    return [ETC / "alertd.toml", *own, DRILL]
