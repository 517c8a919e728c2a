"""Every series that Debian's node_exporter gives on this machine, and on the made-up tree, is given by cloud_exporter too:
same name, type and labels, and where it stands still, the same value. Run by hand, it prints what differs:

    python3 tests/system/exporter_names.py
"""

import itertools
import re
import socket

import harness
from harness import Bench, http, wait_for

MACHINE = harness.ROOT / "exporter/tests/machine"  # Made up, and without a fault: node_exporter crashes on some.
# Collectors that are off by default and wanted all the same.
MORE = ["--collector.interrupts", "--collector.processes", "--collector.tcpstat"]
# Debian changed some defaults; these are the original's.
SAME = ["--collector.netdev.device-exclude=^$", "--collector.textfile.directory=/nonexistent",
        "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+"
        "|var/lib/containers/storage/.+)($|/)"]
# Families of node_exporter that are not ours, each with its reason.
LEFT_OUT = {
    r"go_.*|promhttp_.*|node_exporter_build_info": "figures of the Go program itself",
    r"process_(max_fds|open_fds|virtual_memory.*|network_.*)": "figures of the exporter's own process that nobody asks for",
    r"node_scrape_collector_.*": "compared by collector below",
    r"node_systemd_.*": "systemd units through D-Bus are not covered",
}
# Series that come and go between two scrapes.
FLEETING = re.compile(r"node_(tcp_connection_states|processes_(state|threads_state))\b")
# Values that move while the two are asked one after the other.
MOVING = re.compile(
    r"node_(cpu_.*seconds_total|context_switches|disk_|entropy_available|filefd_allocated|filesystem_(avail|free|files_free)"
    r"|forks|interrupts|intr|load|memory_|netstat_|network_(receive|transmit)_|pressure|processes_|procs_|sockstat_|softnet_"
    r"|schedstat|tcp_|time_seconds|timex_|udp_queues|vmstat_|nf_conntrack|arp_entries|hwmon_|thermal|rapl|xfs_)")
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


def read_page(text: str):
    """({series: value}, {family: type}); a series is (name, sorted labels)."""
    series, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = kind
        elif line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            key = (name, tuple(sorted((n, v) for n, v in LABEL.findall(labels or "") if v)))
            assert key not in series, f"twice on one page: {line}"
            series[key] = float(value)
    return series, types


def left_out(name: str):
    return any(re.fullmatch(pattern, name) for pattern in LEFT_OUT)


def differences(theirs: str, ours: str, still: bool):
    """What of `theirs` is not the same in `ours`; with `still`, values count everywhere."""
    their_series, their_types = read_page(theirs)
    our_series, our_types = read_page(ours)
    for (name, labels), value in their_series.items():
        if left_out(name):
            continue
        if (name, labels) not in our_series:
            if still or not FLEETING.match(name):
                yield f"missing: {name}{dict(labels)} {value}"
            continue
        our_value = our_series[(name, labels)]
        moving = name.startswith("process_") or (not still and MOVING.match(name))
        if not moving and abs(our_value - value) > 1e-6 * max(1.0, abs(value)) and not (value != value and our_value != our_value):
            yield f"value: {name}{dict(labels)}: theirs {value}, ours {our_value}"
    for name, kind in their_types.items():
        if not left_out(name) and name in our_types and our_types[name] != kind:
            yield f"type: {name}: theirs {kind}, ours {our_types[name]}"


def success(page: str):
    return {dict(labels)["collector"]: value for (name, labels), value in read_page(page)[0].items()
            if name == "node_scrape_collector_success"}


def free_port():
    """node_exporter does not say which port the kernel chose for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def compare(bench: Bench, node_exporter, flags: list[str], peer_flags: list[str], still: bool):
    port = free_port()
    bench.start(node_exporter, f"--web.listen-address=127.0.0.1:{port}", *flags, *peer_flags)
    ours = bench.start("cloud_exporter", "--web.listen-address", "127.0.0.1:0", *flags).ready()["http"]

    def answers():
        try:
            return http(f"http://127.0.0.1:{port}/metrics")[0] == 200
        except OSError:
            return False
    wait_for("node_exporter to answer", answers)
    for attempt in itertools.count(1):
        their_page = http(f"http://127.0.0.1:{port}/metrics")[2].decode()
        our_page = http(f"http://{ours}/metrics")[2].decode()
        found = list(differences(their_page, our_page, still))
        their_success, our_success = success(their_page), success(our_page)
        found += [f"success of {name}: theirs {value}, ours {our_success.get(name)}" for name, value in their_success.items()
                  if name != "systemd" and our_success.get(name) != value]
        if not found or attempt == 3:  # Something may have come or gone between the two.
            return found


def main():
    node_exporter = harness.peer("prometheus-node-exporter", "usr/bin/prometheus-node-exporter")
    with Bench() as bench:
        found = compare(bench, node_exporter, [*MORE, *SAME], [], False)
        made_up = [f"--path.procfs={MACHINE}/proc", f"--path.sysfs={MACHINE}/sys", f"--path.udev.data={MACHINE}/udev",
                   "--collector.interrupts", "--collector.processes", "--collector.cpu.info", "--collector.stat.softirq",
                   "--collector.bcache.priorityStats", "--collector.netdev.device-exclude=^$"]
        made_up += [f"--no-collector.{name}" for name in ("filesystem", "os", "textfile", "time", "timex", "uname")]
        found += compare(bench, node_exporter, made_up, ["--no-collector.netdev.netlink"], True)
    assert not found, "\n".join(["differs from node_exporter:", *found])


if __name__ == "__main__":
    harness.run(main)
